//! What operators do to the clients. Each is one unit with its audit records; a running service sees it within a second.
//!
//! All changes of clients follow each other (`hold_clients`), so that what is read here first is still so when it is
//! written. Prints nothing; a fresh secret is given back once, and kept by nobody.

use super::{Definition, Fault, Secret, secret_file};
use crate::db::{AuditRecord, Caller, ClientRow, Db, DbError, EndReason, Event, Unit};

/// Seconds that the former secret of a client is still good: time to bring it the new one.
const FORMER_SECRET: i64 = 24 * 3600;

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No client has this id.
    #[error("there is no client {0:?}")]
    Unknown(String),
    /// One has it already.
    #[error("there is a client {0:?} already; `client set` changes it")]
    Exists(String),
    /// It is blocked, and has no session.
    #[error("the client {0:?} is blocked already")]
    BlockedAlready(String),
    /// It is not.
    #[error("the client {0:?} is not blocked")]
    NotBlocked(String),
    /// It has no secret.
    #[error("the client {0:?} is public: it has no secret")]
    Public(String),
    /// It may not be one.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// One of several may not be one; the first is at place 1.
    #[error("entry {place}: {fault}")]
    At {
        /// Its place.
        place: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// No list of clients.
    #[error("this is no JSON array of clients: {0}")]
    File(String),
    /// The database's.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What was done with one of several clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its id.
    pub id: String,
    /// What was done.
    pub done: Done,
}

/// What was done with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is new.
    Added,
    /// It was another.
    Changed,
    /// It was so already, and was not written.
    Unchanged,
}

/// What [`set`] did.
#[derive(Debug)]
pub struct Set {
    /// Whether anything is different now.
    pub changed: bool,
    /// The fresh secret of a client that had none.
    pub secret: Option<String>,
}

/// Adds a client. Gives the fresh secret of one that keeps one.
///
/// # Errors
/// [`ChangeError::Exists`], [`ChangeError::Fault`]; the database's.
pub async fn add(
    db: &Db,
    definition: &Definition,
    caller: &Caller,
) -> Result<Option<String>, ChangeError> {
    let fresh = definition.kind.is_confidential().then(Secret::fresh);
    let row = definition.row(None, fresh.as_ref().map(|(_, kept)| kept), caller.now)?;
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        if tx.find_client(&row.id)?.is_some() {
            return Ok(Err(ChangeError::Exists(row.id.clone())));
        }
        put(tx, &row, "added").map(Ok)
    })
    .await??;
    Ok(fresh.map(|(shown, _)| shown))
}

/// Changes a client by its description.
///
/// # Errors
/// [`ChangeError::Unknown`], [`ChangeError::Fault`]; the database's.
pub async fn set(
    db: &Db,
    id: &str,
    change: impl Fn(&mut Definition) + Send + 'static,
    caller: &Caller,
) -> Result<Set, ChangeError> {
    let id = id.to_owned();
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        let Some(before) = tx.find_client(&id)? else {
            return Ok(Err(ChangeError::Unknown(id.clone())));
        };
        let mut definition = Definition::of(&before)?;
        change(&mut definition);
        let needs_one = definition.kind.is_confidential() && before.secret_hash.is_none();
        let fresh = needs_one.then(Secret::fresh);
        let kept = fresh.as_ref().map(|(_, kept)| kept);
        let row = match definition.row(Some(&before), kept, tx.now()) {
            Ok(row) => row,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let changed = row != before;
        if changed {
            put(tx, &row, "changed")?;
        }
        Ok(Ok(Set {
            changed,
            secret: fresh.map(|(shown, _)| shown),
        }))
    })
    .await?
}

