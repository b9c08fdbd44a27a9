//! Both services for the browser tests: free ports, a private database, short lives, the demo page.
//!
//! Prints one line of JSON on standard output, `{"authUrl", "resourceUrl", "demo", "clients"}`, and stops at the end of
//! standard input or at SIGTERM. `ACCESS_TOKEN_TTL`, `JWT_CLOCK_SKEW`, `REFRESH_GRACE`, `DEMO_USER`,
//! `NO_DEMO_USER`, `REGISTRATION`, `MAIL_URL` and `OAUTH` change what it starts with; `WEB_ROOT` is the folder of the
//! page, and `OTHER_ORIGIN` where the clients are that are not the page's: one of a browser, untrusted, and a native one.

use std::error::Error;
use std::io::{Write, stdout};
use std::net::TcpListener;
use std::path::Path;

use auth_server::clients::ClientKind;
use e2e::{Member, Options, member, put_clients, put_id_keys};
use serde_json::json;

const DEMO_USER: &str = "demo@example.com:keyturn-demo";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    // Issuer, audience and page name the ports before anyone listens on them; nobody else takes a port that
    // was free a moment ago.
    let (auth_port, resource_port) = (free_port()?, free_port()?);
    let auth_url = format!("http://localhost:{auth_port}");
    let resource_url = format!("http://localhost:{resource_port}");
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web");
    let web_root = variable("WEB_ROOT", &built_from.display().to_string());
    let demo = match std::env::var_os("NO_DEMO_USER") {
        Some(_) => String::new(),
        None => variable("DEMO_USER", DEMO_USER),
    };

    let mut options = Options::new()
        .with_feed()
        .both("jwt-issuer", &auth_url)
        .both("jwt-audience", &resource_url)
        .both("jwt-clock-skew", &variable("JWT_CLOCK_SKEW", "0s"))
        .auth("listen", format!("127.0.0.1:{auth_port}"))
        .resource("listen", format!("127.0.0.1:{resource_port}"))
        .auth("access-token-ttl", variable("ACCESS_TOKEN_TTL", "5s"))
        .auth("refresh-grace", variable("REFRESH_GRACE", "2s"))
        .auth("resource-public-url", resource_url.clone());
    options = options.auth("registration", variable("REGISTRATION", "open"));
    let mail = variable("MAIL_URL", "");
    if !mail.is_empty() {
        options = options.auth("mail-url", mail);
    }
    // The client's own tests come before the page.
    if Path::new(&web_root).join("index.html").is_file() {
        options = options.auth("web-root", web_root);
    }
    let demo_user = demo
        .split_once(':')
        .map(|(email, password)| json!({"email": email, "password": password}));
    if demo_user.is_some() {
        options = options.auth("demo-user", demo);
    }

    let database_url = format!("sqlite://{}", folder.path().join("keyturn.db").display());
    let oauth = variable("OAUTH", "on");
    options = options.auth("oauth", &oauth);
    let clients = clients(&auth_url, &variable("OTHER_ORIGIN", "http://127.0.0.1:9"));
    if oauth == "on" {
        put_id_keys(folder.path());
        put_clients(&database_url, clients.clone());
    }
    let told_of: Vec<_> = clients
        .iter()
        .map(|it| json!({"id": it.id(), "redirectUris": it.definition.redirect_uris}))
        .collect();

    let settings = options.auth_settings(folder.path(), &database_url)?;
    chassis::settings::init_log(&settings.log);
    auth_server::key_files::init(&settings, shared::clock::now())?;
    let resource = options.resource_settings(folder.path(), &auth_url)?;
    let auth = auth_server::Server::bind(settings).await?;
    let resource = resource_api::Server::bind(resource).await?;

    let (end, ended) = tokio::sync::watch::channel(());
    let stop = || {
        let mut ended = ended.clone();
        async move { drop(ended.changed().await) }
    };
    let told = async {
        tokio::select! {
            () = chassis::service::stop_signal() => {}
            () = end_of_input() => {}
        }
        drop(end);
    };
    let line = json!({"authUrl": auth_url, "resourceUrl": resource_url, "demo": demo_user, "clients": told_of});
    writeln!(stdout(), "{line}")?;
    stdout().flush()?;
    let (auth, resource, ()) = tokio::join!(auth.run(stop()), resource.run(stop()), told);
    auth?;
    resource?;
    Ok(())
}

/// The page's own client, an untrusted one on another origin, and one that is installed on its user's machine.
fn clients(auth_url: &str, other: &str) -> Vec<Member> {
    let scopes = |words: &str| Some(words.split(' ').map(str::to_owned).collect());
    vec![
        member("demo", ClientKind::Browser).with(|it| {
            it.name = Some("Keyturn demo".into());
            it.redirect_uris = vec![format!("{auth_url}/")];
            it.logout_uris = it.redirect_uris.clone();
            it.scopes = scopes("openid profile email roles account offline_access");
            (it.api, it.trusted) = (true, true);
        }),
        member("shop", ClientKind::Browser).with(|it| {
            it.name = Some("The shop".into());
            it.redirect_uris = vec![format!("{other}/cb"), format!("{auth_url}/shop")];
            it.logout_uris = it.redirect_uris.clone();
            it.scopes = scopes("openid profile email offline_access");
            it.api = true;
        }),
        member("notes", ClientKind::Native).with(|it| {
            it.name = Some("Notes".into());
            it.redirect_uris = vec!["com.example.notes:/cb".into()];
            it.trusted = true;
        }),
    ]
}

/// Not `tokio::io::stdin`, whose blocked read would hold up the runtime's end after a SIGTERM.
async fn end_of_input() {
    let (told, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = told.send(());
    });
    let _ = end.await;
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn variable(name: &str, usual: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.to_owned())
}
