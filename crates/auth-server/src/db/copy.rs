//! Copies everything from one database into another: from the embedded one onto a server, or back.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::backup::existing;
use super::connection::AnyConnection;
use super::schema::{
    audit, clients, consents, login_budgets, login_failures, logout_deliveries, outbox, sessions,
    users,
};
use super::{ClientRow, DbError, open};
use crate::settings::DatabaseUrl;

/// Rows that are read at a time.
const BATCH: i64 = 1000;

/// How many rows of each table were copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Accounts.
    pub users: usize,
    /// Sessions, those included that are over but still remembered.
    pub sessions: usize,
    /// Counters of failed log-ins, and what accounts have left of verdicts.
    pub login_failures: usize,
    /// Programs that sign users in here.
    pub clients: usize,
    /// What users have agreed to with them.
    pub consents: usize,
    /// Log-outs that they are to be told of.
    pub logout_deliveries: usize,
    /// Mails that are to be sent.
    pub outbox: usize,
    /// Audit records.
    pub audit: usize,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = outbox)]
struct Letter {
    id: String,
    kind: String,
    user_id: Option<String>,
    address: String,
    locale: String,
    detail: String,
    created_at: i64,
    due_at: i64,
    tries: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = users)]
#[expect(clippy::struct_field_names, reason = "the columns have these names")]
struct User {
    id: String,
    email: String,
    email_key: String,
    user_name: String,
    password_hash: String,
    password_version: i64,
    roles: String,
    created_at: i64,
    last_login_at: Option<i64>,
    blocked_at: Option<i64>,
    email_verified_at: Option<i64>,
    self_registered_at: Option<i64>,
    pending_email: Option<String>,
    pending_until: i64,
    mailed_at: i64,
    mails_since: i64,
    mails: i64,
    told_at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = sessions)]
struct Session {
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
    pending: Option<String>,
    code_challenge: Option<String>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = consents)]
struct Consent {
    user_id: String,
    client_id: String,
    scope: String,
    granted_at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = logout_deliveries)]
struct Delivery {
    id: String,
    client_id: String,
    sid: String,
    sub: String,
    tries: i64,
    due_at: i64,
    created_at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = login_failures)]
struct LoginFailures {
    slot: String,
    tag: String,
    user_id: Option<String>,
    failures: i64,
    failed_at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = login_budgets)]
struct LoginBudget {
    slot: String,
    tag: String,
    user_id: Option<String>,
    full_at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = audit)]
struct Record {
    id: String,
    at: i64,
    event: String,
    user_id: Option<String>,
    session_id: Option<String>,
    generation: Option<i64>,
    detail: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
}

