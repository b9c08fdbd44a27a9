//! Waits for a database that is not there yet, and brings its tables up to date.

use std::thread;
use std::time::{Duration, Instant};

use super::{DbError, connection, migrate};
use crate::settings::DatabaseUrl;

const TRY_EVERY: Duration = Duration::from_secs(1);
const SAY_EVERY: Duration = Duration::from_secs(5);

/// What libpq and servers say when waiting is no cure. A server of another language is waited for in vain,
/// and then says the same.
const HOPELESS: [&str; 7] = [
    "authentication failed for user",
    "does not exist",
    "no pg_hba.conf entry",
    "SSL support is not compiled in",
    "does not support SSL",
    "certificate verify failed",
    "does not match host name",
];

/// Returns once the tables are as this program needs them.
pub(super) fn ready(url: &DatabaseUrl, patience: Duration) -> Result<(), DbError> {
    connection::refuse(url).map_err(|why| DbError::Unusable(why.into_owned()))?;
    let began = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        let error = match migrate::run(url) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if began.elapsed() >= patience || !may_pass(url, &error) {
            return Err(error);
        }
        if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            let left = patience.saturating_sub(began.elapsed()).as_secs();
            log::warn!("waiting for the database, {left} s more: {error}");
            said = Some(Instant::now());
        }
        thread::sleep(TRY_EVERY);
    }
}

/// A file is there or not; a server may be on its way up.
fn may_pass(url: &DatabaseUrl, error: &DbError) -> bool {
    let server = matches!(url, DatabaseUrl::Postgres(_));
    let why = error.to_string();
    server
        && !matches!(error, DbError::Unusable(_))
        && !HOPELESS.iter().any(|word| why.contains(word))
}
