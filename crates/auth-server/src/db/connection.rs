//! Connections to either database, and the pool that makes them.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::r2d2::{Error, ManageConnection, Pool, R2D2Connection};
use diesel::sqlite::SqliteConnection;
use diesel::Connection;

use crate::settings::DatabaseUrl;

/// How long a request waits for a connection before it is told that the database is not there.
const CHECKOUT: Duration = Duration::from_secs(2);

/// A connection to whichever database the setting names.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl AnyConnection {
    /// Begins a transaction that may write. SQLite takes the write lock now, since a read that becomes a
    /// write later fails at once when another writer was first.
    pub(crate) fn begin_write(&mut self) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    pub(crate) fn commit(&mut self) -> diesel::QueryResult<()> {
        <Self as Connection>::TransactionManager::commit_transaction(self)
    }

    pub(crate) fn rollback(&mut self) -> diesel::QueryResult<()> {
        <Self as Connection>::TransactionManager::rollback_transaction(self)
    }
}

/// Makes connections for r2d2 from the scheme of the URL, and reports the true cause when it cannot.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) url: DatabaseUrl,
}

impl ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = Error;

    fn connect(&self) -> Result<AnyConnection, Error> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy()).map_err(Error::ConnectionError)?;
                // FULL: an answered rotation survives a power cut; with the writer's groups it costs little.
                conn.batch_execute(
                    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
                )
                .map_err(Error::QueryError)?;
                Ok(AnyConnection::Sqlite(conn))
            }
            DatabaseUrl::Postgres(url) => {
                PgConnection::establish(url).map(AnyConnection::Postgres).map_err(Error::ConnectionError)
            }
        }
    }

    fn is_valid(&self, conn: &mut AnyConnection) -> Result<(), Error> {
        conn.ping().map_err(Error::QueryError)
    }

    fn has_broken(&self, conn: &mut AnyConnection) -> bool {
        conn.is_broken()
    }
}

/// A pool of at most `size` connections; opens none before the first is asked for.
pub(crate) fn pool(url: DatabaseUrl, size: u32) -> Pool<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .connection_timeout(CHECKOUT)
        .test_on_check_out(false) // a round trip less; a broken connection shows itself, see Db::write
        .error_handler(Box::new(LogQuietly))
        .build_unchecked(Manager { url })
}

/// r2d2 retries in the background and reports every try; ours is to say so quietly, since each request
/// that suffers from it says so too. The text of libpq names host and user, never the password.
#[derive(Debug)]
struct LogQuietly;

impl diesel::r2d2::HandleError<Error> for LogQuietly {
    fn handle_error(&self, error: Error) {
        log::debug!("database connection: {error}");
    }
}
