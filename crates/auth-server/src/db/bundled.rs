//! The libraries in C and assembly that are built into the program: nobody updates them but a new build,
//! so an operator must be able to see which they are.

use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use super::DbError;

/// Their names and versions.
///
/// # Errors
/// If SQLite cannot even say its own.
pub fn bundled() -> Result<Vec<(&'static str, String)>, DbError> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let mut conn =
        SqliteConnection::establish(":memory:").map_err(|e| DbError::Unavailable(e.to_string()))?;
    let sqlite: Version = sql_query("SELECT sqlite_version() AS version").get_result(&mut conn)?;
    let mut found = vec![
        ("SQLite", sqlite.version),
        ("libpq", env!("BUNDLED_LIBPQ").to_owned()),
        ("ring", env!("BUNDLED_RING").to_owned()),
    ];
    if cfg!(feature = "postgres-tls") {
        found.push(("OpenSSL", env!("BUNDLED_OPENSSL").to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_library_has_a_version_of_its_own() {
        for (name, version) in super::bundled().unwrap() {
            let numbers = version
                .split('.')
                .filter(|part| part.parse::<u32>().is_ok());
            assert!(numbers.count() >= 2, "{name} {version}");
        }
    }
}
