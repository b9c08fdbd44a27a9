//! What waits in a table until a task of every replica has dealt with it: mails, the news of log-outs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chassis::metrics::{Metrics, prometheus};
use shared::clock;

use crate::db::DbError;

/// Seconds between two errors of the database that are logged: it is asked several times a second.
const QUIET: i64 = 60;

/// How much waits and since when, as two gauges.
#[derive(Default)]
pub(crate) struct Waiting {
    count: AtomicI64,
    /// Unix seconds; 0 for none.
    since: AtomicI64,
}

impl Waiting {
    /// Makes the gauges, each of a name and a help.
    ///
    /// # Errors
    /// Never in practice: if a metric's name were taken.
    pub(crate) fn register(
        metrics: &Metrics,
        count: (&str, &str),
        oldest: (&str, &str),
    ) -> Result<Arc<Self>, prometheus::Error> {
        let waiting = Arc::new(Self::default());
        let (one, other) = (Arc::clone(&waiting), Arc::clone(&waiting));
        metrics.gauge(count.0, count.1, move || one.count.load(Ordering::Relaxed))?;
        metrics.gauge(oldest.0, oldest.1, move || {
            match other.since.load(Ordering::Relaxed) {
                0 => 0,
                since => clock::now().saturating_sub(since).max(0),
            }
        })?;
        Ok(waiting)
    }

    /// Notes how much waits, and since when in Unix seconds.
    pub(crate) fn set(&self, (count, since): (i64, Option<i64>)) {
        self.count.store(count, Ordering::Relaxed);
        self.since.store(since.unwrap_or(0), Ordering::Relaxed);
    }
}

/// Logs what is wrong with the database, now and then.
pub(crate) struct Complaints {
    what: &'static str,
    at: i64,
}

impl Complaints {
    /// About this, in the words that stand before the fault.
    pub(crate) fn about(what: &'static str) -> Self {
        Self { what, at: 0 }
    }

    /// Complains, unless it just did.
    pub(crate) fn of(&mut self, error: &DbError) {
        let now = clock::now();
        if now.saturating_sub(self.at) >= QUIET {
            self.at = now;
            log::warn!("{}: {error}", self.what);
        }
    }
}
