//! The database, behind two calls: [`Db::read`] and [`Db::write`].
//!
//! Owns connections, transactions and SQL; nothing outside sees a connection. A *unit* is one piece of
//! work in one transaction; what it returns as `Ok` is committed before the caller hears of it, `Err`
//! rolls back. A unit decides by the row count of a conditional write, never by a `SELECT` before it.
//!
//! PostgreSQL: a unit is one pooled connection on a blocking thread. SQLite: all writes go through the
//! one thread of the writer, reads use a pool.

mod addresses;
mod answers;
mod apps;
mod audit;
mod backup;
mod browsers;
mod bulk;
mod bundled;
mod caller;
mod clients;
mod codes;
mod connection;
mod consents;
mod copy;
mod end_reason;
mod endings;
mod event;
mod feed;
mod groups;
mod id;
mod log_outs;
mod login_failures;
mod mail_limits;
mod migrate;
mod number;
mod open;
mod outbox;
mod pool;
mod prepared;
mod rotation;
mod rotation_queue;
mod schema;
mod session;
mod session_row;
mod sessions;
mod user;
mod users;
mod writer;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as QueryError};

pub use audit::{AuditRecord, AuditRow};
pub use backup::backup;
pub use browsers::BrowserRow;
pub use bulk::{read_in_bulk, write_in_bulk};
pub use bundled::bundled;
pub use caller::Caller;
pub use clients::{ClientRow, ClientsVersion};
pub use codes::{CodeRow, Fetched, PendingCode};
pub use consents::Consent;
pub use copy::{Copied, copy};
pub use end_reason::EndReason;
pub use event::Event;
pub use feed::Ending;
pub(crate) use groups::Groups;
pub use id::{Id, OfSession, OfUser, SessionId, UserId};
pub use log_outs::LogOut;
pub use login_failures::{Budget, CounterRow, CounterRows, Failures, Limits, Tally};
pub use mail_limits::LettersPaid;
pub use number::{Generation, PasswordVersion};
pub use outbox::{Letter, LetterKind, NewLetter};
pub use rotation::{Owner, Rotated, Rotation};
pub use session::{Grant, Nonce, Purpose, RefreshToken, Session, SessionKind, Sighting};
pub use sessions::{NewSession, SessionWithAccount};
pub use user::{Account, NO_PASSWORD, PendingEmail, User};
pub use users::NewUser;

use crate::settings::DatabaseUrl;
use connection::AnyConnection;
use pool::Pool;
use rotation_queue::RotationQueue;
use writer::{Undo, Writer};

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
    /// No connection, no answer in time, or the database cannot commit.
    #[error("database not available: {0}")]
    Unavailable(String),
    /// The connection broke before anything was committed.
    #[error("database connection lost: {0}")]
    Lost(String),
    /// The database takes no writes, as one that stands by.
    #[error("database is read-only: {0}")]
    ReadOnly(String),
    /// Two units stood in each other's way, and the database undid this one.
    #[error("database conflict: {0}")]
    Conflict(String),
    /// The database cannot be used as it is, and waiting does not change that.
    #[error("{0}")]
    Unusable(String),
    /// A text has a character that the database cannot store.
    #[error("a text cannot be stored: {0}")]
    Unstorable(String),
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
        use DatabaseErrorKind as Kind;
        match error {
            QueryError::DatabaseError(kind, info) => {
                let said = one_line(info.message());
                match kind {
                    Kind::UniqueViolation => Self::Duplicate,
                    Kind::ClosedConnection | Kind::UnableToSendCommand => Self::Lost(said),
                    Kind::ReadOnlyTransaction => Self::ReadOnly(said),
                    Kind::SerializationFailure => Self::Conflict(said),
                    Kind::Unknown if said.contains("deadlock detected") => Self::Conflict(said),
                    // PostgreSQL's texts have no zero byte. Names of encodings are the same in every language.
                    Kind::Unknown if said.contains("UTF8") && said.contains("0x") => {
                        Self::Unstorable(said)
                    }
                    // No state comes with it, and servers speak many languages: time-outs, full disks, a
                    // file that is locked. What the server cannot do now, it may be able to do later.
                    Kind::Unknown => Self::Unavailable(said),
                    _ => Self::Query(QueryError::DatabaseError(kind, info)),
                }
            }
            QueryError::BrokenTransactionManager => {
                Self::Lost("connection lost in a transaction".into())
            }
            other => Self::Query(other),
        }
    }
}

/// What libpq says ends with a line feed, and may have several lines.
fn one_line(said: &str) -> String {
    said.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

/// The connection of a unit; its methods are the statements, in the files of this folder.
pub struct Tx<'a>(&'a mut AnyConnection);

impl Tx<'_> {
    /// The database's clock as an expression of its SQL, in Unix seconds; of SQLite it is this machine's. What
    /// several machines write and compare takes this one, not theirs.
    fn clock_sql(&self) -> &'static str {
        match self.0 {
            AnyConnection::Sqlite(_) => "unixepoch()",
            AnyConnection::Postgres(_) => {
                "CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT)"
            }
        }
    }

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
        let sql = format!("SELECT {} AS now", self.clock_sql());
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

