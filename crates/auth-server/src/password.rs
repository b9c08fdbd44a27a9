//! Password hashes: Argon2id on threads of their own, so that a storm of log-ins slows nothing else.
//!
//! Knows no users and no HTTP. Each thread reuses one memory buffer (a fresh 19 MiB per hash costs almost
//! as much as the hash, and stays with the allocator); the queue before them is bounded, and full is
//! [`PasswordError::Busy`]. Parameters: 19 MiB, t=2, p=1, from OWASP's Password Storage Cheat Sheet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Log-ins that may wait for a thread; at about 17 ms a hash this is the most anyone waits for: a second or two.
const QUEUE: usize = 128;
const OUTPUT: usize = 32;

/// Characters (not bytes) that a password has at least and at most.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// A password as it came from a client. No `Debug`, and wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes any text; see [`Self::is_acceptable`] for what a new password must be.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Is it long enough, and short enough, to be set? Counted in characters, any Unicode, nothing cut off.
    #[must_use]
    pub fn is_acceptable(&self) -> bool {
        LENGTH.contains(&self.0.chars().count())
    }
}

/// Why there is no hash and no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full.
    #[error("too many passwords are being checked")]
    Busy,
    /// The threads are gone, or a stored hash is not one.
    #[error("password hash: {0}")]
    Failed(&'static str),
}

enum Job {
    Hash(Password, oneshot::Sender<Result<String, PasswordError>>),
    Verify(
        Password,
        String,
        oneshot::Sender<Result<bool, PasswordError>>,
    ),
}

/// The threads that hash, behind their queue. Clones share them.
#[derive(Clone)]
pub struct Hasher {
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    /// What the password of an unknown user is compared with: the same work, and never a match.
    nobody: Arc<str>,
}

impl Hasher {
    /// Starts `threads` threads; they end when the last clone is dropped.
    ///
    /// # Errors
    /// [`PasswordError::Failed`] if a thread cannot be started.
    pub fn start(threads: usize) -> Result<Self, PasswordError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let waiting = Arc::new(AtomicUsize::new(0));
        for n in 0..threads.max(1) {
            let (queue, waiting) = (Arc::clone(&queue), Arc::clone(&waiting));
            thread::Builder::new()
                .name(format!("argon2-{n}"))
                .spawn(move || work(&queue, &waiting))
                .map_err(|_| PasswordError::Failed("no thread"))?;
        }
        let unguessable: [u8; 32] = rand::random();
        let nobody = Password::new(STANDARD_NO_PAD.encode(unguessable));
        let nobody = hash(&nobody, &mut Vec::new())?.into();
        Ok(Self {
            jobs,
            waiting,
            nobody,
        })
    }

    /// The hash to store for a new password, in PHC form.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when the queue is full.
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        let (answer, hash) = oneshot::channel();
        self.submit(Job::Hash(password, answer))?;
        hash.await.map_err(|_| PasswordError::Failed("no answer"))?
    }

    /// Does the password fit the stored hash? `None`, for an unknown user, costs the same and is `false`.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when the queue is full.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let (answer, verdict) = oneshot::channel();
        self.submit(Job::Verify(password, stored, answer))?;
        let fits = verdict
            .await
            .map_err(|_| PasswordError::Failed("no answer"))??;
        Ok(fits && known)
    }

    /// Passwords that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn submit(&self, job: Job) -> Result<(), PasswordError> {
        // Before the job is there to be taken: the count never falls below zero.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs.try_send(job).map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => PasswordError::Busy,
                TrySendError::Disconnected(_) => PasswordError::Failed("threads are gone"),
            }
        })
    }
}

