//! Fills a database with live sessions as log-ins would have made them, and reckons the tokens of some.
//!
//! Rows are made by the database itself, a large piece at a time. With its row and the key files, the pair of a
//! session can be made as auth-server makes it; with less it cannot.

use std::path::Path;

use auth_server::db::{Generation, Purpose, RefreshToken};
use auth_server::mac_keys::MacKeyFile;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use shared::clock;
use shared::key_file::KeyFile;
use shared::token::{NewToken, Policy, Signer};
use uuid::Uuid;

use crate::Fault;
use crate::connection::AnyConnection;
use crate::database::Database;
use crate::pair::Pair;

/// Rows in a transaction.
const PIECE: i64 = 100_000;
/// Sessions of a user.
const PER_USER: i64 = 50;
/// Seconds that a filled session lives without a refresh, and in all: the defaults of auth-server.
const IDLE: i64 = 14 * 86_400;
const ABSOLUTE: i64 = 30 * 86_400;

/// The oldest log-in was a week ago, and no filled session has been refreshed yet.
const AGE: i64 = 7 * 86_400;
/// The address of filled sessions: by it they are found again.
const ADDRESS: &str = "203.0.113.7";
/// The user agent of filled sessions and of those who refresh them, as long as those of browsers are: a row that
/// became shorter by its refresh would make room for the next.
pub const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0";

/// How the two databases say the same.
struct Dialect {
    /// A random UUID.
    uuid: &'static str,
    /// 16 random bytes in base64url: any 21 of its characters, and one that leaves no bit over.
    nonce: &'static str,
    /// The id of the user of a number: as far from its neighbours as random ones would be.
    user: fn(&str) -> String,
}

const SQLITE: Dialect = Dialect {
    uuid: "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' \
           || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
    nonce: "substr(hex(randomblob(11)), 2) || 'A'",
    user: |n| format!("printf('%08x-0000-4000-8000-%012x', {n} * 2654435761 % 4294967296, {n})"),
};

const POSTGRES: Dialect = Dialect {
    uuid: "CAST(gen_random_uuid() AS TEXT)",
    nonce: "substr(md5(CAST(random() AS TEXT)), 1, 21) || 'A'",
    user: |n| {
        format!(
            "lpad(to_hex({n} * 2654435761 % 4294967296), 8, '0') || '-0000-4000-8000-' || lpad(to_hex({n}), 12, '0')"
        )
    },
};

/// Adds live sessions, and users for them; tells `said` now and then how many are there. Once per database.
///
/// # Errors
/// The database's.
pub fn fill(database: &Database, sessions: i64, mut said: impl FnMut(i64)) -> Result<(), Fault> {
    let mut conn = database.connect()?;
    let dialect = match &mut conn {
        AnyConnection::Sqlite(conn) => {
            // What is interrupted is thrown away: nothing has to survive anything.
            conn.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -1500000")?;
            SQLITE
        }
        AnyConnection::Postgres(_) => POSTGRES,
    };
    let (now, users) = (clock::now(), (sessions / PER_USER).max(1));
    let mut at = 0;
    while at < users {
        let to = users.min(at + PIECE);
        conn.batch_execute(&add_users(&dialect, at, to, now))?;
        at = to;
    }
    let mut at = 0;
    while at < sessions {
        let to = sessions.min(at + PIECE);
        conn.batch_execute(&add_sessions(&dialect, at, to, users, now))?;
        at = to;
        said(at);
    }
    // As after a quiet moment: what was put off is done.
    let rest: &[&str] = match &conn {
        AnyConnection::Sqlite(_) => &["PRAGMA wal_checkpoint(TRUNCATE)"],
        AnyConnection::Postgres(_) => &["VACUUM (ANALYZE)", "CHECKPOINT"],
    };
    for statement in rest {
        conn.batch_execute(statement)?;
    }
    Ok(())
}

/// The numbers from `from` on and below `to`, as `n`.
fn numbers(from: i64, to: i64) -> String {
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {to})"
    )
}

fn add_users(dialect: &Dialect, from: i64, to: i64, now: i64) -> String {
    format!(
        "{} INSERT INTO users (id, email, email_key, user_name, password_hash, password_version, roles, created_at) \
         SELECT {}, 'filled-' || n || '@example.com', 'filled-' || n || '@example.com', 'Filled', \
           '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', \
           1, '[]', {now} FROM numbers",
        numbers(from, to),
        (dialect.user)("n")
    )
}

