//! `auth-server keys …`: the key rings and the MAC keys, changed one whole file at a time.

mod id;
mod status;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chassis::settings::parse_lifetime;
use clap::{Subcommand, ValueEnum};
use shared::clock::{self, seconds};
use shared::key_file::{self, KeyFile, check_permissions, write_atomically};
use shared::keys::{KeyRing, SecretForm, weakness};
use zeroize::Zeroizing;

use super::output::{complain, say};
use super::{CommandError, input, time};
use crate::db::AuditRecord;
use crate::db::{Caller, Event};
use crate::key_files::{self, Made, RING_MODE, SECRET_MODE};
use crate::mac_keys::MacKeyFile;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make the files of `JWT_KEYS_FILE` and `REFRESH_KEYS_FILE` where they are missing, and with `OAUTH=on` that of
    /// `ID_KEYS_FILE`; overwrites none.
    Init,
    /// Show the keys with states, ages and fingerprints; never secrets.
    Status {
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Add a new signing key. The one that signs until then verifies for 150 minutes more.
    Rotate {
        /// When it begins to sign: long enough for the file to reach every host.
        #[arg(long = "in", default_value = "5m", value_parser = parse_lifetime)]
        lead: Duration,
    },
    /// Withdraw a key of either ring at once: its access tokens are refused, and clients recover by one refresh; its
    /// `id_tokens` are recognised no more. If it was signing, a new key signs at once.
    Revoke {
        /// Name of the key, as `status` shows it.
        kid: String,
    },
    /// Sign with an existing secret from now on, so that a running installation moves here without
    /// signing anybody out. The secret is read from standard input.
    Import {
        /// How the secret is written.
        #[arg(long, value_enum, default_value = "utf8")]
        form: Form,
        /// Name of the key in the ring; by default a fresh one.
        #[arg(long)]
        kid: Option<String>,
    },
    /// Add a MAC key for the refresh tokens of new sessions; sessions keep the one they began with.
    RotateRefresh {
        /// When sessions begin with it: long enough for the file to reach every replica.
        #[arg(long = "in", default_value = "5m", value_parser = parse_lifetime)]
        lead: Duration,
    },
    /// Add new keys for `id_tokens`, one of each algorithm. Those that sign until then stay in the JWKS for 150 minutes
    /// more, and recognise an `id_token_hint` for as long as sessions live.
    RotateId {
        /// When they begin to sign: long enough for clients to fetch the JWKS again, which they keep for a while.
        #[arg(long = "in", default_value = "24h", value_parser = parse_lifetime)]
        lead: Duration,
    },
    /// Add a key for `id_tokens` that was made elsewhere, RS256 or ES256.
    ImportId {
        /// A PEM file with a private key, or a private JWK.
        file: PathBuf,
        /// When it begins to sign: long enough for clients to fetch the JWKS again, which they keep for a while.
        #[arg(long = "in", default_value = "24h", value_parser = parse_lifetime)]
        lead: Duration,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Form {
    /// The text itself, as `Encoding.UTF8.GetBytes` or a Node string takes it.
    Utf8,
    /// Hexadecimal digits.
    Hex,
    /// Base64url, with or without padding.
    Base64url,
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        match self {
            Self::Init => {
                for made in key_files::init(settings, clock::now())? {
                    match made {
                        Made::New(path) => say(format_args!("made {}", path.display()))?,
                        Made::Kept(path) => {
                            say(format_args!(
                                "{} is there already, left as it is",
                                path.display()
                            ))?;
                        }
                    }
                }
                Ok(())
            }
            Self::Status { json } => status::print(settings, json, clock::now()),
            Self::Rotate { lead } => {
                let keep = lives(settings).await.idle;
                let now = clock::now();
                let changed = change_ring(settings, |ring| Ok(ring.rotate(now, lead, keep)))?;
                let kid = changed.unwrap_or_default();
                audit(settings, format!("rotate: {kid}")).await;
                let from = time(now.saturating_add(seconds(lead)));
                say(format_args!("key {kid} signs from {from}"))
            }
            Self::Revoke { kid } => revoke(settings, &kid).await,
            Self::Import { form, kid } => {
                let secret = form.decode(&input::secret()?)?;
                // Read first: it may be typed, and that takes its time.
                let now = clock::now();
                let changed = change_ring(settings, |ring| {
                    ring.import(&secret, kid.as_deref(), now)
                        .map_err(CommandError::of)
                })?;
                let kid = changed.unwrap_or_default();
                audit(settings, format!("import: {kid}")).await;
                if let Some(bits) = weakness(&secret) {
                    complain(format_args!(
                        "warning: the secret reads like text that somebody made up: about {bits} bits to guess, \
                         where a random one has 256. Whoever has one token can try at leisure, and then make \
                         tokens of any user. `auth-server keys rotate` as soon as the others can change"
                    ));
                }
                say(format_args!("key {kid} signs from now on"))
            }
            Self::RotateRefresh { lead } => {
                let keep = lives(settings).await.absolute;
                let now = clock::now();
                let path = &settings.store.refresh_keys_file;
                let only_one = lock(path, "REFRESH_KEYS_FILE")?;
                let keys = open_mac_keys(path)?.ring();
                let next = keys.rotate(now, lead, keep);
                replace(
                    path,
                    next.to_json()?.as_bytes(),
                    SECRET_MODE,
                    "REFRESH_KEYS_FILE",
                )?;
                drop(only_one);
                audit(settings, "rotate-refresh".to_owned()).await;
                let from = time(now.saturating_add(seconds(lead)));
                say(format_args!(
                    "sessions begin with a new MAC key from {from}"
                ))
            }
            Self::RotateId { lead } => {
                // A client hints with the id_token that it got when the session began.
                let keep = lives(settings).await.absolute;
                let keep = keep.max(settings.lifetimes.sso_absolute_ttl);
                let now = clock::now();
                let kids = id::rotate(settings, now, seconds(lead), seconds(keep))?;
                audit(settings, format!("rotate-id: {}", kids.join(", "))).await;
                id::tell(settings, &kids)
            }
            Self::ImportId { file, lead } => {
                let kids = id::import(settings, &file, clock::now(), seconds(lead))?;
                audit(settings, format!("import-id: {}", kids.join(", "))).await;
                id::tell(settings, &kids)
            }
        }
    }
}

/// Withdraws a key of the ring that has it.
async fn revoke(settings: &Settings, kid: &str) -> Result<(), CommandError> {
    let now = clock::now();
    let of_first = change_ring(settings, |ring| {
        ring.revoke(kid, now).map_err(CommandError::of)
    });
    let (changed, what) = match of_first {
        Ok(changed) => (
            changed,
            "every access token under it is refused from now on",
        ),
        Err(error) => {
            // Whatever is the matter with the first one: the key must go.
            if !id::has(settings, kid)? {
                return Err(error);
            }
            (
                id::revoke(settings, kid, now)?,
                "no id_token under it is recognised here any more, and clients refuse it when they fetch the JWKS again",
            )
        }
    };
    audit(settings, format!("revoke: {kid}")).await;
    say(format_args!("key {kid} is revoked: {what}"))?;
    match changed {
        Some(new) => say(format_args!("key {new} signs at once")),
        None => Ok(()),
    }
}

impl Form {
    fn decode(self, text: &str) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let form = match self {
            Self::Utf8 => SecretForm::Utf8,
            Self::Hex => SecretForm::Hex,
            Self::Base64url => SecretForm::Base64Url,
        };
        form.decode(text)
            .ok_or_else(|| CommandError::Failed("the secret is not written in this form".into()))
    }
}

