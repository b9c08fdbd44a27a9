//! The database, behind two calls: [`Db::read`] and [`Db::write`].
//!
//! Owns connections, transactions and SQL; nothing outside sees a connection. A *unit* is one piece of
//! work in one transaction; what it returns as `Ok` is committed before the caller hears of it, `Err`
//! rolls back. A unit decides by the row count of a conditional write, never by a `SELECT` before it.
//!
//! PostgreSQL: a unit is one pooled connection on a blocking thread. SQLite: all writes go through the
//! one thread of [`writer`], reads use a pool.

mod audit;
mod connection;
mod endings;
mod feed;
mod login_failures;
mod migrate;
mod schema;
mod session_row;
mod sessions;
mod users;
mod writer;

use std::time::Instant;

use diesel::r2d2::Pool;
use diesel::result::{DatabaseErrorKind, Error as QueryError};

pub use audit::{AuditRecord, AuditRow};
pub use feed::Ending;
pub use sessions::{NewSession, Rotated, Rotation, SessionWithAccount};
pub use users::NewUser;

use crate::settings::DatabaseUrl;
use connection::{AnyConnection, Manager};
use writer::Writer;

/// SQLite: readers beside the writer. They never wait for it, and are done in microseconds.
const READERS: u32 = 4;
/// PostgreSQL: a few replicas of this many fit under its default of 100 connections.
const CONNECTIONS: u32 = 16;

/// Why a unit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// More is waiting than is good for anyone; nothing was done.
    #[error("the queue of writes is full")]
    Busy,
    /// The unit's deadline passed while it waited; nothing was done.
    #[error("waited too long for the database")]
    TooLate,
    /// A value that must be unique is there already.
    #[error("a unique value is already there")]
    Duplicate,
    /// No connection, or the database cannot commit.
    #[error("database not available: {0}")]
    Unavailable(String),
    /// The database refused a statement.
    #[error("database: {0}")]
    Query(#[source] QueryError),
    /// A conditional write missed, since the row changed after it was read; the unit may be tried again.
    #[error("the row changed meanwhile")]
    Moved,
    /// A stored value is not what this program wrote.
    #[error("unreadable {0} in the database")]
    Unreadable(&'static str),
}

impl From<QueryError> for DbError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Duplicate,
            QueryError::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::ReadOnlyTransaction
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::UnableToSendCommand,
                info,
            ) => Self::Unavailable(info.message().to_owned()),
            QueryError::BrokenTransactionManager => {
                Self::Unavailable("connection lost in a transaction".into())
            }
            other => Self::Query(other),
        }
    }
}

/// The connection of a unit; its methods are the statements, in the files of this folder.
pub struct Tx<'a>(&'a mut AnyConnection);

impl Tx<'_> {
    /// The database's clock, in Unix seconds; of SQLite it is this machine's.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn clock(&mut self) -> Result<i64, DbError> {
        #[derive(diesel::QueryableByName)]
        struct Clock {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            now: i64,
        }
        let sql = match self.0 {
            AnyConnection::Sqlite(_) => "SELECT unixepoch() AS now",
            AnyConnection::Postgres(_) => {
                "SELECT CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT) AS now"
            }
        };
        let clock: Clock = diesel::RunQueryDsl::get_result(diesel::sql_query(sql), self.0)?;
        Ok(clock.now)
    }

    /// The least that a database can be asked.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn ping(&mut self) -> Result<(), DbError> {
        diesel::RunQueryDsl::execute(diesel::sql_query("SELECT 1"), self.0)?;
        Ok(())
    }
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Db(Backend);

#[derive(Clone)]
enum Backend {
    Sqlite {
        writer: Writer,
        readers: Pool<Manager>,
    },
    Postgres {
        pool: Pool<Manager>,
    },
}

impl Db {
    /// Opens the database and brings its tables up to date.
    ///
    /// # Errors
    /// A sentence that names the file or server and what is wrong with it.
    pub fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        migrate::run(url)?;
        Ok(Self(match url {
            DatabaseUrl::Sqlite(_) => Backend::Sqlite {
                writer: Writer::start(url.clone())?,
                readers: connection::pool(url.clone(), READERS),
            },
            DatabaseUrl::Postgres(_) => Backend::Postgres {
                pool: connection::pool(url.clone(), CONNECTIONS),
            },
        }))
    }

    /// Writes that wait: for the writer, or for a connection.
    #[must_use]
    pub fn waiting(&self) -> usize {
        match &self.0 {
            Backend::Sqlite { writer, .. } => writer.waiting(),
            Backend::Postgres { .. } => 0,
        }
    }

    /// Runs a unit that only reads.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn read<T: Send + 'static>(
        &self,
        mut unit: impl FnMut(&mut Tx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let pool = match &self.0 {
            Backend::Sqlite { readers, .. } => readers.clone(),
            Backend::Postgres { pool } => pool.clone(),
        };
        blocking(move || with_connection(&pool, None, &mut |c| unit(&mut Tx(c)))).await
    }

    /// Runs a unit that writes, in a transaction. Past `deadline` it is not begun any more.
    ///
    /// # Errors
    /// See [`DbError`]; after any of them nothing of the unit is in the database, except that a connection
    /// lost while committing leaves it open whether the commit happened.
    pub async fn write<T: Send + 'static>(
        &self,
        deadline: Instant,
        mut unit: impl FnMut(&mut Tx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        match &self.0 {
            Backend::Sqlite { writer, .. } => writer.submit(deadline, unit).await,
            Backend::Postgres { pool } => {
                let pool = pool.clone();
                blocking(move || {
                    with_connection(&pool, Some(deadline), &mut |c| in_transaction(c, &mut unit))
                })
                .await
            }
        }
    }

    /// Runs a unit of one statement that writes: it needs no transaction around it, and saves PostgreSQL
    /// two round trips. If the connection broke it is run once more, so it must be one that may run twice.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn write_statement<T: Send + 'static>(
        &self,
        deadline: Instant,
        mut unit: impl FnMut(&mut Tx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        match &self.0 {
            Backend::Sqlite { writer, .. } => writer.submit(deadline, unit).await,
            Backend::Postgres { pool } => {
                let pool = pool.clone();
                blocking(move || {
                    let mut run = |c: &mut AnyConnection| unit(&mut Tx(c));
                    match with_connection(&pool, Some(deadline), &mut run) {
                        Err(DbError::Unavailable(_)) => {
                            with_connection(&pool, Some(deadline), &mut run)
                        }
                        answer => answer,
                    }
                })
                .await
            }
        }
    }
}

fn in_transaction<T>(
    conn: &mut AnyConnection,
    unit: &mut impl FnMut(&mut Tx<'_>) -> Result<T, DbError>,
) -> Result<T, DbError> {
    conn.begin_write()?;
    match unit(&mut Tx(conn)) {
        Ok(value) => {
            conn.commit()?;
            Ok(value)
        }
        Err(error) => {
            // The unit's error is the one to report; a connection that cannot roll back is dropped by the pool.
            let _ = conn.rollback();
            Err(error)
        }
    }
}

fn with_connection<T>(
    pool: &Pool<Manager>,
    deadline: Option<Instant>,
    run: &mut impl FnMut(&mut AnyConnection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let mut conn = pool
        .get()
        .map_err(|e| DbError::Unavailable(e.to_string()))?;
    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return Err(DbError::TooLate);
    }
    run(&mut conn)
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|e| Err(DbError::Unavailable(e.to_string())))
}
