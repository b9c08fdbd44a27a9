//! The programs that sign their users in here: what each may do, and how it shows who it is.
//!
//! All of them are in memory, and read again when one changed: neither a redirect nor a refresh asks the database who
//! its client is. No HTTP.

pub mod changes;
mod definition;
mod file;
mod registry;
mod secret;
mod secret_file;
mod uris;

pub use definition::{Definition, Fault, is_id};
pub use file::read as read_file;
pub use registry::Clients;
pub use secret::Secret;
pub use uris::{Redirects, is_loopback};

use serde::{Deserialize, Serialize};

use crate::db::{ClientRow, DbError};

/// The scope with which a client manages its user's account; only a trusted one can have it.
pub const ACCOUNT: &str = "account";
/// The scope with which a client's session stays when the browser signs out (OIDC Core §11).
pub const OFFLINE: &str = "offline_access";
/// The scope that makes an authorization a sign-in (OIDC Core §3.1.2.1).
pub const OPENID: &str = "openid";

/// Whether a scope, words by blanks, has this one (RFC 6749 §3.3).
#[must_use]
pub fn has_word(scope: &str, word: &str) -> bool {
    scope.split(' ').any(|held| held == word)
}

/// Whether a scope has every word of another one, words by blanks.
#[must_use]
pub fn covers(scope: &str, other: &str) -> bool {
    other.is_empty() || other.split(' ').all(|word| has_word(scope, word))
}

/// What sort of program a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// Runs on a server, and can keep a secret.
    Web,
    /// Runs in a browser.
    Browser,
    /// Runs on its user's machine.
    Native,
    /// Has no user: acts in its own name.
    Service,
}

impl ClientKind {
    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Browser => "browser",
            Self::Native => "native",
            Self::Service => "service",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Web, Self::Browser, Self::Native, Self::Service]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// Whether it has a secret (RFC 6749 §2.1).
    #[must_use]
    pub fn is_confidential(self) -> bool {
        matches!(self, Self::Web | Self::Service)
    }
}

/// A client.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what an operator says yes or no to"
)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// Shown to users.
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// Where codes may go.
    pub redirects: Redirects,
    /// Where browsers may go after a log-out.
    pub logout_uris: Vec<String>,
    /// Where it hears of log-outs.
    pub backchannel_uri: Option<String>,
    /// Whether that may be in a private network.
    pub backchannel_private: bool,
    /// What it may ask for.
    pub scopes: Vec<String>,
    /// Of a service.
    pub roles: Vec<String>,
    /// Whether its access tokens are for the APIs; else for our userinfo alone.
    pub api: bool,
    /// Whether its users are not asked.
    pub trusted: bool,
    /// Whether it must use PKCE.
    pub pkce: bool,
    /// What its `id_token`s are signed with: `RS256` or `ES256`.
    pub id_token_alg: String,
    /// Whether an operator has blocked it.
    pub blocked: bool,
    secrets: Vec<(Secret, Option<i64>)>,
}

impl Client {
    /// Whether the presented secret is this client's at `now`. One that was changed is good for a while.
    #[must_use]
    pub fn knows(&self, presented: &str, now: i64) -> bool {
        // All are compared, whichever fits.
        self.secrets.iter().fold(false, |known, (secret, until)| {
            let fits = secret.is(presented);
            known | (fits && until.is_none_or(|until| now < until))
        })
    }

    /// What of a scope it may have, in the order asked; each word once.
    #[must_use]
    pub fn within(&self, scope: &str) -> String {
        let mut words: Vec<&str> = Vec::new();
        for word in scope.split(' ') {
            if self.scopes.iter().any(|held| held == word) && !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" ")
    }
}

impl TryFrom<ClientRow> for Client {
    type Error = DbError;

    fn try_from(row: ClientRow) -> Result<Self, DbError> {
        let kind = kind(&row)?;
        let secrets = [
            (row.secret_hash, None),
            (
                row.former_secret_hash,
                Some(row.former_secret_until.unwrap_or_default()),
            ),
        ];
        Ok(Self {
            redirects: Redirects::new(kind, list(&row.redirect_uris)?),
            logout_uris: list(&row.logout_uris)?,
            backchannel_uri: row.backchannel_uri,
            backchannel_private: row.backchannel_private != 0,
            scopes: list(&row.scopes)?,
            roles: list(&row.roles)?,
            api: row.api != 0,
            trusted: row.trusted != 0,
            pkce: row.pkce != 0,
            id_token_alg: row.id_token_alg,
            blocked: row.blocked_at.is_some(),
            secrets: secrets
                .into_iter()
                .filter_map(|(hash, until)| Some((Secret::stored(hash?), until)))
                .collect(),
            id: row.id,
            name: row.name,
            kind,
        })
    }
}

fn kind(row: &ClientRow) -> Result<ClientKind, DbError> {
    ClientKind::parse(&row.kind).ok_or(DbError::Unreadable("kind of a client"))
}

fn list(json: &str) -> Result<Vec<String>, DbError> {
    serde_json::from_str(json).map_err(|_| DbError::Unreadable("list of a client"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_narrows_and_never_widens() {
        for (scope, other, expected) in [
            ("openid email", "openid", true),
            ("openid email", "email openid", true),
            ("openid email", "", true),
            ("", "", true),
            ("", "openid", false),
            ("openid email", "openid roles", false),
            ("openid email", "openid  email", false),
            ("openid", "OPENID", false),
            ("openid", "open", false),
        ] {
            assert_eq!(covers(scope, other), expected, "{other} in {scope}");
        }
    }
}
