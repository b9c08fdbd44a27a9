//! Flags and variables that both services share, and how settings are written.
//!
//! Each flag has its variable; `--help` is the reference. Every flag is global, so it may stand
//! before a subcommand or after it. The groups say `about = None`, or `clap` would take the text of
//! the last one for that of the program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{
    NonEmptyStringValueParser, OsStringValueParser, StringValueParser, TypedValueParser,
};

use crate::client_address::TrustedProxies;
use crate::connection_limits::ConnectionLimits;
pub use crate::log_lines::{LogFormat, LogSettings, init_log};
pub use crate::origins::CorsOrigins;
use shared::token::Policy;

/// The variable that names the key ring's file.
pub const JWT_KEYS_FILE: &str = "JWT_KEYS_FILE";

/// The most clock skew that can be set: ten minutes.
const MOST_SKEW: Duration = Duration::from_mins(10);

/// What access tokens say and which keys sign them; the same in every service of an installation.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tokens", about = None, long_about = None)]
pub struct TokenSettings {
    /// Issuer of the access tokens, the claim `iss`; a gate accepts exactly this one.
    #[arg(long, env = "JWT_ISSUER", default_value = "http://localhost:5000", global = true,
          value_parser = NonEmptyStringValueParser::new())]
    pub jwt_issuer: String,

    /// Audiences of the access tokens, the claim `aud`, separated by commas; a gate accepts a
    /// token that names one of them.
    #[arg(long, env = "JWT_AUDIENCE", default_value = "http://localhost:5001", global = true,
          value_delimiter = ',', value_parser = parse_audience)]
    pub jwt_audience: Vec<String>,

    /// File with the key ring that signs and verifies access tokens; not readable by others.
    #[arg(long, env = JWT_KEYS_FILE, default_value = "data/shared/jwt-keys.json", global = true)]
    pub jwt_keys_file: PathBuf,

    /// Clock difference between hosts that is forgiven when a token begins and ends; at most 10m.
    #[arg(long, env = "JWT_CLOCK_SKEW", default_value = "5m", global = true,
          value_parser = parse_skew)]
    pub jwt_clock_skew: Duration,
}

impl TokenSettings {
    /// What signer and validator go by.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            issuer: self.jwt_issuer.clone(),
            audiences: self.jwt_audience.clone(),
            // At most ten minutes, as parsed.
            skew: i64::try_from(self.jwt_clock_skew.as_secs()).unwrap_or_default(),
        }
    }
}

/// How a service speaks HTTP.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP", about = None, long_about = None)]
pub struct HttpSettings {
    /// Origins whose pages may call: `*` for every one, or a list separated by commas, each as a
    /// browser writes it (`https://app.example.com`).
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", default_value = "*", global = true)]
    pub cors_allowed_origins: CorsOrigins,

    /// PEM file with the certificate and its chain; with `TLS_KEY_FILE`, the service speaks HTTPS.
    #[arg(long, env = "TLS_CERT_FILE", global = true, default_value = "",
          hide_default_value = true, value_parser = path_or_none())]
    pub tls_cert_file: Maybe<PathBuf>,

    /// PEM file with the private key of `TLS_CERT_FILE`.
    #[arg(long, env = "TLS_KEY_FILE", global = true, default_value = "",
          hide_default_value = true, value_parser = path_or_none())]
    pub tls_key_file: Maybe<PathBuf>,

    /// Addresses or networks of the proxies whose X-Forwarded-For counts, separated by commas. Behind a
    /// proxy that is not named here all clients have one address.
    #[arg(
        long,
        env = "TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true,
        global = true
    )]
    pub trusted_proxies: TrustedProxies,

    /// How long each state of a connection may last; no flag.
    #[arg(skip)]
    pub connection_limits: ConnectionLimits,
}

/// A setting that may be missing, where an empty variable is as good as none: compose files and unit files
/// write those. `clap` knows an `Option` by its name, and would refuse the empty value.
pub type Maybe<T> = Option<T>;

/// Reads a path that may be missing; with `default_value = ""`.
#[must_use]
pub fn path_or_none() -> impl TypedValueParser<Value = Maybe<PathBuf>> {
    OsStringValueParser::new()
        .map(|path| Some(PathBuf::from(path)).filter(|it| it != Path::new("")))
}

