//! Who holds a copy of the pair and follows its owner within the grace time: what he is told, and who sees him.

use e2e::{Answer, App, Cli, Options, Pair};
use futures_util::future::join;
use serde_json::{Value, json};

const HOME: (&str, &str) = ("198.51.100.7", "Firefox");

/// Services that believe what the tests say of addresses.
async fn behind_a_proxy() -> App {
    App::with(Options::new().both("trusted-proxies", "127.0.0.1,::1")).await
}

async fn try_refresh_from(app: &App, pair: &Pair, (address, agent): (&str, &str)) -> Answer {
    let sent = app
        .client
        .post(format!("{}/api/account/refresh-token", app.auth_url))
        .header("x-forwarded-for", address)
        .header("user-agent", agent)
        .json(&json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token}));
    Answer::read(sent.send().await.unwrap()).await
}

async fn refresh_from(app: &App, pair: &Pair, place: (&str, &str)) -> Pair {
    try_refresh_from(app, pair, place).await.is(200).json()
}

async fn metric(app: &App, line: &str) -> u64 {
    let url = format!("{}/metrics", app.auth_url);
    let text = app.client.get(url).send().await.unwrap().text().await;
    let text = text.unwrap();
    let found = text.lines().find_map(|l| l.strip_prefix(line));
    found.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test]
async fn nothing_in_the_list_of_sessions_moves_at_the_owner_s_rotation() {
    let app = behind_a_proxy().await;
    let (user, watcher) = app.newcomer().await;
    let mut owner = app.log_in(&user).await;
    let sid = owner.sid();
    // Sessions of another day, the watched one last used at another place, some hours ago.
    app.database().execute(
        "UPDATE sessions SET created_at = created_at - 100000, rotated_at = rotated_at - 10000, \
         seen_at = seen_at - 20000, idle_until = idle_until - 10000",
    );
    app.database().set(&sid, "address = '203.0.113.9'");
    let mut before = app.sessions(&watcher.access_token).await;
    for turn in 0..20 {
        let hour = shared::clock::now() / 3600;
        owner = refresh_from(&app, &owner, HOME).await;
        let after = app.sessions(&watcher.access_token).await;
        if shared::clock::now() / 3600 == hour {
            assert_eq!(after, before, "turn {turn}");
        }
        before = after;
    }
    let shown = before.iter().find(|one| one["id"] == sid.as_str()).unwrap();
    assert!(shown.get("rotations").is_none(), "{shown}");
    assert_eq!(shown["address"], "203.0.113.9", "as of the last full hour");
    // An hour later it tells.
    app.database().set(&sid, "rotated_at = rotated_at - 3600");
    let later = app.sessions(&watcher.access_token).await;
    let shown = later.iter().find(|one| one["id"] == sid.as_str()).unwrap();
    assert_eq!(shown["address"], HOME.0);
    for member in ["lastUsedAt", "idleExpiresAt"] {
        assert_eq!(
            shown[member].as_i64().unwrap() % 3600,
            0,
            "{member}: {shown}"
        );
    }
}

#[tokio::test]
async fn a_retry_is_told_the_same_lifetime_as_its_rotation_was() {
    for (idle, absolute) in [("14d", "30d"), ("1h", "30d"), ("60s", "2m"), ("14d", "14d")] {
        let options = Options::new()
            .auth("access-token-ttl", "30s")
            .auth("refresh-idle-ttl", idle)
            .auth("refresh-absolute-ttl", absolute);
        let app = App::with(options).await;
        let (_, first) = app.newcomer().await;
        let mut pair = first.clone();
        let capped = idle == absolute;
        for _ in 0..3 {
            let next = app.refresh(&pair).await;
            let told = |pair: &Pair| {
                // The absolute end never moves: how far away it is says what time it is, no more.
                let iat = |pair: &Pair| pair.claims()["iat"].as_i64().unwrap();
                let elapsed = iat(pair) - iat(&first);
                pair.refresh_expires_in + if capped { elapsed } else { 0 }
            };
            let expected = told(&next);
            assert!(expected > 0, "{idle}: {next:?}");
            for age in [0, 7, 15] {
                app.database().age(&next.sid(), age);
                if !capped {
                    let idle = format!("idle_until = idle_until - {age}");
                    app.database().set(&next.sid(), &idle);
                }
                let again = told(&app.refresh(&pair).await);
                assert_eq!(again, expected, "{idle}, {age} s later");
            }
            assert_eq!(told(&first), expected, "every rotation: {idle}");
            pair = next;
        }
    }
}

