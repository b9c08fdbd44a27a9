-- Mail: proven addresses, changes of address that wait for their proof, and what is to be sent.

ALTER TABLE users ADD COLUMN email_verified_at BIGINT;
-- When a stranger made the account for himself; NULL for those that an operator made or imported, and older ones.
ALTER TABLE users ADD COLUMN self_registered_at BIGINT;
-- The address that a change of e-mail waits for, and until when its link is good; 0 for none.
ALTER TABLE users ADD COLUMN pending_email TEXT;
ALTER TABLE users ADD COLUMN pending_until BIGINT NOT NULL DEFAULT 0;
-- When the account was last sent a mail that somebody asked for; since when those of an hour are counted; how many.
ALTER TABLE users ADD COLUMN mailed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN mails_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN mails BIGINT NOT NULL DEFAULT 0;

-- When its user was last told that somebody else wants its address.
ALTER TABLE users ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0;

-- What is to be sent, never a link or its token: that is computed when the mail goes out.
CREATE TABLE outbox (
    id         TEXT   NOT NULL PRIMARY KEY, -- UUIDv7
    kind       TEXT   NOT NULL,
    user_id    TEXT   REFERENCES users (id) ON DELETE SET NULL, -- NULL for invitations, before it is looked up, and after
    address    TEXT   NOT NULL,
    locale     TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL, -- when it is tried (again); put off by whoever takes it
    tries      BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at);
CREATE INDEX outbox_user ON outbox (user_id);
