//! A session as the rules see it.

use super::{EndReason, Generation};
use super::{SessionId, UserId};

/// Random bytes of a session, part of each of its refresh tokens and of its row: who has the MAC key alone still cannot
/// make a token.
pub type Nonce = [u8; 16];

/// What a token of ours is for: a refresh at one door, or something else altogether. The MAC of each is in a domain of
/// its own, so none can be presented as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The refresh token of the account's own session.
    Account,
    /// The refresh token of a client.
    App,
    /// An authorization code: the token of generation 0.
    Code,
    /// The cookie of a browser that is signed in.
    Browser,
}

/// What a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// The account's own, of `/api/account/login`: it may do everything.
    Account,
    /// A browser that is signed in on our pages.
    Browser,
    /// A program that the browser's user is signed in to; ends with the browser's session.
    App,
    /// One that stays when the browser signs out.
    Offline,
    /// A client in its own name.
    Service,
}

impl SessionKind {
    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Browser => "browser",
            Self::App => "app",
            Self::Offline => "offline",
            Self::Service => "service",
        }
    }

    /// The kind behind a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Account,
            Self::Browser,
            Self::App,
            Self::Offline,
            Self::Service,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// What a client was granted: the part of a session that only clients' have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The client; never empty.
    pub client: String,
    /// What its tokens may be used for, words by blanks.
    pub scope: String,
    /// When its user gave his password, Unix seconds.
    pub auth_time: i64,
    /// How, as RFC 8176 names it; words by blanks.
    pub amr: String,
    /// The `sid` of its `id_token`s; `None` without a browser.
    pub browser_sid: Option<SessionId>,
}

/// What a genuine refresh token says. It holds the nonce, so it is a secret: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// What it is for; not in the token, but in its MAC.
    pub purpose: Purpose,
    /// Which MAC key: the one that the session began with.
    pub key_id: u32,
    /// The session.
    pub session: SessionId,
    /// Which token of the session this is, from 1.
    pub generation: Generation,
    /// The session's nonce.
    pub nonce: Nonce,
    /// When the session is over however busy it is, in Unix seconds.
    pub absolute_until: i64,
}

/// A session's row.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its access tokens.
    pub id: SessionId,
    /// The user; `None` once the account is deleted.
    pub user: Option<UserId>,
    /// The generation of the refresh token that is good now.
    pub generation: Generation,
    /// Part of every refresh token.
    pub nonce: Nonce,
    /// Unix seconds of log-in.
    pub created_at: i64,
    /// Unix seconds of the last rotation, or of log-in.
    pub rotated_at: i64,
    /// Over from then on unless refreshed.
    pub idle_until: i64,
    /// Over from then on.
    pub absolute_until: i64,
    /// The generation last handed out late, 0 for none.
    pub late_generation: Generation,
    /// Generations in a row handed out late.
    pub late_streak: i64,
    /// When and why it ended, if it did.
    pub ended: Option<(i64, EndReason)>,
    /// The user agent at log-in.
    pub device: String,
    /// The address of the last rotation or log-in.
    pub address: String,
    /// The user agent of the last rotation or log-in; `None` if the version before wrote the row.
    pub agent: Option<String>,
    /// Unix seconds of the last use that the user's list may show while `rotated_at` is too fresh for it.
    pub seen_at: i64,
    /// The address of that use.
    pub seen_address: String,
    /// The last retry that came from elsewhere, if there was one.
    pub sighting: Option<Sighting>,
    /// The last one that the user's list may show while that is too fresh for it; its generation is not kept.
    pub shown_sighting: Option<Sighting>,
    /// What it is.
    pub kind: SessionKind,
    /// The browser's session that it came from.
    pub parent: Option<SessionId>,
    /// What its client was granted, if it is a client's.
    pub grant: Option<Grant>,
}

/// A retry that came from another network or another user agent than the rotation that it asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The generation that was handed out again.
    pub generation: Generation,
    /// Unix seconds.
    pub at: i64,
    /// The client's address.
    pub address: String,
    /// Its user agent.
    pub device: String,
}
