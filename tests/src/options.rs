//! The settings of the services under test, as the flags that a user would give.
//!
//! Every flag that has an effect on tests is always given, so that no variable of the caller's environment
//! changes what is tested.

use std::collections::BTreeMap;
use std::path::Path;

use chassis::connection_limits::ConnectionLimits;
use clap::{Args, CommandFactory, Parser};

/// Flags by name, on top of the harness's own.
#[derive(Clone, Debug, Default)]
pub struct Options {
    auth: BTreeMap<String, String>,
    resource: BTreeMap<String, String>,
    feed: bool,
    connections: Option<ConnectionLimits>,
}

impl Options {
    /// The harness's own settings: the services' defaults, registration open, no feed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a flag of auth-server, named without the dashes.
    #[must_use]
    pub fn auth(mut self, flag: &str, value: impl Into<String>) -> Self {
        self.auth.insert(flag.to_owned(), value.into());
        self
    }

    /// Sets a flag of resource-api.
    #[must_use]
    pub fn resource(mut self, flag: &str, value: impl Into<String>) -> Self {
        self.resource.insert(flag.to_owned(), value.into());
        self
    }

    /// Sets a flag that both have.
    #[must_use]
    pub fn both(self, flag: &str, value: &str) -> Self {
        self.auth(flag, value).resource(flag, value)
    }

    /// Lets resource-api follow the feed of auth-server.
    #[must_use]
    pub fn with_feed(mut self) -> Self {
        self.feed = true;
        self
    }

    /// Lets states of connections end sooner, so that a test need not wait for minutes.
    #[must_use]
    pub fn connections(mut self, limits: ConnectionLimits) -> Self {
        self.connections = Some(limits);
        self
    }

    /// The settings of auth-server, for a folder and a database.
    ///
    /// # Errors
    /// What a user would read.
    pub fn auth_settings(
        &self,
        folder: &Path,
        database_url: &str,
    ) -> Result<auth_server::Settings, String> {
        let mut flags = shared(folder);
        let path = |name: &str| folder.join(name).display().to_string();
        extend(
            &mut flags,
            [
                ("listen", "127.0.0.1:0".into()),
                ("database-url", database_url.into()),
                ("refresh-keys-file", path("refresh-keys.json")),
                ("id-keys-file", path("id-keys.json")),
                ("oauth", "off".into()),
                ("sso-idle-ttl", "24h".into()),
                ("sso-absolute-ttl", "30d".into()),
                ("access-token-ttl", "5m".into()),
                ("refresh-idle-ttl", "14d".into()),
                ("refresh-absolute-ttl", "30d".into()),
                ("refresh-grace", "30s".into()),
                ("refresh-late-retries", "3".into()),
                ("refresh-reuse", "end-session".into()),
                ("max-sessions-per-user", "100".into()),
                ("audit-retention", "90d".into()),
                ("registration", "open".into()),
                ("password-policy", "strong".into()),
                ("mail-new-device", "off".into()),
            ],
        );
        // Limits by address would make one client of all tests.
        if has_flag::<auth_server::Settings>("login-limits") {
            flags.insert("login-limits".into(), "off".into());
        }
        flags.extend(self.auth.clone());
        let mut settings: auth_server::Settings = parse(&flags)?;
        let given = |flag: &str| self.auth.contains_key(flag);
        if !given("web-root") {
            settings.page.web_root = None;
        }
        if !given("resource-public-url") {
            settings.page.resource_public_url = None;
        }
        if !given("demo-user") {
            settings.page.demo_user = None;
        }
        if !given("tls-cert-file") {
            (settings.http.tls_cert_file, settings.http.tls_key_file) = (None, None);
        }
        if !given("page-title") {
            settings.sign_on.page_title = None;
        }
        if !given("page-style") {
            settings.sign_on.page_style = None;
        }
        if !given("mail-url") {
            settings.mail.mail_url = None;
        }
        if !given("mail-from") {
            settings.mail.mail_from = None;
        }
        for (flag, path) in [
            ("mail-password-file", &mut settings.mail.mail_password_file),
            ("mail-templates", &mut settings.mail.mail_templates),
            (
                "breached-passwords-file",
                &mut settings.passwords.breached_passwords_file,
            ),
        ] {
            if !given(flag) {
                *path = None;
            }
        }
        if !given("mail-links") {
            settings.mail.mail_links = None;
        }
        settings.http.connection_limits = self.connections.unwrap_or_default();
        Ok(settings)
    }

    /// Lets auth-server send its mails to this server.
    #[must_use]
    pub fn mailing(self, sink: &smtp_sink::Sink) -> Self {
        self.auth("mail-url", sink.url())
            .auth("mail-from", "Keyturn <login@keyturn.test>")
    }

    /// The settings of resource-api beside an auth-server at `auth_url`.
    ///
    /// # Errors
    /// What a user would read.
    pub fn resource_settings(
        &self,
        folder: &Path,
        auth_url: &str,
    ) -> Result<resource_api::Settings, String> {
        let mut flags = shared(folder);
        extend(
            &mut flags,
            [
                ("listen", "127.0.0.1:0".into()),
                ("revocation-stale", "open".into()),
                // Short, so that a question that waits for news does not hold up the end of a test.
                ("revocation-max-age", "3s".into()),
            ],
        );
        if self.feed {
            flags.insert("revocation-feed-url".into(), auth_url.into());
        }
        flags.extend(self.resource.clone());
        let mut settings: resource_api::Settings = parse(&flags)?;
        if !flags.contains_key("revocation-feed-url") {
            settings.revocation.revocation_feed_url = None;
        }
        if !flags.contains_key("deny-file") {
            settings.revocation.deny_file = None;
        }
        if !flags.contains_key("tls-cert-file") {
            (settings.http.tls_cert_file, settings.http.tls_key_file) = (None, None);
        }
        settings.http.connection_limits = self.connections.unwrap_or_default();
        Ok(settings)
    }
}

/// A command without arguments of its own, to hang a service's settings on.
#[derive(Parser)]
struct Bare {}

fn shared(folder: &Path) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    extend(
        &mut flags,
        [
            ("jwt-issuer", "http://localhost:5000".into()),
            ("jwt-audience", "http://localhost:5001".into()),
            (
                "jwt-keys-file",
                folder.join("jwt-keys.json").display().to_string(),
            ),
            ("jwt-clock-skew", "5m".into()),
            ("cors-allowed-origins", "*".into()),
            ("trusted-proxies", String::new()),
            ("log-format", "text".into()),
        ],
    );
    flags
}

fn extend<const N: usize>(flags: &mut BTreeMap<String, String>, more: [(&str, String); N]) {
    flags.extend(more.map(|(flag, value)| (flag.to_owned(), value)));
}

fn parse<S: Args>(flags: &BTreeMap<String, String>) -> Result<S, String> {
    let line = flags
        .iter()
        .map(|(flag, value)| format!("--{flag}={value}"));
    let command = S::augment_args(Bare::command());
    let matches = command.try_get_matches_from(std::iter::once("e2e".to_owned()).chain(line));
    matches
        .and_then(|matches| S::from_arg_matches(&matches))
        .map_err(|error| error.to_string())
}

fn has_flag<S: Args>(flag: &str) -> bool {
    S::augment_args(Bare::command())
        .get_arguments()
        .any(|known| known.get_long() == Some(flag))
}
