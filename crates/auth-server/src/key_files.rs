//! Making the key files: the ring that both services read, and what auth-server alone has: the MAC keys, and the keys
//! that sign `id_token`s.

use std::io;
use std::path::{Path, PathBuf};

use id_keys::IdKeys;
use shared::key_file::{KeyFileError, check_folder_of, create_new, make_folder_of};
use shared::keys::KeyRing;

use crate::mac_keys::MacKeys;
use crate::settings::{Settings, Switch};

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

/// Makes what is missing of the files, and overwrites none. The keys of `id_token`s are made where sign-on is on.
///
/// # Errors
/// [`CannotMake`] names the setting and the path.
pub fn init(settings: &Settings, now: i64) -> Result<Vec<Made>, CannotMake> {
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
    let mac_keys = make("REFRESH_KEYS_FILE", path, keys.as_bytes(), SECRET_MODE)?;
    let mut made = vec![ring, mac_keys];
    if settings.sign_on.oauth == Switch::On {
        made.push(init_id_keys(&settings.sign_on.id_keys_file, now)?);
    }
    Ok(made)
}

/// Makes the file of the keys that sign `id_token`s, if it is missing.
fn init_id_keys(path: &Path, now: i64) -> Result<Made, CannotMake> {
    const SETTING: &str = "ID_KEYS_FILE";
    // An RSA key takes some tenths of a second: not for nothing.
    if path.exists() {
        return Ok(Made::Kept(path.to_owned()));
    }
    let keys = IdKeys::generate(now).map_err(|e| CannotMake::Write {
        setting: SETTING,
        path: path.to_owned(),
        source: io::Error::other(e),
    })?;
    make(SETTING, path, keys.to_json().as_bytes(), SECRET_MODE)
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
