//! The wire: JSON bodies as clients send and get them, in camelCase.

use serde::{Deserialize, Serialize};

use crate::db::{Account, PendingEmail};
use crate::db::{SessionId, UserId};
use crate::sessions::{Listed, Pair, Program};

// Bodies with secrets have no Debug.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registration {
    pub(super) user_name: String,
    pub(super) email: String,
    pub(super) password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credentials {
    pub(super) email: String,
    pub(super) password: String,
    pub(super) device_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OldPair {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPassword {
    pub(super) current_password: String,
    pub(super) new_password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewProfile {
    pub(super) user_name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) current_password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Confirmation {
    pub(super) current_password: String,
}

#[derive(Deserialize)]
pub(super) struct Forgotten {
    pub(super) email: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reset {
    pub(super) token: String,
    pub(super) new_password: String,
}

#[derive(Deserialize)]
pub(super) struct Proof {
    pub(super) token: String,
}

#[derive(Deserialize)]
pub(super) struct Guest {
    pub(super) email: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Acceptance {
    pub(super) token: String,
    pub(super) user_name: String,
    pub(super) password: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PairBody {
    access_token: String,
    refresh_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_expires_in: i64,
}

impl From<Pair> for PairBody {
    fn from(pair: Pair) -> Self {
        Self {
            access_token: pair.access_token,
            refresh_token: pair.refresh_token,
            token_type: "Bearer",
            expires_in: pair.expires_in,
            refresh_expires_in: pair.refresh_expires_in,
        }
    }
}

/// The answer to a log-in: the pair, and by what the account will know the device again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoggedInBody {
    #[serde(flatten)]
    pair: PairBody,
    device_token: String,
}

impl LoggedInBody {
    pub(super) fn new(pair: Pair, device_token: String) -> Self {
        Self {
            pair: pair.into(),
            device_token,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserBody {
    id: UserId,
    user_name: String,
    email: String,
    /// Only where the account itself is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    /// What the e-mail is to become once the link that went there is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<String>,
    roles: Vec<String>,
}

impl UserBody {
    pub(super) fn new(account: Account, pending: Option<PendingEmail>) -> Self {
        Self {
            id: account.id,
            user_name: account.user_name,
            email: account.email,
            email_verified: None,
            pending_email: pending.map(|pending| pending.email),
            roles: account.roles,
        }
    }
}

impl UserBody {
    /// The same, and whether the e-mail is proven.
    pub(super) fn whole(account: Account, pending: Option<PendingEmail>) -> Self {
        Self {
            email_verified: Some(account.email_verified),
            ..Self::new(account, pending)
        }
    }
}

impl From<Account> for UserBody {
    fn from(account: Account) -> Self {
        Self::new(account, None)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionBody {
    id: SessionId,
    current: bool,
    device: String,
    address: String,
    created_at: i64,
    last_used_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    also_used_from: Option<SightingBody>,
    idle_expires_at: i64,
    absolute_expires_at: i64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<ClientBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<SessionId>,
}

/// Whose session it is, if it is a program's.
#[derive(Serialize)]
pub(super) struct ClientBody {
    id: String,
    name: String,
}

#[derive(Serialize)]
pub(super) struct SightingBody {
    address: String,
    device: String,
    at: i64,
}

impl SessionBody {
    /// `name` tells what the program is called whose id is given.
    pub(super) fn new(
        session: Listed,
        current: SessionId,
        name: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            id: session.id,
            current: session.id == current,
            device: session.device,
            address: session.address,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            also_used_from: session.also_used_from.map(|seen| SightingBody {
                address: seen.address,
                device: seen.device,
                at: seen.at,
            }),
            idle_expires_at: session.idle_expires_at,
            absolute_expires_at: session.absolute_expires_at,
            kind: session.kind.as_str(),
            client: session.client.map(|id| ClientBody {
                name: name(&id).unwrap_or_else(|| id.clone()),
                id,
            }),
            parent_id: session.parent,
        }
    }
}

/// A program that has something of the account.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppBody {
    client: ClientBody,
    scope: String,
    /// Missing for a program whose users are not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_at: Option<i64>,
    /// Missing for one that is signed in nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    sessions: Vec<SessionBody>,
}

impl AppBody {
    pub(super) fn new((id, name): (String, String), program: Program, current: SessionId) -> Self {
        let last_used_at = program.last_used_at();
        let sessions = program.sessions.into_iter();
        Self {
            scope: program.scope,
            granted_at: program.granted_at,
            last_used_at,
            sessions: sessions
                .map(|one| SessionBody::new(one, current, |_| Some(name.clone())))
                .collect(),
            client: ClientBody { id, name },
        }
    }

    /// By what a list of them is ordered: the name, and the id where two have the same.
    pub(super) fn order(&self) -> (String, String) {
        (self.client.name.to_lowercase(), self.client.id.clone())
    }
}
