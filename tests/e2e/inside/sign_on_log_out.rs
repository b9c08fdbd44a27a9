//! `/oauth/logout` (OIDC RP-Initiated Logout 1.0): the foundation's modules under their own names, and what attackers try.

use std::collections::BTreeMap;

use e2e::{Options, Reply, Visitor};
use reqwest::Method;
use reqwest::header::REFRESH;
use serde_json::Value;

use super::back_channel::{Guest, Hall};
use super::sign_on_cast::{Table, claims, cookie, is_guarded, send};

const BYE: &str = "https://shop.example/bye";

fn path(params: &[(&str, &str)]) -> String {
    let query = serde_urlencoded::to_string(params).unwrap();
    format!("/oauth/logout?{query}")
}

/// What came of it in one word.
fn outcome(reply: &Reply) -> String {
    if reply.status == 302 {
        return format!("to {}", reply.header("location"));
    }
    is_guarded(reply);
    match reply.status {
        200 if reply.headers.contains_key(REFRESH) => {
            format!("to {}", &reply.header("refresh")["0; url=".len()..])
        }
        200 if reply.says("action=\"/oauth/sign-out\"") => "asked".into(),
        200 if reply.says("signed out") => "signed out".into(),
        400 => {
            assert!(!reply.says("<form"), "{reply:?}");
            "fault".into()
        }
        _ => panic!("{reply:?}"),
    }
}

fn lives(hall: &Hall, guest: &Guest<'_>) -> bool {
    let sql = format!(
        "SELECT COUNT(*) AS value FROM sessions WHERE id = '{}' AND ended_at IS NULL",
        guest.sid()
    );
    hall.app.database().number(&sql) == Some(1)
}

/// The answer, and whether the user is signed in then, by row and by cookie.
async fn came_of(hall: &Hall, guest: &Guest<'_>, path: &str) -> (String, bool) {
    let came = outcome(&guest.visitor.get(path).await);
    let lives = lives(hall, guest);
    assert_eq!(
        cookie(&guest.visitor, "keyturn").is_empty(),
        !lives,
        "{came}"
    );
    (came, lives)
}

/// The page's button, and where it leads.
async fn say_yes(visitor: &Visitor<'_>, path: &str) -> String {
    let page = visitor.get(path).await.is(200);
    outcome(&visitor.submit(&page, &[("decision", "allow")]).await)
}