fn add_sessions(dialect: &Dialect, from: i64, to: i64, users: i64, now: i64) -> String {
    // Whose log-in comes after whose is chance, as good as: primes scatter users and times of log-in.
    let user = (dialect.user)(&format!("(n * 7919 % {users})"));
    let Dialect { uuid, nonce, .. } = dialect;
    format!(
        "{} INSERT INTO sessions (id, user_id, nonce, generation, created_at, rotated_at, idle_until, absolute_until, \
           late_generation, late_streak, device, address, agent, seen_at, seen_address) \
         SELECT {uuid}, {user}, {nonce}, 1, began, began, began + {IDLE}, began + {ABSOLUTE}, 0, 0, '{AGENT}', \
           '{ADDRESS}', '{AGENT}', began, '{ADDRESS}' \
         FROM (SELECT n, {now} - n * 104729 % {AGE} AS began FROM numbers) AS begun",
        numbers(from, to)
    )
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    nonce: String,
    #[diesel(sql_type = BigInt)]
    absolute_until: i64,
}

/// The pairs of `count` filled sessions, taken at random from the whole table; `data` has the key files.
///
/// # Errors
/// The database's, or those of the key files.
pub fn sample(database: &Database, data: &Path, count: u32) -> Result<Vec<Pair>, Fault> {
    let rows: Vec<Row> = sql_query(format!(
        "SELECT id, user_id, nonce, absolute_until FROM sessions \
         WHERE generation = 1 AND address = '{ADDRESS}' ORDER BY random() LIMIT {count}"
    ))
    .load(&mut database.connect()?)?;
    let maker = Maker::open(data)?;
    rows.iter().map(|row| maker.pair(row)).collect()
}

/// Makes pairs, as only who has both key files can.
struct Maker {
    mac_keys: std::sync::Arc<MacKeyFile>,
    signer: Signer,
    now: i64,
}

impl Maker {
    fn open(data: &Path) -> Result<Self, Fault> {
        Ok(Self {
            mac_keys: MacKeyFile::open(&data.join("refresh-keys.json"))?,
            signer: signer(data)?,
            now: clock::now(),
        })
    }

    fn pair(&self, row: &Row) -> Result<Pair, Fault> {
        let keys = self.mac_keys.ring();
        let nonce = URL_SAFE_NO_PAD.decode(&row.nonce)?;
        let token = RefreshToken {
            purpose: Purpose::Account,
            key_id: keys.signing(self.now).ok_or("no MAC key")?.id(),
            session: row.id.parse()?,
            generation: Generation::FIRST,
            nonce: nonce.try_into().map_err(|_| "no nonce")?,
            absolute_until: row.absolute_until,
        };
        Ok(Pair {
            access: self.signer.sign(
                &token_of(&row.user_id, &row.id, self.now, self.now + 3600),
                self.now,
            )?,
            refresh: token.encode(&keys)?,
        })
    }
}

/// Signs access tokens as auth-server does by its defaults; `data` has the key ring.
///
/// # Errors
/// Those of the file.
pub fn signer(data: &Path) -> Result<Signer, Fault> {
    let policy = Policy {
        issuer: "http://localhost:5000".into(),
        audiences: vec!["http://localhost:5001".into()],
        skew: 0,
    };
    Ok(Signer::new(
        KeyFile::open(&data.join("jwt-keys.json"))?,
        policy,
    ))
}

/// An access token that was over a minute ago, and is fine otherwise.
///
/// # Errors
/// Those of the signer.
pub fn expired(signer: &Signer) -> Result<String, Fault> {
    let now = clock::now();
    let [user, session] = [Uuid::new_v4(), Uuid::new_v4()].map(|id| id.to_string());
    Ok(signer.sign(&token_of(&user, &session, now - 360, now - 60), now)?)
}

fn token_of<'a>(user: &'a str, session: &'a str, from: i64, until: i64) -> NewToken<'a> {
    NewToken {
        sub: user,
        sid: session,
        jti: "5c6a5b6e-0000-4000-8000-000000000000",
        iat: from,
        nbf: from,
        exp: until,
        name: "Filled",
        email: "filled@example.com",
        email_verified: false,
        roles: &[],
    }
}
