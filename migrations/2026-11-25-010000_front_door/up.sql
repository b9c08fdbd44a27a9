-- Wrong passwords: counted per network and per known device, with a budget of verdicts per account.

-- What an account has left for all networks, and for all its devices. Bounded: two rows per account, and a fixed
-- number of slots for e-mails that are nobody's.
CREATE TABLE login_budgets (
    slot    TEXT   NOT NULL PRIMARY KEY,
    tag     TEXT   NOT NULL, -- whose budget this is, where several e-mails share a slot
    user_id TEXT   REFERENCES users (id) ON DELETE CASCADE,
    full_at BIGINT NOT NULL  -- when it is full again
);
CREATE INDEX login_budgets_user ON login_budgets (user_id);
CREATE INDEX login_budgets_full_at ON login_budgets (full_at);
CREATE INDEX login_failures_failed_at ON login_failures (failed_at);

-- Wrong current passwords that came with a session's access tokens: at ten it ends.
ALTER TABLE sessions ADD COLUMN wrong_passwords BIGINT NOT NULL DEFAULT 0;
