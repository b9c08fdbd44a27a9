//! `auth-server sessions …`: who is signed in, ending it, and the story of one session.

use std::collections::HashMap;
use std::fmt::Display;

use clap::Subcommand;
use serde::Serialize;
use shared::clock;

use super::output::say;
use super::table::{Column, Row, Table};
use super::users::find;
use super::{CommandError, open, time};
use crate::db::{AuditRow, Db, SessionWithAccount};
use crate::db::{Caller, EndReason, Generation, Session, SessionId, SessionKind};
use crate::error::Over;
use crate::sessions::rotation::over;
use crate::sessions::{end_all, end_any};
use crate::settings::Settings;
use crate::spelling::on_one_line;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the live sessions of an account.
    List {
        /// E-mail or id of the account.
        user: String,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// End a session, or with --user every session of an account. Every API refuses it within a second.
    Revoke {
        /// The session's id.
        #[arg(required_unless_present = "user", conflicts_with = "user")]
        id: Option<SessionId>,
        /// E-mail or id of the account whose sessions all end.
        #[arg(long)]
        user: Option<String>,
    },
    /// Tell the story of a session: why was I logged out?
    Explain {
        /// The session's id, the `sid` of its access tokens.
        id: SessionId,
    },
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        let db = open(settings).await?;
        match self {
            Self::List { user, json } => list(&db, &user, json).await,
            Self::Revoke { id: Some(id), .. } => revoke(&db, id).await,
            Self::Revoke { user, .. } => revoke_all(&db, &user.unwrap_or_default()).await,
            Self::Explain { id } => explain(&db, id).await,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column::whole("ID"),
    Column::whole("SINCE").piped("since {}"),
    Column::whole("LAST USED").piped("last used {}"),
    Column::whole("ROTATIONS").piped("{} rotations"),
    Column::whole("ADDRESS"),
    Column::text("DEVICE"),
    Column::text("ALSO USED FROM").piped("also used from {}"),
    Column::whole("KIND"),
    Column::whole("CLIENT").piped("client {}"),
    Column::whole("PARENT").piped("parent {}"),
];

/// A live session as it is listed. Times are Unix seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: SessionId,
    device: String,
    address: String,
    created_at: i64,
    last_used_at: i64,
    rotations: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    also_used_from: Option<Elsewhere>,
    idle_expires_at: i64,
    absolute_expires_at: i64,
    kind: &'static str,
    /// Whose tokens it has, if it is not the account's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<OfClient>,
    /// The browser's session that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<SessionId>,
}

#[derive(Serialize)]
struct OfClient {
    id: String,
    /// Missing if the client was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Elsewhere {
    address: String,
    device: String,
    at: i64,
}

impl Listed {
    fn of(session: Session, names: &HashMap<String, String>) -> Self {
        Self {
            kind: session.kind.as_str(),
            client: session.grant.map(|grant| OfClient {
                name: names.get(&grant.client).cloned(),
                id: grant.client,
            }),
            parent_id: session.parent,
            id: session.id,
            device: session.device,
            address: session.address,
            created_at: session.created_at,
            last_used_at: session.rotated_at,
            rotations: session.generation.ahead_of(Generation::FIRST),
            also_used_from: session.sighting.map(|seen| Elsewhere {
                address: seen.address,
                device: seen.device,
                at: seen.at,
            }),
            idle_expires_at: session.idle_until,
            absolute_expires_at: session.absolute_until,
        }
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.id.to_string(),
            time(self.created_at),
            time(self.last_used_at),
            self.rotations.to_string(),
            self.address.clone(),
            self.device.clone(),
        ];
        let elsewhere = self.also_used_from.as_ref();
        let elsewhere = elsewhere.map(|seen| place(&seen.address, &seen.device));
        cells.push(elsewhere.unwrap_or_default());
        cells.push(self.kind.to_owned());
        if let Some(client) = &self.client {
            cells.push(client.id.clone());
            cells.extend(self.parent_id.map(|id| id.to_string()));
        }
        cells
    }
}

