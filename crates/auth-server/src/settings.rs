//! The settings of auth-server: flags and their environment variables, and the rules between them.
//!
//! Everything is parsed here once; past [`LifetimeSettings::check`] no other module doubts a value.

mod mail;
mod passwords;
mod postgres_url;
mod sign_on;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
pub use mail::MailSettings;
pub use passwords::{PasswordPolicy, PasswordSettings};
pub use postgres_url::PostgresUrl;
pub use sign_on::SignOnSettings;
pub use values::{DatabaseUrl, DemoUser, Unquoted};

use chassis::settings::{
    HttpSettings, LogSettings, Maybe, TokenSettings, parse_lifetime, path_or_none, text_or_none,
};

/// The longest access token lifetime. A retiring key, the feed and the rows of sessions outlast it.
const LONGEST_ACCESS_TOKEN: Duration = Duration::from_hours(2);
const LONGEST_GRACE: Duration = Duration::from_mins(5);

/// May strangers make accounts?
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Anyone may register.
    Open,
    /// Anyone may register, and log in once a link that was mailed has proven the address.
    Verified,
    /// Whoever has an invitation may register.
    Invited,
    /// Accounts are made with `auth-server user add`, or for who is invited, alone.
    Closed,
}

impl Registration {
    /// Whether who has proven no address stays outside.
    #[must_use]
    pub fn wants_proof(self) -> bool {
        self == Self::Verified
    }
}

/// What a reused refresh token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReusePolicy {
    /// The session whose token came back.
    EndSession,
    /// The session, and the account is blocked until `auth-server user unblock`.
    BlockUser,
}

/// Where accounts and sessions are kept, and the two key files.
#[derive(Args, Clone, Debug)]
pub struct StoreSettings {
    /// Database: `sqlite://FILE`, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://data/keyturn.db",
        hide_env_values = true,
        global = true
    )]
    pub database_url: DatabaseUrl,

    /// File of the keys that authenticate refresh tokens; auth-server alone may read it.
    #[arg(
        long,
        env = "REFRESH_KEYS_FILE",
        default_value = "data/refresh-keys.json",
        global = true
    )]
    pub refresh_keys_file: PathBuf,
}

/// How long things live.
#[derive(Args, Clone, Debug)]
pub struct LifetimeSettings {
    /// Lifetime of an access token (30s, 5m, 1h; at most 2h).
    #[arg(long, env = "ACCESS_TOKEN_TTL", default_value = "5m", value_parser = parse_lifetime, global = true)]
    pub access_token_ttl: Duration,

    /// A session that is not refreshed for this long is over.
    #[arg(long, env = "REFRESH_IDLE_TTL", default_value = "14d", value_parser = parse_lifetime, global = true)]
    pub refresh_idle_ttl: Duration,

    /// A session is over this long after its log-in, however busy it is.
    #[arg(long, env = "REFRESH_ABSOLUTE_TTL", default_value = "30d", value_parser = parse_lifetime, global = true)]
    pub refresh_absolute_ttl: Duration,

    /// A refresh token that was just exchanged is answered with the same successor for this long (at most 5m).
    #[arg(long, env = "REFRESH_GRACE", default_value = "30s", value_parser = parse_lifetime, global = true)]
    pub refresh_grace: Duration,

    /// Generations in a row that may be handed out again after the grace time: a lost answer is no theft.
    #[arg(long, env = "REFRESH_LATE_RETRIES", default_value_t = 3, global = true)]
    pub refresh_late_retries: u32,

