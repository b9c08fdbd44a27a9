//! The rotation table once more, told by a session's history instead of by counters.
//!
//! Written from the contract, not from the code it judges: it must not call [`crate::rotation`].

use std::collections::BTreeSet;

use super::world::{ABSOLUTE, Answer, GRACE, IDLE, LATE_RETRIES};

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
        (1..)
            .take_while(|back| self.late.contains(&(self.generation - back)))
            .count() as i64
    }

    /// Presents the token of generation `n`: the answer, and how many audit records it leaves.
    pub(super) fn present(&mut self, n: i64, now: i64) -> (Answer, usize) {
        if self.absolute_until <= now {
            return (Answer::Over("absolute"), 0);
        }
        if let Some(reason) = self.ended {
            return (Answer::Over(reason), 0);
        }
        if self.idle_until <= now {
            return (Answer::Over("idle"), 0);
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

    /// Logs out with any token of the session.
    pub(super) fn log_out(&mut self, now: i64) -> (Answer, usize) {
        if now < self.absolute_until && self.ended.is_none() {
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
