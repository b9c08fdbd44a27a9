//! Brings the tables up to date: one embedded tree for both databases.

use std::path::Path;
use std::{fs, io};

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use shared::key_file::make_folder_of;

use super::connection::AnyConnection;
use super::{DbError, Tx, one_line};
use crate::settings::DatabaseUrl;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Any number, as long as nobody else in the same database uses it: "keyturn" in ASCII.
const LOCK: i64 = 0x006b_6579_7475_726e;

/// Runs what is pending. Several processes may start at once: one of them migrates, the others wait.
pub(super) fn run(url: &DatabaseUrl) -> Result<(), DbError> {
    if let DatabaseUrl::Sqlite(path) = url {
        make_file(path)?;
    }
    let mut conn = AnyConnection::open_unbounded(url).map_err(|e| {
        DbError::Unavailable(format!("cannot open {url:?}: {}", one_line(&e.to_string())))
    })?;
    // One transaction around it all, with a lock that ends with it; migrations then nest as savepoints.
    let done = match &mut conn {
        AnyConnection::Postgres(c) => c.transaction(|c| {
            if text(
                c,
                "SELECT current_setting('transaction_read_only') AS value",
            )? == "on"
            {
                return Err(Failure::ReadOnly);
            }
            let encoding = text(c, "SELECT current_setting('server_encoding') AS value")?;
            if encoding != "UTF8" {
                return Err(Failure::Encoding(encoding));
            }
            text(
                c,
                &format!("SELECT CAST(pg_advisory_xact_lock({LOCK}) AS TEXT) AS value"),
            )?;
            pending(c)?;
            leave_room(c)
        }),
        AnyConnection::Sqlite(c) => c.immediate_transaction(pending),
    };
    done.map_err(|error| match error {
        Failure::Migration(why) => DbError::Unusable(format!(
            "cannot bring the tables of {url:?} up to date: {why}"
        )),
        Failure::Encoding(encoding) => DbError::Unusable(format!(
            "the database of {url:?} has the encoding {encoding}, in which the most names cannot be stored: make \
             one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and move what is in this one there by \
             pg_dump and psql"
        )),
        Failure::ReadOnly => DbError::ReadOnly(format!("{url:?} takes no writes")),
        Failure::Query(error) => DbError::from(error),
    })?;
    let left = Tx(&mut conn).respell_email_keys()?;
    if left > 0 {
        log::warn!(
            "{left} accounts have the e-mail of another one, but for how its letters are composed: \
             they are found only as they were registered"
        );
    }
    Ok(())
}

/// Leaves room in the pages of `sessions`: where the new row of a rotation finds a place beside the old one, no index has
/// to learn of it. Of a table whose pages are full, the indexes learn of nine rotations in ten. An operator who has
/// chosen otherwise, or whose service does not own the table, is left alone.
fn leave_room(conn: &mut PgConnection) -> Result<(), Failure> {
    let open = text(
        conn,
        "SELECT CAST(pg_has_role(relowner, 'USAGE') \
           AND COALESCE(array_to_string(reloptions, ','), '') NOT LIKE '%fillfactor%' AS TEXT) AS value \
         FROM pg_class WHERE oid = CAST('sessions' AS REGCLASS)",
    )?;
    if open == "true" {
        conn.batch_execute("ALTER TABLE sessions SET (fillfactor = 90)")?;
    }
    Ok(())
}

fn text(conn: &mut PgConnection, query: &str) -> Result<String, diesel::result::Error> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        value: String,
    }
    let row: Row = diesel::RunQueryDsl::get_result(diesel::sql_query(query), conn)?;
    Ok(row.value)
}

/// Makes the file before SQLite does, so that nobody else on the machine may read it; the files that
/// SQLite puts beside it take over its rights.
fn make_file(path: &Path) -> Result<(), DbError> {
    make_folder_of(path).map_err(|e| {
        let folder = path.parent().unwrap_or(path);
        DbError::Unavailable(format!("cannot make the folder {}: {e}", folder.display()))
    })?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(DbError::Unavailable(format!(
            "cannot make {}: {e}",
            path.display()
        ))),
    }
}

fn pending<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
) -> Result<(), Failure> {
    let ran = conn.run_pending_migrations(MIGRATIONS);
    ran.map(|_| ())
        .map_err(|e| Failure::Migration(one_line(&e.to_string())))
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Migration(String),
    #[error("read-only")]
    ReadOnly,
    #[error("encoding {0}")]
    Encoding(String),
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
}
