//! The client as which the demo page sends its visitors to the log-in page.

use std::time::Duration;

use auth_server::Settings;
use auth_server::clients::{ClientKind, Definition, changes};
use auth_server::db::{Caller, Db};
use auth_server::settings::Switch;

use super::said;

/// What it may ask for. `account`, for the list of sessions, is one that only a trusted client can have.
const SCOPES: [&str; 6] = [
    "openid",
    "profile",
    "email",
    "roles",
    "account",
    "offline_access",
];

/// How long a start waits for a database server that is not there yet.
const PATIENCE: Duration = Duration::from_mins(1);

/// The client, where sign-on is on.
pub(crate) fn of(settings: &Settings) -> Option<Definition> {
    (settings.sign_on.oauth == Switch::On).then(|| at(&settings.token.jwt_issuer))
}

/// The client of the page at this issuer.
pub(crate) fn at(issuer: &str) -> Definition {
    let page = vec![format!("{issuer}/")];
    Definition {
        name: Some("Keyturn demo".into()),
        redirect_uris: page.clone(),
        logout_uris: page,
        scopes: Some(SCOPES.map(str::to_owned).to_vec()),
        api: true,
        trusted: true,
        ..Definition::new("demo", ClientKind::Browser)
    }
}

/// Makes it as it is described; one that is so already is not written.
///
/// # Errors
/// One line that says what to do.
pub(crate) async fn put(settings: &Settings, client: &Definition) -> Result<(), String> {
    settings.check().map_err(said)?;
    let url = settings.store.database_url.clone();
    let opened = tokio::task::spawn_blocking(move || Db::open(&url, PATIENCE)).await;
    let db = opened
        .map_err(said)?
        .map_err(|error| format!("DATABASE_URL: {error}"))?;
    let clients = std::slice::from_ref(client);
    let put = changes::apply(&db, clients, &Caller::housekeeping()).await;
    put.map(drop).map_err(said)
}
