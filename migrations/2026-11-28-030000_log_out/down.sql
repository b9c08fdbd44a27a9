ALTER TABLE clients DROP COLUMN backchannel_private;
DROP INDEX logout_deliveries_client;
ALTER TABLE logout_deliveries DROP COLUMN created_at;
