//! Making the two key files: the ring that both services read, and the MAC keys of auth-server alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shared::key_file::create_new;
use shared::keys::KeyRing;

use crate::mac_keys::MacKeys;
use crate::settings::Settings;

/// Mode of the ring's file: resource-api may run as another user of the same group.
pub const RING_MODE: u32 = 0o640;
/// Mode of the MAC keys' file: auth-server alone.
pub const SECRET_MODE: u32 = 0o600;

/// What `keys init` did with one file.
#[derive(Debug, PartialEq, Eq)]
pub enum Made {
    /// It was made.
    New(PathBuf),
    /// It was there, and is as it was.
    Kept(PathBuf),
}

/// A key file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: cannot write {}: {source}", path.display())]
pub struct CannotWrite {
    setting: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Makes what is missing of the two files, and overwrites neither.
///
/// # Errors
/// [`CannotWrite`] names the setting and the path.
pub fn init(settings: &Settings, now: i64) -> Result<[Made; 2], CannotWrite> {
    let ring = KeyRing::generate(now).to_json();
    let ring = make(
        "JWT_KEYS_FILE",
        &settings.token.jwt_keys_file,
        ring.as_bytes(),
        RING_MODE,
    )?;
    let path = &settings.store.refresh_keys_file;
    let keys = MacKeys::generate(now).to_json().map_err(|e| CannotWrite {
        setting: "REFRESH_KEYS_FILE",
        path: path.clone(),
        source: io::Error::other(e),
    })?;
    Ok([
        ring,
        make("REFRESH_KEYS_FILE", path, keys.as_bytes(), SECRET_MODE)?,
    ])
}

fn make(
    setting: &'static str,
    path: &Path,
    content: &[u8],
    mode: u32,
) -> Result<Made, CannotWrite> {
    let failed = |source| CannotWrite {
        setting,
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let new = create_new(path, content, mode).map_err(failed)?;
    Ok(if new {
        Made::New(path.to_owned())
    } else {
        Made::Kept(path.to_owned())
    })
}
