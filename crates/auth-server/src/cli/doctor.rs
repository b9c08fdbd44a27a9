//! `auth-server doctor`: looks at both services as an operator would, and says what to mend in plain words.

mod service;
mod sign_on;

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Url};
use shared::clock;
use shared::key_file::{KeyFile, check_mount, check_permissions};

use self::service::service;
use super::CommandError;
use super::output::say;
use crate::db::{self, DbError};
use crate::mac_keys::MacKeyFile;
use crate::outbox::Post;
use crate::settings::{DatabaseUrl, Settings};

/// Seconds that two clocks may differ before it is worth a word.
const CLOCKS: i64 = 2;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(super) struct Doctor {
    /// Address of resource-api; may be given several times. By default the first audience.
    #[arg(long)]
    resource_url: Vec<Url>,

    /// Address of auth-server as its clients see it; by default the issuer.
    #[arg(long)]
    auth_url: Option<Url>,

    /// Send a test mail to this address, by `MAIL_URL`.
    #[arg(long, value_name = "ADDRESS")]
    test_mail: Option<String>,
}

/// The findings so far.
#[derive(Default)]
struct Report {
    faults: usize,
}

impl Report {
    #[expect(clippy::unused_self, reason = "a report has several kinds of lines")]
    fn line(&self, what: impl Display) {
        // Its exit code is heard even where its lines are not.
        let _ = say(what);
    }

    fn fine(&self, what: &str) {
        self.line(format_args!("  ok    {what}"));
    }

    fn fault(&mut self, what: &str, mend: &str) {
        self.faults += 1;
        self.line(format_args!("  FAULT {what}\n        {mend}"));
    }

    fn check(&mut self, fine: bool, what: &str, wrong: &str, mend: &str) {
        if fine {
            self.fine(what);
        } else {
            self.fault(wrong, mend);
        }
    }
}

impl Doctor {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        let mut report = Report::default();
        report.line("settings and files");
        if let Err(error) = settings.check() {
            report.fault(&error.to_string(), "change one of the two");
        }
        let built_in: Vec<String> = db::bundled()?
            .into_iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        report.fine(&format!("built in: {}", built_in.join(", ")));
        let kids = files(settings, &mut report);
        sign_on::keys(settings, &mut report);
        let auth = self
            .auth_url
            .map_or_else(|| settings.token.jwt_issuer.parse::<Url>(), Ok);
        certificate(settings, auth.as_ref().ok(), &mut report);
        database(settings, &mut report).await;
        sign_on::clients(settings, &mut report).await;

        mail(settings, self.test_mail.as_deref(), &mut report).await;

        // The one that the servers use; a second call is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        match auth {
            Ok(url) => service(&client, "auth-server", &url, settings, &kids, &mut report).await,
            Err(_) => report.fault(
                "JWT_ISSUER is no address",
                "name auth-server's with --auth-url",
            ),
        }
        let mut resources = self.resource_url;
        if resources.is_empty() {
            resources.extend(
                settings
                    .token
                    .jwt_audience
                    .first()
                    .and_then(|first| first.parse().ok()),
            );
        }
        for url in &resources {
            service(&client, "resource-api", url, settings, &kids, &mut report).await;
        }
        match report.faults {
            0 => {
                report.line("nothing to mend");
                Ok(())
            }
            n => Err(CommandError::Failed(format!("{n} to mend"))),
        }
    }
}

/// Mail, and a test of it if somebody is to get one.
async fn mail(settings: &Settings, to: Option<&str>, report: &mut Report) {
    let post = match Post::open(&settings.mail, &settings.token.policy().issuer) {
        Ok(Some(post)) => post,
        Ok(None) if to.is_none() => return,
        Ok(None) => return report.fault("MAIL_URL is not set", "no mail is sent without it"),
        Err(why) => return report.fault(&why, "mails wait until it is mended"),
    };
    let Some(to) = to else {
        return report.fine("mail is set up; --test-mail ADDRESS sends one");
    };
    match post.test(to, clock::now()).await {
        Ok(()) => report.fine("the mail server took a test mail: look whether it arrives"),
        Err(why) => report.fault(
            &format!("no test mail: {why}"),
            "mails wait, and are tried again for a day",
        ),
    }
}

