//! A client as an operator describes it, and whether it may be one.

use serde::Deserialize;
use uuid::Uuid;

use super::{ACCOUNT, ClientKind, OFFLINE, OPENID, Secret, kind, list, uris};
use crate::db::{ClientRow, DbError};

/// What a client with users may ask for if nothing else is said.
const USUAL: [&str; 4] = [OPENID, "profile", "email", OFFLINE];

/// A client as it stands in a file for `client apply`; a member that is missing has its default.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what an operator says yes or no to"
)]
pub struct Definition {
    /// Its `client_id`.
    pub id: String,
    /// Shown to users; the id by default.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is.
    pub kind: ClientKind,
    /// Where codes may go.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where browsers may go after a log-out.
    #[serde(default)]
    pub logout_uris: Vec<String>,
    /// Where it hears of log-outs.
    #[serde(default)]
    pub backchannel_uri: Option<String>,
    /// Whether that may be in a private network.
    #[serde(default)]
    pub backchannel_private: bool,
    /// What it may ask for.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Of a service.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether its access tokens are for the APIs.
    #[serde(default)]
    pub api: bool,
    /// Whether its users are not asked.
    #[serde(default)]
    pub trusted: bool,
    /// Whether it must use PKCE; only a confidential client may do without.
    #[serde(default = "yes")]
    pub pkce: bool,
    /// `RS256` or `ES256`.
    #[serde(default = "rs256")]
    pub id_token_alg: String,
    /// The file with its secret, in its first line.
    #[serde(default)]
    pub secret_file: Option<std::path::PathBuf>,
}

fn yes() -> bool {
    true
}

fn rs256() -> String {
    "RS256".into()
}

/// Whether a text has the form of a `client_id`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let of_id = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(of_id)
}

/// What is wrong with a description: names the client and the member.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("client {id:?}: {why}")]
pub struct Fault {
    id: String,
    why: String,
}

impl Fault {
    pub(super) fn new(id: &str, why: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            why: why.into(),
        }
    }
}

impl Definition {
    /// One that has nothing but what every client has.
    #[must_use]
    pub fn new(id: &str, kind: ClientKind) -> Self {
        Self {
            id: id.to_owned(),
            name: None,
            kind,
            redirect_uris: Vec::new(),
            logout_uris: Vec::new(),
            backchannel_uri: None,
            backchannel_private: false,
            scopes: None,
            roles: Vec::new(),
            api: false,
            trusted: false,
            pkce: true,
            id_token_alg: rs256(),
            secret_file: None,
        }
    }

