//! The task that delivers log-outs. Every replica has one; a row is one's that takes it by a conditional write.
//!
//! A receiver that is down, slow or full delays its own client's news and nobody else's. A row is removed after the client took the
//! news: a process that is killed in between tells it once more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chassis::metrics::{Metrics, prometheus};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use id_keys::IdKeyFile;
use shared::clock;
use tokio::sync::Notify;

use super::{Reach, token};
use crate::clients::{Client, Clients};
use crate::db::{AuditRecord, Caller, Db, DbError, Event, LogOut};
use crate::operations::counters::{Counters, Delivered};

/// How often it is looked for what other replicas and commands have queued; what this process ends is told at once.
const LOOK: Duration = Duration::from_millis(250);
/// Log-outs that are looked at in one go.
const BATCH: u32 = 64;
/// Log-outs that one client is told of at the same time: one that hangs takes no place of another.
const AT_ONCE: usize = 4;
/// Seconds for which a log-out is the one's that took it: longer than a receiver may take for it.
const TAKEN: i64 = 60;
/// Seconds after which a log-out that the client does not hear of is given up.
const GIVE_UP: i64 = 24 * 3600;
/// Seconds between two errors of the database that are logged.
const QUIET: i64 = 60;

/// Tells clients of log-outs.
pub(crate) struct Sender {
    db: Db,
    clients: Clients,
    keys: Arc<IdKeyFile>,
    issuer: String,
    reach: Reach,
    counters: Counters,
    /// That something may be there to be told.
    news: Arc<Notify>,
    waiting: Arc<Waiting>,
}

/// What waits, for the metrics.
#[derive(Default)]
struct Waiting {
    count: AtomicI64,
    /// Unix seconds; 0 for none.
    since: AtomicI64,
}

impl Sender {
    /// Puts the sender together, and its metrics.
    ///
    /// # Errors
    /// Never in practice: if a metric's name were taken.
    pub(crate) fn new(
        (db, clients, keys): (Db, Clients, Arc<IdKeyFile>),
        issuer: String,
        reach: Reach,
        news: Arc<Notify>,
        (counters, metrics): (Counters, &Metrics),
    ) -> Result<Self, prometheus::Error> {
        let waiting = Arc::new(Waiting::default());
        let (count, since) = (Arc::clone(&waiting), Arc::clone(&waiting));
        metrics.gauge(
            "keyturn_logout_deliveries_waiting",
            "Log-outs that clients are still to be told of",
            move || count.count.load(Ordering::Relaxed),
        )?;
        metrics.gauge(
            "keyturn_logout_deliveries_oldest_seconds",
            "For how long the oldest of them has waited",
            move || match since.since.load(Ordering::Relaxed) {
                0 => 0,
                since => clock::now().saturating_sub(since).max(0),
            },
        )?;
        Ok(Self {
            db,
            clients,
            keys,
            issuer,
            reach,
            counters,
            news,
            waiting,
        })
    }

