//! Who asks, and when.

use std::time::{Duration, Instant};

use mail::Locale;

/// Who asks, and when: on every record of the audit trail.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Unix seconds at which the request arrived: the one time of everything it does.
    pub now: i64,
    /// When it arrived, by the clock that never jumps.
    pub arrived: Instant,
    /// Client address, or `cli`.
    pub address: String,
    /// User agent, shortened.
    pub user_agent: String,
    /// In which language to write to whoever it is.
    pub locale: Locale,
    /// The request's id: one of ours, and behind it, marked as such, what the client called it.
    pub request_id: String,
}

/// What has not reached the database this long after it arrived is not executed any more. Shorter than the grace time by
/// default: a refresh that its client gave up on must not come back as theft.
const PATIENCE: Duration = Duration::from_secs(10);

impl Caller {
    /// When work for this caller must have begun.
    pub(super) fn deadline(&self) -> Instant {
        self.arrived + PATIENCE
    }

    /// The command line, now.
    #[must_use]
    pub fn cli() -> Self {
        Self::at("cli")
    }

    /// The service itself, now: what it does for nobody's request.
    #[must_use]
    pub fn housekeeping() -> Self {
        Self::at("")
    }

    fn at(address: &str) -> Self {
        Self {
            now: shared::clock::now(),
            arrived: Instant::now(),
            address: address.into(),
            user_agent: String::new(),
            locale: Locale::En,
            request_id: String::new(),
        }
    }
}
