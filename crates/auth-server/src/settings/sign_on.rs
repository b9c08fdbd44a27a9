//! The settings of sign-on.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use super::{Contradiction, Switch, refuse};
use chassis::settings::{Maybe, path_or_none, text_or_none};

/// Whether other programs sign their users in here, and how the pages look on which that happens.
#[derive(Args, Clone, Debug)]
pub struct SignOnSettings {
    /// Sign-on for other programs: OAuth 2.1 and OIDC, with the log-in page.
    #[arg(long, env = "OAUTH", default_value = "off", global = true)]
    pub oauth: Switch,

    /// File of the keys that sign `id_token`s; auth-server alone may read it.
    #[arg(
        long,
        env = "ID_KEYS_FILE",
        default_value = "data/id-keys.json",
        global = true
    )]
    pub id_keys_file: PathBuf,

    /// What the log-in page calls the service; by default the issuer's host.
    #[arg(long, env = "PAGE_TITLE", global = true, default_value = "", hide_default_value = true, value_parser = text_or_none())]
    pub page_title: Maybe<String>,

    /// A style sheet that follows the built-in one on every page of ours.
    #[arg(long, env = "PAGE_STYLE", global = true, default_value = "", hide_default_value = true, value_parser = path_or_none())]
    pub page_style: Maybe<PathBuf>,
}

impl SignOnSettings {
    /// Checks what sign-on asks of the issuer (OIDC Discovery §3, RFC 8414 §2).
    ///
    /// # Errors
    /// A sentence that says what the issuer must be.
    pub fn check(&self, issuer: &str) -> Result<(), Contradiction> {
        if self.oauth == Switch::Off {
            return Ok(());
        }
        let url = Url::parse(issuer).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let own = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        let safe = issuer.starts_with("https://") || own && issuer.starts_with("http://");
        refuse(!safe, || {
            format!(
                "OAUTH is on, so JWT_ISSUER must be https, or http on this very machine, and is {issuer:?}"
            )
        })?;
        // As browsers name the origin of our own forms.
        let origin = url.map(|url| url.origin().ascii_serialization());
        refuse(origin.as_deref() != Some(issuer), || {
            format!(
                "OAUTH is on, so JWT_ISSUER is scheme, host and port alone, as browsers write them: {issuer:?} has \
                     something else, or capitals, or a port that goes without saying"
            )
        })
    }
}