    /// The one that a row was made of, with nothing left to a default.
    ///
    /// # Errors
    /// [`DbError::Unreadable`] for a row that a later version wrote.
    pub fn of(row: &ClientRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id.clone(),
            name: Some(row.name.clone()),
            kind: kind(row)?,
            redirect_uris: list(&row.redirect_uris)?,
            logout_uris: list(&row.logout_uris)?,
            backchannel_uri: row.backchannel_uri.clone(),
            backchannel_private: row.backchannel_private != 0,
            scopes: Some(list(&row.scopes)?),
            roles: list(&row.roles)?,
            api: row.api != 0,
            trusted: row.trusted != 0,
            pkce: row.pkce != 0,
            id_token_alg: row.id_token_alg.clone(),
            secret_file: None,
        })
    }

    /// The row of it. `before` is the client's as it is, whose secrets and block stay; `secret` is a new one.
    ///
    /// # Errors
    /// [`Fault`]: the first thing that is wrong with it.
    pub fn row(
        &self,
        before: Option<&ClientRow>,
        secret: Option<&Secret>,
        now: i64,
    ) -> Result<ClientRow, Fault> {
        self.check().map_err(|why| Fault::new(&self.id, why))?;
        let list = |words: &[String]| serde_json::Value::from(words).to_string();
        let usual = || match self.kind {
            ClientKind::Service => Vec::new(),
            _ => USUAL.map(str::to_owned).to_vec(),
        };
        let before_secret = before.filter(|_| self.kind.is_confidential());
        let kept = |column: fn(&ClientRow) -> Option<String>| before_secret.and_then(column);
        let secret_hash = match secret {
            _ if !self.kind.is_confidential() => None,
            Some(secret) => Some(secret.as_str().to_owned()),
            None => kept(|row| row.secret_hash.clone()),
        };
        Ok(ClientRow {
            id: self.id.clone(),
            name: self.name.clone().unwrap_or_else(|| self.id.clone()),
            kind: self.kind.as_str().to_owned(),
            secret_hash,
            former_secret_hash: kept(|row| row.former_secret_hash.clone()),
            former_secret_until: before_secret.and_then(|row| row.former_secret_until),
            redirect_uris: list(&self.redirect_uris),
            logout_uris: list(&self.logout_uris),
            backchannel_uri: self.backchannel_uri.clone(),
            scopes: list(&self.scopes.clone().unwrap_or_else(usual)),
            roles: list(&self.roles),
            api: self.api.into(),
            trusted: self.trusted.into(),
            pkce: self.pkce.into(),
            id_token_alg: self.id_token_alg.clone(),
            created_at: before.map_or(now, |row| row.created_at),
            changed_at: before.map_or(now, |row| row.changed_at),
            blocked_at: before.and_then(|row| row.blocked_at),
            backchannel_private: self.backchannel_private.into(),
        })
    }

    fn check(&self) -> Result<(), String> {
        if !is_id(&self.id) {
            return Err("an id has 1 to 64 letters, digits, dots, hyphens and underscores".into());
        }
        if Uuid::try_parse(&self.id).is_ok() {
            return Err("an id that looks like a UUID could be taken for a user's".into());
        }
        let name = self.name.as_deref().unwrap_or(&self.id);
        let shown = crate::spelling::name(name);
        if shown.as_deref() != Some(name) || !crate::spelling::is_visible(name) {
            return Err("a name has 1 to 64 characters that can be seen".into());
        }
        let service = self.kind == ClientKind::Service;
        if service != self.redirect_uris.is_empty() {
            return Err(if service {
                "a service has no user, so nothing is redirected to it: leave redirectUris out"
                    .into()
            } else {
                "it needs a redirect URI: where codes may go".into()
            });
        }
        for (member, uris) in [
            ("redirectUris", self.redirect_uris.as_slice()),
            ("logoutUris", &self.logout_uris),
        ] {
            for uri in uris {
                if let Some(fault) = uris::fault(uri, self.kind) {
                    return Err(format!("{member}: {uri}: {fault}"));
                }
            }
        }
        if let Some(uri) = &self.backchannel_uri
            && let Some(fault) = uris::fault(uri, ClientKind::Web)
        {
            return Err(format!("backchannelUri: {uri}: {fault}"));
        }
        if service && self.backchannel_uri.is_some() {
            return Err("backchannelUri: a service has no user who signs out".into());
        }
        if self.backchannel_private && self.backchannel_uri.is_none() {
            return Err("backchannelPrivate is about a backchannelUri, and there is none".into());
        }
        let scopes = self.scopes.as_deref().unwrap_or_default();
        // RFC 6749 §3.3.
        let of_scope = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~');
        if let Some(bad) = scopes
            .iter()
            .find(|scope| scope.is_empty() || scope.len() > 100 || !scope.chars().all(of_scope))
        {
            return Err(format!(
                "scopes: {bad:?} is no word of a scope (RFC 6749 §3.3)"
            ));
        }
        let has = |word: &str| scopes.iter().any(|scope| scope == word);
        if has(ACCOUNT) && !self.trusted {
            return Err(
                "the scope account manages its user's account: only a trusted client has it".into(),
            );
        }
        if service && (has(OPENID) || has(OFFLINE) || has(ACCOUNT)) {
            return Err("scopes: a service has no user".into());
        }
        if service && self.trusted {
            return Err("trusted: a service has no user who would be asked".into());
        }
        if !service && !self.roles.is_empty() {
            return Err("roles are of services: users have their own".into());
        }
        if !self.pkce && !self.kind.is_confidential() {
            return Err("only a client with a secret may do without PKCE".into());
        }
        if !["RS256", "ES256"].contains(&self.id_token_alg.as_str()) {
            return Err("idTokenAlg is RS256 or ES256".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Definition);

    fn web() -> Definition {
        Definition {
            redirect_uris: vec!["https://app.example/cb".into()],
            ..Definition::new("app", ClientKind::Web)
        }
    }

    fn refused(definition: &Definition) -> String {
        definition.row(None, None, 1).unwrap_err().to_string()
    }

    #[test]
    fn a_client_that_may_not_be_one_is_refused_with_its_fault() {
        assert!(web().row(None, None, 1).is_ok());
        let cases: [(&str, Change); 14] = [
            ("an id has", |it| it.id = String::new()),
            ("an id has", |it| it.id = "a b".into()),
            ("UUID", |it| {
                it.id = "6F1C1DE2-0000-4000-8000-000000000000".into();
            }),
            ("UUID", |it| {
                it.id = "6f1c1de2000040008000000000000000".into();
            }),
            ("a name has", |it| it.name = Some("\u{202e}evil".into())),
            ("needs a redirect", |it| it.redirect_uris.clear()),
            ("no user", |it| it.kind = ClientKind::Service),
            ("wildcard", |it| {
                it.redirect_uris = vec!["https://*.x.example/".into()];
            }),
            ("logoutUris", |it| {
                it.logout_uris = vec!["http://x.example/".into()];
            }),
            ("backchannelUri", |it| {
                it.backchannel_uri = Some("ftp://x.example/".into());
            }),
            ("no word of a scope", |it| {
                it.scopes = Some(vec!["a b".into()]);
            }),
            ("only a trusted", |it| {
                it.scopes = Some(vec!["account".into()]);
            }),
            ("roles are of services", |it| {
                it.roles = vec!["admin".into()];
            }),
            ("RS256 or ES256", |it| it.id_token_alg = "none".into()),
        ];
        for (said, change) in cases {
            let mut definition = web();
            change(&mut definition);
            let fault = refused(&definition);
            assert!(fault.contains(said), "{said}: {fault}");
        }
        let public = Definition {
            kind: ClientKind::Browser,
            pkce: false,
            ..web()
        };
        assert!(refused(&public).contains("PKCE"));
    }

    #[test]
    fn a_change_keeps_the_secret_the_block_and_the_day_of_its_making() {
        let (_, secret) = Secret::fresh();
        let mut before = web().row(None, Some(&secret), 100).unwrap();
        before.blocked_at = Some(150);
        let changed = Definition {
            name: Some("App".into()),
            ..web()
        };
        let after = changed.row(Some(&before), None, 200).unwrap();
        assert_eq!(after.secret_hash.as_deref(), Some(secret.as_str()));
        assert_eq!((after.created_at, after.blocked_at), (100, Some(150)));
        assert_eq!(after.name, "App");
        // A client that becomes public has none.
        let public = Definition {
            kind: ClientKind::Browser,
            ..web()
        };
        assert_eq!(
            public.row(Some(&before), None, 200).unwrap().secret_hash,
            None
        );
    }
}