fn files(settings: &Settings, report: &mut Report) -> Vec<String> {
    let path = &settings.token.jwt_keys_file;
    let mut kids = Vec::new();
    match KeyFile::open(path) {
        Ok(file) => {
            let ring = file.ring();
            kids = ring.keys().iter().map(|key| key.kid().to_owned()).collect();
            let signs = ring.active(clock::now()).is_some();
            let what = format!("key ring {}: {}", path.display(), kids.join(", "));
            report.check(
                signs,
                &what,
                "the key ring has no key that signs now",
                "auth-server keys rotate --in 0s",
            );
        }
        Err(error) => report.fault(
            &error.naming("JWT_KEYS_FILE"),
            "both services need this file",
        ),
    }
    for (setting, path) in [
        ("JWT_KEYS_FILE", path),
        ("REFRESH_KEYS_FILE", &settings.store.refresh_keys_file),
    ] {
        if let Some(advice) = check_mount(path) {
            let what = format!("{setting}: {} cannot be rotated", path.display());
            report.fault(&what, advice);
        }
    }
    let path = &settings.store.refresh_keys_file;
    match MacKeyFile::open(path) {
        Ok(_) => report.fine(&format!("refresh keys {}", path.display())),
        Err(error) => report.fault(
            &error.naming("REFRESH_KEYS_FILE"),
            "auth-server alone needs this file",
        ),
    }
    if let DatabaseUrl::Sqlite(path) = &settings.store.database_url
        && path.exists()
    {
        match check_permissions(path) {
            Ok(()) => report.fine(&format!("{} is private", path.display())),
            Err(error) => report.fault(
                &error.naming("DATABASE_URL"),
                "e-mails, password hashes and sessions are in it, and auth-server alone needs it",
            ),
        }
    }
    if same_folder(
        &settings.store.refresh_keys_file,
        &settings.token.jwt_keys_file,
    ) {
        report.fault(
            "JWT_KEYS_FILE and REFRESH_KEYS_FILE are in one folder",
            "resource-api gets the first and must not get the second: give each a folder of its own",
        );
    }
    kids
}

/// The certificate that auth-server itself speaks with, if it does: its files, and what clients will say of it.
fn certificate(settings: &Settings, auth: Option<&Url>, report: &mut Report) {
    let files = match chassis::tls::open(&settings.http) {
        Ok(Some(files)) => files,
        Ok(None) => return,
        Err(error) => {
            return report.fault(
                &error.to_string(),
                "put certificate and key of one another into the two files",
            );
        }
    };
    // Behind a proxy that ends TLS as well, clients never see this one.
    let host = auth.and_then(Url::host_str).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match chassis::tls::fault_of(&files.chain(), host, clock::now()) {
        None => report.fine(&format!(
            "the certificate of TLS_CERT_FILE is valid for {host}"
        )),
        Some(fault) => report.fault(
            &format!("TLS_CERT_FILE: {fault}"),
            "get another one; a running service takes it within seconds, and needs no restart",
        ),
    }
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a.parent().is_some() && a.parent() == b.parent()
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the lifetime of a Tx"
)]
async fn database(settings: &Settings, report: &mut Report) {
    let url = &settings.store.database_url;
    if let DatabaseUrl::Sqlite(path) = url
        && !path.exists()
    {
        // Opening it would make it, perhaps at a place that was only mistyped.
        return report.fault(
            &format!("there is no database file {}", path.display()),
            "auth-server makes it at its first start; if it has run already, DATABASE_URL is another here",
        );
    }
    let asked = async {
        let db = super::open_database(settings).await?;
        db.read(|tx| tx.clock()).await
    };
    match asked.await {
        Ok(theirs) => {
            report.fine(&format!(
                "database {url:?} answers, its tables are up to date"
            ));
            clocks("the database", theirs, report);
        }
        Err(error) => {
            let mend = match error {
                DbError::Unusable(_) => {
                    "waiting does not cure it, and auth-server does not start on it"
                }
                _ => "is the server up, and are user and password right?",
            };
            report.fault(&format!("DATABASE_URL: {error}"), mend);
        }
    }
}

fn clocks(whose: &str, theirs: i64, report: &mut Report) {
    let apart = theirs.abs_diff(clock::now());
    let mend = "run a time service (chrony, systemd-timesyncd) on both machines";
    let wrong = format!("the clock of {whose} and this machine's are {apart} s apart");
    report.check(
        apart <= CLOCKS.unsigned_abs(),
        &format!("the clock of {whose} agrees"),
        &wrong,
        mend,
    );
}
