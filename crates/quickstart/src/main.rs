//! `cargo run`: both Keyturn services in one process, for a first look.
//!
//! They are the same services that run alone elsewhere, with nothing between them but HTTP and the
//! key ring's file. Quickstart makes the key files, chooses short lives, a demo account and a client
//! for the demo page, says where to look, and stops both when told.

mod banner;
mod defaults;
mod demo_client;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use auth_server::settings::Switch;
use banner::Banner;
use chassis::service;
use chassis::settings::init_log;
use clap::Parser;
use shared::clock;
use tokio::sync::oneshot;

/// Both Keyturn services in one process, for a first look: accounts and tokens on :5000, a
/// protected API on :5001, an embedded database in ./data, and a demo account.
#[derive(Parser)]
#[command(
    version,
    after_help = "Settings are environment variables, those of both services (see `auth-server --help` and \
                  `resource-api --help`). Unless set, quickstart uses DEMO_USER=demo@example.com:keyturn-demo, \
                  REGISTRATION=open, ACCESS_TOKEN_TTL=1m, JWT_CLOCK_SKEW=0s, REFRESH_GRACE=10s, \
                  WEB_ROOT=web, MAIL_URL=file:data/mail, OAUTH=on, and for JWT_ISSUER, REVOCATION_FEED_URL and \
                  RESOURCE_PUBLIC_URL the addresses on which the services listen."
)]
struct Cli {}

#[tokio::main]
async fn main() -> ExitCode {
    chassis::process::keep_memory_private();
    let Cli {} = Cli::parse();
    match Box::pin(run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error goes nowhere, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts both services, says where they are, and serves until told to stop.
///
/// # Errors
/// One line that says what to do.
async fn run() -> Result<(), String> {
    let mut resource = resource_settings()?;
    resource.listen = known_port("RESOURCE_LISTEN", resource.listen)?;
    let resource_url = url(resource.listen, resource.http.tls_cert_file.is_some());
    let mut auth = auth_settings(&resource_url)?;
    auth.listen = known_port("AUTH_LISTEN", auth.listen)?;
    let auth_tls = auth.http.tls_cert_file.is_some();
    if !is_set("JWT_ISSUER") {
        // By name: cookies and passkeys belong to a host, and no passkey to an address.
        let issuer = format!("{}://localhost:{}", scheme(auth_tls), auth.listen.port());
        auth.token.jwt_issuer.clone_from(&issuer);
        resource.token.jwt_issuer = issuer;
    }
    init_log(&auth.log);
    let issuer = &auth.token.jwt_issuer;
    if !is_set("OAUTH") && auth.sign_on.check(issuer).is_err() {
        log::warn!(
            "JWT_ISSUER is {issuer:?}: sign-on needs https there, or this machine, and stays off"
        );
        auth.sign_on.oauth = Switch::Off;
    }
    // From here on Ctrl-C is ours: pressed during the start, it stops right after.
    let mut hang_ups = service::HangUps::hear();
    let stop = tokio::spawn(async move {
        tokio::select! {
            () = service::stop_signal() => {}
            // The terminal was closed: nobody would find a service that runs on behind it.
            () = hang_ups.next() => {}
        }
    });

    auth_server::key_files::init(&auth, clock::now()).map_err(said)?;
    let demo_client = demo_client::of(&auth);
    if let Some(client) = &demo_client {
        demo_client::put(&auth, client).await?;
    }
    let shown = auth.clone();
    let auth = auth_server::Server::bind(auth).await.map_err(said)?;
    let auth_url = url(auth.addr(), auth_tls);

    // A certificate names a host, and we know none: with TLS the feed's address must be set.
    if resource.revocation.revocation_feed_url.is_none() && !auth_tls {
        resource.revocation.revocation_feed_url = Some(auth_url.clone());
    }
    let resource = resource_api::Server::bind(resource).await.map_err(said)?;

    let demo = shown.page.demo_user.as_ref();
    announce(&Banner {
        auth: &auth_url,
        resource: &resource_url,
        page: shown.page.web_root.is_some().then(|| {
            // Sign-on is at home at its issuer's address; without it any will do.
            let issuer = demo_client
                .as_ref()
                .map(|_| shown.token.jwt_issuer.as_str());
            issuer.unwrap_or(&auth_url)
        }),
        client: demo_client.as_ref(),
        demo: demo.map(|demo| (demo.email.as_str(), demo.password.as_str())),
        ttl: shown.lifetimes.access_token_ttl.as_secs(),
    });
    serve(auth, resource, async {
        // Err means that the task was lost: then nobody hears signals any more.
        let _ = stop.await;
    })
    .await
}

/// Serves until `stop` completes or one of the services ends.
async fn serve(
    auth: auth_server::Server,
    resource: resource_api::Server,
    stop: impl Future<Output = ()>,
) -> Result<(), String> {
    let (auth_runs, auth_ended) = oneshot::channel::<()>();
    let (resource_runs, resource_ended) = oneshot::channel::<()>();
    // resource-api goes first: it asks auth-server for news until it ends.
    let resource = async {
        let stop = async {
            tokio::select! {
                () = stop => {}
                _ = auth_ended => {}
            }
        };
        let done = resource.run(stop).await;
        drop(resource_runs);
        done.map_err(|error| format!("resource-api: {error}"))
    };
    let auth = async {
        let done = auth.run(async {
            let _ = resource_ended.await;
        });
        let done = done.await;
        drop(auth_runs);
        done.map_err(|error| format!("auth-server: {error}"))
    };
    let (resource, auth) = tokio::join!(resource, auth);
    resource.and(auth)
}

fn auth_settings(resource_url: &str) -> Result<auth_server::Settings, String> {
    let here = std::env::current_dir().map_err(said)?;
    let presets = defaults::of_auth_server(defaults::web_root(&here), resource_url);
    defaults::settings(&presets, is_set).map_err(|error| first_line(&error))
}

fn resource_settings() -> Result<resource_api::Settings, String> {
    defaults::settings(&defaults::of_resource_api(), is_set).map_err(|error| first_line(&error))
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// Each service must know the other's address before it starts, and the issuer's, so port 0 is chosen here.
fn known_port(variable: &str, listen: SocketAddr) -> Result<SocketAddr, String> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let free = TcpListener::bind(listen).and_then(|listener| listener.local_addr());
    free.map_err(|error| format!("{variable}: cannot listen on {listen}: {error}"))
}

/// How this machine reaches a service.
fn url(mut listen: SocketAddr, tls: bool) -> String {
    if listen.ip().is_unspecified() {
        let own: SocketAddr = if listen.is_ipv4() {
            ([127, 0, 0, 1], listen.port()).into()
        } else {
            (std::net::Ipv6Addr::LOCALHOST, listen.port()).into()
        };
        listen = own;
    }
    format!("{}://{listen}", scheme(tls))
}

fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// Prints the banner; a closed stdout is no reason to stop.
fn announce(banner: &Banner<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{banner}").and_then(|()| out.flush());
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What clap says about a variable, without its advice on flags, which quickstart does not take.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
