//! `/oauth/logout` (OIDC RP-Initiated Logout 1.0): the foundation's modules under their own names, and what attackers try.

use e2e::{Options, Reply, Visitor};
use reqwest::header::REFRESH;
use serde_json::Value;

use super::back_channel::{Guest, Hall};
use super::sign_on_cast::{Table, cookie, is_guarded};

pub(super) const BYE: &str = "https://shop.example/bye";

pub(super) fn path(params: &[(&str, &str)]) -> String {
    let query = serde_urlencoded::to_string(params).unwrap();
    format!("/oauth/logout?{query}")
}

/// What came of it in one word.
pub(super) fn outcome(reply: &Reply) -> String {
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

pub(super) fn lives(hall: &Hall, guest: &Guest<'_>) -> bool {
    let sql = format!(
        "SELECT COUNT(*) AS value FROM sessions WHERE id = '{}' AND ended_at IS NULL",
        guest.sid()
    );
    hall.app.database().number(&sql) == Some(1)
}

/// The answer, and whether the user is signed in then, by row and by cookie.
pub(super) async fn came_of(hall: &Hall, guest: &Guest<'_>, path: &str) -> (String, bool) {
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
pub(super) async fn say_yes(visitor: &Visitor<'_>, path: &str) -> String {
    let page = visitor.get(path).await.is(200);
    outcome(&visitor.submit(&page, &[("decision", "allow")]).await)
}

/// The parameters of a module, given the program's token.
type Params<'a> = fn(&'a str) -> Vec<(&'a str, &'a str)>;

/// The name of each, what it sends, what comes of it, and whether the user is signed in then.
fn modules() -> [(&'static str, Params<'static>, &'static str, bool); 10] {
    [
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
    ]
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
    for (name, params, expected, stays) in modules() {
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
