//! The threads that hash passwords, behind a queue that nobody can take whole.
//!
//! A storm of log-ins slows nothing else: the threads give way to all others of the machine. Each reuses one memory
//! buffer. The queue is bounded, and full is
//! [`PasswordError::Busy`]; who has paid says whose places it takes, and a payer has only so many.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;

use super::bucket::{Paid, Payer};
use crate::db::NO_PASSWORD;
use crate::log_in::password::{
    Memory, Password, PasswordError, Verdict, hash, is_ours, self_test, verify,
};
use crate::strength::{Strength, Weak};

/// Log-ins that may wait for a thread; at about 17 ms a hash this is the most anyone waits for: a second or two.
const QUEUE: usize = 128;

/// Hashes of other systems that may wait for the one thread which they have: each may cost a second of it. Whoever moved in
/// waits for those who did, and nobody else does.
const FOREIGN_QUEUE: usize = 8;

/// How much the threads that hash give way: beside one that does not, each gets a tenth of a core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

enum Work {
    /// A new one, of somebody of whom these words are known; without them any.
    Hash(
        Password,
        Option<Vec<String>>,
        oneshot::Sender<Result<String, PasswordError>>,
    ),
    Verify(
        Password,
        String,
        oneshot::Sender<Result<Verdict, PasswordError>>,
    ),
}

struct Job {
    work: Work,
    place: Place,
}

/// Who waits in the queue.
#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    taken: Mutex<HashMap<Payer, usize>>,
}

/// Places in the queue; given back when dropped.
struct Place {
    queue: Arc<Queue>,
    paid: Paid,
}

impl Place {
    /// Takes a place of each payer, or none at all.
    fn take(queue: &Arc<Queue>, paid: Paid) -> Result<Self, PasswordError> {
        let mut taken = queue.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |payer: &Payer| taken.get(payer).is_some_and(|n| *n >= payer.places());
        if paid.payers().iter().any(full) {
            return Err(PasswordError::Crowded);
        }
        for payer in paid.payers() {
            *taken.entry(*payer).or_default() += 1;
        }
        drop(taken);
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            queue: Arc::clone(queue),
            paid,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
        let mut taken = self
            .queue
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for payer in self.paid.payers() {
            if let Some(n) = taken.get_mut(payer) {
                *n = n.saturating_sub(1);
                if *n == 0 {
                    taken.remove(payer);
                }
            }
        }
    }
}

/// The threads that hash, behind their queue. Clones share them.
#[derive(Clone)]
pub struct Hasher {
    jobs: SyncSender<Job>,
    /// What costs more than ours.
    foreign: SyncSender<Job>,
    queue: Arc<Queue>,
    /// What the password of an unknown user is compared with: the same work, and never a match.
    dummy_hash: Arc<str>,
}

impl Hasher {
    /// Starts `threads` threads; they end when the last clone is dropped. A new password must be of this strength.
    ///
    /// # Errors
    /// [`PasswordError::Failed`] if a thread cannot be started, or this machine miscomputes.
    pub fn start(threads: usize, strength: Strength) -> Result<Self, PasswordError> {
        let strength = Arc::new(strength);
        self_test()?;
        let (jobs, waiting) = sync_channel(QUEUE);
        let (foreign, foreign_waiting) = sync_channel(FOREIGN_QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let foreign_waiting = Arc::new(Mutex::new(foreign_waiting));
        let lanes = (0..threads.max(1)).map(|n| (format!("argon2-{n}"), &waiting));
        for (name, lane) in lanes.chain([("foreign-hash".to_owned(), &foreign_waiting)]) {
            let (lane, strength) = (Arc::clone(lane), Arc::clone(&strength));
            thread::Builder::new()
                .name(name)
                .spawn(move || work(&lane, &strength))
                .map_err(|_| PasswordError::Failed("no thread"))?;
        }
        let unguessable: [u8; 32] = rand::random();
        let nobody = Password::new(STANDARD_NO_PAD.encode(unguessable));
        let nobody = hash(&nobody, &mut Memory::default())?.into();
        Ok(Self {
            jobs,
            foreign,
            queue: Arc::default(),
            dummy_hash: nobody,
        })
    }

    /// The hash to store for a password that somebody sets anew, of whom these words are known, in PHC form.
    ///
    /// # Errors
    /// [`PasswordError::Weak`]; as [`Self::hash`].
    pub async fn hash_new(
        &self,
        password: Password,
        words: Vec<String>,
        paid: Paid,
    ) -> Result<String, PasswordError> {
        self.hash_of(password, Some(words), paid).await
    }

    /// The hash to store for a password, be it weak, in PHC form.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when the queue is full, [`PasswordError::Crowded`] when it is for these payers.
    pub async fn hash(&self, password: Password, paid: Paid) -> Result<String, PasswordError> {
        self.hash_of(password, None, paid).await
    }

    async fn hash_of(
        &self,
        password: Password,
        words: Option<Vec<String>>,
        paid: Paid,
    ) -> Result<String, PasswordError> {
        let (answer, hash) = oneshot::channel();
        self.submit(&self.jobs, Work::Hash(password, words, answer), paid)?;
        hash.await.map_err(|_| PasswordError::Failed("no answer"))?
    }

    /// Does the password fit the stored hash? `None`, for an unknown user, costs the same and never fits; so does an
    /// account without a password.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
        paid: Paid,
    ) -> Result<Verdict, PasswordError> {
        let stored = stored.filter(|stored| stored != NO_PASSWORD);
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy_hash.to_string());
        let (answer, verdict) = oneshot::channel();
        let lane = if is_ours(&stored) {
            &self.jobs
        } else {
            &self.foreign
        };
        self.submit(lane, Work::Verify(password, stored, answer), paid)?;
        let verdict = verdict
            .await
            .map_err(|_| PasswordError::Failed("no answer"))??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// Passwords that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting.load(Ordering::Relaxed)
    }

    fn submit(&self, lane: &SyncSender<Job>, work: Work, paid: Paid) -> Result<(), PasswordError> {
        let place = Place::take(&self.queue, paid)?;
        lane.try_send(Job { work, place })
            .map_err(|error| match error {
                TrySendError::Full(_) => PasswordError::Busy,
                TrySendError::Disconnected(_) => PasswordError::Failed("threads are gone"),
            })
    }
}

