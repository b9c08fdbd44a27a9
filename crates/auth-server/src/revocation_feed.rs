//! Keeps [`Endings`] up with the sessions table, where other replicas and the command line end sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shared::clock;
use tokio::sync::watch;

use crate::db::{Db, DbError};
use crate::endings::{Endings, News, Revocation};
use crate::error::Error;

/// How often the table is asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Seconds by which a look overlaps the one before: a commit may become visible this long after the time
/// written in it, and clocks differ.
const OVERLAP: i64 = 60;

/// The feed. Clones share it.
#[derive(Clone)]
pub struct RevocationFeed {
    db: Db,
    endings: Endings,
    /// Did the last look at the table succeed? While not, a follower must not believe its view is fresh.
    current: Arc<AtomicBool>,
    /// Turns true when the service stops: questions then wait no longer.
    closing: watch::Sender<bool>,
}

impl RevocationFeed {
    /// A feed that has read everything in force.
    ///
    /// # Errors
    /// The database's.
    pub async fn start(db: Db, endings: Endings) -> Result<Self, DbError> {
        let closing = watch::Sender::new(false);
        let feed = Self {
            db,
            endings,
            current: Arc::new(AtomicBool::new(true)),
            closing,
        };
        let now = clock::now();
        feed.look(now.saturating_sub(feed.endings.in_force()))
            .await?;
        Ok(feed)
    }

    /// Asks the table four times a second, for ever.
    pub async fn follow(self) {
        let mut looked = clock::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = clock::now();
            match self.look(since(looked, now, self.endings.in_force())).await {
                Ok(()) => {
                    looked = now;
                    self.current.store(true, Ordering::Relaxed);
                }
                Err(error) => {
                    if self.current.swap(false, Ordering::Relaxed) {
                        log::error!(
                            "revocation feed: {error}; it answers 503 until the database is back"
                        );
                    }
                }
            }
            self.endings.forget(now);
        }
    }

    /// How many ended sessions the feed names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.endings.len()
    }

    /// Does it name none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.endings.is_empty()
    }

    async fn look(&self, since: i64) -> Result<(), DbError> {
        let ended = self.db.read(move |tx| tx.endings_since(since)).await?;
        let in_force = self.endings.in_force();
        self.endings
            .publish_all(ended.into_iter().map(|e| Revocation {
                session: e.session,
                until: e.ended_at.saturating_add(in_force),
            }));
        Ok(())
    }

    /// Answers all who wait, at once: a stop must not wait for questions that wait for news.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// What is new since `cursor`: at once if there is some, else after `wait`.
    ///
    /// # Errors
    /// [`Error::Database`] while the table cannot be read: no news would be a lie.
    pub async fn news(&self, cursor: Option<&str>, wait: Duration) -> Result<News, Error> {
        let until = Instant::now() + wait;
        let mut closing = self.closing.subscribe();
        tokio::select! {
            () = self.endings.wait(cursor) => log::trace!("feed: news"),
            () = tokio::time::sleep_until(until.into()) => log::trace!("feed: no news"),
            _ = closing.wait_for(|closing| *closing) => log::trace!("feed: the service stops"),
        }
        if !self.current.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("the sessions table cannot be read".into()).into());
        }
        Ok(self.endings.since(cursor))
    }
}

/// From which second on a look reads. If the clock was ahead at the last look and is right again, what others
/// ended meanwhile lies before that look: then everything in force is read.
fn since(looked: i64, now: i64, in_force: i64) -> i64 {
    if looked.saturating_sub(now) > OVERLAP {
        now.saturating_sub(in_force)
    } else {
        looked.min(now).saturating_sub(OVERLAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_not_missed_after_a_clock_that_was_ahead() {
        for (looked, now, from) in [
            (1000, 1000, 940),
            (1000, 1500, 940), // the database was away
            (1005, 1000, 940),
            (1060, 1000, 940),
            (1061, 1000, 900),
            (i64::MAX, 1000, 900),
        ] {
            assert_eq!(since(looked, now, 100), from, "{looked} {now}");
        }
    }
}
