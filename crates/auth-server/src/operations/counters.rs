//! What auth-server counts beside the requests: refreshes and log-ins by outcome, endings by reason, queues.

use chassis::metrics::Metrics;
use chassis::metrics::prometheus::{Error as MetricError, IntCounterVec, Opts};

use crate::db::DbError;
use crate::db::EndReason;
use crate::error::Error;
use crate::error::Over;

/// The counters. Clones count into the same.
#[derive(Clone)]
pub struct Counters {
    refreshes: IntCounterVec,
    logins: IntCounterVec,
    ended: IntCounterVec,
    mails: IntCounterVec,
    deliveries: IntCounterVec,
}

impl Counters {
    /// Makes the counters and registers them.
    ///
    /// # Errors
    /// Never in practice: if a metric's name were wrong or taken.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricError> {
        let counter = |name: &str, help: &str, label: &str| {
            let vec = IntCounterVec::new(Opts::new(name, help), &[label])?;
            metrics.registry().register(Box::new(vec.clone()))?;
            Ok::<_, MetricError>(vec)
        };
        Ok(Self {
            refreshes: counter("keyturn_refreshes_total", "Refreshes by outcome", "outcome")?,
            logins: counter("keyturn_logins_total", "Log-ins by outcome", "outcome")?,
            ended: counter(
                "keyturn_sessions_ended_total",
                "Sessions ended by this process, by reason",
                "reason",
            )?,
            mails: {
                let mails = counter("keyturn_mails_total", "Mails by outcome", "outcome")?;
                // An increase from nothing is none to an alert.
                for outcome in Mailed::ALL {
                    mails.with_label_values(&[outcome.as_str()]);
                }
                mails
            },
            deliveries: {
                let name = "keyturn_logout_deliveries_total";
                let deliveries = counter(name, "Log-outs told to clients by outcome", "outcome")?;
                for outcome in Told::ALL {
                    deliveries.with_label_values(&[outcome.as_str()]);
                }
                deliveries
            },
        })
    }

    /// Counts a refresh.
    pub fn refresh(&self, outcome: Result<Exchange, &Error>) {
        let label = match outcome {
            Ok(exchange) => exchange.as_str(),
            Err(error) => refusal(error),
        };
        self.refreshes.with_label_values(&[label]).inc();
    }

    /// Counts a log-in.
    pub fn login(&self, outcome: Result<(), &Error>) {
        let label = outcome.map_or_else(refusal, |()| "ok");
        self.logins.with_label_values(&[label]).inc();
    }

    /// Counts what became of a mail.
    pub fn mail(&self, outcome: Mailed) {
        self.mails.with_label_values(&[outcome.as_str()]).inc();
    }

    /// Counts what became of a log-out that a client is to be told of.
    pub fn delivery(&self, outcome: Told) {
        self.deliveries.with_label_values(&[outcome.as_str()]).inc();
    }

    /// Counts an ending.
    pub fn ended(&self, reason: EndReason) {
        self.ended.with_label_values(&[reason.as_str()]).inc();
    }
}

/// How a refresh was answered with a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The row moved on.
    Rotated,
    /// Answered again, within the grace time or once more.
    Retry,
    /// The same, to another network or user agent than the rotation's.
    RetryElsewhere,
    /// Answered again after the grace time.
    LateRetry,
    /// The row caught up with a newer token.
    Behind,
}

impl Exchange {
    fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Retry => "retry",
            Self::RetryElsewhere => "retry_elsewhere",
            Self::LateRetry => "late_retry",
            Self::Behind => "row_behind",
        }
    }
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailed {
    /// The mail server took it.
    Sent,
    /// It is tried again.
    Delayed,
    /// It never will be sent.
    GivenUp,
    /// There was nobody to send it to, or nothing to say any more.
    Dropped,
}

impl Mailed {
    const ALL: [Self; 4] = [Self::Sent, Self::Delayed, Self::GivenUp, Self::Dropped];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delayed => "delayed",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

/// What became of a log-out that a client is to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The client took it.
    Taken,
    /// It is told again.
    Delayed,
    /// It never will be told.
    GivenUp,
}

impl Told {
    const ALL: [Self; 3] = [Self::Taken, Self::Delayed, Self::GivenUp];

    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "delivered",
            Self::Delayed => "delayed",
            Self::GivenUp => "given_up",
        }
    }
}

fn refusal(error: &Error) -> &'static str {
    match error {
        Error::InvalidRefreshToken => "invalid_refresh_token",
        Error::InvalidAccessToken => "invalid_access_token",
        Error::SessionOver(Over::Idle) => "expired_idle",
        Error::SessionOver(Over::Absolute) => "expired_absolute",
        Error::SessionOver(Over::Gone) => "expired_gone",
        Error::SessionOver(Over::Ended(reason)) => match reason {
            EndReason::Logout => "revoked_logout",
            EndReason::Ended => "revoked_ended",
            EndReason::Password => "revoked_password",
            EndReason::Blocked => "revoked_blocked",
            EndReason::Reuse => "revoked_reuse",
            EndReason::Limit => "revoked_limit",
            EndReason::Admin => "revoked_admin",
            EndReason::Guessing => "revoked_guessing",
            EndReason::Replaced => "revoked_replaced",
            EndReason::Client => "revoked_client",
        },
        Error::Superseded => "superseded",
        Error::Reused => "reused",
        Error::InvalidCredentials => "invalid_credentials",
        Error::AccountBlocked => "blocked",
        Error::EmailNotVerified => "email_not_verified",
        Error::TooManyAttempts(_) => "delayed",
        Error::Busy | Error::Database(DbError::Busy | DbError::TooLate) => "busy",
        Error::Database(
            DbError::Unavailable(_)
            | DbError::Lost(_)
            | DbError::ReadOnly(_)
            | DbError::Conflict(_),
        ) => "database_unavailable",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_under_their_names() {
        let metrics = Metrics::new("test", "").unwrap();
        let counters = Counters::register(&metrics).unwrap();
        counters.refresh(Ok(Exchange::LateRetry));
        counters.refresh(Err(&Error::SessionOver(Over::Ended(EndReason::Password))));
        counters.login(Err(&Error::InvalidCredentials));
        counters.ended(EndReason::Limit);
        counters.ended(EndReason::Limit);
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"keyturn_refreshes_total{outcome="late_retry"} 1"#,
            r#"keyturn_refreshes_total{outcome="revoked_password"} 1"#,
            r#"keyturn_logins_total{outcome="invalid_credentials"} 1"#,
            r#"keyturn_sessions_ended_total{reason="limit"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
