//! Compares this machine's clock with the database's, by which all replicas are compared with each other.
//!
//! Times in rows are written by whichever replica answered. A replica whose clock is wrong takes live
//! sessions for over and fresh retries for late ones, so beyond a bound it declares itself not ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chassis::metrics::Metrics;
use chassis::metrics::prometheus::{Error as MetricError, IntGauge};
use shared::clock;

use crate::db::{Db, DbError};

/// How often the clocks are compared.
const COMPARE_EVERY: Duration = Duration::from_mins(1);
/// Seconds apart that are worth a warning.
const WARN: i64 = 2;
/// Seconds apart with which a replica does harm.
const HARM: i64 = 10;

/// The last comparison. Clones share it.
#[derive(Clone)]
pub(crate) struct ClockCheck {
    db: Db,
    /// Seconds that the database's clock is ahead.
    ahead: Arc<AtomicI64>,
    gauge: IntGauge,
}

impl ClockCheck {
    /// Compares the clocks for the first time.
    ///
    /// # Errors
    /// Never in practice: if the metric's name were wrong or taken.
    pub(crate) async fn start(db: Db, metrics: &Metrics) -> Result<Self, MetricError> {
        let gauge = IntGauge::new(
            "keyturn_database_clock_ahead_seconds",
            "How far the database's clock is ahead of this machine's",
        )?;
        metrics.registry().register(Box::new(gauge.clone()))?;
        let check = Self {
            db,
            ahead: Arc::default(),
            gauge,
        };
        check.compare().await;
        Ok(check)
    }

    /// Compares the clocks every minute, for ever.
    pub(crate) async fn follow(self) {
        loop {
            tokio::time::sleep(COMPARE_EVERY).await;
            self.compare().await;
        }
    }

    /// Seconds that the database's clock is ahead of this machine's, as of the last comparison.
    #[must_use]
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Do the clocks agree well enough to decide about sessions?
    #[must_use]
    pub(crate) fn agrees(&self) -> bool {
        self.ahead().abs() <= HARM
    }

    async fn compare(&self) {
        match ahead(&self.db, clock::now).await {
            Ok(ahead) => {
                if let Some(said) = warning_of(ahead) {
                    log::warn!("{said}");
                }
                self.ahead.store(ahead, Ordering::Relaxed);
                self.gauge.set(ahead);
            }
            // What else this means, others say.
            Err(error) => log::debug!("clocks not compared: {error}"),
        }
    }
}

/// Seconds that the database's clock is ahead of this machine's `clock`.
///
/// # Errors
/// The database's.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the lifetime of a Tx"
)]
pub(crate) async fn ahead(db: &Db, clock: fn() -> i64) -> Result<i64, DbError> {
    let before = clock();
    let theirs = db.read(|tx| tx.clock()).await?;
    Ok(apart(before, theirs, clock()))
}

/// What an operator reads where the database's clock is so many seconds ahead, unless that is not worth a word.
#[must_use]
pub(crate) fn warning_of(ahead: i64) -> Option<String> {
    let direction = if ahead > 0 { "behind" } else { "ahead of" };
    (ahead.abs() > WARN).then(|| {
        format!(
            "this machine's clock is {} s {direction} the database's, by which sessions end: \
             run a time service on both",
            ahead.abs()
        )
    })
}

/// How far `theirs`, read between `before` and `after`, is out of that span: a slow answer is no difference.
pub(crate) fn apart(before: i64, theirs: i64, after: i64) -> i64 {
    theirs.saturating_sub(theirs.clamp(before, after.max(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_clocks_is_told_with_its_direction() {
        assert_eq!(warning_of(0), None);
        assert_eq!(warning_of(-2), None);
        assert!(warning_of(75).is_some_and(|said| said.contains("75 s behind the database's")));
        assert!(warning_of(-75).is_some_and(|said| said.contains("75 s ahead of the database's")));
    }

    #[test]
    fn a_slow_answer_is_no_difference_of_clocks() {
        for (before, theirs, after, ahead) in [
            (100, 100, 100, 0),
            (100, 105, 109, 0),
            (100, 112, 109, 3),
            (100, 40, 101, -60),
            (100, 100, 99, 0), // this machine's clock was set back meanwhile
        ] {
            assert_eq!(
                apart(before, theirs, after),
                ahead,
                "{before} {theirs} {after}"
            );
        }
    }
}
