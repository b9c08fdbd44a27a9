//! The task that delivers log-outs. Every replica has one; a row is one's that takes it by a conditional write.
//!
//! A receiver that is down, slow or full delays its own client's news and nobody else's. A row is removed after the client took the
//! news: a process that is killed in between tells it once more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::metrics::{Metrics, prometheus};
use id_keys::IdKeyFile;
use shared::clock;
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};

use super::{Reach, token};
use crate::clients::{Client, Clients};
use crate::db::{AuditRecord, Caller, Db, DbError, Event, LogOut};
use crate::operations::counters::{Counters, Told};
use crate::operations::waiting::{Complaints, Waiting};

/// How often it is looked for what other replicas and commands have queued; what this process ends is told at once.
const LOOK: Duration = Duration::from_millis(250);
/// Log-outs that one client is told of at the same time: one that hangs takes no place of another.
const AT_ONCE: usize = 4;
/// Its rows that are looked at: those under way, and as many more.
const AT_ONCE_ROWS: i64 = 8;
/// Seconds between two counts for the metrics: a count looks at every row.
const COUNT_EVERY: i64 = 5;
/// Seconds for which a log-out is the one's that took it: longer than a receiver may take for it.
const TAKEN: i64 = 60;
/// Seconds after which a log-out that the client does not hear of is given up.
const GIVE_UP: i64 = 24 * 3600;

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
        let waiting = Waiting::register(
            metrics,
            (
                "keyturn_logout_deliveries_waiting",
                "Log-outs that clients are still to be told of",
            ),
            (
                "keyturn_logout_deliveries_oldest_seconds",
                "For how long the oldest of them has waited",
            ),
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
        let mut tasks = JoinSet::new();
        let mut under_way = UnderWay::default();
        let mut complaints =
            Complaints::about("log-outs wait, since the database cannot be read or written");
        let mut counted_at = 0;
        loop {
            let due = match self.look(under_way.clients(), &mut counted_at).await {
                Ok(due) => due,
                Err(error) => {
                    complaints.of(&error);
                    Vec::new()
                }
            };
            for log_out in due {
                if !under_way.admits(&log_out) {
                    continue;
                }
                let (row, client) = (log_out.id.clone(), log_out.client.clone());
                let sender = Arc::clone(&self);
                // Each a task of its own: a database that keeps the look waiting holds up none of them.
                let task = tasks.spawn(async move { sender.handle(log_out).await });
                under_way.0.insert(task.id(), (row, client));
            }
            let mut pause = std::pin::pin!(tokio::time::sleep(LOOK));
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    () = self.news.notified() => break,
                    Some(done) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                        let id = match done {
                            Ok((id, handled)) => {
                                if let Err(error) = handled {
                                    // It is due again when the time for which it was taken is over.
                                    complaints.of(&error);
                                }
                                id
                            }
                            Err(panicked) => {
                                log::error!("log-outs: {panicked}");
                                panicked.id()
                            }
                        };
                        if under_way.ends(id) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// What is due, for each client as much as it may be told besides what is under way.
    async fn look(
        &self,
        under_way: HashMap<String, usize>,
        counted_at: &mut i64,
    ) -> Result<Vec<LogOut>, DbError> {
        let now = clock::now();
        let count = now.saturating_sub(*counted_at) >= COUNT_EVERY;
        let (due, waiting) = self
            .db
            .read(move |tx| {
                let mut due = Vec::new();
                for client in tx.clients_to_tell()? {
                    let busy = under_way.get(&client).copied().unwrap_or_default();
                    // What is under way may still be due for a moment.
                    if busy < AT_ONCE {
                        due.extend(tx.log_outs_due(now, &client, AT_ONCE_ROWS)?);
                    }
                }
                let waiting = count.then(|| tx.log_outs_waiting()).transpose()?;
                Ok((due, waiting))
            })
            .await?;
        if let Some(waiting) = waiting {
            *counted_at = now;
            self.waiting.set(waiting);
        }
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
        let age = caller.now.saturating_sub(log_out.created_at);
        // Where nobody was there to tell it for a day, it is told all the same, once.
        if age > GIVE_UP && log_out.tries > 0 {
            log::error!(
                "log-out {}: the client {} is not told of it any more",
                log_out.id,
                log_out.client
            );
            return self.end(log_out, Event::LogOutGivenUp, Told::GivenUp).await;
        }
        if age > TAKEN && self.clients.find(&log_out.client).is_none() {
            // Queued while the client was being removed.
            return self
                .db
                .write(&caller, move |tx| tx.remove_log_out(&log_out.id))
                .await
                .map(drop);
        }
        match self.tell(&log_out, caller.now).await {
            Ok(()) => self.end(log_out, Event::LogOutDelivered, Told::Taken).await,
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
                self.counters.delivery(Told::Delayed);
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
        task::spawn_blocking(move || token::sign(&ring, &algorithm, &issuer, &log_out, now))
            .await
            .unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Removes a log-out, and records and counts what became of it, if nobody else did.
    async fn end(&self, log_out: LogOut, event: Event, outcome: Told) -> Result<(), DbError> {
        let caller = Caller::housekeeping();
        let removed = self.db.write(&caller, move |tx| {
            if !tx.remove_log_out(&log_out.id)? {
                return Ok(false);
            }
            tx.audit(&AuditRecord {
                user: log_out.sub.parse().ok(),
                session: log_out.sid.parse().ok(),
                ..AuditRecord::general(event).detail(log_out.client.clone())
            })?;
            Ok(true)
        });
        if removed.await? {
            self.counters.delivery(outcome);
        }
        Ok(())
    }
}

/// What is being told: by task, the row and its client.
#[derive(Default)]
struct UnderWay(HashMap<task::Id, (String, String)>);

impl UnderWay {
    /// How much each client is being told.
    fn clients(&self) -> HashMap<String, usize> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (_, client) in self.0.values() {
            *counts.entry(client.clone()).or_default() += 1;
        }
        counts
    }

    /// Whether a log-out is not yet being told, and its client not enough others.
    fn admits(&self, log_out: &LogOut) -> bool {
        let same = |it: &&(String, String)| it.1 == log_out.client;
        self.0.values().all(|(row, _)| *row != log_out.id)
            && self.0.values().filter(same).count() < AT_ONCE
    }

    /// Notes that a task is done. `true` if its client was told as much as it may be at once, so that more may wait.
    fn ends(&mut self, id: task::Id) -> bool {
        let Some((_, client)) = self.0.remove(&id) else {
            return false;
        };
        let left = self.0.values().filter(|(_, it)| *it == client).count();
        left + 1 >= AT_ONCE
    }
}

/// Seconds until a log-out is told again after so many tries: 1, 2, 4 … 60 minutes.
fn pause_after(tries: i64) -> i64 {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or_default();
    60_i64.saturating_mul(1 << doublings.min(6)).min(3600)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::clients::{ClientKind, Definition, changes};

    #[test]
    fn a_log_out_is_told_again_after_a_minute_and_then_up_to_an_hour() {
        let pauses: Vec<_> = (1..=8).map(pause_after).collect();
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    /// A client's receiver that takes everything, and how often it was told.
    async fn receiver() -> (String, Arc<AtomicI64>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/out", listener.local_addr().unwrap());
        let told = Arc::new(AtomicI64::new(0));
        let count = Arc::clone(&told);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
            }
        });
        (uri, told)
    }

    #[tokio::test]
    async fn whoever_sees_a_log_out_that_another_has_taken_leaves_it_to_him() {
        let folder = tempfile::tempdir().unwrap();
        let url = crate::settings::DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        let (uri, told) = receiver().await;
        let mut shop = Definition::new("shop", ClientKind::Web);
        shop.redirect_uris = vec!["https://shop.example/cb".into()];
        shop.backchannel_uri = Some(uri);
        changes::add(&db, &shop, &Caller::cli()).await.unwrap();
        let ring = include_bytes!("../../../id-keys/tests/keys/ring.json");
        let metrics = Metrics::new("test", "").unwrap();
        let sender = Sender::new(
            (
                db.clone(),
                Clients::open(db.clone()).await.unwrap(),
                IdKeyFile::fixed(id_keys::IdKeys::parse(ring).unwrap()),
            ),
            "https://login.example".into(),
            Reach::new().unwrap(),
            Arc::default(),
            (Counters::register(&metrics).unwrap(), &metrics),
        );
        let sender = sender.unwrap();
        let caller = Caller::cli();
        let put = db.write(&caller, |tx| tx.put_log_out("shop"));
        put.await.unwrap();
        let due = |tx: &mut crate::db::Tx<'_>| tx.log_outs_due(i64::MAX, "shop", 9);
        let seen = db.read(due).await.unwrap().remove(0);
        // Another replica has it for a minute.
        let taken = seen.clone();
        let take = db.write(&caller, move |tx| tx.take_log_out(&taken, i64::MAX));
        assert!(take.await.unwrap());
        sender.handle(seen).await.unwrap();
        assert_eq!(told.load(Ordering::SeqCst), 0);
        let seen = db.read(due).await.unwrap().remove(0);
        sender.handle(seen.clone()).await.unwrap();
        sender.handle(seen).await.unwrap();
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_client_is_told_four_at_once_and_others_meanwhile() {
        let log_out = |id: usize, client: &str| LogOut {
            id: id.to_string(),
            client: client.to_owned(),
            sid: String::new(),
            sub: String::new(),
            tries: 0,
            due_at: 0,
            created_at: 0,
        };
        let (mut tasks, mut under_way) = (JoinSet::new(), UnderWay::default());
        let mut ids = Vec::new();
        for n in 0..AT_ONCE {
            assert!(under_way.admits(&log_out(n, "a")));
            ids.push(tasks.spawn(async {}).id());
            under_way.0.insert(ids[n], (n.to_string(), "a".into()));
            assert!(!under_way.admits(&log_out(n, "a")), "it is under way");
        }
        assert!(!under_way.admits(&log_out(9, "a")));
        assert!(under_way.admits(&log_out(9, "b")));
        assert_eq!(under_way.clients()["a"], AT_ONCE);
        assert!(under_way.ends(ids[0]), "there may be more");
        assert!(under_way.admits(&log_out(9, "a")));
        assert!(!under_way.ends(ids[1]));
        assert!(!under_way.ends(ids[1]), "it ended already");
    }
}