#[tokio::test]
async fn a_late_retry_is_told_a_lifetime_in_coarse_steps() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let next = app.refresh(&pair).await;
    for (age, hours) in [(31, 14 * 24), (3 * 3600, 14 * 24 - 3), (13 * 86_400, 24)] {
        app.database().set(
            &next.sid(),
            &format!(
                "rotated_at = {0} - {age}, idle_until = {0} - {age} + 14 * 86400",
                shared::clock::now()
            ),
        );
        let told = app.refresh(&pair).await.refresh_expires_in;
        assert_eq!(told % 3600, 0, "{age}: {told}");
        assert!((told - hours * 3600).abs() <= 3600, "{age}: {told}");
    }
    // In the last hour as well, it is not over.
    let end = shared::clock::now() + 30;
    app.database()
        .set(&next.sid(), &format!("idle_until = {end}"));
    assert!(app.refresh(&pair).await.refresh_expires_in > 0);
}

#[tokio::test]
async fn a_retry_from_elsewhere_is_recorded_once_and_changes_nothing_else() {
    let app = behind_a_proxy().await;
    let cli = Cli::new(app.folder(), app.database().url());
    for (place, whence) in [
        (HOME, None),
        (("198.51.100.8", "Firefox"), Some("another network")),
        (("198.51.100.7", "curl/8"), Some("another user agent")),
        (
            ("2001:db8::9", "curl/8"),
            Some("another network and user agent"),
        ),
    ] {
        let (user, pair) = app.newcomer().await;
        let sid = pair.sid();
        let next = refresh_from(&app, &pair, HOME).await;
        app.database().age(&sid, 5);
        let counted = metric(
            &app,
            r#"keyturn_refreshes_total{outcome="retry_elsewhere"}"#,
        )
        .await;
        let both = join(
            refresh_from(&app, &pair, place),
            refresh_from(&app, &pair, place),
        );
        let (one, other) = both.await;
        let third = refresh_from(&app, &pair, place).await;
        for again in [&one, &other, &third] {
            assert_eq!(again.refresh_token, next.refresh_token, "{place:?}");
            assert_eq!(again.refresh_expires_in, next.refresh_expires_in);
            app.call_home(&again.access_token).await.is(200);
        }
        let seen = i64::from(whence.is_some());
        assert_eq!(
            app.database().records(&sid, "retry_elsewhere"),
            seen,
            "{place:?}"
        );
        let outcome = metric(
            &app,
            r#"keyturn_refreshes_total{outcome="retry_elsewhere"}"#,
        )
        .await;
        assert_eq!(outcome - counted, if whence.is_some() { 3 } else { 0 });
        let fresh = app.sessions(&next.access_token).await;
        assert!(fresh[0].get("alsoUsedFrom").is_none(), "{fresh:?}");
        hours_pass(&app, &sid);
        let sessions = app.sessions(&next.access_token).await;
        let (listed, explained) = (
            cli.done(&["sessions", "list", &user.email]),
            cli.done(&["sessions", "explain", &sid]),
        );
        let Some(whence) = whence else {
            assert!(sessions[0].get("alsoUsedFrom").is_none(), "{sessions:?}");
            assert!(!listed.contains("also used") && !explained.contains("also used"));
            continue;
        };
        let mark: &Value = &sessions[0]["alsoUsedFrom"];
        assert_eq!(
            (&mark["address"], &mark["device"]),
            (&json!(place.0), &json!(place.1))
        );
        let at = mark["at"].as_i64().unwrap();
        let ago = shared::clock::now() - at;
        assert!(at % 3600 == 0 && (3600..3 * 3600).contains(&ago), "{mark}");
        assert!(
            listed.contains(&format!("also used from {} ({})", place.0, place.1)),
            "{listed}"
        );
        assert!(
            explained.contains(whence) && explained.contains("also used from"),
            "{explained}"
        );
        // It goes on, and what happened is not forgotten by an ordinary rotation.
        let after = refresh_from(&app, &next, HOME).await;
        assert_eq!(
            app.sessions(&after.access_token).await[0]["alsoUsedFrom"],
            *mark
        );
    }
}

