//! The one place that reads the clock.
//!
//! Everywhere else time is a parameter called `now`, so that every rule can be tried at any moment.

use std::time::Duration;

/// Reads the wall clock: whole Unix seconds.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place the ban points to"
)]
pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// The wall clock as log lines carry it: RFC 3339, UTC, milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place the ban points to"
)]
#[must_use]
pub fn stamp() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A length of time in whole seconds, as times are reckoned here; one that is too long for that is as long as can be.
#[must_use]
pub fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}
