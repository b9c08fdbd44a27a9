//! `auth-server keys status`: the keys of all files; never their secrets.

use id_keys::{IdKey, IdKeys};
use serde::Serialize;
use shared::key_file::KeyFile;
use shared::keys::{KeyState, KeyStatus};

use super::super::table::{Column, Row, Table};
use super::super::{CommandError, time};
use super::{id, open_mac_keys};
use crate::mac_keys::MacKey;
use crate::settings::Settings;

const SIGNING: &[Column] = &[
    Column::whole("KEY"),
    Column::whole("STATE"),
    Column::whole("FINGERPRINT"),
    Column::whole("STORY"),
];

const ID: &[Column] = &[
    Column::whole("KEY"),
    Column::whole("STATE"),
    Column::whole("ALG"),
    Column::whole("STORY"),
];

const MAC: &[Column] = &[
    Column::whole("KEY"),
    Column::whole("STATE"),
    Column::whole("SINCE").piped("since {}"),
];

/// A key as it is listed. Times are Unix seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    /// The setting that names its file.
    setting: &'static str,
    /// Of a key that signs: `access` for access tokens, `id` for id tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    ring: Option<&'static str>,
    /// Of a key that signs: how.
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    kid: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    sign_from: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_until: Option<i64>,
    /// When it was retired or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    #[serde(skip)]
    story: String,
}

impl Listed {
    fn signing(key: KeyStatus) -> Self {
        Self {
            setting: "JWT_KEYS_FILE",
            ring: Some("access"),
            alg: Some("HS256"),
            state: word(key.state),
            story: story(&key, "verifies"),
            kid: key.kid,
            fingerprint: Some(key.fingerprint),
            sign_from: key.sign_from,
            verify_until: key.verify_until,
            since: key.since,
        }
    }

    fn id(key: &IdKey, keys: &IdKeys, now: i64) -> Self {
        let state = keys.state(key, now);
        let status = KeyStatus {
            kid: key.kid().to_owned(),
            state,
            sign_from: key.sign_from(),
            verify_until: key.verify_until(),
            since: key.since(),
            fingerprint: String::new(),
            age: now.saturating_sub(key.sign_from()),
        };
        Self {
            setting: "ID_KEYS_FILE",
            ring: Some("id"),
            alg: Some(key.algorithm().name()),
            state: word(state),
            story: story(&status, "is in the JWKS"),
            kid: status.kid,
            fingerprint: None,
            sign_from: status.sign_from,
            verify_until: status.verify_until,
            since: status.since,
        }
    }

    fn mac(key: &MacKey, signing: Option<u32>, now: i64) -> Self {
        Self {
            setting: "REFRESH_KEYS_FILE",
            ring: None,
            alg: None,
            kid: format!("{:08x}", key.id()),
            state: match key.id() {
                id if Some(id) == signing => "active",
                _ if key.sign_from() > now => "staged",
                _ => "retiring",
            },
            fingerprint: None,
            sign_from: key.sign_from(),
            verify_until: None,
            since: None,
            story: time(key.sign_from()),
        }
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.kid.clone(), self.state.to_owned()];
        cells.extend(self.fingerprint.clone());
        if self.ring == Some("id") {
            cells.extend(self.alg.map(str::to_owned));
        }
        cells.push(self.story.clone());
        cells
    }
}

pub(super) fn print(settings: &Settings, json: bool, now: i64) -> Result<(), CommandError> {
    let path = &settings.token.jwt_keys_file;
    let ring = KeyFile::open(path)
        .map_err(|e| CommandError::Failed(e.naming("JWT_KEYS_FILE")))?
        .ring();
    let mut table = Table::new(SIGNING, json);
    table.part(&path.display().to_string(), SIGNING)?;
    let keys: Vec<Listed> = ring.status(now).into_iter().map(Listed::signing).collect();
    table.rows(&keys)?;
    let path = &settings.store.refresh_keys_file;
    let keys = open_mac_keys(path)?.ring();
    let signing = keys.signing(now).map(MacKey::id);
    table.part(&path.display().to_string(), MAC)?;
    let keys: Vec<Listed> = keys
        .iter()
        .map(|key| Listed::mac(key, signing, now))
        .collect();
    table.rows(&keys)?;
    if let Some(keys) = id::open(settings)? {
        let path = &settings.sign_on.id_keys_file;
        table.part(&path.display().to_string(), ID)?;
        let keys: Vec<Listed> = keys.iter().map(|key| Listed::id(key, &keys, now)).collect();
        table.rows(&keys)?;
    }
    table.end()
}

fn word(state: KeyState) -> &'static str {
    match state {
        KeyState::Staged => "staged",
        KeyState::Active => "active",
        KeyState::Retiring => "retiring",
        KeyState::Retired => "retired",
        KeyState::Revoked => "revoked",
    }
}

fn story(key: &KeyStatus, retiring: &str) -> String {
    match (key.state, key.verify_until, key.since) {
        (KeyState::Staged, ..) => format!("signs from {}", time(key.sign_from)),
        (KeyState::Retiring, Some(until), _) => format!("{retiring} until {}", time(until)),
        (KeyState::Retired | KeyState::Revoked, _, Some(since)) => format!("since {}", time(since)),
        _ => format!(
            "signs since {}, {} days",
            time(key.sign_from),
            key.age / 86_400
        ),
    }
}