/// Gives a client a fresh secret. The former one is good for a day more.
///
/// # Errors
/// [`ChangeError::Unknown`], [`ChangeError::Public`]; the database's.
pub async fn rotate_secret(db: &Db, id: &str, caller: &Caller) -> Result<String, ChangeError> {
    let id = id.to_owned();
    let (shown, kept) = Secret::fresh();
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        let Some(before) = tx.find_client(&id)? else {
            return Ok(Err(ChangeError::Unknown(id.clone())));
        };
        if !Definition::of(&before)?.kind.is_confidential() {
            return Ok(Err(ChangeError::Public(id.clone())));
        }
        let row = with_secret(before.clone(), Some(&before), &kept, tx.now());
        put(tx, &row, "secret rotated").map(Ok)
    })
    .await??;
    Ok(shown)
}

/// Blocks a client and ends its sessions, those included that a blocked one got at the last moment. Tells how many.
///
/// # Errors
/// [`ChangeError::Unknown`], [`ChangeError::BlockedAlready`]; the database's.
pub async fn block(db: &Db, id: &str, caller: &Caller) -> Result<usize, ChangeError> {
    let id = id.to_owned();
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        let Some(before) = tx.find_client(&id)? else {
            return Ok(Err(ChangeError::Unknown(id.clone())));
        };
        let blocked = before.blocked_at.is_some();
        if !blocked {
            let blocked_at = Some(tx.now());
            let row = ClientRow {
                blocked_at,
                ..before
            };
            put(tx, &row, "blocked")?;
        }
        let ended = end_sessions(tx, &id)?;
        if blocked && ended == 0 {
            return Ok(Err(ChangeError::BlockedAlready(id.clone())));
        }
        Ok(Ok(ended))
    })
    .await?
}

/// Lifts a block. Its sessions stay ended.
///
/// # Errors
/// [`ChangeError::Unknown`], [`ChangeError::NotBlocked`]; the database's.
pub async fn unblock(db: &Db, id: &str, caller: &Caller) -> Result<(), ChangeError> {
    let id = id.to_owned();
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        let Some(before) = tx.find_client(&id)? else {
            return Ok(Err(ChangeError::Unknown(id.clone())));
        };
        if before.blocked_at.is_none() {
            return Ok(Err(ChangeError::NotBlocked(id.clone())));
        }
        let row = ClientRow {
            blocked_at: None,
            ..before
        };
        // What it got at the last moment, before every server knew of the block, does not come back either.
        end_sessions(tx, &id)?;
        put(tx, &row, "unblocked").map(Ok)
    })
    .await?
}

/// Removes a client with what users agreed to, and ends its sessions. Tells how many.
///
/// # Errors
/// [`ChangeError::Unknown`]; the database's.
pub async fn remove(db: &Db, id: &str, caller: &Caller) -> Result<usize, ChangeError> {
    let id = id.to_owned();
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        if !tx.delete_client(&id)? {
            return Ok(Err(ChangeError::Unknown(id.clone())));
        }
        tx.audit(&record("removed", &id))?;
        tx.remove_log_outs_of(&id)?;
        end_sessions(tx, &id).map(Ok)
    })
    .await?
}

/// Makes the clients as they are described, all or none; others are left alone. One that is so already is not written.
/// A block stays, and so does a secret where no file with another one is named.
///
/// # Errors
/// [`ChangeError::At`] for the first that may not be one; the database's.
pub async fn apply(
    db: &Db,
    definitions: &[Definition],
    caller: &Caller,
) -> Result<Vec<Outcome>, ChangeError> {
    let definitions = definitions.to_vec();
    // It reads files.
    let read = tokio::task::spawn_blocking(move || with_secrets(definitions)).await;
    let all = read.map_err(|panicked| DbError::Unavailable(panicked.to_string()))??;
    db.write(caller, move |tx| {
        tx.hold_clients()?;
        let mut rows = Vec::new();
        for (at, (definition, secret)) in all.iter().enumerate() {
            let before = tx.find_client(&definition.id)?;
            match described(definition, before.as_ref(), secret.as_ref(), tx.now()) {
                Ok(row) => rows.push((before, row)),
                Err(fault) => return Ok(Err(at_place(at, fault))),
            }
        }
        let mut outcomes = Vec::new();
        for (before, row) in rows {
            let done = match before {
                None => Done::Added,
                Some(before) if before == row => Done::Unchanged,
                Some(_) => Done::Changed,
            };
            match done {
                Done::Added => put(tx, &row, "added")?,
                Done::Changed => put(tx, &row, "changed")?,
                Done::Unchanged => {}
            }
            outcomes.push(Outcome { id: row.id, done });
        }
        Ok(Ok(outcomes))
    })
    .await?
}

