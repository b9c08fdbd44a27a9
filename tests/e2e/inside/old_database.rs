//! A database that the version before made goes on working: its tables are brought up to date, its sessions live, its
//! users log in.
//!
//! The tables are those of the first migration, the rows what that version wrote. The key files and tokens that belong
//! to them are published with the tests, and good for nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use e2e::{App, Cli, Options, Pair};
use serde_json::{Value, json};

use super::back_channel::Hall;

const TABLES: &str = include_str!("../../../migrations/2026-11-21-000000_initial/up.sql");
/// What later versions made of them, up to the one before this.
const LATER: [&str; 5] = [
    include_str!("../../../migrations/2026-11-25-010000_front_door/up.sql"),
    include_str!("../../../migrations/2026-11-25-020000_sightings/up.sql"),
    include_str!("../../../migrations/2026-11-25-030000_shown_sightings/up.sql"),
    include_str!("../../../migrations/2026-11-28-010000_mail/up.sql"),
    include_str!("../../../migrations/2026-11-28-020000_sign_on/up.sql"),
];
const VERSIONS: [&str; 5] = [
    "20261125010000",
    "20261125020000",
    "20261125030000",
    "20261128010000",
    "20261128020000",
];
const ROWS: &str = include_str!("old_database/rows.sql");
const KEY_FILES: [(&str, &str); 2] = [
    ("jwt-keys.json", include_str!("old_database/jwt-keys.json")),
    (
        "refresh-keys.json",
        include_str!("old_database/refresh-keys.json"),
    ),
];
const PAIRS: &str = include_str!("old_database/pairs.json");

const ADA: &str = "7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01";

async fn old_installation(options: Options, sql: &str) -> App {
    App::upon(options, |folder, database| {
        for (name, content) in KEY_FILES {
            let file = folder.join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        database.script(TABLES);
        // Together: PostgreSQL takes no empty script.
        database.script(&format!("{ROWS}\n{sql}"));
    })
    .await
}

/// A pair that the version before handed out; the access token was over long ago.
fn pair(name: &str) -> Pair {
    let pairs: Value = serde_json::from_str(PAIRS).unwrap();
    let mut pair = pairs[name].clone();
    pair["tokenType"] = json!("Bearer");
    (pair["expiresIn"], pair["refreshExpiresIn"]) = (json!(0), json!(0));
    serde_json::from_value(pair).unwrap()
}

#[tokio::test]
async fn the_sessions_of_the_version_before_live_on() {
    let mut app = old_installation(Options::new().with_feed(), "").await;
    // One that has ended stays ended, with its reason.
    let refused = app.try_refresh(&pair("ended")).await;
    let refused = refused.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("logout"));

    let first = app.refresh(&pair("fresh")).await;
    assert_eq!(
        (first.generation(), first.claims()["sub"].as_str()),
        (2, Some(ADA))
    );
    // A lost answer of that version is forgiven by this one, and no retry is taken for one from elsewhere only since
    // nobody had noted the user agent.
    app.database()
        .execute("UPDATE sessions SET address = '127.0.0.1' WHERE generation = 7");
    let late = app.refresh(&pair("before")).await;
    assert_eq!(late.refresh_token, pair("current").refresh_token);
    assert_eq!(app.database().records(&late.sid(), "late_retry"), 1);
    assert_eq!(app.database().records(&late.sid(), "retry_elsewhere"), 0);
    let second = app.refresh(&late).await;
    assert_eq!(second.generation(), 8);

    let sessions = app.sessions(&first.access_token).await;
    let devices: Vec<_> = sessions
        .iter()
        .map(|one| one["device"].as_str().unwrap())
        .collect();
    assert_eq!(devices, ["Firefox", "Safari"], "newest first");
    // Their last use before is what the list shows until the next full hour.
    assert_eq!(sessions[0]["address"], "198.51.100.7", "{sessions:?}");
    assert_eq!(sessions[0]["lastUsedAt"], 1_790_000_000, "{sessions:?}");
    for pair in [&first, &second] {
        app.call_home(&pair.access_token).await.is(200);
    }

    let cli = Cli::new(app.folder(), app.database().url());
    let explained = cli.finish(&["sessions", "explain", &second.sid()]).await;
    assert!(
        explained.contains("began with a log-in, from 2001:db8::7 (Safari)"),
        "{explained}"
    );
    assert_eq!(
        cli.finish(&["sessions", "list", ADA]).await.lines().count(),
        2
    );

    // Tables that are up to date are left as they are.
    app.restart(None).await;
    let third = app.refresh(&second).await;
    app.delete("/sessions", &third.access_token).await.is(204);
    for pair in [&first, &third] {
        app.try_refresh(pair).await.refused(401, "session_revoked");
    }
}

