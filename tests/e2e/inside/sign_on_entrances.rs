//! The ways in: log-in, registration and "forgot" as pages, in the visitor's language.

use e2e::{Options, Reply, User, Visitor, random};
use serde_json::json;

use super::mail_links::{plain_sink, token};
use super::sign_on_cast::{Stage, Table, cookie, is_guarded, outcome};

/// A page without what differs each time: the tokens of its form, and the name of the request.
fn same(page: &Reply, email: &str) -> (u16, String) {
    let (_, hidden) = page.form();
    let body = hidden.iter().fold(page.body.clone(), |body, (_, value)| {
        body.replace(&value.replace('&', "&#38;"), "")
            .replace(value, "")
    });
    (page.status, body.replace(email, ""))
}

#[tokio::test]
async fn who_fails_hears_the_same_whether_there_is_an_account_or_not() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let page = visitor.get(&s.shop.ask("openid").path()).await;
    let nobody = format!("nobody-{}@example.com", random());
    let [wrong, unknown] = [&s.user.email, &nobody].map(|email| {
        let (visitor, page) = (&visitor, &page);
        async move {
            let fields = [("email", email.as_str()), ("password", "not the right one")];
            let reply = visitor.submit(page, &fields).await;
            is_guarded(&reply);
            assert!(reply.says("role=\"alert\""), "{reply:?}");
            same(&reply, email)
        }
    });
    let (wrong, unknown) = (wrong.await, unknown.await);
    assert_eq!(wrong.0, 401);
    assert_eq!(wrong, unknown);
    assert_eq!(cookie(&visitor, "keyturn"), "");
}

#[tokio::test]
async fn a_blocked_account_is_told_so_after_the_right_password_alone() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let asking = s.shop.ask("openid");
    let sql = format!("UPDATE users SET blocked_at = 1 WHERE id = '{}'", s.user.id);
    s.app.database().execute(&sql);
    let page = visitor.get(&asking.path()).await;
    assert_eq!(
        outcome(&page, &asking),
        "sign-in",
        "its cookie opens nothing"
    );
    assert!(visitor.enter(&page, &s.user).await.is(403).says("blocked"));
    let wrong = User {
        password: "not the right one".into(),
        ..s.user.clone()
    };
    assert!(!visitor.enter(&page, &wrong).await.is(401).says("blocked"));
}