#[tokio::test]
async fn a_thief_who_always_follows_within_the_grace_time_is_not_found_but_seen() {
    let app = behind_a_proxy().await;
    let thief = ("203.0.113.66", "Firefox");
    let (_, mut owner) = app.newcomer().await;
    let sid = owner.sid();
    let mut stolen = owner.clone();
    for generation in 1..=12 {
        let next = refresh_from(&app, &owner, HOME).await;
        app.database().age(&sid, 3);
        let copy = refresh_from(&app, &stolen, thief).await;
        assert_eq!(copy.refresh_token, next.refresh_token, "no server can tell");
        assert_eq!(app.database().records(&sid, "retry_elsewhere"), generation);
        (owner, stolen) = (next, copy);
    }
    assert_eq!(
        app.database().session(&sid, "ended_at"),
        None,
        "an honest client may do the same"
    );
    hours_pass(&app, &sid);
    let mark = &app.sessions(&owner.access_token).await[0]["alsoUsedFrom"];
    assert_eq!(mark["address"], thief.0);
}

#[tokio::test]
async fn the_moment_at_which_a_retry_came_from_elsewhere_is_not_to_be_seen_in_the_list() {
    let app = behind_a_proxy().await;
    let (_, pair) = app.newcomer().await;
    let sid = pair.sid();
    let thief = |n: u8| {
        (
            ["203.0.113.66", "203.0.113.67", "203.0.113.68"][usize::from(n)],
            "curl",
        )
    };
    let listed = async |pair: &Pair| app.sessions(&pair.access_token).await[0].clone();
    // The first is not shown before the hour is over, and the second leaves it shown as it is.
    let next = refresh_from(&app, &pair, HOME).await;
    let before = listed(&next).await;
    refresh_from(&app, &pair, thief(0)).await;
    assert_eq!(listed(&next).await, before);
    hours_pass(&app, &sid);
    let shown = listed(&next).await;
    assert_eq!(shown["alsoUsedFrom"]["address"], thief(0).0);
    let third = refresh_from(&app, &next, HOME).await;
    let before = listed(&third).await;
    assert_eq!(before["alsoUsedFrom"], shown["alsoUsedFrom"]);
    for n in [1, 2] {
        refresh_from(&app, &next, thief(n)).await;
        assert_eq!(listed(&third).await, before, "{n}");
    }
    hours_pass(&app, &sid);
    assert_eq!(listed(&third).await["alsoUsedFrom"]["address"], thief(1).0);
}

#[tokio::test]
async fn a_late_retry_from_elsewhere_is_marked_as_well() {
    let app = behind_a_proxy().await;
    let (_, pair) = app.newcomer().await;
    let next = refresh_from(&app, &pair, HOME).await;
    app.database().age(&pair.sid(), 31);
    for _ in 0..2 {
        refresh_from(&app, &pair, ("203.0.113.66", "Firefox")).await;
    }
    for event in ["late_retry", "retry_elsewhere"] {
        assert_eq!(app.database().records(&pair.sid(), event), 1, "{event}");
    }
    hours_pass(&app, &pair.sid());
    assert_eq!(
        app.sessions(&next.access_token).await[0]["alsoUsedFrom"]["address"],
        "203.0.113.66"
    );
}

/// Lets a retry from elsewhere lie further back, beyond the border up to which the list shows what was.
fn hours_pass(app: &App, sid: &str) {
    app.database().set(
        sid,
        "sighting_at = sighting_at - 7000, shown_sighting_at = shown_sighting_at - 7000",
    );
}
