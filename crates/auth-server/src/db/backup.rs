//! Backups of a live SQLite file.

use std::fs;
use std::io;
use std::path::Path;

use diesel::RunQueryDsl;
use diesel::sql_types::Text;

use super::connection::AnyConnection;
use super::{DbError, one_line};
use crate::settings::DatabaseUrl;

/// Writes what is committed now into a new file, beside a service that goes on.
///
/// # Errors
/// [`DbError::Unusable`] if it is not SQLite, there is nothing to back up, or the file is there already.
pub fn backup(url: &DatabaseUrl, file: &Path) -> Result<(), DbError> {
    let mut conn = existing(url)?;
    let AnyConnection::Sqlite(sqlite) = &mut conn else {
        return Err(DbError::Unusable(
            "only SQLite is backed up by this; use pg_dump for PostgreSQL".into(),
        ));
    };
    // Made first, so that it is never anyone else's to read; SQLite takes an empty file for a new one.
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options
        .open(file)
        .map_err(|e| DbError::Unusable(format!("{}: {e}", file.display())))?;
    let written = diesel::sql_query("VACUUM INTO $1")
        .bind::<Text, _>(file.to_string_lossy())
        .execute(sqlite);
    let done = written.map_err(DbError::from).and_then(|_| {
        let synced = made.sync_all().and_then(|()| sync_folder(file));
        synced.map_err(|e| DbError::Unavailable(format!("{}: {e}", file.display())))
    });
    if done.is_err() {
        // Half a backup is worse than none; that it cannot be removed changes nothing about that.
        let _ = fs::remove_file(file);
    }
    done
}

/// A connection to a database that must be there: SQLite would make an empty one.
pub(super) fn existing(url: &DatabaseUrl) -> Result<AnyConnection, DbError> {
    if let DatabaseUrl::Sqlite(path) = url
        && !path.exists()
    {
        return Err(DbError::Unusable(format!(
            "there is no file {}",
            path.display()
        )));
    }
    AnyConnection::open_unbounded(url).map_err(|e| {
        DbError::Unavailable(format!("cannot open {url:?}: {}", one_line(&e.to_string())))
    })
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
