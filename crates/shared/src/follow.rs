//! Following the revocation feed: ended sessions are refused within a second of their end.
//!
//! [`Follower::new`] gives a task to spawn and a [`View`] for the gate. Everything that a request needs is in memory:
//! judging asks nobody and waits for nothing; the follower alone writes.
//!
//! The crate `reqwest` asks for a TLS provider to be installed in the process (`rustls`), which is the host's choice.

mod ended;
mod follower;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use ended::EndedSessions;
pub use follower::{Follower, address};

use crate::claims::Claims;
use crate::clock::seconds;
use crate::revocations::{Revocations, Verdict};
use crate::token_error::Cure;

/// What to do while the view is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stale {
    /// Go on with what is known.
    #[default]
    Open,
    /// Refuse every token with 503 `revocation_view_stale` until the feed answers again.
    Closed,
}

/// How the view of the feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// The feed has not answered yet.
    Waiting,
    /// The last answer is recent enough.
    Fresh,
    /// The last answer is too old.
    Stale,
}

/// What a process knows of ended sessions.
#[derive(Debug)]
pub struct View {
    ended: EndedSessions,
    stale: Stale,
    /// Seconds.
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

impl View {
    /// An empty view, followed from `now` on, that is stale once the feed was silent for `max_age`.
    pub(crate) fn new(stale: Stale, max_age: Duration, now: i64) -> Self {
        Self {
            ended: EndedSessions::default(),
            stale,
            max_age: seconds(max_age),
            since: now,
            answered: AtomicI64::new(NEVER),
            answers: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            unproved: AtomicU64::new(0),
        }
    }

    /// The sessions that the feed named.
    #[must_use]
    pub fn ended(&self) -> &EndedSessions {
        &self.ended
    }

    /// How the view stands.
    #[must_use]
    pub fn state(&self, now: i64) -> FeedState {
        match self.age(now) {
            None => FeedState::Waiting,
            Some(age) if age <= self.max_age => FeedState::Fresh,
            Some(_) => FeedState::Stale,
        }
    }

    /// Seconds since the last answer of the feed; `None` before the first.
    ///
    /// An answer from the future (the clock was set back) counts as that much too old, not as fresh for ever.
    #[must_use]
    pub fn age(&self, now: i64) -> Option<i64> {
        let answered = self.answered.load(Ordering::Relaxed);
        (answered != NEVER).then(|| (now - answered).abs())
    }

    /// How many answers came.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// How many questions failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many of the failures were answers that did not prove to be auth-server's.
    #[must_use]
    pub fn unproved(&self) -> u64 {
        self.unproved.load(Ordering::Relaxed)
    }

    /// Says whether requests should be sent here: with `closed` while the view is fresh, with `open` from the first
    /// answer on, or `max_age` after the start if there is none.
    #[must_use]
    pub fn is_ready(&self, now: i64) -> bool {
        match (self.state(now), self.stale) {
            (FeedState::Fresh, _) | (FeedState::Stale, Stale::Open) => true,
            (FeedState::Waiting, Stale::Open) => (now - self.since).abs() >= self.max_age,
            (FeedState::Waiting | FeedState::Stale, Stale::Closed) => false,
        }
    }
}

impl Revocations for View {
    /// What is known to be revoked is so in any case; what is unknown because the view is stale comes after.
    fn judge(&self, claims: &Claims, now: i64) -> Verdict {
        let sid = claims.sid.as_deref();
        if sid.is_some_and(|sid| self.ended.contains(sid, now)) {
            return Verdict::Revoked(Cure::Refresh);
        }
        if self.stale == Stale::Closed && self.state(now) != FeedState::Fresh {
            return Verdict::Unknown;
        }
        Verdict::Live
    }
}

#[cfg(test)]
mod tests;
