//! Brings the tables up to date: one embedded tree for both databases.

use std::path::Path;
use std::{fs, io};

use diesel::r2d2::ManageConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{AnyConnection, Manager};
use super::DbError;
use crate::settings::DatabaseUrl;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Any number, as long as nobody else in the same database uses it: "keyturn" in ASCII.
const LOCK: i64 = 0x006b_6579_7475_726e;

/// Runs what is pending. Several processes may start at once: one of them migrates, the others wait.
pub(super) fn run(url: &DatabaseUrl) -> Result<(), DbError> {
    if let DatabaseUrl::Sqlite(path) = url {
        make_file(path)?;
    }
    let mut conn = Manager { url: url.clone() }
        .connect()
        .map_err(|e| DbError::Unavailable(format!("cannot open {url:?}: {e}")))?;
    let done = match &mut conn {
        // The session's lock goes with the connection, whatever happens.
        AnyConnection::Postgres(c) => diesel::RunQueryDsl::execute(
            diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<diesel::sql_types::BigInt, _>(LOCK),
            c,
        )
        .map_err(|e| e.to_string())
        .and_then(|_| pending(c)),
        AnyConnection::Sqlite(c) => {
            // An exclusive transaction around it all; migrations then nest as savepoints.
            c.immediate_transaction(|c| pending(c).map_err(Failure::Migration)).map_err(|e| e.to_string())
        }
    };
    done.map_err(|e| DbError::Unavailable(format!("cannot bring the tables of {url:?} up to date: {e}")))
}

/// Makes the file before SQLite does, so that nobody else on the machine may read it; the files that
/// SQLite puts beside it take over its rights.
fn make_file(path: &Path) -> Result<(), DbError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .map_err(|e| DbError::Unavailable(format!("cannot make the folder {}: {e}", folder.display())))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(DbError::Unavailable(format!("cannot make {}: {e}", path.display()))),
    }
}

fn pending<DB: diesel::backend::Backend>(conn: &mut impl MigrationHarness<DB>) -> Result<(), String> {
    conn.run_pending_migrations(MIGRATIONS).map(|_| ()).map_err(|e| e.to_string())
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Migration(String),
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
}
