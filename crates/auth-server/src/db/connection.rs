//! Connections to either database: how they are made, and what each waits for at most.

use std::borrow::Cow;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::r2d2::{Error, R2D2Connection};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError};

use crate::settings::DatabaseUrl;

/// Bounds that libpq keeps, unless the URL says otherwise: seconds for a connection to come about, and
/// milliseconds after which a peer that acknowledges nothing is given up.
const LIBPQ: [(&str, &str); 6] = [
    ("connect_timeout", "3"),
    ("tcp_user_timeout", "5000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("application_name", "keyturn"),
];

/// Bounds that the server keeps: well under the time a client waits for its answer. Set by statement, not
/// as a connection option, which poolers refuse.
const SERVER: &str = "SET statement_timeout = '5s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '10s'";

/// A connection to whichever database the setting names.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl AnyConnection {
    /// Connects, and reports the true cause when it cannot.
    pub(crate) fn open(url: &DatabaseUrl) -> Result<Self, Error> {
        let mut conn = Self::open_unbounded(url)?;
        if let Self::Postgres(conn) = &mut conn {
            conn.batch_execute(SERVER).map_err(Error::QueryError)?;
        }
        Ok(conn)
    }

    /// Connects for work that may take as long as it takes.
    pub(crate) fn open_unbounded(url: &DatabaseUrl) -> Result<Self, Error> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy())
                    .map_err(Error::ConnectionError)?;
                // FULL: an answered rotation survives a power cut; with the writer's groups it costs little.
                // secure_delete: what a deleted account said of itself does not stay in the file's free pages.
                conn.batch_execute(
                    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;",
                )
                .map_err(Error::QueryError)?;
                Ok(Self::Sqlite(conn))
            }
            DatabaseUrl::Postgres(url) => {
                let conn = PgConnection::establish(&url.connection_string(&LIBPQ));
                // Whatever libpq says, and wherever that is logged or shown: the password is not in it.
                let conn = conn.map_err(|error| {
                    let said = url.without_secrets(&error.to_string());
                    Error::ConnectionError(ConnectionError::BadConnection(said))
                })?;
                Ok(Self::Postgres(conn))
            }
        }
    }

    /// Whether it is no use any more, as far as can be told without asking the server.
    pub(crate) fn has_broken(&mut self) -> bool {
        R2D2Connection::is_broken(self)
    }

    /// Asks the server for an answer.
    pub(crate) fn answers(&mut self) -> diesel::QueryResult<()> {
        R2D2Connection::ping(self)
    }

    /// Begins a transaction that may write. SQLite takes the write lock now, since a read that becomes a
    /// write later fails at once when another writer was first.
    pub(crate) fn begin_write(&mut self) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    pub(crate) fn commit(&mut self) -> diesel::QueryResult<()> {
        <Self as Connection>::TransactionManager::commit_transaction(self)
    }

    pub(crate) fn rollback(&mut self) -> diesel::QueryResult<()> {
        <Self as Connection>::TransactionManager::rollback_transaction(self)
    }
}

/// Says what is wrong with a URL that no attempt to connect could cure.
pub(crate) fn refuse(url: &DatabaseUrl) -> Result<(), Cow<'static, str>> {
    let DatabaseUrl::Postgres(url) = url else {
        return Ok(());
    };
    match url.parameter("sslmode") {
        Some(mode @ ("require" | "verify-ca" | "verify-full"))
            if !cfg!(feature = "postgres-tls") =>
        {
            Err(format!(
                "sslmode={mode} needs TLS to PostgreSQL, which this build leaves out: \
             build auth-server with `--features postgres-tls`, or take the container image"
            )
            .into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_deleted_is_not_left_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyturn.db");
        let mut conn = AnyConnection::open(&DatabaseUrl::Sqlite(path.clone())).unwrap();
        let mail = "a-deleted-account@example.com";
        conn.batch_execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, email TEXT)")
            .unwrap();
        for id in 0..50 {
            conn.batch_execute(&format!("INSERT INTO accounts VALUES ({id}, '{id}{mail}')"))
                .unwrap();
        }
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        let kept = |path: &std::path::Path| {
            let bytes = std::fs::read(path).unwrap();
            bytes
                .windows(mail.len())
                .filter(|part| *part == mail.as_bytes())
                .count()
        };
        assert_eq!(kept(&path), 50);
        conn.batch_execute("DELETE FROM accounts; PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        assert_eq!(kept(&path), 0);
    }

    #[test]
    fn tls_that_this_build_does_not_have_is_refused_by_name() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://u@h/d?sslmode={mode}").parse().unwrap();
            let refused = refuse(&url);
            if cfg!(feature = "postgres-tls") {
                assert_eq!(refused, Ok(()));
            } else {
                let said = refused.unwrap_err();
                assert!(
                    said.contains(mode) && said.contains("postgres-tls"),
                    "{said}"
                );
            }
        }
        for url in [
            "postgres://h/d",
            "postgres://h/d?sslmode=prefer",
            "postgres://h/d?sslmode=disable",
        ] {
            assert_eq!(refuse(&url.parse().unwrap()), Ok(()), "{url}");
        }
    }
}