async fn list(db: &Db, user: &str, json: bool) -> Result<(), CommandError> {
    let (user, now) = (find(db, user).await?.account.id, clock::now());
    let (live, clients) = db
        .read(move |tx| Ok((tx.list_sessions(user, now)?, tx.list_clients()?)))
        .await?;
    let names = clients.into_iter().map(|row| (row.id, row.name)).collect();
    let live: Vec<Listed> = live
        .into_iter()
        .map(|session| Listed::of(session, &names))
        .collect();
    let mut table = Table::new(COLUMNS, json);
    table.rows(&live)?;
    table.end()
}

async fn revoke(db: &Db, id: SessionId) -> Result<(), CommandError> {
    let caller = Caller::cli();
    let ended = db.write(&caller, move |tx| end_any(tx, id, EndReason::Admin));
    if ended.await?.is_empty() {
        Err(CommandError::Failed(
            "there is no such session, or it has ended already".into(),
        ))
    } else {
        say("ended")
    }
}

async fn revoke_all(db: &Db, user: &str) -> Result<(), CommandError> {
    let user = find(db, user).await?.account.id;
    let caller = Caller::cli();
    let ended = db
        .write(&caller, move |tx| end_all(tx, user, EndReason::Admin))
        .await?;
    say(format_args!("{} sessions ended", ended.len()))
}

async fn explain(db: &Db, id: SessionId) -> Result<(), CommandError> {
    let (found, records, waiting) = db
        .read(move |tx| {
            let found = tx.find_session(id)?;
            let lives = found
                .as_ref()
                .is_some_and(|found| over(&found.session, clock::now()).is_none());
            // The clients know a browser's session by its own id, or by that of one whose place it took.
            let sid = found
                .as_ref()
                .and_then(|found| found.session.grant.as_ref()?.browser_sid)
                .unwrap_or(id);
            Ok((found, tx.story_of_session(id, lives)?, tx.log_outs_of(sid)?))
        })
        .await?;
    if found.is_none() && records.is_empty() {
        return Err(CommandError::Failed(format!(
            "nothing is known of a session {id} (any more)"
        )));
    }
    tell(format_args!("session {id}"))?;
    if let Some(SessionWithAccount { session, account }) = &found {
        let whose = account
            .as_ref()
            .map_or("a deleted account", |account| account.email.as_str());
        let whose = match session.kind {
            SessionKind::Service => "a client in its own name",
            _ => whose,
        };
        tell(format_args!("  {}", what(session)))?;
        tell(format_args!(
            "  of {whose}; began {}; {} rotations, the last {}",
            time(session.created_at),
            session.generation.ahead_of(Generation::FIRST),
            time(session.rotated_at)
        ))?;
        tell(format_args!("  {}", state(session, clock::now())))?;
        if let Some(seen) = &session.sighting {
            tell(format_args!(
                "  also used from {}, the last time {}",
                place(&seen.address, &seen.device),
                time(seen.at)
            ))?;
        }
    } else {
        tell("  its row is gone; this is what the audit trail has:")?;
    }
    for record in &records {
        tell(format_args!("  {}  {}", time(record.at), sentence(record)))?;
    }
    for it in &waiting {
        tell(format_args!(
            "  client {} is still to be told of the log-out: tried {} times, next at {}",
            it.client,
            it.tries,
            time(it.due_at)
        ))?;
    }
    Ok(())
}

/// What it is: its kind, its client and where it came from.
fn what(session: &Session) -> String {
    let client = session.grant.as_ref().map(|grant| &grant.client);
    let client = client.map(|id| format!(", client {id}"));
    let parent = session.parent.map(|id| format!(", parent {id}"));
    format!(
        "kind {}{}{}",
        session.kind.as_str(),
        client.unwrap_or_default(),
        parent.unwrap_or_default()
    )
}

/// A line of the story, in which user agents are what their owners chose.
fn tell(line: impl Display) -> Result<(), CommandError> {
    say(on_one_line(&line.to_string()))
}

