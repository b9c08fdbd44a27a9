//! Making the two key files: the ring that both services read, and the MAC keys of auth-server alone.

use std::io;
use std::path::{Path, PathBuf};

use shared::key_file::{KeyFileError, check_folder_of, create_new, make_folder_of};
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

/// A key file that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotMake {
    /// It cannot be written.
    #[error("{setting}: cannot write {}: {source}", path.display())]
    Write {
        /// The variable that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others could replace it.
    #[error("{}", .fault.naming(.setting))]
    Exposed {
        /// The variable that names the file.
        setting: &'static str,
        /// Who could, and what to do about it.
        fault: KeyFileError,
    },
}

/// Makes what is missing of the two files, and overwrites neither.
///
/// # Errors
/// [`CannotMake`] names the setting and the path.
pub fn init(settings: &Settings, now: i64) -> Result<[Made; 2], CannotMake> {
    let ring = KeyRing::generate(now).to_json();
    let ring = make(
        "JWT_KEYS_FILE",
        &settings.token.jwt_keys_file,
        ring.as_bytes(),
        RING_MODE,
    )?;
    let path = &settings.store.refresh_keys_file;
    let keys = MacKeys::generate(now)
        .to_json()
        .map_err(|e| CannotMake::Write {
            setting: "REFRESH_KEYS_FILE",
            path: path.clone(),
            source: io::Error::other(e),
        })?;
    Ok([
        ring,
        make("REFRESH_KEYS_FILE", path, keys.as_bytes(), SECRET_MODE)?,
    ])
}

fn make(setting: &'static str, path: &Path, content: &[u8], mode: u32) -> Result<Made, CannotMake> {
    let failed = |source| CannotMake::Write {
        setting,
        path: path.to_owned(),
        source,
    };
    make_folder_of(path).map_err(failed)?;
    check_folder_of(path).map_err(|fault| CannotMake::Exposed { setting, fault })?;
    let new = create_new(path, content, mode).map_err(failed)?;
    Ok(if new {
        Made::New(path.to_owned())
    } else {
        Made::Kept(path.to_owned())
    })
}
