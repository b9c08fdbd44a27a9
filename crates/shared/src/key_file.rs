//! A file of keys, and the keys as they were last read: the ring of both services, and whatever else is
//! kept like it.
//!
//! Every process looks at the file by itself, so a rotation needs no restart and no message. A new
//! file that cannot be used is reported once, and the ring that is known to work stays.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

pub use crate::files::exposure::Exposure;
pub use crate::files::{create_new, lock, make_folder_of, open_regular, write_atomically};
use crate::files::{exposure, mount};
use crate::keys::{KeyRing, KeyRingError};

/// Bytes that the file has at most: some thousand keys.
const LARGEST_FILE: u64 = 1024 * 1024;

/// How often a gate looks at the file for the sake of an unknown `kid`, at most.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often [`FileOf::follow`] looks, and how much later it takes over what it saw. Together less than a second.
#[cfg(feature = "follow")]
const GATE_LOOKS: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(250)];

/// How often [`FileOf::follow_closely`] looks.
#[cfg(feature = "follow")]
const SIGNER_LOOKS: Duration = Duration::from_millis(100);

/// Why a key file cannot be used. Begins with the path; [`KeyFileError::naming`] puts the
/// setting's name before it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError<E = KeyRingError> {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}{}", path.display(), hint(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others could read or change the file.
    #[error("{}: {fault}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Who could, and what to do about it.
        fault: Exposure,
    },
    /// The file is too large to be a key ring.
    #[error("{}: is larger than 1 MiB, so it is no key ring; is the path right?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The content is no usable key ring.
    #[error("{}: {source}", path.display())]
    Ring {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: E,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "; make it with `auth-server keys init`",
        io::ErrorKind::PermissionDenied => "; the user of this service must be allowed to",
        _ => "",
    }
}

impl<E: std::error::Error> KeyFileError<E> {
    /// The message as an operator needs it: with the setting that names the file.
    #[must_use]
    pub fn naming(&self, setting: &str) -> String {
        format!("{setting}: {self}")
    }
}

/// What a look at the file brought.
#[derive(Debug)]
pub enum Reload<E = KeyRingError> {
    /// The file is the one that was looked at last.
    Unchanged,
    /// There is a new ring.
    Reloaded,
    /// There is a new file, but it is no good; the old ring stays. Already logged.
    Broken(KeyFileError<E>),
}

/// What tells one version of the file from another. The rights of the file and its folders belong to it,
/// so that a refused file is read again when only those were put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    modified: Option<SystemTime>,
    inode: u64,
    /// Mode, owner and group: of the file, and of the folders on the way to it.
    rights: Vec<(u32, u32, u32)>,
    size: u64,
}

impl Version {
    /// The version of the file at `path` with this metadata.
    #[must_use]
    pub fn of(path: &Path, metadata: &Metadata) -> Self {
        let mut rights = exposure::rights_around(path);
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt;
            rights.push((metadata.mode(), metadata.uid(), metadata.gid()));
            metadata.ino()
        };
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            modified: metadata.modified().ok(),
            inode,
            rights,
            size: metadata.len(),
        }
    }
}

/// Keys that are kept in a file of their own.
pub trait Keys: Sized + Send + Sync + 'static {
    /// What can be wrong with the content of a file.
    type Fault: std::error::Error + Send + Sync + 'static;

    /// Reads the content of a file.
    ///
    /// # Errors
    /// Whatever makes it unusable. The text must not hold a secret.
    fn parse(content: &[u8]) -> Result<Self, Self::Fault>;

    /// The names of the keys, for the log.
    fn names(&self) -> Vec<String>;
}

impl Keys for KeyRing {
    type Fault = KeyRingError;

    fn parse(content: &[u8]) -> Result<Self, KeyRingError> {
        Self::parse(content)
    }

    fn names(&self) -> Vec<String> {
        self.keys().iter().map(|key| key.kid().to_owned()).collect()
    }
}

/// The file of the key ring.
pub type KeyFile = FileOf<KeyRing>;

/// What the last looks at the file found.
#[derive(Debug)]
struct Seen {
    /// The version that was looked at last, good or not; `None`: it could not be read.
    version: Option<Version>,
    /// What was last said of a file that is no good.
    said: Option<String>,
}

/// The keys of this process: read from their file, and again whenever that changes.
#[derive(Debug)]
pub struct FileOf<K> {
    /// `None`: a ring that is not in a file.
    path: Option<PathBuf>,
    ring: RwLock<Arc<K>>,
    /// Whoever holds the lock is the one who reads.
    seen: Mutex<Seen>,
    /// When an unknown `kid` last made us look.
    looked: Mutex<Option<Instant>>,
}

impl<K: Keys> FileOf<K> {
    /// Reads a ring for the first time.
    ///
    /// # Errors
    /// If the file cannot be read, is within reach of others or holds no usable ring.
    pub fn open(path: &Path) -> Result<Arc<Self>, KeyFileError<K::Fault>> {
        let (ring, version) = read(path)?;
        if let Some(advice) = check_mount(path) {
            log::warn!("{}: {advice}", path.display());
        }
        Ok(Arc::new(Self::of(
            Some(path.to_owned()),
            ring,
            Some(version),
        )))
    }

    /// Wraps a ring that is not in a file and never changes.
    #[must_use]
    pub fn fixed(ring: K) -> Arc<Self> {
        Arc::new(Self::of(None, ring, None))
    }

    fn of(path: Option<PathBuf>, ring: K, version: Option<Version>) -> Self {
        Self {
            path,
            ring: RwLock::new(Arc::new(ring)),
            seen: Mutex::new(Seen {
                version,
                said: None,
            }),
            looked: Mutex::new(None),
        }
    }