/// A unit that writes: its connection, and who asks for it.
pub struct Unit<'u, 'c> {
    tx: &'u mut Tx<'c>,
    caller: &'u Caller,
}

impl<'u> Unit<'u, '_> {
    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &'u Caller {
        self.caller
    }

    /// The one time of everything that the unit does, in Unix seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.caller.now
    }
}

impl<'c> Deref for Unit<'_, 'c> {
    type Target = Tx<'c>;

    fn deref(&self) -> &Tx<'c> {
        self.tx
    }
}

impl DerefMut for Unit<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.tx
    }
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Db(Backend);

#[derive(Clone)]
enum Backend {
    Sqlite {
        writer: Writer,
        readers: Pool,
    },
    Postgres {
        pool: Pool,
        rotations: RotationQueue,
    },
}

impl Db {
    /// Opens the database and brings its tables up to date. A PostgreSQL server that is not there yet is
    /// waited for as long as `patience`.
    ///
    /// # Errors
    /// A sentence that names the file or server and what is wrong with it.
    pub fn open(url: &DatabaseUrl, patience: Duration) -> Result<Self, DbError> {
        open::ready(url, patience)?;
        Ok(Self(match url {
            DatabaseUrl::Sqlite(_) => Backend::Sqlite {
                writer: Writer::start(url.clone())?,
                readers: Pool::new(url.clone(), READERS),
            },
            DatabaseUrl::Postgres(_) => {
                let pool = Pool::new(url.clone(), CONNECTIONS);
                let rotations = RotationQueue::new(pool.clone());
                Backend::Postgres { pool, rotations }
            }
        }))
    }

    /// Writes that wait: for the writer, or for a connection.
    #[must_use]
    pub fn waiting(&self) -> usize {
        match &self.0 {
            Backend::Sqlite { writer, .. } => writer.waiting(),
            Backend::Postgres { pool, rotations } => pool.waiting() + rotations.waiting(),
        }
    }

    /// How many writes have shared a commit.
    pub(crate) fn groups(&self) -> &Groups {
        match &self.0 {
            Backend::Sqlite { writer, .. } => writer.groups(),
            Backend::Postgres { rotations, .. } => rotations.groups(),
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
            Backend::Sqlite { readers, .. } => readers,
            Backend::Postgres { pool, .. } => pool,
        };
        pool.run(None, move |c| unit(&mut Tx(c))).await
    }

    /// Runs a unit that writes, in a transaction. When its caller has waited for too long, it is not begun any more. It may be run
    /// again, in another transaction, when the first one broke before its commit.
    ///
    /// # Errors
    /// See [`DbError`]; after any of them nothing of the unit is in the database, except that a connection
    /// lost while committing, or an answer that never came, leaves it open whether the commit happened.
    pub async fn write<T: Send + 'static>(
        &self,
        caller: &Caller,
        mut unit: impl FnMut(&mut Unit<'_, '_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let (deadline, caller) = (caller.deadline(), caller.clone());
        let mut unit = move |tx: &mut Tx<'_>| {
            unit(&mut Unit {
                tx,
                caller: &caller,
            })
        };
        match &self.0 {
            Backend::Sqlite { writer, .. } => writer.submit(deadline, Undo::Savepoint, unit).await,
            Backend::Postgres { pool, .. } => {
                pool.run(Some(deadline), move |c| in_transaction(c, &mut unit))
                    .await
            }
        }
    }

    /// Makes a usual refresh, which is one statement, with those that come at the same time: see
    /// [`Tx::rotate_session`]. If the connection broke it is made once more, for the row tells what has happened.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn rotate(
        &self,
        caller: &Caller,
        rotation: Rotation,
    ) -> Result<Option<Rotated>, DbError> {
        let deadline = caller.deadline();
        match &self.0 {
            Backend::Sqlite { writer, .. } => {
                let unit = move |tx: &mut Tx<'_>| tx.rotate_session(&rotation);
                writer.submit(deadline, Undo::Statement, unit).await
            }
            Backend::Postgres { rotations, .. } => rotations.submit(deadline, rotation).await,
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
            // Whether a commit whose answer was lost has happened nobody knows: not to be run again.
            conn.commit().map_err(|error| match DbError::from(error) {
                DbError::Lost(why) => DbError::Unavailable(format!("while committing: {why}")),
                other => other,
            })?;
            Ok(value)
        }
        Err(error) => {
            // The unit's error is the one to report; a connection that cannot roll back is dropped by the pool.
            let _ = conn.rollback();
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_stored_is_no_outage() {
        let of = |said: &str| {
            let info = Box::new(said.to_owned());
            DbError::from(QueryError::DatabaseError(DatabaseErrorKind::Unknown, info))
        };
        for said in [
            "invalid byte sequence for encoding \"UTF8\": 0x00\n",
            "ungültige Byte-Sequenz für Kodierung »UTF8«: 0x00",
            "character with byte sequence 0xd0 0x90 in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
        ] {
            assert!(matches!(of(said), DbError::Unstorable(_)), "{said}");
        }
        for said in [
            "canceling statement due to statement timeout",
            "disk full",
            "deadlock detected",
        ] {
            assert!(!matches!(of(said), DbError::Unstorable(_)), "{said}");
        }
    }
}