#[tokio::test]
async fn a_page_speaks_the_language_that_is_asked_for_then_the_browser_s() {
    let s = Stage::open().await;
    let mut table = Table::default();
    for (locales, accepted, expected) in [
        ("", "", "en"),
        ("", "en", "en"),
        ("", "zh", "zh-Hans"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("", "en;q=0.8,zh;q=0.9", "zh-Hans"),
        ("", "fr", "en"),
        ("zh", "en", "zh-Hans"),
        ("zh-CN", "en", "zh-Hans"),
        ("fr zh", "en", "zh-Hans"),
        ("en", "zh", "en"),
        ("fr", "zh", "zh-Hans"),
        ("\"><script>", "en", "en"),
    ] {
        let asking = s.shop.ask("openid").with("ui_locales", locales);
        let query = asking.path().split_once('?').unwrap().1.to_owned();
        let bad = s
            .shop
            .ask("openid")
            .with("client_id", "nobody")
            .with("ui_locales", locales);
        for path in [
            asking.path(),
            format!("/oauth/register?{query}"),
            format!("/oauth/forgot?{query}"),
        ] {
            let page = s.get(&path, &[("accept-language", accepted)]).await;
            let says = page.says(&format!("<html lang=\"{expected}\">"));
            table.row(format!("{locales:?} {accepted:?} {path:.15}"), says, true);
        }
        // A request that is none names no language.
        let page = s.get(&bad.path(), &[("accept-language", accepted)]).await;
        let by_header = if accepted.starts_with("zh") || accepted.contains("zh;q=0.9") {
            "zh-Hans"
        } else {
            "en"
        };
        table.row(
            format!("fault {locales:?} {accepted:?}"),
            page.says(&format!("<html lang=\"{by_header}\">")),
            true,
        );
    }
    table.close(48);
}

/// A way from the log-in page of this request to another of its pages.
async fn way(visitor: &Visitor<'_>, page: &Reply, to: &str) -> Option<Reply> {
    let (_, rest) = page.body.split_once(&format!("<a href=\"/oauth/{to}?"))?;
    let query = rest.split_once('"')?.0.replace("&#38;", "&");
    Some(visitor.get(&format!("/oauth/{to}?{query}")).await.is(200))
}

#[tokio::test]
async fn who_registers_through_the_page_is_signed_in_and_goes_on() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let asking = s.shop.ask("openid email profile");
    let page = visitor.get(&asking.path()).await;
    assert!(
        way(&visitor, &page, "forgot").await.is_none(),
        "no mail, no link"
    );
    let register = way(&visitor, &page, "register").await.unwrap();
    is_guarded(&register);
    let (name, password) = (
        format!("user-{}", random()),
        format!("correct horse {}", random()),
    );
    let email = format!("{name}@example.com");
    // A fault is said, and nothing is lost.
    let fields = [
        ("userName", name.as_str()),
        ("email", email.as_str()),
        ("password", "password"),
    ];
    let weak = visitor.submit(&register, &fields).await.is(422);
    is_guarded(&weak);
    assert!(
        weak.says(&format!("value=\"{email}\"")) && weak.says("role=\"alert\""),
        "{weak:?}"
    );
    assert!(
        !weak.says("value=\"password\""),
        "a password is not sent back"
    );
    let taken = [
        ("userName", name.as_str()),
        ("email", &s.user.email),
        ("password", &password),
    ];
    visitor.submit(&register, &taken).await.is(409);
    let fields = [
        ("userName", name.as_str()),
        ("email", &email),
        ("password", &password),
    ];
    let entered = visitor.submit(&weak, &fields).await.is(200);
    let code = visitor.code(entered, &s.shop).await;
    let tokens = s.app.exchange(&s.shop, &code, &asking).await.tokens();
    let info = s.app.userinfo(tokens.access()).await.is(200).json();
    assert_eq!(
        (&info["email"], &info["name"]),
        (&json!(email), &json!(name))
    );
}

#[tokio::test]
async fn a_form_of_registration_or_forgot_is_taken_from_our_own_page_alone() {
    let sink = plain_sink().await;
    let s = Stage::with(Options::new().mailing(&sink)).await;
    let _first = sink.next().await;
    let visitor = s.app.visitor();
    let page = visitor.get(&s.shop.ask("openid").path()).await;
    let email = format!("user-{}@example.com", random());
    let fields = [
        ("userName", "somebody"),
        ("email", email.as_str()),
        ("password", "correct horse x1"),
    ];
    for to in ["register", "forgot"] {
        let form = way(&visitor, &page, to).await.unwrap();
        let (action, hidden) = form.form();
        let hidden: Vec<_> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let all: Vec<_> = hidden.into_iter().chain(fields).collect();
        for origin in [Some("https://evil.example"), Some("null"), None] {
            visitor.post_from(origin, &action, &all).await.is(403);
        }
        visitor
            .submit(&form, &[&fields[..], &[("form", "x")]].concat())
            .await
            .is(403);
    }
    assert_eq!(s.count("users", &format!("email = '{email}'")), 0);
    assert_eq!(s.count("outbox", &format!("address = '{email}'")), 0);
}

