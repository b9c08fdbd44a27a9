//! Values of settings that have a form of their own, and a `Debug` that keeps secrets.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::postgres_url::PostgresUrl;

/// Reads a value that holds a secret: what is wrong with it is said without quoting it, as `clap` would.
#[derive(Clone)]
pub struct Unquoted<T>(pub(super) fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unquoted<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let parsed = value.to_str().ok_or_else(|| "no UTF-8 text".to_owned());
        parsed.and_then(self.0).map_err(|why| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            let text = format!("invalid value for '{name}': {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

/// Where the database is. Its `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
}

impl ValueParserFactory for DatabaseUrl {
    type Parser = Unquoted<Self>;

    fn value_parser() -> Self::Parser {
        Unquoted(str::parse)
    }
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
        // A line's end, as files and secret stores add one.
        let url = url.trim_ascii();
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains('?') {
                return Err("sqlite:// wants the path of a file and nothing behind it".into());
            }
            return Ok(Self::Sqlite(path.into()));
        }
        let postgres = ["postgres://", "postgresql://"];
        if let Some(rest) = postgres.iter().find_map(|scheme| url.strip_prefix(scheme)) {
            return PostgresUrl::parse(rest).map(Self::Postgres);
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
    fn a_secret_that_cannot_be_read_is_not_quoted() {
        #[derive(clap::Parser)]
        struct Line {
            #[arg(long)]
            database_url: DatabaseUrl,
            #[arg(long, default_value = "", value_parser = Unquoted(DemoUser::or_none))]
            demo_user: chassis::settings::Maybe<DemoUser>,
        }
        use clap::Parser;
        for (flag, value) in [
            (
                "--database-url",
                "postgres://kt:Hunter2%zzssw0rd@127.0.0.1:1/kt",
            ),
            ("--database-url", "postgres://kt:Hunter2/ssw0rd@h/kt"),
            ("--database-url", "mysql://kt:Hunter2ssw0rd@h/kt"),
            ("--database-url", "Hunter2ssw0rd"),
            ("--demo-user", ":Hunter2ssw0rd"),
        ] {
            let line = Line::try_parse_from([
                "x",
                &format!("{flag}={value}"),
                "--database-url=sqlite://x",
            ]);
            let said = line
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(said.contains(flag), "{said}");
            assert!(
                !said.contains("Hunter2") && !said.contains("ssw0rd"),
                "{said}"
            );
        }
        let line = Line::try_parse_from(["x", "--database-url=sqlite://a.db\n"])
            .ok()
            .unwrap();
        assert_eq!(line.database_url, DatabaseUrl::Sqlite("a.db".into()));
        assert!(line.demo_user.is_none());
    }

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
