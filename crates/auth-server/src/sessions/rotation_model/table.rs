//! The rotation table once more, told by a session's history instead of by counters.
//!
//! Written from the contract, not from the code it judges: it must not call [`crate::sessions::rotation`].

use std::collections::BTreeSet;

pub(super) const GRACE: i64 = 30;
pub(super) const LATE_RETRIES: i64 = 3;
/// The longest life of an access token.
pub(super) const ACCESS: i64 = 300;
pub(super) const IDLE: i64 = 10_000;
pub(super) const ABSOLUTE: i64 = 50_000;
/// When the stories begin.
pub(super) const MORNING: i64 = 1_800_000_000;

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A pair with the refresh token of this generation.
    Pair(i64),
    Superseded,
    Reused,
    Over(&'static str),
    LoggedOut,
    Other(String),
}

/// Something a client asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// A refresh with the token of this generation.
    Refresh(i64),
    /// A log-out with the token of this generation.
    LogOut(i64),
}

/// What the contract says a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The generation that is good now.
    pub(super) generation: i64,
    pub(super) rotated_at: i64,
    pub(super) idle_until: i64,
    pub(super) absolute_until: i64,
    /// Every generation that was handed out late.
    late: BTreeSet<i64>,
    pub(super) ended: Option<&'static str>,
}

impl Table {
    /// A session that began at `now`.
    pub(super) fn begun(now: i64) -> Self {
        Self {
            generation: 1,
            rotated_at: now,
            idle_until: now + IDLE,
            absolute_until: now + ABSOLUTE,
            late: BTreeSet::new(),
            ended: None,
        }
    }

    /// Is it alive?
    pub(super) fn lives(&self, now: i64) -> bool {
        self.ended.is_none() && now < self.idle_until && now < self.absolute_until
    }

    /// How many generations in a row, up to the one before this, were handed out late.
    pub(super) fn late_in_a_row(&self) -> i64 {
        (1..self.generation)
            .take_while(|back| self.late.contains(&(self.generation - back)))
            .last()
            .unwrap_or_default()
    }

    /// What is answered to a client, and how many audit records that leaves.
    pub(super) fn answer(&mut self, ask: Ask, now: i64) -> (Answer, usize) {
        match ask {
            Ask::Refresh(n) => self.present(n, now),
            Ask::LogOut(_) => self.log_out(now),
        }
    }

    /// Presents the token of generation `n`.
    fn present(&mut self, n: i64, now: i64) -> (Answer, usize) {
        // A token that is over by its own word is so whatever the row says.
        if self.absolute_until <= now {
            return (Answer::Over("absolute"), self.seen_too_late(n, now));
        }
        if let Some(reason) = self.ended {
            return (Answer::Over(reason), 0);
        }
        if self.idle_until <= now {
            return (Answer::Over("idle"), self.seen_too_late(n, now));
        }
        let just_now = now < self.rotated_at + GRACE;
        if n == self.generation {
            return (self.rotate(n, now), 0);
        }
        if n > self.generation {
            self.late.clear();
            return (self.rotate(n, now), 1);
        }
        if n == self.generation - 1 && (just_now || self.late.contains(&self.generation)) {
            return (Answer::Pair(self.generation), 0);
        }
        if n == self.generation - 1 && self.late_in_a_row() < LATE_RETRIES {
            self.late.insert(self.generation);
            return (Answer::Pair(self.generation), 1);
        }
        if n < self.generation - 1 && just_now {
            return (Answer::Superseded, 0);
        }
        self.ended = Some("reuse");
        (Answer::Reused, 1)
    }

    /// A used-up token that comes back when the session is over by itself ends it still, as long as an access token
    /// of it may be accepted: the last one lives from the idle end on at most, and clocks are a minute apart.
    fn seen_too_late(&mut self, n: i64, now: i64) -> usize {
        let accepted = (self.idle_until + ACCESS).min(self.absolute_until) + 60;
        let just_now = now < self.rotated_at + GRACE;
        let answered_late = n == self.generation - 1
            && (self.late.contains(&self.generation) || self.late_in_a_row() < LATE_RETRIES);
        if self.ended.is_some()
            || accepted <= now
            || n >= self.generation
            || just_now
            || answered_late
        {
            return 0;
        }
        self.ended = Some("reuse");
        1
    }

    /// Logs out with any token of the session.
    fn log_out(&mut self, now: i64) -> (Answer, usize) {
        // An access token of it may be accepted for a minute more, by a clock that is behind.
        if now < self.absolute_until + 60 && self.ended.is_none() {
            self.ended = Some("logout");
            return (Answer::LoggedOut, 1);
        }
        (Answer::LoggedOut, 0)
    }

    fn rotate(&mut self, n: i64, now: i64) -> Answer {
        self.generation = n + 1;
        self.rotated_at = now;
        self.idle_until = (now + IDLE).min(self.absolute_until);
        Answer::Pair(self.generation)
    }
}
