//! The second ring, `ID_KEYS_FILE`: what `rotate-id`, `import-id` and `revoke` do to it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use id_keys::{ChangeError, Changed, IdKeyFile, IdKeys};
use shared::key_file::KeyFile;
use zeroize::Zeroizing;

use super::super::output::say;
use super::super::{CommandError, time};
use super::{lock, replace};
use crate::key_files::SECRET_MODE;
use crate::settings::Settings;

const SETTING: &str = "ID_KEYS_FILE";
/// Bytes of a file with one key, at most.
const MOST: u64 = 64 * 1024;

/// What the commands say of keys whose time is still to come.
const JWKS: &str = "clients keep the JWKS for a while, so give them time to fetch it again: id_tokens of a key that they \
                    do not know yet are refused";

/// The ring, where there is one.
pub(super) fn open(settings: &Settings) -> Result<Option<Arc<IdKeys>>, CommandError> {
    let path = &settings.sign_on.id_keys_file;
    if !path.exists() {
        return Ok(None);
    }
    let file = IdKeyFile::open(path).map_err(|e| CommandError::Failed(e.naming(SETTING)))?;
    Ok(Some(file.ring()))
}

/// Whether the ring has a key of this name.
pub(super) fn has(settings: &Settings, kid: &str) -> Result<bool, CommandError> {
    Ok(open(settings)?.is_some_and(|keys| keys.find(kid).is_some()))
}

/// Adds a key of each algorithm; both sign after `lead` seconds. Gives their names.
pub(super) fn rotate(
    settings: &Settings,
    now: i64,
    lead: i64,
    keep: i64,
) -> Result<Vec<String>, CommandError> {
    change(settings, |keys| {
        keys.rotate(now, lead, keep).map_err(CommandError::of)
    })
}

/// Adds a key of a file, which signs after `lead` seconds. Gives its name.
pub(super) fn import(
    settings: &Settings,
    file: &Path,
    now: i64,
    lead: i64,
) -> Result<Vec<String>, CommandError> {
    let failed = |why: String| CommandError::Failed(format!("{}: {why}", file.display()));
    let key = content(file).map_err(|error| failed(error.to_string()))?;
    change(settings, |keys| {
        let changed = keys.import(&key, now, lead);
        let changed = changed.map_err(|error| failed(error.to_string()))?;
        // `revoke` finds a key by its name alone, in whichever ring.
        if let Ok(first) = KeyFile::open(&settings.token.jwt_keys_file) {
            let taken = first.ring().status(now);
            let taken = taken
                .into_iter()
                .find(|key| changed.added.contains(&key.kid));
            if let Some(key) = taken {
                let said = format!(
                    "has the name {:?}, which a key of JWT_KEYS_FILE has",
                    key.kid
                );
                return Err(failed(said));
            }
        }
        Ok(changed)
    })
}

/// Withdraws a key. Gives the name of the one that signs in its place.
pub(super) fn revoke(
    settings: &Settings,
    kid: &str,
    now: i64,
) -> Result<Option<String>, CommandError> {
    let added = change(settings, |keys| {
        keys.revoke(kid, now).map_err(|error| match error {
            // It says nothing of a ring that is not the only one.
            ChangeError::UnknownKid(_) => {
                CommandError::Failed(format!("no ring has a key {kid:?}"))
            }
            other => CommandError::of(other),
        })
    })?;
    Ok(added.into_iter().next())
}

/// Says from when on these sign.
pub(super) fn tell(settings: &Settings, kids: &[String]) -> Result<(), CommandError> {
    let keys = open(settings)?;
    for key in keys.iter().flat_map(|keys| keys.iter()) {
        if kids.iter().any(|kid| kid == key.kid()) {
            say(format_args!(
                "key {} ({}) signs from {}",
                key.kid(),
                key.algorithm(),
                time(key.sign_from())
            ))?;
        }
    }
    say(JWKS)
}

/// Reads the ring, changes it and writes it, with nobody else doing so meanwhile. Gives the new keys' names.
fn change(
    settings: &Settings,
    change: impl FnOnce(&IdKeys) -> Result<Changed, CommandError>,
) -> Result<Vec<String>, CommandError> {
    let path = &settings.sign_on.id_keys_file;
    if !path.exists() {
        let said = format!(
            "{SETTING}: {} does not exist; `auth-server keys init` makes it where OAUTH is on",
            path.display()
        );
        return Err(CommandError::Failed(said));
    }
    let _only_one = lock(path, SETTING)?;
    let keys = IdKeyFile::open(path)
        .map_err(|e| CommandError::Failed(e.naming(SETTING)))?
        .ring();
    let changed = change(&keys)?;
    let json = changed.keys.to_json();
    replace(path, json.as_bytes(), SECRET_MODE, SETTING)?;
    Ok(changed.added)
}

fn content(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it, since what a buffer leaves behind when it grows is not wiped.
    let room = usize::try_from(MOST).unwrap_or_default();
    let mut content = Zeroizing::new(Vec::with_capacity(room.saturating_add(1)));
    File::open(file)?.take(MOST + 1).read_to_end(&mut content)?;
    if content.len() > room {
        return Err(io::Error::other("is longer than 64 KiB: that is no key"));
    }
    Ok(content)
}