#[tokio::test]
async fn the_foundation_s_modules_about_log_out() {
    let hall = Hall::open(Options::new()).await;
    let mut table = Table::default();
    let metadata: Value = {
        let url = format!("{}/.well-known/openid-configuration", hall.app.auth_url);
        hall.app
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let discovery = |member: &str| metadata[member].clone();
    table.row(
        "oidcc-rp-initiated-logout-discovery-endpoint-verification",
        discovery("end_session_endpoint"),
        format!("{}/oauth/logout", e2e::ISSUER),
    );
    for member in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
    ] {
        table.row(
            "oidcc-backchannel-logout-discovery-endpoint-verification",
            discovery(member),
            true,
        );
    }
    type Params<'a> = fn(&'a str) -> Vec<(&'a str, &'a str)>;
    let modules: [(&str, Params<'_>, &str, bool); 10] = [
        (
            "oidcc-rp-initiated-logout",
            |hint| {
                vec![
                    ("id_token_hint", hint),
                    ("post_logout_redirect_uri", BYE),
                    ("state", "a b&c"),
                ]
            },
            "to https://shop.example/bye?state=a+b%26c",
            false,
        ),
        (
            "oidcc-rp-initiated-logout-bad-id-token-hint",
            |_| {
                vec![
                    ("id_token_hint", "no.jwt.this"),
                    ("post_logout_redirect_uri", BYE),
                    ("state", "x"),
                ]
            },
            "asked",
            true,
        ),
        (
            "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
            |hint| {
                vec![
                    ("id_token_hint", hint),
                    ("post_logout_redirect_uri", "https://evil.example/"),
                    ("state", "x"),
                ]
            },
            "fault",
            true,
        ),
        (
            "oidcc-rp-initiated-logout-modified-id-token-hint",
            // Of its signature, the last letter but some.
            |hint| {
                let broken = format!("{}AAAA{}", &hint[..hint.len() - 8], &hint[hint.len() - 4..]);
                vec![
                    ("id_token_hint", broken.leak()),
                    ("post_logout_redirect_uri", BYE),
                    ("state", "x"),
                ]
            },
            "asked",
            true,
        ),
        (
            "oidcc-rp-initiated-logout-no-id-token-hint",
            |_| vec![("post_logout_redirect_uri", BYE), ("state", "x")],
            "asked",
            true,
        ),
        (
            "oidcc-rp-initiated-logout-no-params",
            |_| vec![],
            "asked",
            true,
        ),
        (
            "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
            |hint| vec![("id_token_hint", hint), ("state", "x")],
            "signed out",
            false,
        ),
        (
            "oidcc-rp-initiated-logout-no-state",
            |hint| vec![("id_token_hint", hint), ("post_logout_redirect_uri", BYE)],
            "to https://shop.example/bye",
            false,
        ),
        (
            "oidcc-rp-initiated-logout-only-state",
            |_| vec![("state", "x")],
            "asked",
            true,
        ),
        (
            "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
            |hint| {
                vec![
                    ("id_token_hint", hint),
                    (
                        "post_logout_redirect_uri",
                        "https://shop.example/bye?foo=bar",
                    ),
                ]
            },
            "fault",
            true,
        ),
    ];
    for (name, params, expected, stays) in modules {
        let guest = hall.guest().await;
        let hint = guest.shop.text("id_token").to_owned().leak();
        let came = came_of(&hall, &guest, &path(&params(hint))).await;
        table.row(name, came, (expected.to_owned(), stays));
    }
    let guest = hall.guest().await;
    let before = hall.at_shop.got().len();
    guest
        .visitor
        .get(&path(&[("id_token_hint", guest.shop.text("id_token"))]))
        .await
        .is(200);
    let token = hall.at_shop.wait_for(before + 1).await.pop().unwrap();
    let told = hall.app.claims_of_logout_token(&token, "shop").await;
    table.row(
        "oidcc-backchannel-rp-initiated-logout",
        told["sid"].clone(),
        guest.sid(),
    );
    table.close(14);
}

#[tokio::test]
async fn whoever_shows_no_token_of_this_session_is_asked_and_goes_where_he_said() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let elsewhere = hall.again(guest.user.clone()).await;
    let stranger = hall.guest().await;
    let mut table = Table::default();
    for (name, params, then) in [
        (
            "another browser's",
            vec![("id_token_hint", elsewhere.shop.text("id_token"))],
            "signed out",
        ),
        (
            "another user's",
            vec![("id_token_hint", stranger.shop.text("id_token"))],
            "signed out",
        ),
        (
            "another user's, and an address",
            vec![
                ("id_token_hint", stranger.shop.text("id_token")),
                ("post_logout_redirect_uri", BYE),
            ],
            "to https://shop.example/bye",
        ),
        (
            "the client's name",
            vec![
                ("client_id", "shop"),
                ("post_logout_redirect_uri", BYE),
                ("state", "s"),
            ],
            "to https://shop.example/bye?state=s",
        ),
        (
            "nobody's name",
            vec![("client_id", "nobody"), ("post_logout_redirect_uri", BYE)],
            "signed out",
        ),
        (
            "an access token",
            vec![("id_token_hint", guest.shop.access())],
            "signed out",
        ),
        (
            "a refresh token",
            vec![("id_token_hint", guest.shop.refresh())],
            "signed out",
        ),
        (
            "a hint for a person",
            vec![("logout_hint", guest.user.email.as_str())],
            "signed out",
        ),
    ] {
        let path = path(&params);
        table.row(
            name,
            came_of(&hall, &guest, &path).await,
            ("asked".to_owned(), true),
        );
        let again = hall.again(guest.user.clone()).await;
        table.row(name, say_yes(&again.visitor, &path).await, then);
        table.row(name, cookie(&again.visitor, "keyturn"), "");
        let refused = hall.app.refresh_as(&hall.shop, again.shop.refresh()).await;
        table.row(name, refused.error().2, "session_revoked");
    }
    assert!(lives(&hall, &stranger) && lives(&hall, &elsewhere));
    // Who is signed in, and to what, and the way back without signing out.
    let page = guest
        .visitor
        .get(&path(&[
            ("client_id", "shop"),
            ("post_logout_redirect_uri", BYE),
        ]))
        .await;
    for said in ["deaf", "shop", "wiki", &guest.user.email, BYE] {
        assert!(page.says(said), "{said}: {page:?}");
    }
    let chinese = guest.visitor.get("/oauth/logout?ui_locales=zh").await;
    assert!(chinese.says("退出登录"));
    table.close(32);
}