/// Lets whatever else wants a core go first. A log-in takes its time anyway; a refresh beside it, and the database that
/// serves it, are done in no time.
fn yield_to_others() {
    // On Linux the niceness is a thread's own (setpriority(2)), elsewhere the process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        log::debug!("the priority of a hashing thread stays as it is: {error}");
    }
}

fn work(queue: &Mutex<Receiver<Job>>, strength: &Strength) {
    yield_to_others();
    let mut memory = Memory::default();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { work, place }) = job else { return };
        // It waits no longer.
        drop(place);
        // A closed answer is a client that has gone: its job is not worth 17 ms. A send that fails is one too.
        let done = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Hash(password, words, answer) if !answer.is_closed() => {
                let _ = answer.send(hash_if_strong(&password, words, strength, &mut memory));
            }
            Work::Verify(password, stored, answer) if !answer.is_closed() => {
                let _ = answer.send(verify(&password, &stored, &mut memory));
            }
            _ => {}
        }));
        if done.is_err() {
            // Whoever waited hears that there is no answer; the thread goes on, with a memory of its own making.
            log::error!("a password could not be judged or hashed: the message is on stderr");
            memory = Memory::default();
        }
    }
}

fn hash_if_strong(
    password: &Password,
    words: Option<Vec<String>>,
    strength: &Strength,
    memory: &mut Memory,
) -> Result<String, PasswordError> {
    if let Some(words) = words {
        let weak = if password.is_acceptable() {
            let judged = strength.judge(password.text(), &words);
            judged.map_err(PasswordError::Breached)?
        } else {
            Some(Weak::Length)
        };
        if let Some(weak) = weak {
            return Err(PasswordError::Weak(weak));
        }
    }
    hash(password, memory)
}

#[cfg(test)]
mod tests {
    use argon2::Argon2;

    use super::*;
    use crate::log_in::bucket::Whose;
    use crate::settings::PasswordPolicy;

    fn password(text: &str) -> Password {
        Password::new(text.into())
    }

    fn hasher() -> Hasher {
        Hasher::start(1, Strength::new(PasswordPolicy::Strong, None)).unwrap()
    }

    async fn fits(hasher: &Hasher, text: &str, stored: Option<String>) -> bool {
        let verdict = hasher.verify(password(text), stored, free()).await;
        verdict.unwrap() == Verdict::Fits
    }

