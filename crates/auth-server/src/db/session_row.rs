//! A session's row as it is stored, and back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;

use super::users::uuid;
use super::{DbError, Generation};
use crate::db::Nonce;
use crate::db::{EndReason, Grant, Session, SessionKind, Sighting};

#[derive(Queryable)]
pub(super) struct SessionRow {
    id: String,
    user_id: Option<String>,
    nonce: String,
    generation: i64,
    created_at: i64,
    rotated_at: i64,
    idle_until: i64,
    absolute_until: i64,
    late_generation: i64,
    late_streak: i64,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    device: String,
    address: String,
    #[expect(dead_code, reason = "counted and judged by statements of their own")]
    wrong_passwords: i64,
    agent: Option<String>,
    seen_at: i64,
    seen_address: String,
    sighting_generation: i64,
    sighting_at: i64,
    sighting_address: String,
    sighting_device: String,
    shown_sighting_at: i64,
    shown_sighting_address: String,
    shown_sighting_device: String,
    kind: String,
    client_id: String,
    parent_id: Option<String>,
    scope: String,
    auth_time: i64,
    amr: String,
    browser_sid: Option<String>,
    #[expect(dead_code, reason = "read by the exchange's own statement")]
    pending: Option<String>,
    #[expect(dead_code, reason = "read by the exchange's own statement")]
    code_challenge: Option<String>,
}

/// What the columns say of a client; none for the account's own sessions.
pub(super) fn grant(
    client: String,
    scope: String,
    auth_time: i64,
    amr: String,
    browser_sid: Option<&str>,
) -> Result<Option<Grant>, DbError> {
    if client.is_empty() {
        return Ok(None);
    }
    Ok(Some(Grant {
        client,
        scope,
        auth_time,
        amr,
        browser_sid: browser_sid.map(uuid).transpose()?,
    }))
}

impl TryFrom<SessionRow> for Session {
    type Error = DbError;

    fn try_from(row: SessionRow) -> Result<Self, DbError> {
        Ok(Self {
            id: uuid(&row.id)?,
            user: row.user_id.as_deref().map(uuid).transpose()?,
            generation: Generation(row.generation),
            nonce: read_nonce(&row.nonce)?,
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            idle_until: row.idle_until,
            absolute_until: row.absolute_until,
            late_generation: Generation(row.late_generation),
            late_streak: row.late_streak,
            ended: row.ended_at.map(|at| {
                (
                    at,
                    EndReason::parse(row.end_reason.as_deref().unwrap_or_default()),
                )
            }),
            device: row.device,
            address: row.address,
            agent: row.agent,
            seen_at: row.seen_at,
            seen_address: row.seen_address,
            sighting: (row.sighting_generation > 0).then_some(Sighting {
                generation: Generation(row.sighting_generation),
                at: row.sighting_at,
                address: row.sighting_address,
                device: row.sighting_device,
            }),
            shown_sighting: (row.shown_sighting_at > 0).then_some(Sighting {
                generation: Generation(0),
                at: row.shown_sighting_at,
                address: row.shown_sighting_address,
                device: row.shown_sighting_device,
            }),
            kind: SessionKind::parse(&row.kind).ok_or(DbError::Unreadable("kind"))?,
            parent: row.parent_id.as_deref().map(uuid).transpose()?,
            grant: grant(
                row.client_id,
                row.scope,
                row.auth_time,
                row.amr,
                row.browser_sid.as_deref(),
            )?,
        })
    }
}

pub(super) fn read_nonce(text: &str) -> Result<Nonce, DbError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|b| b.try_into().ok())
        .ok_or(DbError::Unreadable("nonce"))
}

pub(super) fn write_nonce(nonce: &Nonce) -> String {
    URL_SAFE_NO_PAD.encode(nonce)
}