/// How long sessions live, and with them the need for keys that are not used any more.
struct Lives {
    idle: Duration,
    absolute: Duration,
}

/// By the settings here and by the sessions there are: the service may run with other settings than this command
/// was given. Where no database can be asked, no key is old enough to go; one without accounts is probably not
/// the service's.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the lifetime of a Tx"
)]
async fn lives(settings: &Settings) -> Lives {
    let asked = async {
        let db = super::open_existing(settings).await?;
        let accounts = db.read(|tx| tx.list_users("", 1)).await;
        if accounts.map_err(CommandError::of)?.is_empty() {
            let url = &settings.store.database_url;
            let said = format!("DATABASE_URL: no account is in {url:?}");
            return Err(CommandError::Failed(said));
        }
        db.read(|tx| tx.longest_lives())
            .await
            .map_err(CommandError::of)
    };
    let lifetimes = &settings.lifetimes;
    let longer =
        |set: Duration, lived: i64| set.max(Duration::from_secs(lived.max(0).unsigned_abs()));
    match asked.await {
        Ok((idle, absolute)) => Lives {
            idle: longer(lifetimes.refresh_idle_ttl, idle),
            absolute: longer(lifetimes.refresh_absolute_ttl, absolute),
        },
        Err(error) => {
            complain(format_args!(
                "no old key is dropped, since nobody can say how long sessions live: {error}"
            ));
            Lives {
                idle: Duration::MAX,
                absolute: Duration::MAX,
            }
        }
    }
}

