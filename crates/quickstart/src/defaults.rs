//! What quickstart sets differently from the services' own defaults.
//!
//! The settings of both services are parsed exactly as the services do it, from the environment.
//! For a variable that is not set, quickstart's value is given as a flag in front; one that is set
//! wins, even when it is empty.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser};

/// The demo account, as `DEMO_USER` says it.
const DEMO_USER: &str = "demo@example.com:keyturn-demo";

/// A value that stands in for a variable that is not set.
#[derive(Clone, Debug)]
pub(crate) struct Preset {
    variable: &'static str,
    flag: &'static str,
    value: OsString,
}

impl Preset {
    /// A stand-in for `variable`, whose flag is `flag`.
    fn new(variable: &'static str, flag: &'static str, value: impl Into<OsString>) -> Self {
        Self {
            variable,
            flag,
            value: value.into(),
        }
    }
}

impl From<(&'static str, &'static str, &'static str)> for Preset {
    fn from((variable, flag, value): (&'static str, &'static str, &'static str)) -> Self {
        Self::new(variable, flag, value)
    }
}

/// Short lives, so that the turning of the tokens can be watched, and no skew that hides it.
pub(crate) fn of_auth_server(web_root: Option<PathBuf>, resource_url: &str) -> Vec<Preset> {
    let mut presets = vec![
        Preset::new("DEMO_USER", "--demo-user", DEMO_USER),
        Preset::new("REGISTRATION", "--registration", "open"),
        Preset::new("ACCESS_TOKEN_TTL", "--access-token-ttl", "1m"),
        Preset::new("REFRESH_GRACE", "--refresh-grace", "10s"),
        Preset::new("OAUTH", "--oauth", "on"),
        Preset::new("RESOURCE_PUBLIC_URL", "--resource-public-url", resource_url),
        // How many threads a server has is no news on the first day.
        Preset::new("RUST_LOG", "--log-filter", "info,actix_server=warn"),
        // No mail server is needed: mails become files, and the terminal and the page show the links.
        Preset::new("MAIL_URL", "--mail-url", "file:data/mail"),
        NO_SKEW.into(),
    ];
    presets.extend(web_root.map(|folder| Preset::new("WEB_ROOT", "--web-root", folder)));
    presets
}

/// The same skew as auth-server; where its feed is is known only once that listens.
pub(crate) fn of_resource_api() -> Vec<Preset> {
    vec![NO_SKEW.into()]
}

/// Both services must forgive the same.
const NO_SKEW: (&str, &str, &str) = ("JWT_CLOCK_SKEW", "--jwt-clock-skew", "0s");

/// Parses the settings of a service: the environment, then these defaults, then its own.
pub(crate) fn settings<S: Args>(
    presets: &[Preset],
    is_set: impl Fn(&str) -> bool,
) -> Result<S, clap::Error> {
    let flags = presets
        .iter()
        .filter(|preset| !is_set(preset.variable))
        .flat_map(|preset| [preset.flag.into(), preset.value.clone()]);
    let command = S::augment_args(Bare::command());
    let matches =
        command.try_get_matches_from(std::iter::once(OsString::from("quickstart")).chain(flags))?;
    S::from_arg_matches(&matches)
}

/// A command without arguments of its own, to hang a service's settings on.
#[derive(Parser)]
struct Bare {}

/// What tells the demo page's folder.
const PAGE: [&str; 2] = ["index.html", "token-client.js"];

/// The demo page: `web` of the working directory, or else of the source tree this was built from.
pub(crate) fn web_root(working_directory: &Path) -> Option<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    [working_directory.join("web"), built_from]
        .into_iter()
        // Other projects have a folder of that name, too.
        .find(|folder| PAGE.iter().all(|file| folder.join(file).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Args, Debug)]
    struct Sample {
        #[arg(long, default_value = "own")]
        registration: String,
        #[arg(long, default_value = "own")]
        jwt_clock_skew: String,
    }

    fn presets() -> Vec<Preset> {
        let mut presets = vec![Preset::new(
            "REGISTRATION",
            "--registration",
            "quickstart's",
        )];
        presets.push(NO_SKEW.into());
        presets
    }

    #[test]
    fn a_variable_that_is_not_set_gets_the_value_of_quickstart() {
        let sample: Sample = settings(&presets(), |_| false).unwrap();
        assert_eq!(sample.registration, "quickstart's");
        assert_eq!(sample.jwt_clock_skew, "0s");
    }

    #[test]
    fn a_variable_that_is_set_is_left_to_the_service() {
        let sample: Sample = settings(&presets(), |name| name == "REGISTRATION").unwrap();
        assert_eq!(
            sample.registration, "own",
            "the service reads the variable itself"
        );
        assert_eq!(sample.jwt_clock_skew, "0s");
    }

    #[test]
    fn both_services_know_the_flags_and_start_from_what_the_quickstart_promises() {
        let presets = of_auth_server(Some("web".into()), "http://127.0.0.1:5001");
        let auth: auth_server::Settings = settings(&presets, |_| false).unwrap();
        assert!(auth.listen.ip().is_loopback());
        assert_eq!(auth.lifetimes.access_token_ttl.as_secs(), 60);
        let resource: resource_api::Settings = settings(&of_resource_api(), |_| false).unwrap();
        assert!(resource.listen.ip().is_loopback());
        assert_eq!(resource.token.policy().skew, auth.token.policy().skew);
    }

    #[test]
    fn the_page_of_the_working_directory_comes_first() {
        let folder = std::env::temp_dir().join(format!("quickstart-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("web")).unwrap();
        std::fs::write(folder.join("web/index.html"), "").unwrap();
        assert_ne!(
            web_root(&folder),
            Some(folder.join("web")),
            "it may be another project's"
        );
        std::fs::write(folder.join("web/token-client.js"), "").unwrap();
        assert_eq!(web_root(&folder), Some(folder.join("web")));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
