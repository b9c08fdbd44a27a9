//! Takes away rows that can no longer matter, within normal work: there is no cron job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use shared::clock::seconds;

use super::Announcer;
use crate::db::{Caller, Db};

/// Old rows of a kind that are taken away for each session that begins: more than it adds, so that they run out.
const SWEEP: u32 = 20;
/// And at most for all together in one unit: it must not hold up the others.
const LARGEST: u32 = 500;
/// How long what begins next waits for its sweep. In a storm of log-ins a sweep for each would double the commits.
const PAUSE: Duration = Duration::from_secs(1);

/// Seconds after its absolute end that a row stays: longer than any revocation is in force.
pub(crate) const KEEP_SESSION: i64 = 3 * 3600;

/// Seconds for which an ended row outstays its revocation, since the clocks of replicas differ.
const CLOCKS: i64 = 60;

/// Seconds after the last failure that a counter of failed log-ins stays.
const KEEP_FAILURES: i64 = 24 * 3600;

/// Seconds that a mail or the news of a log-out waits at most: whoever sends gives it up after a day, and where nobody does
/// it goes with this.
const KEEP_LETTERS: i64 = 7 * 86_400;

/// Sweeps for the sessions that have begun: at once, and then once a second at most.
#[derive(Clone)]
pub(super) struct Sweeper(Arc<Inner>);

struct Inner {
    db: Db,
    /// Seconds that an ending stays in force.
    in_force: i64,
    audit_retention: i64,
    /// When the latest of them began, in Unix seconds.
    now: AtomicI64,
    /// Sessions that have begun and were not swept for.
    owed: AtomicU32,
    running: AtomicBool,
}

impl Sweeper {
    pub(super) fn new(db: Db, announcer: &Announcer, audit_retention: Duration) -> Self {
        Self(Arc::new(Inner {
            db,
            in_force: announcer.in_force(),
            audit_retention: seconds(audit_retention),
            now: AtomicI64::new(0),
            owed: AtomicU32::new(0),
            running: AtomicBool::new(false),
        }))
    }

    /// Sweeps after the answer, in a unit of its own: that two replicas meet over the same rows must not fail anyone's
    /// log-in.
    pub(super) fn sweep_soon(&self, now: i64) {
        let inner = &self.0;
        inner.now.store(now, Ordering::SeqCst);
        inner.owed.fetch_add(1, Ordering::SeqCst);
        if inner.running.swap(true, Ordering::SeqCst) {
            return;
        }
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            loop {
                let owed = inner.owed.swap(0, Ordering::SeqCst);
                if owed > 0 {
                    inner.sweep(owed.saturating_mul(SWEEP).min(LARGEST)).await;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                inner.running.store(false, Ordering::SeqCst);
                // What began in between saw this one at work.
                if inner.owed.load(Ordering::SeqCst) == 0
                    || inner.running.swap(true, Ordering::SeqCst)
                {
                    return;
                }
            }
        });
    }
}

impl Inner {
    async fn sweep(&self, limit: u32) {
        let now = self.now.load(Ordering::SeqCst);
        let caller = Caller {
            now,
            ..Caller::housekeeping()
        };
        let ended_for = self.in_force.saturating_add(CLOCKS);
        let sessions_before = now.saturating_sub(KEEP_SESSION);
        let failures_before = now.saturating_sub(KEEP_FAILURES);
        let letters_before = now.saturating_sub(KEEP_LETTERS);
        let audit_before = now.saturating_sub(self.audit_retention);
        let swept = self.db.write(&caller, move |tx| {
            Ok((
                tx.delete_ended_sessions(ended_for, limit)?
                    + tx.delete_old_sessions(sessions_before, limit)?,
                tx.delete_old_audit(audit_before, limit)?,
                tx.delete_old_login_failures(failures_before, limit)?,
                tx.delete_old_letters(letters_before, limit)?
                    + tx.delete_old_requests(now, limit)?
                    + tx.delete_old_log_outs(letters_before, limit)?,
            ))
        });
        match swept.await {
            Ok((sessions, records, counters, letters)) => log::debug!(
                "swept {sessions} sessions, {records} audit records, {counters} counters of failures, {letters} mails, pushed requests and log-outs"
            ),
            Err(error) => log::debug!("not swept, the next log-in will: {error}"),
        }
    }
}
