-- Back-channel log-out: since when a log-out waits to be delivered, and clients whose receivers are in private networks.

ALTER TABLE logout_deliveries ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX logout_deliveries_client ON logout_deliveries (client_id, due_at);

-- 1: its back-channel URI may lead to a private address.
ALTER TABLE clients ADD COLUMN backchannel_private BIGINT NOT NULL DEFAULT 0;
