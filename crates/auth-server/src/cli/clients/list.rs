//! `client list` and `client show`: the clients as they are, and never a secret.

use serde::Serialize;

use super::super::output::say;
use super::super::table::{Column, Row, Table};
use super::super::{CommandError, time};
use crate::clients::changes::ChangeError;
use crate::clients::{ClientKind, Definition};
use crate::db::{ClientRow, Db, DbError};
use crate::spelling::{in_json, on_one_line};

const COLUMNS: &[Column] = &[
    Column::whole("ID"),
    Column::whole("KIND"),
    Column::whole("STATE"),
    Column::text("NAME"),
    Column::text("REDIRECT URIS"),
];

/// A client as it is listed, called as in the file of `client apply`. Times are Unix seconds.
#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what an operator says yes or no to"
)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    name: String,
    kind: ClientKind,
    redirect_uris: Vec<String>,
    logout_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_uri: Option<String>,
    backchannel_private: bool,
    scopes: Vec<String>,
    roles: Vec<String>,
    api: bool,
    trusted: bool,
    pkce: bool,
    id_token_alg: String,
    created_at: i64,
    changed_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_at: Option<i64>,
    /// The secret before this one is good until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_secret_until: Option<i64>,
}

impl TryFrom<ClientRow> for Listed {
    type Error = DbError;

    fn try_from(row: ClientRow) -> Result<Self, DbError> {
        let it = Definition::of(&row)?;
        Ok(Self {
            id: it.id,
            name: row.name,
            kind: it.kind,
            redirect_uris: it.redirect_uris,
            logout_uris: it.logout_uris,
            backchannel_uri: it.backchannel_uri,
            backchannel_private: it.backchannel_private,
            scopes: it.scopes.unwrap_or_default(),
            roles: it.roles,
            api: it.api,
            trusted: it.trusted,
            pkce: it.pkce,
            id_token_alg: it.id_token_alg,
            created_at: row.created_at,
            changed_at: row.changed_at,
            blocked_at: row.blocked_at,
            former_secret_until: row.former_secret_until,
        })
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<String> {
        let state = match self.blocked_at {
            Some(_) => "blocked",
            None => "active",
        };
        vec![
            self.id.clone(),
            self.kind.as_str().to_owned(),
            state.to_owned(),
            self.name.clone(),
            self.redirect_uris.join(" "),
        ]
    }
}

impl Listed {
    /// What `show` says of it: what it is called, and what it is.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let yes = |it: bool| if it { "yes" } else { "no" }.to_owned();
        let mut lines = vec![
            ("id", self.id.clone()),
            ("name", self.name.clone()),
            ("kind", self.kind.as_str().to_owned()),
        ];
        let each = |what, values: &[String]| -> Vec<(&'static str, String)> {
            values.iter().map(|value| (what, value.clone())).collect()
        };
        lines.extend(each("redirect", &self.redirect_uris));
        lines.extend(each("logout redirect", &self.logout_uris));
        if let Some(uri) = &self.backchannel_uri {
            lines.push(("backchannel", uri.clone()));
            lines.push(("backchannel private", yes(self.backchannel_private)));
        }
        lines.push(("scopes", self.scopes.join(" ")));
        if self.kind == ClientKind::Service {
            lines.push(("roles", self.roles.join(" ")));
        }
        lines.push(("api", yes(self.api)));
        lines.push(("trusted", yes(self.trusted)));
        lines.push(("pkce", yes(self.pkce)));
        lines.push(("id_token alg", self.id_token_alg.clone()));
        lines.push(("added", time(self.created_at)));
        lines.push(("changed", time(self.changed_at)));
        lines.extend(self.blocked_at.map(|at| ("blocked", time(at))));
        if let Some(until) = self.former_secret_until {
            lines.push(("former secret until", time(until)));
        }
        lines
    }
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the lifetime of a Tx"
)]
pub(super) async fn all(db: &Db, json: bool) -> Result<(), CommandError> {
    let rows = db.read(|tx| tx.list_clients()).await?;
    let listed: Result<Vec<Listed>, DbError> = rows.into_iter().map(Listed::try_from).collect();
    let mut table = Table::new(COLUMNS, json);
    table.rows(&listed?)?;
    table.end()
}

pub(super) async fn one(db: &Db, id: &str, json: bool) -> Result<(), CommandError> {
    let wanted = id.to_owned();
    let row = db.read(move |tx| tx.find_client(&wanted)).await?;
    let row = row.ok_or_else(|| ChangeError::Unknown(id.to_owned()))?;
    let listed = Listed::try_from(row)?;
    if json {
        return say(in_json(&serde_json::to_string(&listed)?));
    }
    let lines = listed.lines();
    let widest = lines.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    lines.iter().try_for_each(|(what, value)| {
        say(on_one_line(format!("{what:<widest$}  {value}").trim_end()))
    })
}