#[tokio::test]
async fn a_request_that_is_wrong_says_so_and_signs_nobody_out() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let hint = guest.shop.text("id_token");
    let long = "x".repeat(2049);
    let mut table = Table::default();
    let with = |name: &'static str, value: &str| path(&[("id_token_hint", hint), (name, value)]);
    for (name, path) in [
        ("another client", with("client_id", "wiki")),
        ("nobody's client", with("client_id", "nobody")),
        (
            "twice",
            format!("{}&id_token_hint={hint}", with("state", "x")),
        ),
        ("state twice", format!("{}&state=y", with("state", "x"))),
        ("a long state", with("state", &long)),
        (
            "a slash more",
            with("post_logout_redirect_uri", "https://shop.example/bye/"),
        ),
        (
            "capitals",
            with("post_logout_redirect_uri", "https://SHOP.example/bye"),
        ),
        (
            "a port",
            with("post_logout_redirect_uri", "https://shop.example:443/bye"),
        ),
        (
            "a user",
            with(
                "post_logout_redirect_uri",
                "https://shop.example@evil.example/bye",
            ),
        ),
        (
            "a fragment",
            with("post_logout_redirect_uri", "https://shop.example/bye#x"),
        ),
        (
            "another program's",
            with("post_logout_redirect_uri", "https://wiki.example/bye"),
        ),
        (
            "where codes go",
            with("post_logout_redirect_uri", "https://shop.example/cb"),
        ),
        (
            "a script",
            with("post_logout_redirect_uri", "javascript:alert(1)"),
        ),
        (
            "no scheme",
            with("post_logout_redirect_uri", "//evil.example"),
        ),
        ("ours", with("post_logout_redirect_uri", "/oauth/authorize")),
        (
            "a percent sign",
            with("post_logout_redirect_uri", "https://shop.example/%62ye"),
        ),
        (
            "a new line",
            with(
                "post_logout_redirect_uri",
                "https://shop.example/bye\r\nx: y",
            ),
        ),
    ] {
        table.row(
            name,
            came_of(&hall, &guest, &path).await,
            ("fault".to_owned(), true),
        );
    }
    // What asks for no page, and what another site sends.
    let good = path(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE)]);
    let head = hall.app.client.head(format!("{}{good}", hall.app.auth_url));
    let cookies = format!("keyturn={}", cookie(&guest.visitor, "keyturn"));
    let head = send(head.header("cookie", &cookies)).await;
    table.row("HEAD", (head.status, lives(&hall, &guest)), (200, true));
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let request = hall
            .app
            .client
            .request(method.clone(), format!("{}{good}", hall.app.auth_url));
        let status = send(request.header("cookie", &cookies)).await.status;
        table.row(method, (status, lives(&hall, &guest)), (405, true));
    }
    let fields = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE)];
    let posted = hall.app.visitor();
    let posted = posted
        .post_from(Some("https://evil.example"), "/oauth/logout", &fields)
        .await;
    table.row(
        "POST",
        (posted.status, posted.header("location")),
        (303, good.as_str()),
    );
    let page = guest.visitor.get("/oauth/logout").await;
    let (action, hidden) = page.form();
    let hidden: BTreeMap<_, _> = hidden.into_iter().collect();
    let mut all: Vec<(&str, &str)> = hidden
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    all.push(("decision", "allow"));
    for (name, origin) in [
        ("another site", Some("https://evil.example")),
        ("none", None),
        ("null", Some("null")),
    ] {
        let reply = guest.visitor.post_from(origin, &action, &all).await;
        table.row(name, (reply.status, lives(&hall, &guest)), (403, true));
    }
    for (name, fields) in [
        ("no button", vec![]),
        ("an empty button", vec![("decision", "")]),
        ("another button", vec![("decision", "deny")]),
        ("no token", vec![("decision", "allow"), ("form", "")]),
        (
            "another request",
            vec![("decision", "allow"), ("request", "client_id=shop")],
        ),
    ] {
        let reply = guest.visitor.submit(&page, &fields).await;
        let came = (outcome(&reply), lives(&hall, &guest));
        table.row(name, came, ("asked".to_owned(), true));
    }
    // The token of another page of ours, and of somebody else.
    let other = hall.again(guest.user.clone()).await;
    for (name, from) in [
        (
            "another browser's",
            other.visitor.get("/oauth/logout").await,
        ),
        (
            "the log-in's",
            hall.app
                .visitor()
                .get(&hall.shop.ask("openid").path())
                .await,
        ),
    ] {
        let (_, fields) = from.form();
        let form = fields.iter().find(|(name, _)| name == "form").unwrap();
        let reply = guest
            .visitor
            .submit(&page, &[("decision", "allow"), ("form", &form.1)])
            .await;
        let came = (outcome(&reply), lives(&hall, &guest));
        table.row(name, came, ("asked".to_owned(), true));
    }
    assert_eq!(
        outcome(&guest.visitor.submit(&page, &[("decision", "allow")]).await),
        "signed out"
    );
    assert!(!lives(&hall, &guest));
    table.close(32);
}

