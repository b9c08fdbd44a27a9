//! Keeps [`Endings`] up with the sessions table, where other replicas and the command line end sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use super::endings::Endings;
use super::publish::Publisher;
use crate::db::{Db, DbError};
use crate::error::Error;
use crate::operations::clock_check::apart;

/// How often the table is asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Seconds by which a look overlaps the one before: a commit may become visible this long after the time
/// written in it. As many seconds may this machine's clock be off the database's: what is in force is told in
/// times of the one and forgotten by the other.
const OVERLAP: i64 = 60;

/// The feed. Clones share it.
#[derive(Clone)]
pub(crate) struct RevocationFeed {
    db: Db,
    endings: Endings,
    publisher: Publisher,
    /// Was the last look at the table good? While not, a follower must not believe its view is fresh.
    current: Arc<AtomicBool>,
    /// Turns true when the service stops: questions then wait no longer.
    closing: watch::Sender<bool>,
    /// This machine's clock, which only says whether it agrees with the database's.
    clock: fn() -> i64,
}

impl RevocationFeed {
    /// A feed that has read everything in force, with this machine's `clock`.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn start(
        db: Db,
        endings: Endings,
        clock: fn() -> i64,
    ) -> Result<Self, DbError> {
        let closing = watch::Sender::new(false);
        let feed = Self {
            db,
            publisher: Publisher::new(endings.clone()),
            endings,
            current: Arc::new(AtomicBool::new(true)),
            closing,
            clock,
        };
        match feed.look(None).await {
            Err(Blind::Database(error)) => Err(error),
            look => {
                feed.note(&look);
                Ok(feed)
            }
        }
    }

    /// Asks the table four times a second, for ever.
    pub(crate) async fn follow(self) {
        // The first look here reads everything in force once more, as the one at the start did.
        let mut looked = None;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let look = self.look(looked).await;
            self.note(&look);
            if let Ok(at) = look {
                looked = Some(at);
                self.endings.forget(at);
            }
        }
    }

    /// Notes whether the feed may answer, and says once why not.
    fn note(&self, look: &Result<i64, Blind>) {
        let was = self.current.swap(look.is_ok(), Ordering::Relaxed);
        match look {
            Ok(_) if !was => log::info!("revocation feed: it answers again"),
            Err(blind) if was => log::error!("revocation feed: {blind}; it answers 503 until then"),
            _ => {}
        }
    }

    /// How many ended sessions the feed names.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.endings.len()
    }

    /// Reads what ended since the last look, `looked`, both by the database's clock, and says what that shows now.
    async fn look(&self, looked: Option<i64>) -> Result<i64, Blind> {
        let in_force = self.endings.in_force();
        let before = (self.clock)();
        let read = self.db.read(move |tx| {
            // The time first: what ends between the two is found by the next look.
            let at = tx.clock()?;
            Ok((at, tx.endings_since(since(looked, at, in_force))?))
        });
        let (at, ended) = read.await?;
        self.endings.publish(&ended);
        let ahead = apart(before, at, (self.clock)());
        if ahead.abs() > OVERLAP {
            return Err(Blind::Clocks(ahead));
        }
        Ok(at)
    }

    /// Answers all who wait, at once: a stop must not wait for questions that wait for news.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// What is new since `cursor`, as it is sent: at once if there is some, else after `wait`.
    ///
    /// # Errors
    /// [`Error::Database`] while the table cannot be read, or the clocks are too far apart: no news would be a lie.
    pub(crate) async fn news(&self, cursor: Option<&str>, wait: Duration) -> Result<Bytes, Error> {
        let until = Instant::now() + wait;
        let mut closing = self.closing.subscribe();
        tokio::select! {
            () = self.endings.wait(cursor) => log::trace!("feed: news"),
            () = tokio::time::sleep_until(until.into()) => log::trace!("feed: no news"),
            _ = closing.wait_for(|closing| *closing) => log::trace!("feed: the service stops"),
        }
        if !self.current.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("the feed does not see what ended".into()).into());
        }
        let written = self.publisher.answer(cursor);
        written.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Why what a look saw is not to be answered.
#[derive(Debug, thiserror::Error)]
enum Blind {
    #[error("{0}; the database must be back")]
    Database(#[from] DbError),
    #[error("the database's clock is {0} s ahead of this machine's; run a time service on both")]
    Clocks(i64),
}

/// From which second on a look reads: everything in force at first. If the clock was ahead at the last look and is
/// right again, what others ended meanwhile lies before that look: then everything in force is read, too.
fn since(looked: Option<i64>, now: i64, in_force: i64) -> i64 {
    match looked {
        Some(looked) if looked.saturating_sub(now) <= OVERLAP => {
            looked.min(now).saturating_sub(OVERLAP)
        }
        _ => now.saturating_sub(in_force),
    }
}

#[cfg(test)]
mod tests {
    use shared::clock;
    use shared::feed::Answer;