    fn free() -> Paid {
        Paid::by_operator()
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_and_no_other() {
        let hasher = hasher();
        let stored = hasher
            .hash(password("pässwörd 王小明"), free())
            .await
            .unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(fits(&hasher, "pässwörd 王小明", Some(stored.clone())).await);
        assert!(!fits(&hasher, "pässwörd 王小明 ", Some(stored.clone())).await);
        assert!(!fits(&hasher, "pässwörd 王小明", None).await);
        assert_ne!(
            stored,
            hasher
                .hash(password("pässwörd 王小明"), free())
                .await
                .unwrap(),
            "salted"
        );
    }

    #[tokio::test]
    async fn a_hash_made_by_the_library_itself_is_understood() {
        use argon2::password_hash::PasswordHasher;
        let stored = Argon2::default()
            .hash_password(b"correct horse")
            .unwrap()
            .to_string();
        let hasher = hasher();
        assert!(fits(&hasher, "correct horse", Some(stored)).await);
    }

    #[tokio::test]
    async fn a_broken_stored_hash_is_an_error_not_a_refusal() {
        let hasher = hasher();
        for stored in [
            "secret",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA",
        ] {
            assert!(
                hasher
                    .verify(password("x"), Some(stored.into()), free())
                    .await
                    .is_err(),
                "{stored}"
            );
        }
    }

    #[tokio::test]
    async fn a_storm_on_hashes_that_moved_in_keeps_nobody_else_waiting() {
        let hasher = hasher();
        let ours = hasher
            .hash(password("correct horse"), free())
            .await
            .unwrap();
        // scrypt of a tenth of a second and more.
        let costly = "$scrypt$ln=15,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let storm = (0..50).map(|_| hasher.verify(password("x"), Some(costly.into()), free()));
        let storm = futures_util::future::join_all(storm);
        let other = async { fits(&hasher, "correct horse", Some(ours)).await };
        let (storm, other) = tokio::join!(storm, other);
        assert!(other);
        let busy = |answer: &&Result<_, _>| matches!(answer, Err(PasswordError::Busy));
        let refused = storm.iter().filter(busy).count();
        assert!((50 - FOREIGN_QUEUE - 2..50).contains(&refused), "{refused}");
        assert!(
            storm
                .iter()
                .flatten()
                .all(|verdict| *verdict == Verdict::Wrong)
        );
    }

    #[tokio::test]
    async fn a_full_queue_says_busy_and_recovers() {
        let hasher = hasher();
        let many = (0..2 * QUEUE).map(|_| hasher.verify(password("x"), None, free()));
        let answers = futures_util::future::join_all(many).await;
        assert!(
            answers
                .iter()
                .any(|a| matches!(a, Err(PasswordError::Busy)))
        );
        assert!(answers.iter().any(Result::is_ok));
        assert!(!fits(&hasher, "x", None).await);
    }

    #[tokio::test]
    async fn nobody_takes_the_whole_queue() {
        let hasher = hasher();
        let flooded = Payer::StrangersFrom(Whose::Nobody(1), None);
        let flood = (0..160).map(|_| hasher.verify(password("x"), None, Paid::of([flooded])));
        let others = (2..90).map(|n| {
            let other = Paid::of([Payer::StrangersFrom(Whose::Nobody(n), None)]);
            hasher.verify(password("x"), None, other)
        });
        let (flood, others) = tokio::join!(
            futures_util::future::join_all(flood),
            futures_util::future::join_all(others)
        );
        let served = flood.iter().filter(|answer| answer.is_ok()).count();
        assert!(
            (flooded.places()..=flooded.places() + 2).contains(&served),
            "{served}"
        );
        let crowded = |answer: &&Result<_, _>| matches!(answer, Err(PasswordError::Crowded));
        assert_eq!(flood.iter().filter(crowded).count(), 160 - served);
        assert!(others.iter().all(Result::is_ok));
        assert!(
            hasher.queue.taken.lock().unwrap().is_empty(),
            "places are given back"
        );
        assert_eq!(hasher.waiting(), 0);
    }

    #[tokio::test]
    async fn whoever_pays_with_others_waits_for_all_of_them() {
        let hasher = hasher();
        let strangers = Payer::Strangers(Whose::Nobody(1));
        let of = |n: u8| {
            let network = std::net::IpAddr::from([203, 0, 113, n]).into();
            Paid::of([strangers, Payer::Network(network)])
        };
        let flood = (0..200).map(|n| hasher.verify(password("x"), None, of(n)));
        let answers = futures_util::future::join_all(flood).await;
        let served = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(
            (strangers.places()..=strangers.places() + 2).contains(&served),
            "{served}"
        );
    }

    #[tokio::test]
    async fn strangers_from_everywhere_leave_places_for_known_devices() {
        let hasher = hasher();
        let stranger = |n| Paid::of([Payer::Registration(Whose::Nobody(n)), Payer::AllStrangers]);
        let flood = (0..200).map(|n| hasher.verify(password("x"), None, stranger(n)));
        let device = |n| Paid::of([Payer::Devices(Whose::Nobody(n))]);
        let known = (0..8).map(|n| hasher.verify(password("x"), None, device(n)));
        let (flood, known) = tokio::join!(
            futures_util::future::join_all(flood),
            futures_util::future::join_all(known)
        );
        assert!(known.iter().all(Result::is_ok));
        let crowded = |answer: &&Result<_, _>| matches!(answer, Err(PasswordError::Crowded));
        assert!(flood.iter().filter(crowded).count() >= 100);
        assert!(
            flood
                .iter()
                .all(|answer| answer.is_ok() || crowded(&answer))
        );
    }
}