/// Reads a text that may be missing, without the blanks around it; with `default_value = ""`.
#[must_use]
pub fn text_or_none() -> impl TypedValueParser<Value = Maybe<String>> {
    StringValueParser::new().map(|text| Some(text.trim().to_owned()).filter(|it| !it.is_empty()))
}

fn parse_audience(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("an audience is empty; is there a comma too many?".to_owned()),
        audience => Ok(audience.to_owned()),
    }
}

fn parse_skew(text: &str) -> Result<Duration, String> {
    let skew = parse_lifetime(text)?;
    if skew > MOST_SKEW {
        return Err("JWT_CLOCK_SKEW is at most 10m: it keeps every token alive longer".to_owned());
    }
    Ok(skew)
}

/// Reads a length of time: a whole number and its unit, `s`, `m`, `h` or `d`, as in `90s`, `5m`,
/// `1h`, `14d`.
///
/// # Errors
/// If the text is anything else, or more than a hundred years.
pub fn parse_lifetime(text: &str) -> Result<Duration, String> {
    const LONGEST: u64 = 36_500 * 86_400;
    let fault = || format!("{text:?} is no length of time; write it like 90s, 5m, 1h or 14d");
    let text_ = text.trim();
    let unit = text_.chars().last().ok_or_else(fault)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(fault()),
    };
    let digits = text_.strip_suffix(unit).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault());
    }
    let number: u64 = digits.parse().map_err(|_| fault())?;
    match number.checked_mul(seconds) {
        Some(length) if length <= LONGEST => Ok(Duration::from_secs(length)),
        _ => Err(format!("{text:?} is more than a hundred years")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Flags {
        #[command(flatten)]
        tokens: TokenSettings,
        #[command(flatten)]
        http: HttpSettings,
        #[command(flatten)]
        log: LogSettings,
    }

    fn parse(flags: &[&str]) -> Result<Flags, String> {
        let all = std::iter::once(&"test").chain(flags);
        Flags::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let flags = parse(&[]).unwrap();
        let policy = flags.tokens.policy();
        assert_eq!(policy.issuer, "http://localhost:5000");
        assert_eq!(policy.audiences, ["http://localhost:5001"]);
        assert_eq!(policy.skew, 300);
        assert_eq!(
            flags.tokens.jwt_keys_file,
            PathBuf::from("data/shared/jwt-keys.json")
        );
        assert_eq!(flags.http.cors_allowed_origins, CorsOrigins::Any);
        assert_eq!(flags.log.log_format, LogFormat::Text);
    }

    #[test]
    fn a_group_of_flags_does_not_speak_for_the_program() {
        use clap::CommandFactory;
        assert!(Flags::command().get_about().is_none());
        assert!(Flags::command().get_long_about().is_none());
    }

    #[test]
    fn audiences_are_a_list() {
        let flags = parse(&["--jwt-audience", "a, b"]).unwrap();
        assert_eq!(flags.tokens.policy().audiences, ["a", "b"]);
        assert!(parse(&["--jwt-audience", "a,,b"]).is_err());
        assert!(parse(&["--jwt-audience", ""]).is_err());
        assert!(parse(&["--jwt-issuer", ""]).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_name() {
        let error = parse(&["--jwt-clock-skew", "11m"]).unwrap_err();
        assert!(error.contains("JWT_CLOCK_SKEW is at most 10m"), "{error}");
        assert!(parse(&["--jwt-clock-skew", "10m"]).is_ok());
    }

    #[test]
    fn an_empty_path_is_as_good_as_none() {
        let http = parse(&["--tls-cert-file", "", "--tls-key-file", "k"])
            .unwrap()
            .http;
        assert_eq!(http.tls_cert_file, None);
        assert_eq!(http.tls_key_file, Some("k".into()));
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        let seconds = |text| parse_lifetime(text).map(|length| length.as_secs());
        assert_eq!(seconds("0s"), Ok(0));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("1h"), Ok(3_600));
        assert_eq!(seconds("14d"), Ok(1_209_600));
        for bad in [
            "",
            "5",
            "m",
            "-5m",
            "+5m",
            "5 m",
            "1.5h",
            "5ms",
            "5M",
            "٣m",
            "99999999999999999999d",
            "40000d",
        ] {
            assert!(parse_lifetime(bad).is_err(), "{bad}");
        }
    }
}
