//! The pool of connections, and what happens to a request when none is to be had, or one breaks.
//!
//! Requests wait in front of the pool, as tasks and not as threads: a storm of them, or a database that is
//! away, costs no more threads than there are connections. Every wait has an end, and so has every answer:
//! who cannot be served in time is told so, and what the database does later is found by the retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::r2d2::{Error, ManageConnection, PooledConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::AnyConnection;
use super::{DbError, one_line};
use crate::settings::DatabaseUrl;

/// How long a request waits for its turn, and then for a connection: a restart of the database that takes
/// no longer is not noticed.
pub(super) const CHECKOUT: Duration = Duration::from_secs(2);

/// Requests that may wait for their turn. At some thousand a second this is a fraction of one.
pub(super) const QUEUE: usize = 1024;

/// How long a request waits for its answer in all. Longer than the server's own bounds, which say better
/// what is wrong; for a server that has stopped answering, these do not hold.
pub(super) const ANSWER: Duration = Duration::from_secs(9);

/// A pool. Clones share it.
#[derive(Clone)]
pub(super) struct Pool {
    connections: diesel::r2d2::Pool<Manager>,
    breaks: Arc<AtomicU64>,
    /// One for each request that waits or runs.
    places: Arc<Semaphore>,
    /// One for each request that runs.
    turns: Arc<Semaphore>,
    size: usize,
}

/// A connection in the pool.
pub(super) struct Member {
    conn: AnyConnection,
    /// How many breaks there had been when it last answered. One that breaks is seldom alone: after a
    /// restart of the server all are dead.
    seen: u64,
    broken: bool,
}

/// Makes connections for r2d2.
#[derive(Debug)]
pub(super) struct Manager {
    url: DatabaseUrl,
    breaks: Arc<AtomicU64>,
}

impl ManageConnection for Manager {
    type Connection = Member;
    type Error = Error;

    fn connect(&self) -> Result<Member, Error> {
        let seen = self.breaks.load(Ordering::Relaxed);
        Ok(Member {
            conn: AnyConnection::open(&self.url)?,
            seen,
            broken: false,
        })
    }

    fn is_valid(&self, member: &mut Member) -> Result<(), Error> {
        member.conn.answers().map_err(Error::QueryError)
    }

    fn has_broken(&self, member: &mut Member) -> bool {
        member.broken || std::thread::panicking() || member.conn.has_broken()
    }
}

impl Pool {
    /// A pool of at most `size` connections; opens none before the first is asked for.
    pub(super) fn new(url: DatabaseUrl, size: u32) -> Self {
        let breaks = Arc::new(AtomicU64::new(0));
        let connections = diesel::r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .connection_timeout(CHECKOUT)
            .test_on_check_out(false) // a round trip less; a broken connection shows itself
            .error_handler(Box::new(LogQuietly))
            .build_unchecked(Manager {
                url,
                breaks: Arc::clone(&breaks),
            });
        let size = usize::try_from(size).unwrap_or(1);
        Self {
            connections,
            breaks,
            places: Arc::new(Semaphore::new(size + QUEUE)),
            turns: Arc::new(Semaphore::new(size)),
            size,
        }
    }

    /// Requests that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        let running = self.size - self.turns.available_permits();
        let here = self.size + QUEUE - self.places.available_permits();
        here.saturating_sub(running)
    }

    /// Runs a unit on a connection, on a blocking thread. If the connection broke, or the unit met another
    /// over a lock, it is run once more: it must be one that may run twice.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Option<Instant>,
        mut unit: impl FnMut(&mut AnyConnection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let turn = self.turn().await?;
        let pool = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Given back when the work has ended, not when its request has: the connection is in use as long.
            let _turn = turn;
            match pool.once(deadline, &mut unit) {
                Err(DbError::Lost(why)) => {
                    log::debug!("database connection: {why}; once more");
                    pool.once(deadline, &mut unit)
                }
                Err(DbError::Conflict(_)) => pool.once(deadline, &mut unit),
                done => done,
            }
        });
        match timeout(ANSWER, work).await {
            Ok(Ok(done)) => done,
            Ok(Err(panicked)) => Err(DbError::Unavailable(panicked.to_string())),
            Err(_) => Err(DbError::Unavailable("it does not answer".into())),
        }
    }

    async fn turn(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), DbError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| DbError::Busy)?;
        match timeout(CHECKOUT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok((place, turn)),
            _ => Err(self.nobodys_turn()),
        }
    }

    /// What to say to whoever waited for [`CHECKOUT`] and was not served.
    pub(super) fn nobodys_turn(&self) -> DbError {
        if self.connections.state().connections == 0 {
            DbError::Unavailable("no connection can be made".into())
        } else {
            DbError::Busy
        }
    }

    fn once<T>(
        &self,
        deadline: Option<Instant>,
        unit: &mut impl FnMut(&mut AnyConnection) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let mut member = self.member()?;
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(DbError::TooLate);
        }
        self.ask(&mut member, unit)
    }

    /// Runs a unit on a connection, and notes when that is no good any more.
    pub(super) fn ask<T>(
        &self,
        member: &mut Member,
        unit: &mut impl FnMut(&mut AnyConnection) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let done = unit(&mut member.conn);
        if let Err(DbError::Lost(_) | DbError::ReadOnly(_)) = &done {
            // Of a server that has become read-only another may have taken the place: look for it anew.
            member.broken = true;
            self.breaks.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    /// A connection that has not been heard of since the last break is asked first.
    pub(super) fn member(&self) -> Result<PooledConnection<Manager>, DbError> {
        let until = Instant::now() + CHECKOUT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut member = self
                .connections
                .get_timeout(left)
                .map_err(|e| DbError::Unavailable(one_line(&e.to_string())))?;
            let breaks = self.breaks.load(Ordering::Relaxed);
            if member.seen == breaks || member.conn.answers().is_ok() {
                member.seen = breaks;
                return Ok(member);
            }
            member.broken = true;
        }
    }
}

/// r2d2 retries in the background and reports every try; ours is to say so quietly, since each request
/// that suffers from it says so too.
#[derive(Debug)]
struct LogQuietly;

impl diesel::r2d2::HandleError<Error> for LogQuietly {
    fn handle_error(&self, error: Error) {
        log::debug!("database connection: {}", one_line(&error.to_string()));
    }
}