    /// What the return of a used-up refresh token ends. `block-user` also blocks the account: whoever
    /// once copied any refresh token of a user can then lock that user out, at a time of his choosing.
    #[arg(
        long,
        env = "REFRESH_REUSE",
        default_value = "end-session",
        global = true
    )]
    pub refresh_reuse: ReusePolicy,

    /// Live sessions an account may have; at one more, the least recently used ends.
    #[arg(long, env = "MAX_SESSIONS_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), global = true)]
    pub max_sessions_per_user: u32,

    /// A browser that is signed in on the log-in page is signed out when no program asked for this long.
    #[arg(long, env = "SSO_IDLE_TTL", default_value = "24h", value_parser = parse_lifetime, global = true)]
    pub sso_idle_ttl: Duration,

    /// It is signed out this long after its log-in, however much it is used.
    #[arg(long, env = "SSO_ABSOLUTE_TTL", default_value = "30d", value_parser = parse_lifetime, global = true)]
    pub sso_absolute_ttl: Duration,

    /// Audit records are deleted after this long.
    #[arg(long, env = "AUDIT_RETENTION", default_value = "90d", value_parser = parse_lifetime, global = true)]
    pub audit_retention: Duration,
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Limits against guessing.
#[derive(Args, Clone, Debug)]
pub struct LimitSettings {
    /// Delays after failed log-ins, and buckets of attempts per address and account; `off` for load tests only.
    #[arg(long, env = "LOGIN_LIMITS", default_value = "on", global = true)]
    pub login_limits: Switch,
}

/// The demo page.
#[derive(Args, Clone, Debug)]
pub struct PageSettings {
    /// Folder of the demo page; without it `/` is 404.
    #[arg(long, env = "WEB_ROOT", global = true, default_value = "", hide_default_value = true, value_parser = path_or_none())]
    pub web_root: Maybe<PathBuf>,

    /// Address of resource-api as browsers see it; by default the first audience.
    #[arg(long, env = "RESOURCE_PUBLIC_URL", global = true, default_value = "", hide_default_value = true, value_parser = text_or_none())]
    pub resource_public_url: Maybe<String>,

    /// email:password of an account that is made at start if missing and shown on the demo page.
    #[arg(
        long,
        env = "DEMO_USER",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true,
        value_parser = Unquoted(DemoUser::or_none),
        global = true
    )]
    pub demo_user: Maybe<DemoUser>,
}

/// All settings of auth-server.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address and port to listen on.
    #[arg(
        long = "listen",
        env = "AUTH_LISTEN",
        value_name = "AUTH_LISTEN",
        default_value = "127.0.0.1:5000",
        global = true
    )]
    pub listen: SocketAddr,

    /// May strangers register?
    #[arg(long, env = "REGISTRATION", default_value = "closed", global = true)]
    pub registration: Registration,

    /// What a new password must be.
    #[command(flatten)]
    pub passwords: PasswordSettings,

    /// Mail.
    #[command(flatten)]
    pub mail: MailSettings,

    /// Database and key files.
    #[command(flatten)]
    pub store: StoreSettings,

    /// Lifetimes and limits.
    #[command(flatten)]
    pub lifetimes: LifetimeSettings,

    /// Limits against guessing.
    #[command(flatten)]
    pub limits: LimitSettings,

    /// Sign-on for other programs.
    #[command(flatten)]
    pub sign_on: SignOnSettings,

    /// Issuer, audience, key ring, skew.
    #[command(flatten)]
    pub token: TokenSettings,

    /// CORS and TLS.
    #[command(flatten)]
    pub http: HttpSettings,

    /// Demo page.
    #[command(flatten)]
    pub page: PageSettings,

    /// Logs.
    #[command(flatten)]
    pub log: LogSettings,
}

impl Settings {
    /// Checks what the settings say of each other.
    ///
    /// # Errors
    /// A sentence with the names of the settings that cannot both hold.
    pub fn check(&self) -> Result<(), Contradiction> {
        self.lifetimes.check()?;
        self.sign_on.check(&self.token.policy().issuer)?;
        self.mail.check(self.registration)
    }
}

/// Two settings that contradict each other, or one that is out of its bounds.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(String);

