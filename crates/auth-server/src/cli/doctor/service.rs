//! What a running service says of itself, held against the settings here.

use reqwest::header::DATE;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;

use super::{Report, clocks};
use crate::settings::Settings;

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

/// Asks a service whether it is ready, and what it goes by.
pub(super) async fn service(
    client: &Client,
    name: &str,
    base: &Url,
    settings: &Settings,
    kids: &[String],
    report: &mut Report,
) {
    report.line(format_args!("{name} at {base}"));
    let Ok(url) = base.join("/readyz") else {
        return;
    };
    let answer = match client.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => {
            return match refused_certificate(&error) {
                Some(fault) => report.fault(
                    &format!("cannot be trusted: {fault}"),
                    "clients refuse it as well: get another certificate, or come by the name that it is for",
                ),
                None => report.fault(
                    &format!("does not answer: {}", error.without_url()),
                    "is it running, and is the address right?",
                ),
            };
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

/// What was wrong with the certificate, if that is why there is no answer.
fn refused_certificate(error: &reqwest::Error) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let inside = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let tls = cause
            .downcast_ref::<rustls::Error>()
            .or_else(|| inside?.downcast_ref::<rustls::Error>());
        if let Some(words) = tls.and_then(chassis::tls::in_words) {
            return Some(words);
        }
        next = match inside {
            Some(inside) => Some(inside),
            None => cause.source(),
        };
    }
    None
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