    use super::*;
    use crate::db::{Account, Caller, EndReason};
    use crate::db::{NewSession, NewUser, SessionId, UserId};
    use crate::sessions::end_all;
    use crate::sessions::refresh_token::RefreshToken;
    use crate::settings::DatabaseUrl;

    async fn user_with_a_session(db: &Db) -> (UserId, SessionId) {
        let (user, session) = (UserId::random(), SessionId::random());
        let now = clock::now();
        let unit = move |tx: &mut crate::db::Unit<'_, '_>| {
            tx.insert_user(&NewUser {
                account: Account {
                    id: user,
                    user_name: "u".into(),
                    email: format!("{user}@example.com"),
                    email_verified: false,
                    roles: vec![],
                },
                password_hash: "-".into(),
                created_at: now,
                email_verified_at: None,
                self_registered: false,
            })?;
            tx.insert_session(&NewSession {
                token: RefreshToken {
                    purpose: crate::db::Purpose::Account,
                    key_id: 1,
                    session,
                    generation: crate::db::Generation::FIRST,
                    nonce: [7; 16],
                    absolute_until: now + 1000,
                },
                user: Some(user),
                created_at: now,
                idle_until: now + 1000,
                device: String::new(),
                address: String::new(),
                kind: crate::db::SessionKind::Account,
                parent: None,
                auth_time: now,
                grant: None,
                pending: None,
            })
        };
        db.write(&Caller::cli(), unit).await.unwrap();
        (user, session)
    }

    /// Asks until the feed answers as expected.
    async fn until(feed: &RevocationFeed, expected: impl Fn(&Result<Bytes, Error>) -> bool) {
        let patience = Instant::now() + Duration::from_secs(10);
        while !expected(&feed.news(None, Duration::ZERO).await) {
            assert!(Instant::now() < patience, "not within ten seconds");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn what_a_machine_with_a_wrong_clock_ends_is_heard_of() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        let feed = RevocationFeed::start(db.clone(), Endings::new(3720), clock::now)
            .await
            .unwrap();
        let task = tokio::spawn(feed.clone().follow());
        for wrong in [-75, 75, -7200, 7200, -100_000, 100_000] {
            let (user, session) = user_with_a_session(&db).await;
            let caller = Caller {
                now: clock::now() + wrong,
                ..Caller::cli()
            };
            let end = move |tx: &mut crate::db::Unit<'_, '_>| {
                end_all(tx, user, EndReason::Blocked).map(|ended| ended.len())
            };
            let ended = db.write(&caller, end).await.unwrap();
            assert_eq!(ended, 1, "{wrong}");
            let heard = |news: &Result<Bytes, Error>| {
                let session = session.to_string();
                news.as_ref().is_ok_and(|news| {
                    let answer: Answer = serde_json::from_slice(news).unwrap();
                    answer.entries.iter().any(|entry| *entry.sid == *session)
                })
            };
            until(&feed, heard).await;
        }
        task.abort();
    }

    #[tokio::test]
    async fn the_feed_is_silent_while_the_clocks_are_further_apart_than_a_look_reaches() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        for (clock, answers) in [
            ((|| clock::now() - 75) as fn() -> i64, false),
            (|| clock::now() - 50, true),
            (|| clock::now() + 50, true),
            (|| clock::now() + 75, false),
        ] {
            let feed = RevocationFeed::start(db.clone(), Endings::new(3720), clock)
                .await
                .unwrap();
            let first = feed.news(None, Duration::ZERO).await;
            assert_eq!(first.is_ok(), answers, "from the start on");
            let task = tokio::spawn(feed.clone().follow());
            until(&feed, |news| news.is_ok() == answers).await;
            task.abort();
        }
        // Set right, it answers again.
        let mut feed = RevocationFeed::start(db, Endings::new(3720), || 0)
            .await
            .unwrap();
        assert!(feed.news(None, Duration::ZERO).await.is_err());
        feed.clock = clock::now;
        let task = tokio::spawn(feed.clone().follow());
        until(&feed, Result::is_ok).await;
        task.abort();
    }

    #[test]
    fn endings_are_not_missed_after_a_clock_that_was_ahead() {
        for (looked, now, from) in [
            (None, 1000, 900),
            (Some(1000), 1000, 940),
            (Some(1000), 1500, 940), // the database was away
            (Some(1005), 1000, 940),
            (Some(1060), 1000, 940),
            (Some(1061), 1000, 900),
            (Some(i64::MAX), 1000, 900),
        ] {
            assert_eq!(since(looked, now, 100), from, "{looked:?} {now}");
        }
    }
}
