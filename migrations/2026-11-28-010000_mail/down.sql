DROP TABLE outbox;
ALTER TABLE users DROP COLUMN told_at;
ALTER TABLE users DROP COLUMN mails;
ALTER TABLE users DROP COLUMN mails_since;
ALTER TABLE users DROP COLUMN mailed_at;
ALTER TABLE users DROP COLUMN pending_until;
ALTER TABLE users DROP COLUMN pending_email;
ALTER TABLE users DROP COLUMN self_registered_at;
ALTER TABLE users DROP COLUMN email_verified_at;