#[tokio::test]
async fn where_addresses_are_proven_first_a_mail_leads_on() {
    let sink = plain_sink().await;
    let options = Options::new()
        .mailing(&sink)
        .auth("registration", "verified");
    let mut s = Stage::with(Options::new()).await;
    s.app.restart(Some(options.auth("oauth", "on"))).await;
    let visitor = s.app.visitor();
    let asking = s.shop.ask("openid");
    let page = visitor.get(&asking.path()).await;
    let register = way(&visitor, &page, "register").await.unwrap();
    let (name, password) = (
        format!("user-{}", random()),
        format!("correct horse {}", random()),
    );
    let email = format!("{name}@example.com");
    let fields = [
        ("userName", name.as_str()),
        ("email", email.as_str()),
        ("password", password.as_str()),
    ];
    let sent = visitor.submit(&register, &fields).await.is(200);
    is_guarded(&sent);
    assert!(
        sent.says("Look into your mail") && cookie(&visitor, "keyturn").is_empty(),
        "{sent:?}"
    );
    // The same for an address that is taken.
    let taken = [
        ("userName", "x"),
        ("email", s.user.email.as_str()),
        ("password", password.as_str()),
    ];
    let again = visitor.submit(&register, &taken).await.is(200);
    assert_eq!(again.body, sent.body);
    let user = User {
        id: String::new(),
        name,
        email: email.clone(),
        password,
    };
    visitor.enter(&page, &user).await.is(403);
    let mut mail = sink.next().await;
    while mail.to != [email.as_str()] {
        mail = sink.next().await;
    }
    s.app.try_verify(&token(&mail)).await.is(204);
    let entered = visitor.enter(&page, &user).await.is(200);
    visitor.code(entered, &s.shop).await;
}

#[tokio::test]
async fn who_forgot_the_password_gets_a_mail_and_nobody_learns_whether_he_did() {
    let sink = plain_sink().await;
    let s = Stage::with(Options::new().mailing(&sink)).await;
    assert_eq!(sink.next().await.to, [s.user.email.as_str()]);
    let visitor = s.app.visitor();
    let asking = s.shop.ask("openid");
    let page = visitor.get(&asking.path()).await;
    let forgot = way(&visitor, &page, "forgot").await.unwrap();
    is_guarded(&forgot);
    let nobody = format!("nobody-{}@example.com", random());
    let first = visitor.submit(&forgot, &[("email", &nobody)]).await.is(200);
    let second = visitor
        .submit(&forgot, &[("email", &s.user.email)])
        .await
        .is(200);
    assert!(first.says("Look into your mail"), "{first:?}");
    assert_eq!(first.body, second.body);
    let mail = sink.next().await;
    assert_eq!(
        mail.to,
        [s.user.email.as_str()],
        "had there been one for nobody, it came first"
    );
    let password = format!("a new one {}", random());
    s.app.try_reset(&token(&mail), &password).await.is(204);
    let entered = visitor
        .enter(
            &page,
            &User {
                password,
                ..s.user.clone()
            },
        )
        .await
        .is(200);
    visitor.code(entered, &s.shop).await;
}

#[tokio::test]
async fn where_registration_is_closed_the_page_does_not_offer_it() {
    let mut s = Stage::open().await;
    let closed = Options::new()
        .auth("registration", "closed")
        .auth("oauth", "on");
    s.app.restart(Some(closed)).await;
    let visitor = s.app.visitor();
    let asking = s.shop.ask("openid");
    let page = visitor.get(&asking.path()).await.is(200);
    assert!(way(&visitor, &page, "register").await.is_none());
    let query = asking.path().split_once('?').unwrap().1.to_owned();
    let register = visitor
        .get(&format!("/oauth/register?{query}"))
        .await
        .is(403);
    is_guarded(&register);
    let fields = [
        ("userName", "x"),
        ("email", "x@example.com"),
        ("password", "correct horse x1"),
    ];
    // Its form is there for no one, but a form can be written.
    let (_, hidden) = page.form();
    let all: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(fields)
        .collect();
    visitor.post("/oauth/register", &all).await.is(403);
    assert_eq!(s.count("users", "1 = 1"), 1);
}
