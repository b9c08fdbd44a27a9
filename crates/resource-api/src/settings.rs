//! The settings of resource-api: flags and their environment variables.
//!
//! What clap cannot judge by one value alone is judged in [`RevocationSettings::following`]; past that no other
//! module doubts a value.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chassis::settings::{
    HttpSettings, LogSettings, Maybe, TokenSettings, parse_lifetime, path_or_none, text_or_none,
};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use reqwest::Url;
use shared::follow::{self, Stale};

use crate::error::StartError;

/// The shortest `REVOCATION_MAX_AGE`: answers are timed in whole seconds, and one must fit in.
const LEAST_MAX_AGE: Duration = Duration::from_secs(2);

/// Where endings come from, and what happens when nothing comes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Revocation")]
pub struct RevocationSettings {
    /// Address of auth-server, or of its feed behind some proxy; /internal/revocations is appended
    /// to an address without a path. For https this machine must trust its certificate (on Linux
    /// `SSL_CERT_FILE` names a list of your own). Without a feed, ended sessions stay usable until
    /// their token is over.
    #[arg(
        long,
        env = "REVOCATION_FEED_URL",
        default_value = "",
        hide_default_value = true,
        value_parser = text_or_none(),
        global = true
    )]
    pub revocation_feed_url: Maybe<String>,

    /// When the feed has been silent for `REVOCATION_MAX_AGE`: `open` goes on with what is known,
    /// `closed` answers 503.
    #[arg(
        long,
        env = "REVOCATION_STALE",
        default_value = "open",
        value_parser = stale(),
        global = true
    )]
    pub revocation_stale: Stale,

    /// A view of the feed older than this is stale (at least 2s).
    #[arg(
        long,
        env = "REVOCATION_MAX_AGE",
        default_value = "30s",
        value_parser = parse_lifetime,
        global = true
    )]
    pub revocation_max_age: Duration,

    /// File of sid:…, sub:… and jti:… lines that are refused, whatever the feed says; `#` opens a
    /// comment. It is read again when it changes. An unreadable line or a vanished file lifts
    /// nothing: empty the file for that.
    #[arg(
        long,
        env = "DENY_FILE",
        default_value = "",
        hide_default_value = true,
        value_parser = path_or_none(),
        global = true
    )]
    pub deny_file: Maybe<PathBuf>,
}

/// All settings of resource-api.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address and port to listen on.
    #[arg(
        long = "listen",
        env = "RESOURCE_LISTEN",
        value_name = "RESOURCE_LISTEN",
        default_value = "127.0.0.1:5001",
        global = true
    )]
    pub listen: SocketAddr,

    /// Issuer, audience, key ring, skew.
    #[command(flatten)]
    pub token: TokenSettings,

    /// Revocation.
    #[command(flatten)]
    pub revocation: RevocationSettings,

    /// CORS and TLS.
    #[command(flatten)]
    pub http: HttpSettings,

    /// Logs.
    #[command(flatten)]
    pub log: LogSettings,
}

/// Reads `REVOCATION_STALE`.
fn stale() -> impl TypedValueParser<Value = Stale> {
    let open = PossibleValue::new("open")
        .help("Go on with what is known; `/readyz` and the metrics say how old it is");
    let closed = PossibleValue::new("closed")
        .help("Answer 503 `revocation_view_stale` until the feed answers again");
    PossibleValuesParser::new([open, closed]).map(|word| match word.as_str() {
        "closed" => Stale::Closed,
        _ => Stale::Open,
    })
}

/// What the settings of revocation mean, once judged.
#[derive(Clone, Debug)]
pub struct Following {
    /// The address to ask.
    pub url: Url,
    /// What to do when it falls silent.
    pub stale: Stale,
    /// For how long it may be silent.
    pub max_age: Duration,
}

impl RevocationSettings {
    /// The feed to follow; `None` without one.
    ///
    /// # Errors
    /// Names the setting that cannot be.
    pub fn following(&self) -> Result<Option<Following>, StartError> {
        if self.revocation_max_age < LEAST_MAX_AGE {
            let fault = format!("is below {}s", LEAST_MAX_AGE.as_secs());
            return Err(StartError::setting("REVOCATION_MAX_AGE", fault));
        }
        let Some(text) = &self.revocation_feed_url else {
            if self.revocation_stale == Stale::Closed {
                return Err(StartError::setting(
                    "REVOCATION_STALE",
                    "is `closed`, but there is no feed: set REVOCATION_FEED_URL, or `open`",
                ));
            }
            return Ok(None);
        };
        let url = follow::address(text)
            .map_err(|fault| StartError::setting("REVOCATION_FEED_URL", fault))?;
        Ok(Some(Following {
            url,
            stale: self.revocation_stale,
            max_age: self.revocation_max_age,
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn following(flags: &[&str]) -> Result<Option<Following>, String> {
        let line = Line::try_parse_from([&["resource-api"], flags].concat());
        let line = line.map_err(|error| error.to_string())?;
        line.settings
            .revocation
            .following()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = Line::try_parse_from(["resource-api"]).unwrap().settings;
        assert_eq!(settings.listen.to_string(), "127.0.0.1:5001");
        assert_eq!(settings.revocation.revocation_stale, Stale::Open);
        assert_eq!(
            settings.revocation.revocation_max_age,
            Duration::from_secs(30)
        );
        assert!(settings.revocation.following().unwrap().is_none());
        assert_eq!(settings.revocation.deny_file, None);
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let flags = [
            "resource-api",
            "--revocation-feed-url",
            "",
            "--deny-file",
            "",
        ];
        let settings = Line::try_parse_from(flags).unwrap().settings;
        assert!(settings.revocation.following().unwrap().is_none());
        assert_eq!(settings.revocation.deny_file, None);
    }

    #[test]
    fn a_feed_is_followed_as_set() {
        let flags = [
            "--revocation-feed-url",
            "http://auth:5000",
            "--revocation-stale",
            "closed",
        ];
        let following = following(&flags).unwrap().unwrap();
        assert_eq!(
            following.url.as_str(),
            "http://auth:5000/internal/revocations"
        );
        assert_eq!(
            (following.stale, following.max_age),
            (Stale::Closed, Duration::from_secs(30))
        );
    }

    #[test]
    fn what_cannot_be_is_said_with_its_name() {
        let feed = ["--revocation-feed-url", "http://auth:5000"];
        for (flags, names) in [
            (
                vec!["--revocation-feed-url", "auth:5000"],
                vec!["REVOCATION_FEED_URL"],
            ),
            (
                vec!["--revocation-stale", "closed"],
                vec!["REVOCATION_STALE", "REVOCATION_FEED_URL"],
            ),
            (
                [&feed[..], &["--revocation-max-age", "0s"]].concat(),
                vec!["REVOCATION_MAX_AGE"],
            ),
            (
                vec!["--revocation-max-age", "1s"],
                vec!["REVOCATION_MAX_AGE"],
            ),
            (
                vec!["--revocation-stale", "ajar"],
                vec!["--revocation-stale"],
            ),
        ] {
            let said = following(&flags).unwrap_err();
            assert!(
                names.iter().all(|name| said.contains(name)),
                "{flags:?}: {said}"
            );
        }
    }
}
