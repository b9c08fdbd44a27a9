//! What is planted on a visitor is worth nothing: a cookie of before, somebody else's, or a request put into a form.

use auth_server::sessions::refresh_token::Purpose;
use e2e::{Asking, Visitor};

use super::sign_on_cast::{Stage, Table, claims, cookie, outcome, sid};

async fn shown(visitor: &Visitor<'_>, asking: &Asking) -> String {
    outcome(&visitor.get(&asking.path()).await, asking)
}

#[tokio::test]
async fn the_request_in_a_form_is_judged_from_zero() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let query = |asking: &Asking| asking.path().split_once('?').unwrap().1.to_owned();
    let evil = s
        .forum
        .ask("openid")
        .with("redirect_uri", "https://evil.example/cb");
    let plain = s.forum.ask("openid").with("code_challenge_method", "plain");
    let blocked = s.forum.ask("openid").with("client_id", "nobody");
    for (name, request, expected) in [
        ("another place", query(&evil), "page"),
        ("nobody's", query(&blocked), "page"),
        ("nothing", String::new(), "page"),
        // The client is told by the page that it goes on to.
        ("no PKCE", query(&plain), "goes on"),
        ("no query", "\u{1f511}".to_owned(), "page"),
    ] {
        let page = visitor.get(&s.forum.ask("openid").path()).await;
        let reply = visitor
            .submit(&page, &[("request", &request), ("decision", "allow")])
            .await;
        table.row(
            format!("consent: {name}"),
            outcome(&reply, &plain),
            expected,
        );
        let stranger = s.app.visitor();
        let page = stranger.get(&s.forum.ask("openid").path()).await;
        let fields = [
            ("request", request.as_str()),
            ("email", &s.user.email),
            ("password", &s.user.password),
        ];
        table.row(
            format!("log-in: {name}"),
            outcome(&stranger.submit(&page, &fields).await, &plain),
            expected,
        );
        table.row(format!("log-in: {name}"), cookie(&stranger, "keyturn"), "");
    }
    // More than was asked about is asked about.
    let page = visitor.get(&s.forum.ask("openid").path()).await;
    let more = s.forum.ask("openid email profile offline_access");
    let fields = [("request", query(&more)), ("decision", "allow".to_owned())];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let reply = visitor.submit(&page, &fields).await;
    table.row(
        "more",
        outcome(&visitor.go_on(&reply).await, &more),
        "consent",
    );
    table.close(16);
}

#[tokio::test]
async fn every_log_in_is_a_new_session_with_a_new_cookie_and_what_was_before_is_over() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let (first, row) = (cookie(&visitor, "keyturn"), s.browser_of(&visitor));
    let tokens = s.tokens(&visitor, &s.shop, "openid").await;
    let known = claims(tokens.text("id_token"))["sid"].clone();
    let again = s.shop.ask("openid").with("prompt", "login");
    // The same user: the programs go over, and keep the name by which they know the session.
    let page = visitor.get(&again.path()).await;
    visitor.enter(&page, &s.user).await.is(200);
    let second = s.browser_of(&visitor);
    assert_ne!(first, cookie(&visitor, "keyturn"));
    assert_ne!(row, second);
    assert_eq!(
        s.app.database().end_reason(&row).as_deref(),
        Some("replaced")
    );
    let next = s.app.refresh_as(&s.shop, tokens.refresh()).await.tokens();
    assert_eq!(claims(next.text("id_token"))["sid"], known);
    assert_eq!(
        s.count(
            "sessions",
            &format!("id = '{}' AND parent_id = '{second}'", sid(&next))
        ),
        1
    );
    // The cookie of before is worth nothing: who planted it, or kept it, is nobody.
    let planted = s.app.visitor();
    planted
        .cookies
        .lock()
        .unwrap()
        .insert("keyturn".into(), first);
    assert_eq!(shown(&planted, &s.shop.ask("openid")).await, "sign-in");
    // Another user: everything of the one before is over.
    let other = s.app.register().await;
    let page = visitor.get(&again.path()).await;
    visitor.enter(&page, &other).await.is(200);
    assert_eq!(
        s.app.database().end_reason(&second).as_deref(),
        Some("logout")
    );
    s.app.refresh_as(&s.shop, next.refresh()).await.is(400);
    let theirs = s.tokens(&visitor, &s.shop, "openid").await;
    assert_eq!(claims(theirs.access())["sub"], other.id.as_str());
}

#[tokio::test]
async fn a_victim_with_the_thief_s_cookie_gets_another_and_the_thief_learns_nothing() {
    let s = Stage::open().await;
    let thief = s.app.register().await;
    let (his, _) = s.app.signed_in(&thief, &s.shop.ask("openid")).await;
    let planted = cookie(&his, "keyturn");
    let victim = s.app.visitor();
    victim
        .cookies
        .lock()
        .unwrap()
        .insert("keyturn".into(), planted.clone());
    let page = victim
        .get(&s.shop.ask("openid").with("prompt", "login").path())
        .await;
    victim.enter(&page, &s.user).await.is(200);
    assert_ne!(cookie(&victim, "keyturn"), planted);
    let row = s.session_of(Purpose::Browser, &planted);
    assert_eq!(s.app.database().end_reason(&row).as_deref(), Some("logout"));
    assert_eq!(shown(&his, &s.shop.ask("openid")).await, "sign-in");
}

#[tokio::test]
async fn a_question_that_one_user_was_asked_is_not_answered_by_the_next_one_in_the_same_browser() {
    let s = Stage::open().await;
    let (visitor, _) = s.app.signed_in(&s.user, &s.shop.ask("openid")).await;
    let asking = s.forum.ask("openid");
    let asked = visitor.get(&asking.path()).await.is(200);
    assert!(asked.says(&s.user.email), "{asked:?}");
    // In another tab somebody else logs in.
    let other = s.app.register().await;
    let page = visitor
        .get(&s.shop.ask("openid").with("prompt", "login").path())
        .await;
    visitor.enter(&page, &other).await.is(200);
    // The first one's page is still open.
    let answered = visitor.submit(&asked, &[("decision", "allow")]).await;
    let next = visitor.go_on(&answered).await;
    assert!(
        next.says(&other.email) && next.says("name=\"decision\""),
        "{next:?}"
    );
    assert_eq!(s.count("consents", "client_id = 'forum'"), 0);
}
