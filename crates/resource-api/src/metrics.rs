//! What this service counts beside what both services count: the view of the feed and the deny file.

use std::sync::Arc;

use chassis::metrics::Metrics;
use chassis::metrics::prometheus;
use shared::clock;
use shared::follow::{FeedState, View};

use crate::revocations::{DenyFile, Revoked};

/// The numbers of this service. Those of the feed and of the deny file exist only where there is one.
///
/// # Errors
/// Never in practice: if a name were wrong or taken.
pub(crate) fn of(revoked: &Arc<Revoked>) -> Result<Metrics, prometheus::Error> {
    let metrics = Metrics::new("resource-api", env!("CARGO_PKG_VERSION"))?;
    if let Some(view) = &revoked.view {
        of_view(&metrics, view)?;
    }
    if revoked.deny.is_some() {
        let read = |number: fn(&DenyFile) -> usize| {
            let revoked = Arc::clone(revoked);
            move || count(revoked.deny.as_ref().map_or(0, number))
        };
        metrics.gauge(
            "keyturn_deny_rules",
            "Rules of the deny file in force",
            read(DenyFile::len),
        )?;
        metrics.gauge(
            "keyturn_deny_broken_lines",
            "Lines of the deny file that say nothing that can be understood",
            read(DenyFile::broken_lines),
        )?;
    }
    Ok(metrics)
}

fn of_view(metrics: &Metrics, view: &Arc<View>) -> Result<(), prometheus::Error> {
    let (age, stale, entries) = (Arc::clone(view), Arc::clone(view), Arc::clone(view));
    metrics.gauge(
        "keyturn_revocation_view_age_seconds",
        "Seconds since the last answer of the revocation feed; -1 before the first",
        move || age.age(clock::now()).unwrap_or(-1),
    )?;
    metrics.gauge(
        "keyturn_revocation_view_stale",
        "1 if the view is older than REVOCATION_MAX_AGE or there is none yet",
        move || i64::from(stale.state(clock::now()) != FeedState::Fresh),
    )?;
    metrics.gauge(
        "keyturn_revocation_entries",
        "Ended sessions that are held in memory",
        move || count(entries.ended().len()),
    )?;
    let read = |number: fn(&View) -> u64| {
        let view = Arc::clone(view);
        move || number(&view)
    };
    metrics.counter(
        "keyturn_revocation_feed_answers_total",
        "Answers of the revocation feed",
        read(View::answers),
    )?;
    metrics.counter(
        "keyturn_revocation_feed_failures_total",
        "Questions to the revocation feed that had no answer",
        read(View::failures),
    )?;
    metrics.counter(
        "keyturn_revocation_feed_unproved_total",
        "Answers of the revocation feed that did not prove to be auth-server's",
        read(View::unproved),
    )
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
