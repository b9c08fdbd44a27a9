-- One tree for SQLite and PostgreSQL: only types and clauses that both accept.
-- Times are Unix seconds. Ids are UUIDs in their text form.

CREATE TABLE users (
    id               TEXT   NOT NULL PRIMARY KEY,
    email            TEXT   NOT NULL,
    email_key        TEXT   NOT NULL UNIQUE, -- the e-mail, ASCII lower-cased: what log-in compares
    user_name        TEXT   NOT NULL,
    password_hash    TEXT   NOT NULL,
    password_version BIGINT NOT NULL,        -- counts up at every change: a log-in in flight notices
    roles            TEXT   NOT NULL,        -- a JSON array of strings
    created_at       BIGINT NOT NULL,
    last_login_at    BIGINT,
    blocked_at       BIGINT
);

-- One row per session for its whole life; a rotation moves `generation`, nothing is inserted.
CREATE TABLE sessions (
    id              TEXT   NOT NULL PRIMARY KEY,
    user_id         TEXT   REFERENCES users (id) ON DELETE SET NULL,
    nonce           TEXT   NOT NULL, -- goes into every refresh token of the session
    generation      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    rotated_at      BIGINT NOT NULL,
    idle_until      BIGINT NOT NULL,
    absolute_until  BIGINT NOT NULL,
    late_generation BIGINT NOT NULL, -- the generation last handed out late; 0 for none
    late_streak     BIGINT NOT NULL, -- generations in a row that were handed out late
    ended_at        BIGINT,
    end_reason      TEXT,
    device          TEXT   NOT NULL,
    address         TEXT   NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_absolute_until ON sessions (absolute_until);
CREATE INDEX sessions_ended_at ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Failed log-ins in a row. Bounded: a row per account or per address with a session of it, and a fixed
-- number of slots for e-mails that are nobody's.
CREATE TABLE login_failures (
    slot      TEXT   NOT NULL PRIMARY KEY,
    tag       TEXT   NOT NULL, -- whose failures these are, where several e-mails share a slot
    user_id   TEXT   REFERENCES users (id) ON DELETE CASCADE,
    failures  BIGINT NOT NULL,
    failed_at BIGINT NOT NULL
);
CREATE INDEX login_failures_user ON login_failures (user_id);

-- Append-only: one record per change of state. No reference to users or sessions, which it outlives.
CREATE TABLE audit (
    id         TEXT   NOT NULL PRIMARY KEY, -- UUIDv7: its order is the order of writing
    at         BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    user_id    TEXT,
    session_id TEXT,
    generation BIGINT,
    detail     TEXT,
    address    TEXT,
    user_agent TEXT,
    request_id TEXT
);
CREATE INDEX audit_session ON audit (session_id);
CREATE INDEX audit_user ON audit (user_id);
CREATE INDEX audit_at ON audit (at);
