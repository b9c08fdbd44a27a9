-- Sign-on: sessions of browsers, programs and services beside those of the account's own clients; who the clients are.

ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT 'account'; -- account | browser | app | offline | service
ALTER TABLE sessions ADD COLUMN client_id TEXT NOT NULL DEFAULT '';
-- The browser's session that an app's or offline session came from.
ALTER TABLE sessions ADD COLUMN parent_id TEXT;
ALTER TABLE sessions ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN auth_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd'; -- RFC 8176 words, by blanks
-- Of an app's row: the sid in its id_tokens, which stays when the browser's session is replaced.
ALTER TABLE sessions ADD COLUMN browser_sid TEXT;
-- Generation 0 only: the rest of the authorization request as JSON; NULL after the exchange.
ALTER TABLE sessions ADD COLUMN pending TEXT;
-- S256 of the request's code_verifier: kept after the exchange, so that a second one can be judged.
ALTER TABLE sessions ADD COLUMN code_challenge TEXT;
CREATE INDEX sessions_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX sessions_client ON sessions (client_id) WHERE client_id <> '';

CREATE TABLE clients (
    id                  TEXT   NOT NULL PRIMARY KEY,
    name                TEXT   NOT NULL,
    kind                TEXT   NOT NULL, -- web | browser | native | service; web and service are confidential
    secret_hash         TEXT,            -- SHA-256 of 32 random bytes that we made
    former_secret_hash  TEXT,
    former_secret_until BIGINT,
    redirect_uris       TEXT   NOT NULL, -- JSON arrays of strings, these and those below
    logout_uris         TEXT   NOT NULL,
    backchannel_uri     TEXT,
    scopes              TEXT   NOT NULL,
    roles               TEXT   NOT NULL, -- of a service
    api                 BIGINT NOT NULL, -- 1: its access tokens are for JWT_AUDIENCE; 0: for the issuer's userinfo alone
    trusted             BIGINT NOT NULL, -- 1: ours, no consent page
    pkce                BIGINT NOT NULL, -- 0 only for confidential clients that cannot
    id_token_alg        TEXT   NOT NULL,
    created_at          BIGINT NOT NULL,
    changed_at          BIGINT NOT NULL, -- grows with every change of any client: by it replicas see that there was one
    blocked_at          BIGINT
);

CREATE TABLE consents (
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- Log-outs that clients are still to be told of.
CREATE TABLE logout_deliveries (
    id        TEXT   NOT NULL PRIMARY KEY,
    client_id TEXT   NOT NULL,
    sid       TEXT   NOT NULL,
    sub       TEXT   NOT NULL,
    tries     BIGINT NOT NULL,
    due_at    BIGINT NOT NULL
);

-- Authorization requests that clients have pushed (RFC 9126); whoever takes one deletes it.
CREATE TABLE pushed_requests (
    id         TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    request    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_requests_expires ON pushed_requests (expires_at);
