//! `REFRESH_KEYS_FILE`: read at start, and again when a token names a key that it did not have.
//!
//! `keys rotate-refresh` stages a key before sessions begin with it, so a look once a second and one for
//! an unknown key are enough for every replica to know it in time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use shared::key_file::{KeyFileError, check_permissions};
use zeroize::Zeroizing;

use crate::mac_keys::{MacKeys, MacKeysError};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the file cannot be used; begins with the setting's name.
#[derive(Debug, thiserror::Error)]
pub enum MacKeyFileError {
    /// It is not there.
    #[error("REFRESH_KEYS_FILE: {} does not exist: make it with `auth-server keys init`", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("REFRESH_KEYS_FILE: {}: {}", path.display(), source)]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Everybody may read it.
    #[error("REFRESH_KEYS_FILE: {0}")]
    Permissions(KeyFileError),
    /// Its content is no good.
    #[error("REFRESH_KEYS_FILE: {} {}", path.display(), source)]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: MacKeysError,
    },
}

/// The keys as the file had them last.
pub struct MacKeyFile {
    path: Option<PathBuf>,
    keys: RwLock<(Arc<MacKeys>, Option<Version>)>,
}

type Version = (SystemTime, u64);

impl MacKeyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`MacKeyFileError`]
    pub fn open(path: &Path) -> Result<Arc<Self>, MacKeyFileError> {
        let version = version(path);
        let keys = read(path)?;
        Ok(Arc::new(Self {
            path: Some(path.to_owned()),
            keys: RwLock::new((Arc::new(keys), version)),
        }))
    }

    /// Keys without a file, for tests of the rules.
    #[must_use]
    pub fn fixed(keys: MacKeys) -> Arc<Self> {
        Arc::new(Self {
            path: None,
            keys: RwLock::new((Arc::new(keys), None)),
        })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Arc<MacKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Looks at the file every second, for ever, and takes a good new one over.
    pub async fn follow(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            self.reload();
        }
    }

    fn reload(&self) {
        let Some(path) = &self.path else { return };
        let seen = self.keys.read().unwrap_or_else(PoisonError::into_inner).1;
        let found = version(path);
        if found == seen {
            return;
        }
        let read = read(path);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.1 = found;
        match read {
            Ok(new) => {
                log::info!("{}: reloaded", path.display());
                keys.0 = Arc::new(new);
            }
            Err(error) => log::error!("the old keys stay in use: {error}"),
        }
    }
}

fn version(path: &Path) -> Option<Version> {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Reads and checks the file once.
///
/// # Errors
/// [`MacKeyFileError`]
pub fn read(path: &Path) -> Result<MacKeys, MacKeyFileError> {
    if !path.exists() {
        return Err(MacKeyFileError::Missing(path.to_owned()));
    }
    check_permissions(path).map_err(MacKeyFileError::Permissions)?;
    let json = fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| MacKeyFileError::Read {
            path: path.to_owned(),
            source,
        })?;
    MacKeys::parse(&json).map_err(|source| MacKeyFileError::Content {
        path: path.to_owned(),
        source,
    })
}
