//! The demo page: the files of `WEB_ROOT` that belong to it, and no others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use actix_files::NamedFile;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, Responder};
use gate::Problem;
use serde::{Deserialize, Serialize};
use shared::token::Policy;

use super::html::Hosted;
use crate::clients::ClientKind;
use crate::outbox::Newest;
use crate::settings::{DemoUser, LifetimeSettings, PageSettings};
use crate::sign_on::SignOn;

const TOP: [&str; 5] = [
    "index.html",
    "style.css",
    "demo.js",
    "token-client.js",
    "favicon.svg",
];
const IN_DEMO: [&str; 3] = ["js", "css", "svg"];

/// The `client_id` of the page.
const DEMO_CLIENT: &str = "demo";
/// What it asks for. The last word is for the list of sessions and the forms of the account.
const DEMO_SCOPE: &str = "openid profile email roles account";

/// The page, found at start.
pub(crate) struct Page {
    files: BTreeMap<String, PathBuf>,
    policy: HeaderValue,
    resource_url: String,
    times: Times,
    demo: Option<DemoUser>,
    /// Whether mail is sent.
    mail: bool,
}

/// What the page counts down, in whole seconds.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    /// The clock skew that both services allow.
    clock_skew: i64,
    /// The grace time of a refresh token.
    refresh_grace: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    resource_url: &'a str,
    #[serde(flatten)]
    times: Times,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<Demo<'a>>,
    /// As what the page can send its visitors to the log-in page.
    #[serde(skip_serializing_if = "Option::is_none")]
    demo_client: Option<DemoClient>,
    /// Whether other programs sign their users in here.
    sign_on: bool,
    /// Whether there is a "forgot password".
    mail: bool,
    /// Whether the page shows the mails that would have been sent.
    shows_mail: bool,
}

#[derive(Serialize)]
struct Demo<'a> {
    email: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct DemoClient {
    id: String,
    /// What it asks for.
    scope: String,
}

impl DemoClient {
    /// The client of this page, if an operator has made one for it.
    fn find(sign_on: &SignOn) -> Option<Self> {
        let client = sign_on.clients().find(DEMO_CLIENT)?;
        let here = format!("{}/", sign_on.issuer());
        let fits = client.kind == ClientKind::Browser && !client.blocked;
        let scope = client.within(DEMO_SCOPE);
        let usable = fits && client.redirects.allow(&here) && !scope.is_empty();
        usable.then(|| Self {
            id: client.id.clone(),
            scope,
        })
    }
}

impl Page {
    /// Whether the page may show mails: only in a demonstration, where everybody may log in anyway.
    pub(crate) fn is_demonstration(&self) -> bool {
        self.demo.is_some()
    }

    /// Finds the page's files.
    ///
    /// # Errors
    /// A sentence that names the setting, if there is no page or an address that is none.
    pub(crate) fn find(
        root: &Path,
        settings: &PageSettings,
        lifetimes: &LifetimeSettings,
        policy: &Policy,
        mail: bool,
    ) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        for name in TOP {
            let path = root.join(name);
            if path.is_file() {
                files.insert(
                    if name == "index.html" {
                        "/".into()
                    } else {
                        format!("/{name}")
                    },
                    path,
                );
            }
        }
        if !files.contains_key("/") {
            return Err(format!(
                "WEB_ROOT: there is no index.html in {}",
                root.display()
            ));
        }
        for entry in fs::read_dir(root.join("demo"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let fits = path
                .extension()
                .is_some_and(|e| IN_DEMO.iter().any(|known| e == *known));
            if let Some(name) = path
                .file_name()
                .and_then(|n| n.to_str())
                .filter(|_| fits && path.is_file())
            {
                files.insert(format!("/demo/{name}"), path.clone());
            }
        }
        let resource_url = settings
            .resource_public_url
            .as_deref()
            .or(policy.audiences.first().map(String::as_str))
            .unwrap_or_default()
            .trim_end_matches('/');
        let content = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self' {resource_url}; require-trusted-types-for 'script'; trusted-types 'none'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let is_url = resource_url.starts_with("http://") || resource_url.starts_with("https://");
        let clean = !resource_url.contains(|c: char| c.is_whitespace() || c == ';' || c == ',');
        let content = HeaderValue::try_from(content).ok().filter(|_| is_url && clean).ok_or_else(|| {
            "RESOURCE_PUBLIC_URL (by default the first of JWT_AUDIENCE) must be the http address of resource-api"
                .to_owned()
        })?;
        Ok(Self {
            files,
            policy: content,
            resource_url: resource_url.to_owned(),
            times: Times {
                clock_skew: policy.skew,
                refresh_grace: lifetimes.refresh_grace.as_secs(),
            },
            demo: settings.demo_user.clone(),
            mail,
        })
    }

    /// The paths that are served.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

#[derive(Deserialize)]
pub(super) struct Mailbox {
    to: String,
}

/// The newest mail to an address, as its reader would see it; 404 for none.
pub(super) async fn mail(
    mailbox: Query<Mailbox>,
    newest: Data<Newest>,
) -> Result<HttpResponse, Problem> {
    let Some(shown) = newest.to(&mailbox.to) else {
        return Err(chassis::http::not_found().await);
    };
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(shown))
}

pub(super) async fn config(
    page: Data<Page>,
    newest: Option<Data<Newest>>,
    sign_on: Option<Data<SignOn>>,
) -> HttpResponse {
    let demo = page.demo.as_ref().map(|demo| Demo {
        email: &demo.email,
        password: &demo.password,
    });
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(Config {
            resource_url: &page.resource_url,
            times: page.times,
            demo,
            demo_client: sign_on.as_ref().and_then(|it| DemoClient::find(it)),
            sign_on: sign_on.is_some(),
            mail: page.mail,
            shows_mail: newest.is_some(),
        })
}

pub(super) async fn file(
    request: HttpRequest,
    page: Data<Page>,
    hosted: Data<Hosted>,
    sign_on: Option<Data<SignOn>>,
) -> Result<HttpResponse, Problem> {
    // The log-in page is at the issuer's host, and what it hands out belongs to where it came from.
    if request.path() == "/"
        && sign_on.is_some()
        && let Some(elsewhere) = hosted.at_own_host(&request)
    {
        return Ok(elsewhere);
    }
    let Some(path) = page.files.get(request.path()) else {
        return Err(chassis::http::not_found().await);
    };
    let file = NamedFile::open(path).map_err(|e| {
        log::error!("{}: {e}", path.display());
        Problem::new(
            actix_web::http::StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
        )
    })?;
    let mut answer = file.respond_to(&request);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Asked for again each time, answered 304 while unchanged: an update is seen at the next load.
    headers.insert(
        actix_web::http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache"),
    );
    Ok(answer.map_into_boxed_body())
}