    /// Delivers what is due, again and again.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut under_way = FuturesUnordered::new();
        // By row, whose they are.
        let mut whose: HashMap<String, String> = HashMap::new();
        let mut complained_at = 0;
        loop {
            let full = full(&whose);
            let due = match self.look(full.clone()).await {
                Ok(due) => due,
                Err(error) => {
                    complain(&mut complained_at, &error);
                    Vec::new()
                }
            };
            let mut more = false;
            for log_out in due {
                if whose.contains_key(&log_out.id) {
                    continue;
                }
                if whose.values().filter(|it| **it == log_out.client).count() >= AT_ONCE {
                    // The look has seen its rows alone, perhaps.
                    more = true;
                    continue;
                }
                whose.insert(log_out.id.clone(), log_out.client.clone());
                let (sender, id) = (Arc::clone(&self), log_out.id.clone());
                under_way.push(async move { (id, sender.handle(log_out).await) });
            }
            if more {
                continue;
            }
            let mut pause = std::pin::pin!(tokio::time::sleep(LOOK));
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    () = self.news.notified() => break,
                    Some((id, handled)) = under_way.next(), if !under_way.is_empty() => {
                        if let Err(error) = handled {
                            // It is due again when the time for which it was taken is over.
                            complain(&mut complained_at, &error);
                        }
                        let client = whose.remove(&id);
                        if client.is_some_and(|client| full.contains(&client)) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// What is due, but of clients that are being told as much as they may be at once.
    async fn look(&self, full: Vec<String>) -> Result<Vec<LogOut>, DbError> {
        let now = clock::now();
        let (due, (count, since)) = self
            .db
            .read(move |tx| Ok((tx.log_outs_due(now, &full, BATCH)?, tx.log_outs_waiting()?)))
            .await?;
        self.waiting.count.store(count, Ordering::Relaxed);
        self.waiting
            .since
            .store(since.unwrap_or(0), Ordering::Relaxed);
        Ok(due)
    }

    async fn handle(&self, log_out: LogOut) -> Result<(), DbError> {
        let caller = Caller::housekeeping();
        let until = caller.now.saturating_add(TAKEN);
        let taken = log_out.clone();
        if !self
            .db
            .write(&caller, move |tx| tx.take_log_out(&taken, until))
            .await?
        {
            return Ok(());
        }
        if caller.now.saturating_sub(log_out.created_at) > GIVE_UP {
            log::error!(
                "log-out {}: the client {} is not told of it any more",
                log_out.id,
                log_out.client
            );
            self.end(log_out, Event::LogOutGivenUp).await?;
            self.counters.delivery(Delivered::GivenUp);
            return Ok(());
        }
        match self.tell(&log_out, caller.now).await {
            Ok(()) => {
                self.end(log_out, Event::LogOutDelivered).await?;
                self.counters.delivery(Delivered::Delivered);
                Ok(())
            }
            Err(why) => {
                let pause = pause_after(log_out.tries.saturating_add(1));
                log::warn!(
                    "log-out {}: the client {} is told again in {pause} s: {why}",
                    log_out.id,
                    log_out.client
                );
                let caller = Caller::housekeeping();
                let due = caller.now.saturating_add(pause);
                self.db
                    .write(&caller, move |tx| tx.put_off_log_out(&log_out.id, due))
                    .await?;
                self.counters.delivery(Delivered::Delayed);
                Ok(())
            }
        }
    }

    async fn tell(&self, log_out: &LogOut, now: i64) -> Result<(), String> {
        // One that is blocked may be unblocked, one that is unknown be known in a second.
        let client = self
            .clients
            .find(&log_out.client)
            .filter(|client| !client.blocked)
            .ok_or_else(|| "there is no such client, or it is blocked".to_owned())?;
        let token = self.token(&client, log_out, now).await?;
        self.reach.post(&client, &token).await
    }

    /// RS256 takes a millisecond, so it is signed where it holds up no request.
    async fn token(&self, client: &Client, log_out: &LogOut, now: i64) -> Result<String, String> {
        let (ring, algorithm) = (self.keys.ring(), client.id_token_alg.clone());
        let (issuer, log_out) = (self.issuer.clone(), log_out.clone());
        tokio::task::spawn_blocking(move || token::sign(&ring, &algorithm, &issuer, &log_out, now))
            .await
            .unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Removes a log-out, and records what became of it, if nobody else did.
    async fn end(&self, log_out: LogOut, event: Event) -> Result<(), DbError> {
        let caller = Caller::housekeeping();
        self.db
            .write(&caller, move |tx| {
                if !tx.remove_log_out(&log_out.id)? {
                    return Ok(());
                }
                tx.audit(&AuditRecord {
                    user: log_out.sub.parse().ok(),
                    session: log_out.sid.parse().ok(),
                    ..AuditRecord::general(event).detail(log_out.client.clone())
                })
            })
            .await
    }
}

/// The clients that are being told as much as they may be at once.
fn full(whose: &HashMap<String, String>) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for client in whose.values() {
        *counts.entry(client).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count >= AT_ONCE)
        .map(|(client, _)| client.to_owned())
        .collect()
}

/// Logs what is wrong with the database, now and then: it is asked four times a second.
fn complain(complained_at: &mut i64, error: &DbError) {
    let now = clock::now();
    if now.saturating_sub(*complained_at) >= QUIET {
        *complained_at = now;
        log::warn!("log-outs wait, since the database cannot be read or written: {error}");
    }
}

/// Seconds until a log-out is told again after so many tries: 1, 2, 4 … 60 minutes.
fn pause_after(tries: i64) -> i64 {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or_default();
    60_i64.saturating_mul(1 << doublings.min(6)).min(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_out_is_told_again_after_a_minute_and_then_up_to_an_hour() {
        let pauses: Vec<_> = (1..=8).map(pause_after).collect();
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn a_client_that_is_told_enough_at_once_is_full() {
        let whose = |clients: &[&str]| {
            let rows = clients.iter().enumerate();
            rows.map(|(row, client)| (row.to_string(), (*client).to_owned()))
                .collect()
        };
        assert!(full(&whose(&["a", "a", "a", "b"])).is_empty());
        assert_eq!(full(&whose(&["a", "a", "a", "a", "b"])), ["a"]);
    }
}