    /// The ring as it was last read.
    #[must_use]
    pub fn ring(&self) -> Arc<K> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the file is another than the one that was looked at last.
    #[cfg(feature = "follow")]
    fn is_changed(&self) -> bool {
        let Some(path) = &self.path else { return false };
        // Before the lock, which whoever waits on the disk must not hold.
        let current = version(path);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.version != current
    }

    /// Looks at the file, and reads it if it is another than last time. What is wrong with a new
    /// file is logged here, once.
    pub fn reload_if_changed(&self) -> Reload<K::Fault> {
        let Some(path) = &self.path else {
            return Reload::Unchanged;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let current = version(path);
        if seen.version == current {
            return Reload::Unchanged;
        }
        match read::<K>(path) {
            Ok((ring, version)) => {
                let names = K::names(&ring).join(", ");
                log::info!("{}: reloaded, keys: {names}", path.display());
                *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
                *seen = Seen {
                    version: Some(version),
                    said: None,
                };
                Reload::Reloaded
            }
            Err(error) => {
                let text = error.to_string();
                if matches!(error, KeyFileError::Read { .. }) {
                    // It may be readable at the next look without having changed: not seen yet, and told once.
                    if seen.said.as_ref() == Some(&text) {
                        return Reload::Unchanged;
                    }
                } else {
                    seen.version = current;
                }
                log::error!("the old keys stay in use, since the new file is no good: {text}");
                seen.said = Some(text);
                Reload::Broken(error)
            }
        }
    }

    /// Looks at the file for the sake of a `kid` that the ring does not know, at most once a
    /// second, and returns the ring as it is then.
    pub fn look_again(&self) -> Arc<K> {
        // Held while the file is read: whoever comes with the same new `kid` at the same moment
        // waits for the ring instead of being refused.
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            self.reload_if_changed();
            *looked = Some(Instant::now());
        }
        self.ring()
    }

    /// Takes over what is new in the file within a second, for ever: for whoever judges tokens. Spawn it once per
    /// process.
    ///
    /// A new file is taken over a quarter of a second after it was seen, when every signer has it by
    /// [`FileOf::follow_closely`]: a token that is refused since its key was revoked is then not followed by another
    /// one under the same key. Only an unknown `kid` makes a gate take a new file over at once.
    #[cfg(feature = "follow")]
    pub async fn follow(self: Arc<Self>) {
        let [every, later] = GATE_LOOKS;
        self.look_for_ever(every, later).await;
    }

    /// Takes over what is new in the file within a tenth of a second, for ever: for whoever signs.
    #[cfg(feature = "follow")]
    pub async fn follow_closely(self: Arc<Self>) {
        self.look_for_ever(SIGNER_LOOKS, Duration::ZERO).await;
    }

    #[cfg(feature = "follow")]
    async fn look_for_ever(self: Arc<Self>, every: Duration, later: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // The file may be on a disk that hangs: not on an async worker.
            let file = Arc::clone(&self);
            if !matches!(
                tokio::task::spawn_blocking(move || file.is_changed()).await,
                Ok(true)
            ) {
                continue;
            }
            tokio::time::sleep(later).await;
            let file = Arc::clone(&self);
            // What is wrong is logged there.
            let _ = tokio::task::spawn_blocking(move || file.reload_if_changed()).await;
        }
    }
}

/// Refuses a file of secrets that others than its owner could read or change.
///
/// # Errors
/// [`KeyFileError::Exposed`], or [`KeyFileError::Read`] if there is no such file.
pub fn check_permissions(path: &Path) -> Result<(), KeyFileError> {
    let metadata = std::fs::metadata(path);
    found(
        path,
        metadata.and_then(|metadata| exposure::of_file(path, &metadata)),
    )
}

/// What is to be said of a file that is mounted by itself, without its folder: it cannot be replaced, neither
/// from outside nor from inside. `None` for every other file.
#[must_use]
pub fn check_mount(path: &Path) -> Option<&'static str> {
    mount::is_mounted_alone(path).then_some(mount::ADVICE)
}

/// Refuses the folder of a file of secrets that others than its owner could replace; the file itself need
/// not be there yet.
///
/// # Errors
/// [`KeyFileError::Exposed`], or [`KeyFileError::Read`] if there is no such folder.
pub fn check_folder_of(path: &Path) -> Result<(), KeyFileError> {
    found(path, exposure::of_folder(path))
}

fn found<E>(path: &Path, looked: io::Result<Option<Exposure>>) -> Result<(), KeyFileError<E>> {
    let path = path.to_owned();
    match looked {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(KeyFileError::Exposed { path, fault }),
        Err(source) => Err(KeyFileError::Read { path, source }),
    }
}

/// The version that is there now; `None`: none that can be looked at.
fn version(path: &Path) -> Option<Version> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Version::of(path, &metadata))
}

fn read<K: Keys>(path: &Path) -> Result<(K, Version), KeyFileError<K::Fault>> {
    let failed = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    // The metadata are the open file's, so that mode, version and content belong to the same one.
    let (mut file, metadata) = open_regular(path).map_err(failed)?;
    found(path, exposure::of_file(path, &metadata))?;
    if metadata.len() > LARGEST_FILE {
        return Err(KeyFileError::TooLarge {
            path: path.to_owned(),
        });
    }
    let room = usize::try_from(metadata.len()).unwrap_or_default() + 1;
    let mut json = Zeroizing::new(Vec::with_capacity(room));
    Read::by_ref(&mut file)
        .take(LARGEST_FILE)
        .read_to_end(&mut json)
        .map_err(failed)?;
    let ring = K::parse(&json).map_err(|source| KeyFileError::Ring {
        path: path.to_owned(),
        source,
    })?;
    Ok((ring, Version::of(path, &metadata)))
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
