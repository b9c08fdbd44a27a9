//! The tokens of links that are mailed: computed when a mail goes out, checked against the account when they come back,
//! never stored.
//!
//! A token is an HMAC over what it opens: its purpose, the account, the address that it was sent to, the password's version
//! and stored hash where that must still be the same, and its end. So neither the database nor the keys alone make one
//! that opens an account. It is good once, since what it does changes what it was
//! computed over, or cannot be done twice. It says nothing of the address, except an invitation, which makes the account
//! of it.
//!
//! Layout, big-endian, in base64url: MAC key id (4) · purpose (1) · user id (16) · end (8) · of an invitation its JSON ·
//! HMAC-SHA256 (32).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::db::{PasswordVersion, User, UserId};
use crate::mac_keys::{MacKeyFile, MacKeys};

const HEAD: usize = 29;
const MAC: usize = 32;
/// Keeps a MAC over these bytes from ever meaning anything else under the same key.
const DOMAIN: &[u8] = b"keyturn mail v1\0";
/// Characters that a token has at most: an invitation's roles take 2 KiB.
const LONGEST: usize = 8192;

/// What a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new password, for whoever has the mailbox.
    Reset,
    /// A new password, for whom an operator gave the link to: it says nothing of the mailbox.
    HandedReset,
    /// The proof of the account's address.
    Verify,
    /// The proof of the address that is to become the account's.
    Change,
    /// A new account.
    Invitation,
}

impl Purpose {
    fn number(self) -> u8 {
        match self {
            Self::Reset => 1,
            Self::HandedReset => 2,
            Self::Verify => 3,
            Self::Change => 4,
            Self::Invitation => 5,
        }
    }

    fn of(number: u8) -> Option<Self> {
        let all = [
            Self::Reset,
            Self::HandedReset,
            Self::Verify,
            Self::Change,
            Self::Invitation,
        ];
        all.into_iter().find(|one| one.number() == number)
    }

    /// Seconds for which a link is good.
    #[must_use]
    pub(crate) fn lives(self) -> i64 {
        match self {
            Self::Reset | Self::HandedReset => 30 * 60,
            Self::Verify | Self::Change => 24 * 3600,
            Self::Invitation => 7 * 24 * 3600,
        }
    }

    /// The same as a length of time.
    pub(super) fn lives_for(self) -> Duration {
        Duration::from_secs(self.lives().unsigned_abs())
    }

    /// The last part of the path of the page that it leads to.
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::Reset | Self::HandedReset => "reset",
            Self::Verify | Self::Change => "verify",
            Self::Invitation => "invitation",
        }
    }

    /// Whether a change of the password ends it.
    fn ends_with_the_password(self) -> bool {
        !matches!(self, Self::Verify | Self::Invitation)
    }
}

/// To what an invitation leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    /// The account's address.
    pub(crate) email: String,
    /// Its roles.
    pub(crate) roles: Vec<String>,
}

/// A token to be made.
#[derive(Clone, Copy)]
pub(crate) struct NewToken<'a> {
    pub(crate) purpose: Purpose,
    /// Whose account; of an invitation the one that it makes.
    pub(crate) user: UserId,
    /// To whom it is sent.
    pub(crate) address: &'a str,
    /// The password that is the account's; of an invitation none.
    pub(crate) password: Option<(PasswordVersion, &'a str)>,
    /// Unix second.
    pub(crate) until: i64,
    /// Of an invitation.
    pub(crate) invitation: Option<&'a Invitation>,
}