fn at_place(at: usize, fault: Fault) -> ChangeError {
    let place = at.saturating_add(1);
    ChangeError::At { place, fault }
}

/// Looks at what can be said of the descriptions alone, and reads the secrets' files.
fn with_secrets(
    definitions: Vec<Definition>,
) -> Result<Vec<(Definition, Option<Secret>)>, ChangeError> {
    let mut all: Vec<(Definition, Option<Secret>)> = Vec::new();
    for (at, definition) in definitions.into_iter().enumerate() {
        let secret = (|| {
            let id = &definition.id;
            definition.row(None, None, 0)?;
            if all.iter().any(|(earlier, _)| earlier.id == *id) {
                return Err(Fault::new(id, "id: it is described twice"));
            }
            let Some(path) = &definition.secret_file else {
                return Ok(None);
            };
            if !definition.kind.is_confidential() {
                return Err(Fault::new(id, "secretFile: a public client has no secret"));
            }
            let read = secret_file::read(path);
            read.map(Some)
                .map_err(|why| Fault::new(id, format!("secretFile: {}: {why}", path.display())))
        })();
        let secret = secret.map_err(|fault| at_place(at, fault))?;
        all.push((definition, secret));
    }
    Ok(all)
}

fn described(
    definition: &Definition,
    before: Option<&ClientRow>,
    secret: Option<&Secret>,
    now: i64,
) -> Result<ClientRow, Fault> {
    let row = definition.row(before, None, now)?;
    let row = match secret {
        Some(secret) => with_secret(row, before, secret, now),
        None => row,
    };
    if definition.kind.is_confidential() && row.secret_hash.is_none() {
        return Err(Fault::new(
            &definition.id,
            "secretFile: it needs a secret and has none yet: name the file that has it in its first line, or make the \
             client with `client add` first",
        ));
    }
    Ok(row)
}

/// The row with this secret; one that takes the place of another leaves it good for a while.
fn with_secret(row: ClientRow, before: Option<&ClientRow>, secret: &Secret, now: i64) -> ClientRow {
    let former = before.and_then(|before| before.secret_hash.clone());
    let secret_hash = Some(secret.as_str().to_owned());
    match former {
        Some(former) if secret_hash.as_ref() != Some(&former) => ClientRow {
            secret_hash,
            former_secret_hash: Some(former),
            former_secret_until: Some(now.saturating_add(FORMER_SECRET)),
            ..row
        },
        _ => ClientRow { secret_hash, ..row },
    }
}

fn put(tx: &mut Unit<'_, '_>, row: &ClientRow, what: &str) -> Result<(), DbError> {
    let now = tx.now();
    tx.put_client(row, now)?;
    tx.audit(&record(what, &row.id))
}

fn record(what: &str, id: &str) -> AuditRecord {
    AuditRecord::general(Event::ClientChanged).detail(format!("{what}: {id}"))
}

/// Ends all sessions of a client; those of users have their records.
fn end_sessions(tx: &mut Unit<'_, '_>, id: &str) -> Result<usize, DbError> {
    let ended = tx.end_sessions_of_client(id, EndReason::Client)?;
    for (session, user) in tx.owners_of_ended(id, &ended)? {
        tx.audit(
            &AuditRecord::of(Event::SessionEnded, user)
                .session(session)
                .detail(EndReason::Client.as_str()),
        )?;
    }
    Ok(ended.len())
}

#[cfg(test)]
mod tests;
