//! The database of a run, seen from outside: how many rows, how large, and what PostgreSQL says of its updates.
//!
//! Asks by connections of its own, past auth-server: what is to be proven of the server must not be told by it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use crate::connection::{AnyConnection, Number, number};
use crate::{Fault, machine};

/// A database that is made for a part of a run, and goes with it.
pub struct Database {
    /// As `DATABASE_URL` has it.
    pub url: String,
    /// Of a server: the URL that was given, and the name of what was made there.
    made: Option<(String, String)>,
}

/// Rows and bytes at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Of every table.
    pub rows: Vec<(String, i64)>,
    /// Bytes of the database; of SQLite, of its main file.
    pub bytes: i64,
    /// Bytes of SQLite's write-ahead log, which is used again and again.
    pub log: i64,
}

/// What PostgreSQL says of the table of sessions.
#[derive(Clone, Copy, Debug, Default, QueryableByName)]
pub struct Updates {
    /// Rows that were updated since the table was made.
    #[diesel(sql_type = BigInt)]
    pub updated: i64,
    /// Of those, the ones whose indexes had not to be touched.
    #[diesel(sql_type = BigInt)]
    pub hot: i64,
    /// Old versions of rows that wait to be cleaned up.
    #[diesel(sql_type = BigInt)]
    pub dead: i64,
    /// Bytes of the table itself.
    #[diesel(sql_type = BigInt)]
    pub table: i64,
    /// Bytes of its indexes.
    #[diesel(sql_type = BigInt)]
    pub indexes: i64,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Database {
    /// Makes an empty database `name`: a file in `folder`, or one on the server of the URL `given`.
    ///
    /// # Errors
    /// When the server does not let us.
    pub fn make(given: &str, folder: &Path, name: &str) -> Result<Self, Fault> {
        if given == "sqlite" {
            let file = folder.join(format!("{name}.db"));
            return Ok(Self {
                url: format!("sqlite://{}", file.display()),
                made: None,
            });
        }
        let name = format!("growth_{name}_{:08x}", rand::random::<u32>());
        let (server, parameters) = given.split_once('?').unwrap_or((given, ""));
        let (server, _) = server
            .rsplit_once('/')
            .filter(|(server, _)| !server.ends_with('/'))
            .ok_or("the URL names no database")?;
        PgConnection::establish(given)?.batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(Self {
            url: format!("{server}/{name}?{parameters}"),
            made: Some((given.to_owned(), name)),
        })
    }

    /// Whether it is on a server.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.made.is_some()
    }

    pub(crate) fn connect(&self) -> Result<AnyConnection, Fault> {
        let mut conn = match self.file() {
            Some(file) => {
                AnyConnection::Sqlite(SqliteConnection::establish(&file.to_string_lossy())?)
            }
            None => AnyConnection::Postgres(PgConnection::establish(&self.url)?),
        };
        if let AnyConnection::Sqlite(conn) = &mut conn {
            conn.batch_execute("PRAGMA busy_timeout = 20000")?;
        }
        Ok(conn)
    }

    fn file(&self) -> Option<PathBuf> {
        self.url.strip_prefix("sqlite://").map(PathBuf::from)
    }

    /// Runs statements that answer nothing.
    ///
    /// # Errors
    /// The database's.
    pub fn execute(&self, statements: &str) -> Result<(), Fault> {
        Ok(self.connect()?.batch_execute(statements)?)
    }

    /// Counts the rows and measures the size.
    ///
    /// # Errors
    /// The database's.
    pub fn extent(&self) -> Result<Extent, Fault> {
        let mut conn = self.connect()?;
        let tables = match self.file() {
            Some(_) => {
                "SELECT name AS value FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            }
            None => {
                "SELECT CAST(tablename AS TEXT) AS value FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
            }
        };
        let mut rows = Vec::new();
        for Name { value } in sql_query(tables).load::<Name>(&mut conn)? {
            let count = number(&mut conn, &format!("SELECT count(*) AS value FROM {value}"))?;
            rows.push((value, count));
        }
        let (bytes, log) = match self.file() {
            Some(file) => {
                let mut log = file.clone().into_os_string();
                log.push("-wal");
                let length = |file: &Path| std::fs::metadata(file).map_or(0, |data| data.len());
                (
                    i64::try_from(length(&file))?,
                    i64::try_from(length(log.as_ref()))?,
                )
            }
            None => (
                number(
                    &mut conn,
                    "SELECT pg_database_size(current_database()) AS value",
                )?,
                0,
            ),
        };
        Ok(Extent { rows, bytes, log })
    }

    /// What PostgreSQL says of the sessions; `None` of SQLite.
    ///
    /// # Errors
    /// The database's.
    pub fn updates(&self) -> Result<Option<Updates>, Fault> {
        if self.file().is_some() {
            return Ok(None);
        }
        Ok(Some(
            sql_query(
                "SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot, n_dead_tup AS dead, \
                   pg_relation_size(relid) AS \"table\", pg_indexes_size(relid) AS indexes \
                 FROM pg_stat_user_tables WHERE relname = 'sessions'",
            )
            .get_result(&mut self.connect()?)?,
        ))
    }

    /// Nanoseconds of CPU of each process of the server: of those that work for this database, and of those that
    /// work for all. `None` of SQLite, and where the server is on another machine.
    #[must_use]
    pub fn server_cpu(&self) -> Option<Used> {
        let (given, _) = self.made.as_ref()?;
        let local = "SELECT CAST(pid AS BIGINT) AS value FROM pg_stat_activity \
             WHERE (datname IS NULL OR datname = current_database()) AND pid <> pg_backend_pid() \
               AND (inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr())";
        let mut conn = PgConnection::establish(&self.url)
            .or_else(|_| PgConnection::establish(given))
            .ok()?;
        let processes: Vec<Number> = sql_query(local).load(&mut conn).ok()?;
        let used: HashMap<i64, u64> = processes
            .iter()
            .filter_map(|Number { value }| {
                let used = machine::cpu_nanoseconds(u32::try_from(*value).ok()?).ok()?;
                Some((*value, used))
            })
            .collect();
        (!used.is_empty()).then_some(Used(used))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((given, name)) = &self.made
            && let Ok(mut conn) = PgConnection::establish(given)
        {
            // A server that is gone has no database to drop.
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// Nanoseconds of CPU that each process of a server has used so far.
#[derive(Debug)]
pub struct Used(HashMap<i64, u64>);

impl Used {
    /// What they used since an earlier look; of one that came meanwhile, all.
    #[must_use]
    pub fn since(&self, before: &Self) -> u64 {
        self.0
            .iter()
            .map(|(id, used)| used.saturating_sub(before.0.get(id).copied().unwrap_or_default()))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_came_counts_whole_and_one_that_went_not_at_all() {
        let before = Used(HashMap::from([(1, 100), (2, 50)]));
        let after = Used(HashMap::from([(1, 130), (3, 7)]));
        assert_eq!(after.since(&before), 37);
    }

    #[test]
    fn rows_and_size_of_a_file_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::make("sqlite", folder.path(), "a").unwrap();
        database
            .execute("PRAGMA journal_mode = WAL; CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('a'), ('b')")
            .unwrap();
        let open = database.connect().unwrap();
        let extent = database.extent().unwrap();
        assert_eq!(extent.rows, [("t".to_owned(), 2)]);
        assert!(extent.bytes >= 0 && extent.bytes + extent.log > 0);
        drop(open);
    }
}