fn work(queue: &Mutex<Receiver<Job>>, waiting: &AtomicUsize) {
    let mut memory = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        waiting.fetch_sub(usize::from(job.is_ok()), Ordering::Relaxed);
        // A closed answer is a client that has gone: its job is not worth 17 ms. A send that fails is one too.
        match job {
            Ok(Job::Hash(password, answer)) if !answer.is_closed() => {
                let _ = answer.send(hash(&password, &mut memory));
            }
            Ok(Job::Verify(password, stored, answer)) if !answer.is_closed() => {
                let _ = answer.send(verify(&password, &stored, &mut memory));
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn parameters() -> Result<Params, PasswordError> {
    Params::new(19 * 1024, 2, 1, Some(OUTPUT)).map_err(|_| PasswordError::Failed("parameters"))
}

fn derive(
    password: &Password,
    salt: &[u8],
    params: Params,
    memory: &mut Vec<Block>,
) -> Result<[u8; OUTPUT], PasswordError> {
    memory.resize(params.block_count(), Block::default());
    let mut output = [0; OUTPUT];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            password.0.as_bytes(),
            salt,
            &mut output,
            memory.as_mut_slice(),
        )
        .map_err(|_| PasswordError::Failed("argon2"))?;
    Ok(output)
}

fn hash(password: &Password, memory: &mut Vec<Block>) -> Result<String, PasswordError> {
    let salt: [u8; 16] = rand::random();
    let params = parameters()?;
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let output = derive(password, &salt, params, memory)?;
    // The PHC string format, so that any Argon2 library can read what we stored.
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    Ok(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}"))
}

fn verify(
    password: &Password,
    stored: &str,
    memory: &mut Vec<Block>,
) -> Result<bool, PasswordError> {
    let broken = PasswordError::Failed("the stored hash is no Argon2id PHC string");
    let Ok(phc) = PasswordHash::new(stored) else {
        return Err(broken);
    };
    let (Ok(params), Some(salt), Some(expected)) =
        (Params::try_from(&phc), phc.salt.as_ref(), phc.hash.as_ref())
    else {
        return Err(broken);
    };
    if phc.algorithm.as_str() != "argon2id" || expected.as_bytes().len() != OUTPUT {
        return Err(broken);
    }
    let output = derive(password, salt.as_ref(), params, memory)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into())
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_and_no_other() {
        let hasher = Hasher::start(1).unwrap();
        let stored = hasher.hash(password("pässwörd 王小明")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            hasher
                .verify(password("pässwörd 王小明"), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(password("pässwörd 王小明 "), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(password("pässwörd 王小明"), None)
                .await
                .unwrap()
        );
        assert_ne!(
            stored,
            hasher.hash(password("pässwörd 王小明")).await.unwrap(),
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
        let hasher = Hasher::start(1).unwrap();
        assert!(
            hasher
                .verify(password("correct horse"), Some(stored))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_broken_stored_hash_is_an_error_not_a_refusal() {
        let hasher = Hasher::start(1).unwrap();
        for stored in [
            "",
            "secret",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA",
        ] {
            assert!(
                hasher
                    .verify(password("x"), Some(stored.into()))
                    .await
                    .is_err(),
                "{stored}"
            );
        }
    }

    #[tokio::test]
    async fn a_full_queue_says_busy_and_recovers() {
        let hasher = Hasher::start(1).unwrap();
        let many = (0..2 * QUEUE).map(|_| hasher.verify(password("x"), None));
        let answers = futures_util::future::join_all(many).await;
        assert!(
            answers
                .iter()
                .any(|a| matches!(a, Err(PasswordError::Busy)))
        );
        assert!(answers.iter().any(Result::is_ok));
        assert!(!hasher.verify(password("x"), None).await.unwrap());
    }

    #[test]
    fn length_is_counted_in_characters() {
        for (text, fine) in [
            ("1234567", false),
            ("12345678", true),
            ("王王王王王王王王", true),
        ] {
            assert_eq!(password(text).is_acceptable(), fine);
        }
        assert!(password(&"é".repeat(256)).is_acceptable());
        assert!(!password(&"é".repeat(257)).is_acceptable());
    }
}
