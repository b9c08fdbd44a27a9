//! A session as the rules see it.

use super::{EndReason, Generation};
use super::{SessionId, UserId};

/// Random bytes of a session, part of each of its refresh tokens and of its row: who has the MAC key alone still cannot
/// make a token.
pub type Nonce = [u8; 16];

/// What a genuine refresh token says. It holds the nonce, so it is a secret: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
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