impl NewToken<'_> {
    /// Writes it in its one spelling; `None` if there is no key.
    pub(crate) fn encode(&self, keys: &MacKeys, now: i64) -> Option<String> {
        let key = keys.signing(now)?;
        let mut bytes = Vec::with_capacity(HEAD + MAC);
        bytes.extend_from_slice(&key.id().to_be_bytes());
        bytes.push(self.purpose.number());
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.extend_from_slice(&self.until.to_be_bytes());
        if let Some(invitation) = self.invitation {
            serde_json::to_writer(&mut bytes, invitation).ok()?;
        }
        let mac = key
            .mac(DOMAIN)
            .chain_update(Sha256::digest(self.address))
            .chain_update(password_of(self.purpose, self.password))
            .chain_update(&bytes)
            .finalize()
            .into_bytes();
        bytes.extend_from_slice(&mac);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// A token as somebody presents it: what it says, before it is known to be genuine.
pub(crate) struct Presented {
    bytes: Vec<u8>,
    keys: std::sync::Arc<MacKeys>,
    purpose: Purpose,
    user: UserId,
    invitation: Option<Invitation>,
}

impl Presented {
    /// Reads it; `None` for what is none of ours at first sight, or over.
    pub(crate) fn read(text: &str, keys: &MacKeyFile, now: i64) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, rest) = bytes.split_first_chunk()?;
        let (purpose, rest) = rest.split_first()?;
        let (user, rest) = rest.split_first_chunk()?;
        let (until, rest) = rest.split_first_chunk()?;
        let (extra, _) = rest.split_last_chunk::<MAC>()?;
        let purpose = Purpose::of(*purpose)?;
        if i64::from_be_bytes(*until) <= now {
            return None;
        }
        let invitation = match purpose {
            Purpose::Invitation => Some(serde_json::from_slice(extra).ok()?),
            _ if extra.is_empty() => None,
            _ => return None,
        };
        let (id, user) = (u32::from_be_bytes(*id), Uuid::from_bytes(*user).into());
        let ring = keys.ring();
        // Another replica may have read a new key already.
        let keys = if ring.find(id).is_some() {
            ring
        } else {
            keys.look_again()
        };
        Some(Self {
            bytes,
            keys,
            purpose,
            user,
            invitation,
        })
    }

    /// What it claims to open.
    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Whose account it claims to open.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Whether it was sent to this address of this account, whose password is still the one of then.
    pub(crate) fn fits(&self, user: &User, address: &str) -> bool {
        let password = (user.password_version, user.password_hash.as_str());
        self.user == user.account.id && self.is_genuine(address, Some(password))
    }

    /// The invitation, if it is genuine.
    pub(crate) fn invitation(&self) -> Option<&Invitation> {
        let invitation = self.invitation.as_ref()?;
        self.is_genuine(&invitation.email, None)
            .then_some(invitation)
    }

    fn is_genuine(&self, address: &str, password: Option<(PasswordVersion, &str)>) -> bool {
        let Some((signed, presented)) = self.bytes.split_last_chunk::<MAC>() else {
            return false;
        };
        let id = signed.first_chunk().copied().map(u32::from_be_bytes);
        let Some(key) = id.and_then(|id| self.keys.find(id)) else {
            return false;
        };
        key.mac(DOMAIN)
            .chain_update(Sha256::digest(address))
            .chain_update(password_of(self.purpose, password))
            .chain_update(signed)
            .verify_slice(presented)
            .is_ok()
    }
}

