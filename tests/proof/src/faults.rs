//! What a bad network does to a message, by chance but from a seed; and the count of everything that happened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::sync::Notify;

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It goes through, and so does its answer.
    Passes,
    /// It never arrives.
    RequestDropped,
    /// The work is done, and nobody hears of it.
    AnswerDropped,
    /// It arrives late, also when its client has given up.
    RequestDelayed(Duration),
    /// The work is done at once, the answer comes late.
    AnswerDelayed(Duration),
    /// It arrives twice, the second time this much later; the client hears the first answer.
    Doubled(Duration),
    /// It arrives twice at once; the client hears the second answer.
    Repeated,
    /// It waits until another request of the same client has overtaken it, but not for ever.
    Overtaken,
}

impl Fate {
    /// Throws the dice. No delay is longer than `longest`, which is less than the grace time.
    pub fn of(dice: &mut impl Rng, longest: Duration) -> Self {
        // Most are short; each length up to the longest comes.
        let delay = longest.mul_f64(dice.random_range(0.1_f64..1.0).powi(3));
        match dice.random_range(0..100) {
            0..6 => Self::RequestDropped,
            6..15 => Self::AnswerDropped,
            15..20 => Self::RequestDelayed(delay),
            20..24 => Self::AnswerDelayed(delay),
            24..28 => Self::Doubled(delay),
            28..31 => Self::Repeated,
            31..36 => Self::Overtaken,
            _ => Self::Passes,
        }
    }
}

/// A number that many count up.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that was counted, in the order of the table.
#[derive(Debug, Default)]
pub struct Counts {
    /// Pairs that clients got for a pair.
    pub refreshes: Count,
    /// Calls of the API that were answered 200.
    pub calls: Count,
    /// Requests that never arrived.
    pub dropped_requests: Count,
    /// Answers dropped after the work was done.
    pub lost_answers: Count,
    /// Requests under way in a server when it was killed.
    pub cut_off: Count,
    /// Requests or answers that came late.
    pub delayed: Count,
    /// Requests that arrived twice.
    pub duplicates: Count,
    /// Requests that were overtaken.
    pub reordered: Count,
    /// Times that the server was killed.
    pub kills: Count,
    /// Times that a pair was sent again.
    pub retries: Count,
    /// Answers `refresh_token_superseded`.
    pub superseded: Count,
    /// Log-outs that were answered.
    pub log_outs: Count,
    /// Sessions that were alive after an answered log-out.
    pub alive_after_log_out: Count,
    /// Told whenever a request is handed to the service: the moment for a kill.
    pub under_way: Notify,
}
