//! Values of settings that have a form of their own, and a `Debug` that keeps secrets.

use std::path::PathBuf;

/// Where the database is. Its `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A PostgreSQL server, as the URL that libpq takes.
    Postgres(String),
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://[redacted]"),
        }
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains('?') {
                return Err("sqlite:// wants the path of a file and nothing behind it".into());
            }
            return Ok(Self::Sqlite(path.into()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.into()));
        }
        Err("the schemes known here are sqlite://FILE and postgres://USER@HOST/DATABASE".into())
    }
}

/// `DEMO_USER`: an account that is made at start if missing.
#[derive(Clone)]
pub struct DemoUser {
    /// E-mail to log in with.
    pub email: String,
    /// Password, shown to everyone who opens the demo page.
    pub password: String,
}

impl DemoUser {
    /// Reads the setting; empty is none.
    pub(super) fn or_none(text: &str) -> Result<Option<Self>, String> {
        Some(text)
            .filter(|text| !text.is_empty())
            .map(str::parse)
            .transpose()
    }
}

impl std::fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DemoUser({})", self.email)
    }
}

impl std::str::FromStr for DemoUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((email, password)) if !email.is_empty() && !password.is_empty() => Ok(Self {
                email: email.into(),
                password: password.into(),
            }),
            _ => Err("wants email:password".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_urls_are_parsed_and_never_shown_with_a_password() {
        let url: DatabaseUrl = "postgres://u:hunter2@db/keyturn".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
        assert_eq!(
            "sqlite://a/b.db".parse(),
            Ok(DatabaseUrl::Sqlite("a/b.db".into()))
        );
        for bad in [
            "mysql://x",
            "sqlite://",
            "sqlite://x?mode=ro",
            "keyturn.db",
            "",
        ] {
            assert!(
                bad.parse::<DatabaseUrl>()
                    .unwrap_err()
                    .contains("sqlite://"),
                "{bad}"
            );
        }
    }
}