fn place(address: &str, device: &str) -> String {
    format!("{address} ({device})")
}

fn state(session: &Session, now: i64) -> String {
    match over(session, now) {
        None => format!(
            "alive: over at {} unless refreshed, and at {} in any case",
            time(session.idle_until),
            time(session.absolute_until)
        ),
        Some(Over::Ended(reason)) => {
            let at = session.ended.map_or(now, |(at, _)| at);
            format!("ended at {}: {}", time(at), why(reason.as_str()))
        }
        Some(Over::Idle) => format!(
            "over since {}: nobody refreshed it for too long",
            time(session.idle_until)
        ),
        Some(Over::Absolute | Over::Gone) => {
            format!(
                "over since {}: its longest life was reached",
                time(session.absolute_until)
            )
        }
    }
}

fn why(reason: &str) -> &str {
    match reason {
        "logout" => "the user logged out",
        "ended" => "the user ended it, or deleted the account",
        "password" => "the password was changed",
        "blocked" => "the account was blocked",
        "reuse" => {
            "a used-up refresh token came back: a copy of it is in other hands, or a client keeps old ones"
        }
        "limit" => "the account had too many sessions, and this one was used least recently",
        "admin" => "an operator ended it",
        "replaced" => "a later log-in in the same browser took its place",
        "client" => "an operator blocked or removed its client",
        "guessing" => {
            "ten wrong current passwords came with its access tokens: somebody who had them was guessing"
        }
        other => other,
    }
}

fn sentence(record: &AuditRow) -> String {
    let detail = record.detail.as_deref().unwrap_or_default();
    let generation = record
        .generation
        .map(|g| format!(" at generation {g}"))
        .unwrap_or_default();
    let what = match record.event.as_str() {
        "logged_in" => "began with a log-in".to_owned(),
        "session_ended" => format!("ended{generation}: {}", why(detail)),
        "late_retry" => format!(
            "its current refresh token was handed out again after the grace time{generation}: an answer was lost, or two share the session"
        ),
        "retry_elsewhere" => format!(
            "its current refresh token was handed out again to {detail}{generation}: a copy of the pair, or a client with two ways out"
        ),
        "row_behind" => format!(
            "a genuine refresh token was newer than the database{generation}: it was restored or failed over"
        ),
        "password_changed" => match detail {
            "reset" => "the account's password was set by a link".to_owned(),
            "invitation" => "the account went to whom an invitation was sent to".to_owned(),
            _ => "the account's password was changed".to_owned(),
        },
        "email_verified" => "the account's e-mail was proven".to_owned(),
        "email_change_requested" => {
            "a new e-mail was asked for, and waits for its proof".to_owned()
        }
        "account_changed" => format!("the account was changed: {detail}"),
        "user_blocked" => format!("the account was blocked: {detail}"),
        "user_unblocked" => "the account's block was lifted".to_owned(),
        "app_signed_in" => format!("client {detail} fetched it with a code"),
        "consent_given" => format!("the user agreed to what client {detail} asked for"),
        "log_out_delivered" => format!("client {detail} was told of the log-out"),
        "log_out_given_up" => format!("client {detail} could not be told of the log-out for a day"),
        "consent_withdrawn" => format!("the user took access away from client {detail}"),
        "login_delayed" => "failed log-ins to the account began to be delayed".to_owned(),
        "mail_given_up" => format!("a mail to its user was given up: {detail}"),
        other => format!("{other}{generation} {detail}"),
    };
    let from = record
        .address
        .as_deref()
        .filter(|a| !a.is_empty())
        .map(|a| format!(", from {a}"))
        .unwrap_or_default();
    let agent = record
        .user_agent
        .as_deref()
        .filter(|a| !a.is_empty())
        .map(|a| format!(" ({a})"))
        .unwrap_or_default();
    let request = record
        .request_id
        .as_deref()
        .filter(|r| !r.is_empty())
        .map(|r| format!(", request {r}"))
        .unwrap_or_default();
    format!("{what}{from}{agent}{request}")
}
