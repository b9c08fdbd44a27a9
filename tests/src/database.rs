//! A database of one test's own, and a second connection to it: to look at rows, and to move time by moving
//! the times in them back.

use std::path::Path;
use std::sync::Mutex;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query};

use crate::random;

/// A database that is removed when dropped.
pub struct Database {
    url: String,
    backend: Mutex<Backend>,
}

enum Backend {
    /// A file of the test's folder; connected once there are tables.
    Sqlite(Option<SqliteConnection>),
    /// A database of the server that `E2E_POSTGRES_URL` names, and its name.
    Postgres(Option<PgConnection>, String),
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    value: Option<i64>,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

impl Database {
    /// Makes an empty database of the kind that `E2E_DATABASE` names: `sqlite` (default) or `postgres`.
    #[must_use]
    pub fn create(folder: &Path) -> Self {
        let kind = std::env::var("E2E_DATABASE").unwrap_or_else(|_| "sqlite".into());
        match kind.as_str() {
            "sqlite" => Self {
                url: format!("sqlite://{}", folder.join("keyturn.db").display()),
                backend: Mutex::new(Backend::Sqlite(None)),
            },
            "postgres" => {
                let server = server();
                let name = format!("e2e_{}", random());
                let mut conn =
                    PgConnection::establish(&server).expect("the server of E2E_POSTGRES_URL");
                conn.batch_execute(&format!("CREATE DATABASE {name}"))
                    .expect("a database for the test");
                Self {
                    url: with_database(&server, &name),
                    backend: Mutex::new(Backend::Postgres(None, name)),
                }
            }
            other => panic!("E2E_DATABASE: {other:?} is neither sqlite nor postgres"),
        }
    }

    /// What `DATABASE_URL` takes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement and returns how many rows it hit.
    pub fn execute(&self, sql: &str) -> usize {
        self.with(|conn| match conn {
            Either::Sqlite(c) => sql_query(sql).execute(c),
            Either::Postgres(c) => sql_query(sql).execute(c),
        })
    }

    /// Runs a file of statements.
    pub fn script(&self, sql: &str) {
        self.with(|conn| match conn {
            Either::Sqlite(c) => c.batch_execute(sql),
            Either::Postgres(c) => c.batch_execute(sql),
        });
    }

    /// The column `value` of the one row of a query, a number.
    pub fn number(&self, sql: &str) -> Option<i64> {
        let row: Number = self.with(|conn| match conn {
            Either::Sqlite(c) => sql_query(sql).get_result(c),
            Either::Postgres(c) => sql_query(sql).get_result(c),
        });
        row.value
    }

    /// The column `value` of the rows of a query, words.
    pub fn words(&self, sql: &str) -> Vec<Option<String>> {
        let rows: Vec<Word> = self.with(|conn| match conn {
            Either::Sqlite(c) => sql_query(sql).load(c),
            Either::Postgres(c) => sql_query(sql).load(c),
        });
        rows.into_iter().map(|row| row.value).collect()
    }

    /// A number of a session's row.
    pub fn session(&self, sid: &str, column: &str) -> Option<i64> {
        self.number(&format!(
            "SELECT {column} AS value FROM sessions WHERE id = '{sid}'"
        ))
    }

    /// Why a session ended.
    pub fn end_reason(&self, sid: &str) -> Option<String> {
        let mut words = self.words(&format!(
            "SELECT end_reason AS value FROM sessions WHERE id = '{sid}'"
        ));
        words.pop().expect("the session's row")
    }

    /// How many live sessions a user has.
    pub fn live_sessions(&self, user: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) AS value FROM sessions WHERE user_id = '{user}' AND ended_at IS NULL"
        );
        self.number(&sql).unwrap_or_default()
    }

    /// How many audit records of this event a session has.
    pub fn records(&self, sid: &str, event: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) AS value FROM audit WHERE session_id = '{sid}' AND event = '{event}'"
        );
        self.number(&sql).unwrap_or_default()
    }

    /// Lets a session's last rotation lie this many seconds further back.
    pub fn age(&self, sid: &str, seconds: i64) {
        let sql =
            format!("UPDATE sessions SET rotated_at = rotated_at - {seconds} WHERE id = '{sid}'");
        assert_eq!(self.execute(&sql), 1, "the session's row");
    }

    /// Lets the exchange of a client's code lie this many seconds further back.
    pub fn age_exchange(&self, sid: &str, seconds: i64) {
        self.set(sid, &format!("created_at = created_at - {seconds}"));
    }

    /// Lets failed log-ins lie this many seconds later. One in the near future counts as now, so that its delay
    /// does not run out while a test runs.
    pub fn move_failures(&self, seconds: i64) {
        let sql = format!("UPDATE login_failures SET failed_at = failed_at + ({seconds})");
        assert_ne!(self.execute(&sql), 0, "there are failures");
    }

    /// Sets columns of a session's row.
    pub fn set(&self, sid: &str, assignments: &str) {
        assert_eq!(
            self.execute(&format!(
                "UPDATE sessions SET {assignments} WHERE id = '{sid}'"
            )),
            1
        );
    }

    fn with<T>(&self, run: impl FnOnce(Either<'_>) -> diesel::QueryResult<T>) -> T {
        let mut backend = self.backend.lock().expect("no test panics in here");
        let done = match &mut *backend {
            Backend::Sqlite(conn) => run(Either::Sqlite(conn.get_or_insert_with(|| {
                let path = self.url.trim_start_matches("sqlite://");
                let mut conn = SqliteConnection::establish(path).expect("the test's database");
                conn.batch_execute("PRAGMA busy_timeout = 10000;")
                    .expect("a pragma");
                conn
            }))),
            Backend::Postgres(conn, _) => run(Either::Postgres(conn.get_or_insert_with(|| {
                PgConnection::establish(&self.url).expect("the test's database")
            }))),
        };
        done.unwrap_or_else(|error| panic!("{error}"))
    }
}

enum Either<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Drop for Database {
    fn drop(&mut self) {
        let backend = self
            .backend
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Backend::Postgres(conn, name) = backend else {
            return;
        };
        drop(conn.take());
        let dropped = PgConnection::establish(&server())
            .map_err(|error| error.to_string())
            .and_then(|mut c| {
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                c.batch_execute(&sql).map_err(|error| error.to_string())
            });
        if let Err(error) = dropped {
            eprintln!("the database {name} stays: {error}");
        }
    }
}

fn server() -> String {
    std::env::var("E2E_POSTGRES_URL").expect(
        "E2E_POSTGRES_URL names a server; `tests/with-postgres cargo test -p e2e` starts one",
    )
}

/// The URL with another database: what stands between the last slash and a question mark.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let (server, _) = base.rsplit_once('/').expect("a URL with a database");
    match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    }
}