/// What of the password is in a MAC: always as long, and nothing where a change of it does not matter.
fn password_of(purpose: Purpose, password: Option<(PasswordVersion, &str)>) -> [u8; 40] {
    let mut bytes = [0; 40];
    if let Some((version, hash)) = password.filter(|_| purpose.ends_with_the_password()) {
        let (start, end) = bytes.split_at_mut(8);
        start.copy_from_slice(&version.0.to_be_bytes());
        end.copy_from_slice(&Sha256::digest(hash));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::db::Account;

    const NOW: i64 = 1_800_000_000;
    const ADDRESS: &str = "ada@example.com";
    const PURPOSES: [Purpose; 4] = [
        Purpose::Reset,
        Purpose::HandedReset,
        Purpose::Verify,
        Purpose::Change,
    ];

    struct World {
        file: std::sync::Arc<MacKeyFile>,
        user: User,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keys.json");
            let keys = MacKeys::generate(0).to_json().unwrap();
            shared::key_file::create_new(&path, keys.as_bytes(), 0o600).unwrap();
            let account = Account {
                id: UserId::random(),
                user_name: "Ada".into(),
                email: ADDRESS.into(),
                email_verified: false,
                roles: vec![],
            };
            Self {
                file: MacKeyFile::open(&path).unwrap(),
                user: User {
                    account,
                    password_hash: "-".into(),
                    password_version: PasswordVersion(3),
                    blocked_at: None,
                    created_at: 0,
                    last_login_at: None,
                    pending: None,
                    self_registered: true,
                },
                _folder: folder,
            }
        }

        fn token(&self, purpose: Purpose) -> String {
            let token = NewToken {
                purpose,
                user: self.user.account.id,
                address: ADDRESS,
                password: Some((self.user.password_version, &self.user.password_hash)),
                until: NOW + 60,
                invitation: None,
            };
            token.encode(&self.file.ring(), NOW).unwrap()
        }

        fn invitation(&self, invitation: &Invitation) -> String {
            let token = NewToken {
                purpose: Purpose::Invitation,
                user: self.user.account.id,
                address: &invitation.email,
                password: None,
                until: NOW + 60,
                invitation: Some(invitation),
            };
            token.encode(&self.file.ring(), NOW).unwrap()
        }

        fn fits(&self, text: &str, now: i64, user: &User, address: &str) -> Option<Purpose> {
            let read = Presented::read(text, &self.file, now)?;
            read.fits(user, address).then_some(read.purpose())
        }
    }

    #[test]
    fn a_token_opens_what_it_was_made_for_until_its_end() {
        let world = World::new();
        for purpose in PURPOSES {
            let token = world.token(purpose);
            let fits = |now| world.fits(&token, now, &world.user, ADDRESS);
            assert_eq!(fits(NOW + 59), Some(purpose));
            assert_eq!(fits(NOW + 60), None, "over");
        }
    }

    #[test]
    fn a_token_is_worth_nothing_for_another_address_user_or_password() {
        let world = World::new();
        let mut changed = world.user.clone();
        changed.password_version = PasswordVersion(4);
        let mut rehashed = world.user.clone();
        rehashed.password_hash = "+".into();
        let mut other = world.user.clone();
        other.account.id = UserId::random();
        for purpose in PURPOSES {
            let token = world.token(purpose);
            assert_eq!(world.fits(&token, NOW, &other, ADDRESS), None);
            assert_eq!(
                world.fits(&token, NOW, &world.user, "Ada@example.com"),
                None
            );
            for changed in [&changed, &rehashed] {
                let after_a_change = world.fits(&token, NOW, changed, ADDRESS);
                assert_eq!(after_a_change.is_some(), purpose == Purpose::Verify);
            }
        }
    }

    #[test]
    fn no_bit_and_no_spelling_of_a_token_can_be_changed() {
        let world = World::new();
        let invited = Invitation {
            email: ADDRESS.into(),
            roles: vec!["admin".into()],
        };
        let tokens = PURPOSES.map(|purpose| world.token(purpose));
        for token in tokens.into_iter().chain([world.invitation(&invited)]) {
            let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let forged = URL_SAFE_NO_PAD.encode(forged);
                assert_eq!(
                    world.fits(&forged, NOW, &world.user, ADDRESS),
                    None,
                    "{bit}"
                );
                let read = Presented::read(&forged, &world.file, NOW);
                assert!(read.is_none_or(|read| read.invitation().is_none()), "{bit}");
            }
            for spelling in [
                format!("{token}="),
                format!(" {token}"),
                token.replace('_', "/") + "+",
            ] {
                assert!(Presented::read(&spelling, &world.file, NOW).is_none());
            }
        }
    }

    #[test]
    fn an_invitation_carries_address_and_roles_and_is_no_other_token() {
        let world = World::new();
        let invited = Invitation {
            email: ADDRESS.into(),
            roles: vec!["admin".into(), "dev".into()],
        };
        let token = world.invitation(&invited);
        let read = Presented::read(&token, &world.file, NOW).unwrap();
        assert_eq!(read.invitation(), Some(&invited));
        for purpose in PURPOSES {
            let read = Presented::read(&world.token(purpose), &world.file, NOW).unwrap();
            assert_eq!(read.invitation(), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let world = World::new();
            let text = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(world.fits(&text, NOW, &world.user, ADDRESS), None);
        }
    }
}