#[tokio::test]
async fn a_browser_in_which_nobody_is_signed_in_goes_back_to_a_program_that_knows_its_user() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let hint = guest.shop.text("id_token");
    let nobody = hall.app.visitor();
    let mut table = Table::default();
    let back = path(&[
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", BYE),
        ("state", "s"),
    ]);
    for (name, path, expected) in [
        (
            "a hint",
            back.clone(),
            "to https://shop.example/bye?state=s",
        ),
        (
            "a hint alone",
            path(&[("id_token_hint", hint)]),
            "signed out",
        ),
        (
            "a name",
            path(&[("client_id", "shop"), ("post_logout_redirect_uri", BYE)]),
            "signed out",
        ),
        ("nothing", path(&[]), "signed out"),
    ] {
        table.row(name, outcome(&nobody.get(&path).await), expected);
    }
    // Nor is a frame of another site led back, which gets no cookie of ours.
    let mut frame = hall.app.visitor();
    frame.headers.push(("sec-fetch-dest", "iframe".into()));
    table.row("a frame", outcome(&frame.get(&back).await), "signed out");
    assert!(
        lives(&hall, &guest),
        "a token alone signs nobody out elsewhere"
    );
    // A browser that nobody used for too long: its programs live on till they are signed out here.
    hall.app.database().execute(&format!(
        "UPDATE sessions SET idle_until = 1 WHERE id = '{}'",
        guest.sid()
    ));
    hall.app
        .refresh_as(&hall.wiki, guest.wiki.refresh())
        .await
        .tokens();
    table.row(
        "idle",
        outcome(&guest.visitor.get(&back).await),
        "to https://shop.example/bye?state=s",
    );
    let refused = hall.app.refresh_as(&hall.wiki, guest.wiki.refresh()).await;
    table.row("idle", refused.error().2, "session_revoked");
    // A cookie of a session that is over is taken away.
    let over = hall.guest().await;
    hall.app.database().execute(&format!(
        "UPDATE sessions SET ended_at = 1, end_reason = 'admin' WHERE id = '{}'",
        over.sid()
    ));
    table.row(
        "over",
        outcome(&over.visitor.get("/oauth/logout").await),
        "signed out",
    );
    table.row("over", cookie(&over.visitor, "keyturn"), "");
    table.close(9);
}