/// Copies every row of one database into another, which must hold none. All or nothing.
///
/// # Errors
/// [`DbError::Unusable`] if the source is missing or the target is not empty.
pub fn copy(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<Copied, DbError> {
    if from == to {
        return Err(DbError::Unusable(
            "source and target are the same database".into(),
        ));
    }
    drop(existing(from)?);
    // Both get today's tables, so that rows fit.
    open::ready(from, Duration::ZERO)?;
    open::ready(to, Duration::ZERO)?;
    let (mut source, mut target) = (existing(from)?, existing(to)?);
    // One snapshot of the source, whatever a service does meanwhile.
    source.batch_execute(match source {
        AnyConnection::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        AnyConnection::Sqlite(_) => "BEGIN",
    })?;
    target.begin_write()?;
    match copy_tables(&mut source, &mut target) {
        Ok(copied) => {
            target.commit()?;
            Ok(copied)
        }
        Err(error) => {
            // The connection ends here anyway.
            let _ = target.rollback();
            Err(error)
        }
    }
}

fn copy_tables(source: &mut AnyConnection, target: &mut AnyConnection) -> Result<Copied, DbError> {
    refuse_rows(target)?;
    Ok(Copied {
        users: in_batches(
            |after| {
                Ok(users::table
                    .filter(users::id.gt(after))
                    .order(users::id)
                    .limit(BATCH)
                    .load(source)?)
            },
            |row: &User| row.id.clone(),
            |row| {
                Ok(diesel::insert_into(users::table)
                    .values(row)
                    .execute(target)?)
            },
        )?,
        sessions: in_batches(
            |after| {
                let next = sessions::table
                    .filter(sessions::id.gt(after))
                    .order(sessions::id);
                Ok(next.limit(BATCH).load(source)?)
            },
            |row: &Session| row.id.clone(),
            |row| {
                Ok(diesel::insert_into(sessions::table)
                    .values(row)
                    .execute(target)?)
            },
        )?,
        login_failures: in_batches(
            |after| {
                let next = login_failures::table.filter(login_failures::slot.gt(after));
                Ok(next.order(login_failures::slot).limit(BATCH).load(source)?)
            },
            |row: &LoginFailures| row.slot.clone(),
            |row| {
                Ok(diesel::insert_into(login_failures::table)
                    .values(row)
                    .execute(target)?)
            },
        )? + in_batches(
            |after| {
                let next = login_budgets::table.filter(login_budgets::slot.gt(after));
                Ok(next.order(login_budgets::slot).limit(BATCH).load(source)?)
            },
            |row: &LoginBudget| row.slot.clone(),
            |row| {
                Ok(diesel::insert_into(login_budgets::table)
                    .values(row)
                    .execute(target)?)
            },
        )?,
        clients: copy_clients(source, target)?,
        consents: copy_consents(source, target)?,
        logout_deliveries: copy_deliveries(source, target)?,
        outbox: in_batches(
            |after| {
                let next = outbox::table.filter(outbox::id.gt(after));
                Ok(next.order(outbox::id).limit(BATCH).load(source)?)
            },
            |row: &Letter| row.id.clone(),
            |row| {
                Ok(diesel::insert_into(outbox::table)
                    .values(row)
                    .execute(target)?)
            },
        )?,
        audit: in_batches(
            |after| {
                Ok(audit::table
                    .filter(audit::id.gt(after))
                    .order(audit::id)
                    .limit(BATCH)
                    .load(source)?)
            },
            |row: &Record| row.id.clone(),
            |row| {
                Ok(diesel::insert_into(audit::table)
                    .values(row)
                    .execute(target)?)
            },
        )?,
    })
}

fn copy_clients(source: &mut AnyConnection, target: &mut AnyConnection) -> Result<usize, DbError> {
    in_batches(
        |after| {
            let next = clients::table.filter(clients::id.gt(after));
            Ok(next.order(clients::id).limit(BATCH).load(source)?)
        },
        |row: &ClientRow| row.id.clone(),
        |row| {
            Ok(diesel::insert_into(clients::table)
                .values(row)
                .execute(target)?)
        },
    )
}

fn copy_deliveries(
    source: &mut AnyConnection,
    target: &mut AnyConnection,
) -> Result<usize, DbError> {
    in_batches(
        |after| {
            let next = logout_deliveries::table.filter(logout_deliveries::id.gt(after));
            Ok(next
                .order(logout_deliveries::id)
                .limit(BATCH)
                .load(source)?)
        },
        |row: &Delivery| row.id.clone(),
        |row| {
            Ok(diesel::insert_into(logout_deliveries::table)
                .values(row)
                .execute(target)?)
        },
    )
}

/// Their key has two columns.
fn copy_consents(source: &mut AnyConnection, target: &mut AnyConnection) -> Result<usize, DbError> {
    let mut offset = 0;
    let mut copied = 0;
    loop {
        let batch: Vec<Consent> = consents::table
            .order((consents::user_id, consents::client_id))
            .offset(offset)
            .limit(BATCH)
            .load(source)?;
        if batch.is_empty() {
            return Ok(copied);
        }
        offset = offset.saturating_add(BATCH);
        for row in batch {
            copied += diesel::insert_into(consents::table)
                .values(row)
                .execute(target)?;
        }
    }
}

fn refuse_rows(target: &mut AnyConnection) -> Result<(), DbError> {
    let rows = users::table.count().get_result::<i64>(target)?
        + sessions::table.count().get_result::<i64>(target)?
        + login_failures::table.count().get_result::<i64>(target)?
        + login_budgets::table.count().get_result::<i64>(target)?
        + clients::table.count().get_result::<i64>(target)?
        + consents::table.count().get_result::<i64>(target)?
        + logout_deliveries::table.count().get_result::<i64>(target)?
        + outbox::table.count().get_result::<i64>(target)?
        + audit::table.count().get_result::<i64>(target)?;
    if rows == 0 {
        return Ok(());
    }
    Err(DbError::Unusable(format!(
        "the target is not empty: it holds {rows} rows"
    )))
}

/// Reads rows in the order of their keys, a batch at a time, and writes each.
fn in_batches<R>(
    mut read: impl FnMut(String) -> Result<Vec<R>, DbError>,
    key: impl Fn(&R) -> String,
    mut write: impl FnMut(R) -> Result<usize, DbError>,
) -> Result<usize, DbError> {
    let (mut after, mut copied) = (String::new(), 0);
    loop {
        let batch = read(after.clone())?;
        let Some(last) = batch.last() else {
            return Ok(copied);
        };
        after = key(last);
        for row in batch {
            copied += write(row)?;
        }
    }
}