impl LifetimeSettings {
    /// Checks what the parts of the settings say of each other.
    ///
    /// # Errors
    /// A sentence with the names of the settings that cannot both hold.
    pub fn check(&self) -> Result<(), Contradiction> {
        for (name, lifetime) in [
            ("ACCESS_TOKEN_TTL", self.access_token_ttl),
            ("REFRESH_IDLE_TTL", self.refresh_idle_ttl),
            ("REFRESH_ABSOLUTE_TTL", self.refresh_absolute_ttl),
            ("SSO_IDLE_TTL", self.sso_idle_ttl),
            ("SSO_ABSOLUTE_TTL", self.sso_absolute_ttl),
            ("AUDIT_RETENTION", self.audit_retention),
        ] {
            refuse(lifetime.is_zero(), || {
                format!("{name} is zero: nothing could live")
            })?;
        }
        refuse(self.access_token_ttl > LONGEST_ACCESS_TOKEN, || {
            "ACCESS_TOKEN_TTL is above 2h: keys and the revocation feed outlast no longer token"
                .into()
        })?;
        refuse(self.access_token_ttl >= self.refresh_idle_ttl, || {
            "ACCESS_TOKEN_TTL is not below REFRESH_IDLE_TTL: sessions would be over before a refresh".into()
        })?;
        refuse(self.refresh_idle_ttl > self.refresh_absolute_ttl, || {
            "REFRESH_IDLE_TTL is above REFRESH_ABSOLUTE_TTL".into()
        })?;
        refuse(self.sso_idle_ttl > self.sso_absolute_ttl, || {
            "SSO_IDLE_TTL is above SSO_ABSOLUTE_TTL".into()
        })?;
        refuse(self.refresh_grace > LONGEST_GRACE, || {
            "REFRESH_GRACE is above 5m".into()
        })
    }

    /// Seconds for which the feed names an ended session: until no access token of it can be alive
    /// anywhere. As long for short ones, so that no change of `ACCESS_TOKEN_TTL` opens a gap: a token that was made
    /// before it outlives the new setting.
    #[must_use]
    pub fn revocation_in_force(&self, skew: i64) -> i64 {
        shared::clock::seconds(self.access_token_ttl.max(LONGEST_ACCESS_TOKEN))
            .saturating_add(skew)
            .saturating_add(60)
    }
}

fn refuse(wrong: bool, sentence: impl FnOnce() -> String) -> Result<(), Contradiction> {
    if wrong {
        Err(Contradiction(sentence()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn lifetimes(args: &[&str]) -> Result<(), String> {
        let line =
            Line::try_parse_from([&["auth-server"], args].concat()).map_err(|e| e.to_string())?;
        line.settings.lifetimes.check().map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_agree_with_each_other() {
        lifetimes(&[]).unwrap();
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let args = ["", "--demo-user", "", "--web-root", ""];
        let page = Line::try_parse_from(args).ok().unwrap().settings.page;
        assert!(page.demo_user.is_none() && page.web_root.is_none());
    }

    #[test]
    fn contradictions_name_both_settings() {
        for (args, names) in [
            (
                vec!["--refresh-idle-ttl", "31d"],
                vec!["REFRESH_IDLE_TTL", "REFRESH_ABSOLUTE_TTL"],
            ),
            (
                vec!["--access-token-ttl", "30m", "--refresh-idle-ttl", "30m"],
                vec!["ACCESS_TOKEN_TTL", "REFRESH_IDLE_TTL"],
            ),
            (vec!["--access-token-ttl", "121m"], vec!["ACCESS_TOKEN_TTL"]),
            (vec!["--access-token-ttl", "0s"], vec!["ACCESS_TOKEN_TTL"]),
            (vec!["--refresh-grace", "6m"], vec!["REFRESH_GRACE"]),
        ] {
            let said = lifetimes(&args).unwrap_err();
            assert!(names.iter().all(|n| said.contains(n)), "{args:?}: {said}");
        }
    }

    #[test]
    fn an_access_token_of_two_hours_is_outlasted_by_its_key_the_feed_and_its_session_s_row() {
        let lifetimes = |ttl: &str| {
            let flags = ["test", "--access-token-ttl", ttl];
            Line::try_parse_from(flags).unwrap().settings.lifetimes
        };
        assert!(lifetimes("2h").check().is_ok());
        let error = lifetimes("7201s").check().unwrap_err().to_string();
        assert!(error.contains("ACCESS_TOKEN_TTL is above 2h"), "{error}");
        // The largest skew.
        let (token, skew) = (2 * 3600, 600);
        let in_force = lifetimes("2h").revocation_in_force(skew);
        assert_eq!(in_force, token + skew + 60);
        // A token of two hours outlives the setting under which it was made.
        assert_eq!(lifetimes("5m").revocation_in_force(skew), in_force);
        assert!(shared::keys::RETIRING_SECONDS > token + skew);
        assert!(crate::sessions::KEEP_SESSION > in_force + 60);
    }
}