/// Reads the ring, changes it and writes it, with nobody else doing so meanwhile. Gives the new key's name.
fn change_ring(
    settings: &Settings,
    change: impl FnOnce(&KeyRing) -> Result<shared::keys::Changed, CommandError>,
) -> Result<Option<String>, CommandError> {
    let path = &settings.token.jwt_keys_file;
    let _only_one = lock(path, "JWT_KEYS_FILE")?;
    let ring = KeyFile::open(path)
        .map_err(|e| CommandError::Failed(e.naming("JWT_KEYS_FILE")))?
        .ring();
    let changed = change(&ring)?;
    replace(
        path,
        changed.ring.to_json().as_bytes(),
        RING_MODE,
        "JWT_KEYS_FILE",
    )?;
    Ok(changed.added)
}

/// Keeps other commands from the file. Where others could replace it nothing is made, and nothing opened.
fn lock(path: &Path, setting: &str) -> Result<File, CommandError> {
    check_permissions(path).map_err(|e| CommandError::Failed(e.naming(setting)))?;
    key_file::lock(path).map_err(|e| CommandError::Failed(format!("{setting}: {e}")))
}

/// Replaces a file, keeping the rights it has: an operator may have given its group away.
fn replace(path: &Path, content: &[u8], mode: u32, setting: &str) -> Result<(), CommandError> {
    let mode = kept_mode(path).unwrap_or(mode);
    write_atomically(path, content, mode).map_err(|e| {
        CommandError::Failed(format!("{setting}: cannot write {}: {e}", path.display()))
    })
}

#[cfg(unix)]
fn kept_mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|found| found.mode() & 0o770)
}

#[cfg(not(unix))]
fn kept_mode(_: &Path) -> Option<u32> {
    None
}

fn open_mac_keys(path: &Path) -> Result<Arc<MacKeyFile>, CommandError> {
    MacKeyFile::open(path).map_err(|e| CommandError::Failed(e.naming("REFRESH_KEYS_FILE")))
}

/// The key files may be where no database is (a one-shot that makes them): then the record is not
/// written, and the operator hears of it.
async fn audit(settings: &Settings, detail: String) {
    let record = AuditRecord::general(Event::KeysChanged).detail(detail);
    let written = async {
        let db = super::open_existing(settings).await?;
        db.write(&Caller::cli(), move |tx| tx.audit(&record))
            .await
            .map_err(CommandError::of)
    };
    if let Err(error) = written.await {
        complain(format_args!("done, but not in the audit trail: {error}"));
    }
}