#[tokio::test]
async fn the_sessions_of_each_version_between_live_on() {
    for (n, _) in LATER.iter().enumerate() {
        let mut made = LATER[..=n].join("\n");
        // As the version that made them noted it.
        for version in &VERSIONS[..=n] {
            made.push_str("INSERT INTO __diesel_schema_migrations (version) VALUES ('");
            made.push_str(version);
            made.push_str("');");
        }
        let app = old_installation(Options::new(), &made).await;
        let pair = app.refresh(&pair("fresh")).await;
        assert_eq!(pair.generation(), 2);
        assert_eq!(
            pair.claims()["email_verified"],
            false,
            "nobody has proven it"
        );
        let columns = "SELECT COUNT(*) AS value FROM users WHERE email_verified_at IS NULL AND pending_email IS NULL";
        assert!(app.database().number(columns) > Some(1));
        app.try_log_in("ada@example.com", "correct horse battery")
            .await
            .is(200);
    }
}

#[tokio::test]
async fn the_users_of_the_version_before_log_in() {
    // One of the sessions was used a moment ago.
    let now = shared::clock::now();
    let used = format!("UPDATE sessions SET rotated_at = {now} WHERE device = 'Safari'");
    let app = old_installation(Options::new(), &used).await;
    let log_in = |email, password| app.try_log_in(email, password);
    log_in("ada@example.com", "correct horse")
        .await
        .refused(401, "invalid_credentials");
    let ada: Pair = log_in("ADA@example.com", "correct horse battery")
        .await
        .is(200)
        .json();
    let claims = ada.claims();
    assert_eq!(
        (&claims["sub"], &claims["roles"]),
        (&json!(ADA), &json!(["admin"]))
    );
    let sessions = app.sessions(&ada.access_token).await;
    assert_eq!(sessions.len(), 3);
    let used = sessions.iter().find(|one| one["device"] == "Safari");
    let used = used.unwrap();
    assert_eq!(used["address"], "2001:db8::7", "{used}");
    assert!(now - used["lastUsedAt"].as_i64().unwrap() < 7200, "{used}");
    app.call("/api/admin", &ada.access_token).await.is(200);
    log_in("bob@example.com", "correct horse battery")
        .await
        .refused(403, "account_blocked");
    app.try_register("Ada", "aDa@example.com", "a long password")
        .await
        .refused(409, "account_exists");
    app.try_change_password(&ada.access_token, "correct horse battery", "a new password")
        .await
        .is(200);
    app.try_refresh(&pair("current"))
        .await
        .refused(401, "session_revoked");
    app.newcomer().await;
}

/// What takes this version's tables back to those of the version before, which had sign-on.
const BACK: &str = include_str!("../../../migrations/2026-11-28-030000_log_out/down.sql");

#[tokio::test]
async fn the_programs_of_the_version_before_go_on_and_hear_of_the_log_out() {
    let mut hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let cookies = guest.visitor.cookies.lock().unwrap().clone();
    let (hint, refresh) = (guest.shop.text("id_token"), guest.shop.refresh());
    let (path, refresh) = (
        format!("/oauth/logout?id_token_hint={hint}"),
        refresh.to_owned(),
    );
    drop(guest);
    let forgotten = "DELETE FROM __diesel_schema_migrations WHERE version = '20261128030000'";
    hall.app.database().script(&format!("{BACK}\n{forgotten};"));
    hall.app.restart(None).await;
    let next = hall.app.refresh_as(&hall.shop, &refresh).await.tokens();
    let visitor = hall.app.visitor();
    *visitor.cookies.lock().unwrap() = cookies;
    // Without a question: the browser is still who it was.
    assert!(visitor.get(&path).await.is(200).says("signed out"));
    assert_eq!(hall.at_shop.settled(&hall.app).await.len(), 1);
    let refused = hall.app.refresh_as(&hall.shop, next.refresh()).await;
    assert_eq!(refused.error().2, "session_revoked");
}
