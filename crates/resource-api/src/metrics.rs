//! What this service counts beside what both services count: the view of the feed and the deny file.

use std::sync::Arc;

use chassis::metrics::Metrics;
use chassis::metrics::prometheus::{self, IntCounter, IntGauge};
use shared::clock;

use crate::revocations::{DenyFile, FeedState, Revoked};

/// The numbers of this service.
#[derive(Clone)]
pub struct ApiMetrics {
    common: Metrics,
    revoked: Arc<Revoked>,
    following: Option<FeedMetrics>,
    deny: Option<DenyMetrics>,
}

/// Exist only where a feed is followed.
#[derive(Clone)]
struct FeedMetrics {
    age: IntGauge,
    stale: IntGauge,
    entries: IntGauge,
    answers: IntCounter,
    failures: IntCounter,
    unproved: IntCounter,
}

/// Exist only where there is a deny file.
#[derive(Clone)]
struct DenyMetrics {
    rules: IntGauge,
    broken: IntGauge,
}

impl ApiMetrics {
    /// Registers the numbers that this view of revocation has.
    ///
    /// # Errors
    /// Never in practice: if a name were wrong or taken.
    pub fn new(revoked: Arc<Revoked>) -> Result<Self, prometheus::Error> {
        let common = Metrics::new("resource-api", env!("CARGO_PKG_VERSION"))?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            common.registry().register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            common.registry().register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let following = match revoked.feed_counts() {
            None => None,
            Some(_) => Some(FeedMetrics {
                age: gauge(
                    "keyturn_revocation_view_age_seconds",
                    "Seconds since the last answer of the revocation feed; -1 before the first",
                )?,
                stale: gauge(
                    "keyturn_revocation_view_stale",
                    "1 if the view is older than REVOCATION_MAX_AGE or there is none yet",
                )?,
                entries: gauge(
                    "keyturn_revocation_entries",
                    "Ended sessions that are held in memory",
                )?,
                answers: counter(
                    "keyturn_revocation_feed_answers_total",
                    "Answers of the revocation feed",
                )?,
                failures: counter(
                    "keyturn_revocation_feed_failures_total",
                    "Questions to the revocation feed that had no answer",
                )?,
                unproved: counter(
                    "keyturn_revocation_feed_unproved_total",
                    "Answers of the revocation feed that did not prove to be auth-server's",
                )?,
            }),
        };
        let deny = match revoked.deny() {
            None => None,
            Some(_) => Some(DenyMetrics {
                rules: gauge("keyturn_deny_rules", "Rules of the deny file in force")?,
                broken: gauge(
                    "keyturn_deny_broken_lines",
                    "Lines of the deny file that say nothing that can be understood",
                )?,
            }),
        };
        Ok(Self {
            common,
            revoked,
            following,
            deny,
        })
    }

    /// The numbers that both services have.
    #[must_use]
    pub fn common(&self) -> &Metrics {
        &self.common
    }

    /// All numbers as they are now, in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let now = clock::now();
        if let Some(feed) = &self.following {
            let (answers, failures) = self.revoked.feed_counts().unwrap_or_default();
            feed.age.set(self.revoked.feed_age(now).unwrap_or(-1));
            feed.stale
                .set(i64::from(self.revoked.feed_state(now) != FeedState::Fresh));
            feed.entries.set(number(self.revoked.ended().len()));
            // Counted where it happens; here the counters only catch up.
            feed.answers
                .inc_by(answers.saturating_sub(feed.answers.get()));
            feed.failures
                .inc_by(failures.saturating_sub(feed.failures.get()));
            let unproved = self.revoked.feed_unproved();
            feed.unproved
                .inc_by(unproved.saturating_sub(feed.unproved.get()));
        }
        if let Some(deny) = &self.deny {
            deny.rules
                .set(number(self.revoked.deny().map_or(0, DenyFile::len)));
            deny.broken.set(number(
                self.revoked.deny().map_or(0, DenyFile::broken_lines),
            ));
        }
        self.common.render()
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
