//! `auth-server doctor`: looks at both services as an operator would, and says what to mend in plain words.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use reqwest::header::DATE;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use shared::clock;
use shared::key_file::{KeyFile, check_permissions};

use super::CommandError;
use crate::mac_keys::MacKeyFile;
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
}

/// What `/readyz` says of a service, as far as the services must agree.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    issuer: String,
    audience: Vec<String>,
    clock_skew: i64,
    keys: Vec<String>,
    feed: Option<Feed>,
}

#[derive(Deserialize)]
struct Feed {
    state: String,
}

/// The findings so far.
#[derive(Default)]
struct Report {
    faults: usize,
}

impl Report {
    #[expect(clippy::unused_self, reason = "a report has two kinds of lines")]
    fn fine(&self, what: &str) {
        println!("  ok    {what}");
    }

    fn fault(&mut self, what: &str, mend: &str) {
        self.faults += 1;
        println!("  FAULT {what}\n        {mend}");
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
        println!("settings and files");
        if let Err(error) = settings.lifetimes.check() {
            report.fault(&error.to_string(), "change one of the two");
        }
        let kids = files(settings, &mut report);
        database(settings, &mut report).await;

        // The one that the servers use; a second call is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let auth = self
            .auth_url
            .map_or_else(|| settings.token.jwt_issuer.parse::<Url>(), Ok);
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
                println!("nothing to mend");
                Ok(())
            }
            n => Err(CommandError(format!("{n} to mend"))),
        }
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
        let private = check_permissions(path).is_ok();
        let (what, mend) = (
            format!("{} is private", path.display()),
            format!("chmod 600 {}", path.display()),
        );
        report.check(
            private,
            &what,
            "every user of this machine may use the database file",
            &mend,
        );
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
        let db = super::open(settings).await?;
        db.read(|tx| tx.clock()).await.map_err(CommandError::of)
    };
    match asked.await {
        Ok(theirs) => {
            report.fine(&format!(
                "database {url:?} answers, its tables are up to date"
            ));
            clocks("the database", theirs, report);
        }
        Err(error) => report.fault(
            &error.to_string(),
            "is the server up, and are user and password right?",
        ),
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

async fn service(
    client: &Client,
    name: &str,
    base: &Url,
    settings: &Settings,
    kids: &[String],
    report: &mut Report,
) {
    println!("{name} at {base}");
    let Ok(url) = base.join("/readyz") else {
        return;
    };
    let answer = match client.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => {
            return report.fault(
                &format!("does not answer: {}", error.without_url()),
                "is it running, and is the address right?",
            );
        }
    };
    let date = answer
        .headers()
        .get(DATE)
        .and_then(|date| chrono::DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    if let Some(date) = date {
        clocks(name, date.timestamp(), report);
    }
    let status = answer.status();
    match answer.json::<Ready>().await {
        Ok(theirs) => agree(name, &theirs, status, settings, kids, report),
        Err(_) => report.fault("what answers there is not Keyturn", "is the address right?"),
    }
    let local = base
        .host_str()
        .is_some_and(|host| host == "localhost" || host == "127.0.0.1" || host == "[::1]");
    report.check(
        base.scheme() == "https" || local,
        if local {
            "no TLS, but on this machine alone"
        } else {
            "TLS"
        },
        "tokens go over the network in clear text",
        "set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy with TLS before it",
    );
    cors(client, base, settings, report).await;
}

fn agree(
    name: &str,
    theirs: &Ready,
    status: StatusCode,
    settings: &Settings,
    kids: &[String],
    report: &mut Report,
) {
    let ours = settings.token.policy();
    let mend = format!("give both services the same setting; {name} was started with another");
    report.check(
        status.is_success(),
        "ready",
        "answers, but is not ready",
        "its log and /readyz say why",
    );
    report.check(
        theirs.issuer == ours.issuer,
        "JWT_ISSUER agrees",
        &format!(
            "JWT_ISSUER is {} there and {} here",
            theirs.issuer, ours.issuer
        ),
        &mend,
    );
    let shared = theirs
        .audience
        .iter()
        .any(|one| ours.audiences.contains(one));
    report.check(
        shared,
        "JWT_AUDIENCE agrees",
        &format!(
            "JWT_AUDIENCE is {} there and {} here",
            theirs.audience.join(","),
            ours.audiences.join(",")
        ),
        &mend,
    );
    report.check(
        theirs.clock_skew == ours.skew,
        "JWT_CLOCK_SKEW agrees",
        &format!(
            "JWT_CLOCK_SKEW is {}s there and {}s here",
            theirs.clock_skew, ours.skew
        ),
        &mend,
    );
    let missing: Vec<&str> = kids
        .iter()
        .filter(|kid| !theirs.keys.contains(kid))
        .map(String::as_str)
        .collect();
    report.check(missing.is_empty(), "knows every key of the ring", &format!("does not know the keys {}", missing.join(", ")), "it reads another file, or has not got the new one: copy the ring to where JWT_KEYS_FILE points there");
    if let Some(feed) = &theirs.feed {
        report.check(
            feed.state == "fresh" || feed.state == "off",
            &format!("revocation feed: {}", feed.state),
            &format!("revocation feed: {}", feed.state),
            "it cannot reach REVOCATION_FEED_URL, or its key ring is not auth-server's",
        );
    }
}

async fn cors(client: &Client, base: &Url, settings: &Settings, report: &mut Report) {
    // The page of auth-server is the one origin that is known to call both.
    let origin = settings.token.jwt_issuer.trim_end_matches('/');
    let Ok(url) = base.join("/api") else { return };
    let asked = client
        .request(Method::OPTIONS, url)
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization")
        .send()
        .await;
    let allowed = asked.ok().and_then(|answer| {
        let value = answer
            .headers()
            .get("access-control-allow-origin")?
            .to_str()
            .ok()?
            .to_owned();
        Some(value == "*" || value == origin)
    });
    if settings.page.web_root.is_none() && allowed != Some(true) {
        // No page is served there, so nothing is missing.
        return report.fine(&format!(
            "pages of {origin} may not call it, and WEB_ROOT serves none"
        ));
    }
    report.check(
        allowed == Some(true),
        &format!("pages of {origin} may call it"),
        &format!("pages of {origin} may not call it"),
        "add the origin to CORS_ALLOWED_ORIGINS there, if a page of that origin is to call it",
    );
}
