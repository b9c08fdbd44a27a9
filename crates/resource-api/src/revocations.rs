//! What this service knows of revocation: the sessions the feed says have ended, and the deny file.
//!
//! Everything a request needs is in memory. Judging asks nobody, waits for nothing and takes the time as a
//! parameter; the tasks beside it (the follower, the look at the deny file) only ever add to what is known here.

mod deny;
pub mod feed;
mod set;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use shared::claims::Claims;
use shared::revocations::Revocations;
use shared::revocations::Verdict;
use shared::token_error::Cure;

pub use deny::DenyFile;
pub use set::{EndedSessions, Entry};

/// What to do while the view is older than `REVOCATION_MAX_AGE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Stale {
    /// Go on with what is known; `/readyz` and the metrics say how old it is.
    #[default]
    Open,
    /// Answer 503 `revocation_view_stale` until the feed answers again.
    Closed,
}

/// How the view of the feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// There is no feed: the service is purely stateless.
    Off,
    /// The feed has not answered yet.
    Waiting,
    /// The last answer is recent enough.
    Fresh,
    /// The last answer is older than `REVOCATION_MAX_AGE`.
    Stale,
}

impl FeedState {
    /// The word for it in `/readyz`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Waiting => "waiting",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
        }
    }
}

/// The view of the feed, for the parts that only look.
#[derive(Debug)]
struct Feed {
    stale: Stale,
    /// Seconds after which the view is stale.
    max_age: i64,
    /// When this process began to follow.
    since: i64,
    /// When the last answer came; [`NEVER`] before the first.
    answered: AtomicI64,
    answers: AtomicU64,
    failures: AtomicU64,
    unproved: AtomicU64,
}

const NEVER: i64 = i64::MIN;

/// All that is known of revoked sessions, accounts and tokens.
#[derive(Debug, Default)]
pub struct Revoked {
    ended: EndedSessions,
    deny: Option<DenyFile>,
    feed: Option<Feed>,
}

impl Revoked {
    /// Starts with an empty set, a deny file if there is one, and no feed.
    #[must_use]
    pub fn new(deny: Option<DenyFile>) -> Self {
        Self {
            deny,
            ..Self::default()
        }
    }

    /// Tells that a feed is followed from `now` on, and what to do when it falls silent for `max_age` seconds.
    #[must_use]
    pub fn with_feed(mut self, stale: Stale, max_age: i64, now: i64) -> Self {
        self.feed = Some(Feed {
            stale,
            max_age,
            since: now,
            answered: AtomicI64::new(NEVER),
            answers: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            unproved: AtomicU64::new(0),
        });
        self
    }

    /// The sessions that the feed named.
    #[must_use]
    pub fn ended(&self) -> &EndedSessions {
        &self.ended
    }

    /// The deny file, if one is set.
    #[must_use]
    pub fn deny(&self) -> Option<&DenyFile> {
        self.deny.as_ref()
    }

    /// How the view of the feed stands.
    #[must_use]
    pub fn feed_state(&self, now: i64) -> FeedState {
        let Some(feed) = &self.feed else {
            return FeedState::Off;
        };
        match self.feed_age(now) {
            None => FeedState::Waiting,
            Some(age) if age <= feed.max_age => FeedState::Fresh,
            Some(_) => FeedState::Stale,
        }
    }

    /// Seconds since the last answer of the feed; `None` before the first and without a feed.
    ///
    /// An answer from the future (the clock was set back) counts as that much too old, not as fresh for ever.
    #[must_use]
    pub fn feed_age(&self, now: i64) -> Option<i64> {
        let answered = self.feed.as_ref()?.answered.load(Ordering::Relaxed);
        (answered != NEVER).then(|| (now - answered).abs())
    }

    /// How many answers came and how many questions failed; `None` without a feed.
    #[must_use]
    pub fn feed_counts(&self) -> Option<(u64, u64)> {
        let feed = self.feed.as_ref()?;
        Some((
            feed.answers.load(Ordering::Relaxed),
            feed.failures.load(Ordering::Relaxed),
        ))
    }

    /// How many of the failures were answers that did not prove to be auth-server's; 0 without a feed.
    #[must_use]
    pub fn feed_unproved(&self) -> u64 {
        self.feed
            .as_ref()
            .map_or(0, |feed| feed.unproved.load(Ordering::Relaxed))
    }

    /// Says whether requests should be sent here: with `closed` while the view is fresh, with `open` from the first
    /// answer on, or `REVOCATION_MAX_AGE` after the start if there is none.
    #[must_use]
    pub fn is_ready(&self, now: i64) -> bool {
        let Some(feed) = &self.feed else { return true };
        match (self.feed_state(now), feed.stale) {
            (FeedState::Off | FeedState::Fresh, _) | (FeedState::Stale, Stale::Open) => true,
            (FeedState::Waiting, Stale::Open) => (now - feed.since).abs() >= feed.max_age,
            (FeedState::Waiting | FeedState::Stale, Stale::Closed) => false,
        }
    }

    /// Notes that the feed answered.
    fn feed_answered(&self, now: i64) {
        if let Some(feed) = &self.feed {
            feed.answered.store(now, Ordering::Relaxed);
            feed.answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that a question to the feed failed.
    fn feed_failed(&self) {
        if let Some(feed) = &self.feed {
            feed.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that an answer did not prove to be auth-server's, which is a failure, too.
    fn feed_unproved_once(&self) {
        if let Some(feed) = &self.feed {
            feed.unproved.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Drops entries that are over. For the follower alone.
    fn sweep(&self, now: i64) {
        self.ended.sweep(now);
    }
}

impl Revocations for Revoked {
    /// What is known to be revoked is so in any case; what is unknown because the view is stale comes after.
    fn judge(&self, claims: &Claims, now: i64) -> Verdict {
        if let Some(cure) = self.deny.as_ref().and_then(|deny| deny.judge(claims)) {
            return Verdict::Revoked(cure);
        }
        if claims
            .sid
            .as_deref()
            .is_some_and(|sid| self.ended.contains(sid, now))
        {
            return Verdict::Revoked(Cure::Refresh);
        }
        let closed = self
            .feed
            .as_ref()
            .is_some_and(|feed| feed.stale == Stale::Closed);
        if closed && self.feed_state(now) != FeedState::Fresh {
            return Verdict::Unknown;
        }
        Verdict::Live
    }
}

#[cfg(test)]
mod tests;