#[tokio::test]
async fn a_program_of_before_a_new_log_in_still_signs_out_at_once() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let sid = guest.sid();
    // The same user logs in again over it: another session, and the programs keep the name that they know.
    let asking = hall.shop.ask("openid").with("prompt", "login");
    let page = guest.visitor.get(&asking.path()).await;
    guest.visitor.enter(&page, &guest.user).await.is(200);
    let now = hall.tokens(&guest.visitor, &hall.shop, "openid").await;
    assert_ne!(claims(now.text("id_token"))["sid"], sid.as_str());
    let hint = guest.wiki.text("id_token");
    let reply = guest.visitor.get(&path(&[("id_token_hint", hint)])).await;
    assert_eq!(outcome(&reply), "signed out");
    // Each hears of it under the names that it knows: the shop under both.
    hall.at_wiki.settled(&hall.app).await;
    let sids = |got: Vec<String>| {
        let mut sids: Vec<_> = got
            .iter()
            .map(|it| claims(it)["sid"].as_str().unwrap().to_owned())
            .collect();
        sids.sort();
        sids
    };
    let mut both = vec![
        sid.clone(),
        claims(now.text("id_token"))["sid"]
            .as_str()
            .unwrap()
            .to_owned(),
    ];
    both.sort();
    assert_eq!(sids(hall.at_shop.got()), both);
    assert_eq!(sids(hall.at_wiki.got()), [sid]);
    for (client, tokens) in [
        (&hall.shop, &guest.shop),
        (&hall.wiki, &guest.wiki),
        (&hall.shop, &now),
    ] {
        let refused = hall.app.refresh_as(client, tokens.refresh()).await;
        assert_eq!(refused.error().2, "session_revoked");
    }
    assert_eq!(
        hall.app
            .database()
            .number("SELECT COUNT(*) AS value FROM sessions WHERE ended_at IS NULL"),
        Some(0)
    );
}

#[tokio::test]
async fn a_log_in_over_a_session_that_nobody_used_for_long_takes_its_programs_along() {
    let hall = Hall::open(Options::new()).await;
    for same in [true, false] {
        let guest = hall.guest().await;
        hall.app.database().set(&guest.sid(), "idle_until = 1");
        let asking = hall.deaf.ask("openid");
        let page = guest.visitor.get(&asking.path()).await;
        let other = hall.app.register().await;
        let user = if same { &guest.user } else { &other };
        let entered = guest.visitor.enter(&page, user).await;
        assert!(entered.says("You are signed in"), "{entered:?}");
        let lives = hall.app.refresh_as(&hall.wiki, guest.wiki.refresh()).await;
        if same {
            // They are below the new one, and go with it when the program of before asks.
            lives.tokens();
            let hint = guest.shop.text("id_token");
            let reply = guest.visitor.get(&path(&[("id_token_hint", hint)])).await;
            assert_eq!(outcome(&reply), "signed out");
        }
        let refused = hall.app.refresh_as(&hall.wiki, guest.wiki.refresh()).await;
        assert_eq!(refused.error().2, "session_revoked", "{same}");
        for receiver in [&hall.at_shop, &hall.at_wiki] {
            let got = receiver.settled(&hall.app).await;
            let told = got
                .iter()
                .filter(|it| claims(it)["sid"] == guest.sid().as_str());
            assert_eq!(told.count(), 1, "{same}");
        }
    }
}

#[tokio::test]
async fn a_sign_out_that_a_log_in_beside_it_has_overtaken_signs_that_one_out() {
    let hall = Hall::open(Options::new()).await;
    for (hinted, age) in [(true, 0), (false, 0), (false, 61)] {
        let guest = hall.guest().await;
        let before = guest.visitor.cookies.lock().unwrap().clone();
        let asking = hall.shop.ask("openid").with("prompt", "login");
        let page = guest.visitor.get(&asking.path()).await;
        guest.visitor.enter(&page, &guest.user).await.is(200);
        // The answer to the log-in is not there yet when the browser asks to sign out.
        let tab = hall.app.visitor();
        *tab.cookies.lock().unwrap() = before;
        if age > 0 {
            let ended = format!("ended_at = ended_at - {age}");
            hall.app.database().set(&guest.sid(), &ended);
        }
        let hint = guest.shop.text("id_token");
        let came = if hinted {
            outcome(&tab.get(&path(&[("id_token_hint", hint)])).await)
        } else if age == 0 {
            say_yes(&tab, "/oauth/logout").await
        } else {
            outcome(&tab.get("/oauth/logout").await)
        };
        assert_eq!(came, "signed out");
        let next = hall.app.refresh_as(&hall.wiki, guest.wiki.refresh()).await;
        // A cookie of long ago is nobody's any more.
        assert_eq!(
            next.status,
            if age == 0 { 400 } else { 200 },
            "{hinted} {age}"
        );
    }
}
