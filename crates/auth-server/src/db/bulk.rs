//! Work of an operator that takes as long as it takes: on a connection of its own, without a request's patience.

use super::backup::existing;
use super::{Caller, DbError, Tx, Unit, in_transaction};
use crate::settings::DatabaseUrl;

/// Runs a unit that writes, in a transaction, however long it takes. On SQLite every other write waits for it.
///
/// # Errors
/// See [`DbError`]; nothing of the unit is in the database then.
pub fn write_in_bulk<T>(
    url: &DatabaseUrl,
    caller: &Caller,
    mut unit: impl FnMut(&mut Unit<'_, '_>) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let mut conn = existing(url)?;
    in_transaction(&mut conn, &mut |tx: &mut Tx<'_>| {
        unit(&mut Unit { tx, caller })
    })
}

/// Runs a unit that only reads, however long it takes.
///
/// # Errors
/// See [`DbError`].
pub fn read_in_bulk<T>(
    url: &DatabaseUrl,
    unit: impl FnOnce(&mut Tx<'_>) -> Result<T, DbError>,
) -> Result<T, DbError> {
    unit(&mut Tx(&mut existing(url)?))
}
