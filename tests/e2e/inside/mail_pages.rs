//! Our own pages, to which links lead: a look does nothing, only the button acts.

use std::fmt::Write as _;

use e2e::{Answer, App, random};
use reqwest::header::{ACCEPT_LANGUAGE, ORIGIN};

use super::mail_links::{mailing, registered, token};

const PAGES: [&str; 3] = ["/account/reset", "/account/verify", "/account/invitation"];

async fn look(app: &App, path: &str, language: &str) -> Answer {
    let request = app.client.get(format!("{}{path}", app.auth_url));
    Answer::read(
        request
            .header(ACCEPT_LANGUAGE, language)
            .send()
            .await
            .unwrap(),
    )
    .await
}

/// Sends a page's form, as a browser would from that origin.
async fn press(app: &App, path: &str, fields: &[(&str, &str)], origin: Option<&str>) -> Answer {
    let mut body = String::new();
    for (name, value) in fields {
        write!(body, "{name}=").unwrap();
        value
            .bytes()
            .for_each(|byte| write!(body, "%{byte:02X}").unwrap());
        body.push('&');
    }
    let mut request = app
        .client
        .post(format!("{}{path}", app.auth_url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    if let Some(origin) = origin {
        request = request.header(ORIGIN, origin);
    }
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_scanner_that_opens_every_link_twice_uses_none_up() {
    let (app, sink) = mailing().await;
    let (user, verify) = registered(&app, &sink).await;
    app.forgot(&user.email).await.is(202);
    let reset = sink.next().await;
    let methods = [reqwest::Method::GET, reqwest::Method::HEAD];
    for mail in [&verify, &reset] {
        let link = mail.link().unwrap();
        let (_, path) = link.split_once("http://localhost:5000").unwrap();
        // A scanner may not know what a fragment is.
        for path in [path.to_owned(), path.replace('#', "?")] {
            for method in &methods {
                let url = format!("{}{path}", app.auth_url);
                let seen = app
                    .client
                    .request(method.clone(), url)
                    .send()
                    .await
                    .unwrap();
                assert_eq!(seen.status(), 200);
            }
        }
    }
    let sql = format!(
        "SELECT COUNT(*) AS value FROM users WHERE id = '{}' AND email_verified_at IS NULL",
        user.id
    );
    assert_eq!(app.database().number(&sql), Some(1));
    let new = format!("a new one {}", random());
    let token = token(&reset);
    let fields = [("token", token.as_str()), ("password", new.as_str())];
    let done = press(
        &app,
        "/account/reset",
        &fields,
        Some("http://localhost:5000"),
    )
    .await
    .is(200);
    assert!(done.body.contains("The password is set"), "{}", done.body);
    app.try_log_in(&user.email, &new).await.is(200);
    let again = press(
        &app,
        "/account/reset",
        &fields,
        Some("http://localhost:5000"),
    )
    .await
    .is(401);
    assert!(again.body.contains("was used already"), "{}", again.body);
    assert!(
        again
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
}

#[tokio::test]
async fn a_form_that_another_site_sends_does_nothing() {
    let (app, sink) = mailing().await;
    let (user, mail) = registered(&app, &sink).await;
    let token = token(&mail);
    let fields = [("token", token.as_str())];
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:5001",
        "http://localhost",
    ] {
        press(&app, "/account/verify", &fields, Some(origin))
            .await
            .is(403);
    }
    let sql = format!(
        "SELECT COUNT(*) AS value FROM users WHERE id = '{}' AND email_verified_at IS NULL",
        user.id
    );
    assert_eq!(app.database().number(&sql), Some(1));
    press(
        &app,
        "/account/verify",
        &fields,
        Some("http://localhost:5000"),
    )
    .await
    .is(200);
    assert_eq!(app.database().number(&sql), Some(0));
}

#[tokio::test]
async fn every_page_and_every_error_of_one_is_guarded_and_in_the_visitor_s_language() {
    let app = App::start().await;
    let guarded = |answer: &Answer| {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    };
    for path in PAGES {
        let english = look(&app, path, "en").await.is(200);
        let chinese = look(&app, path, "zh-CN,en;q=0.5").await.is(200);
        assert!(english.body.contains("lang=\"en\"") && chinese.body.contains("lang=\"zh-Hans\""));
        for page in [&english, &chinese] {
            guarded(page);
            assert_eq!(page.header("cache-control"), Some("no-store"));
            // One script and one style, both our own, and nothing inline.
            assert_eq!(page.body.matches("<script").count(), 1);
            assert!(!page.body.contains("style=") && !page.body.contains("onclick"));
        }
        let fields = [("token", "x"), ("password", "x"), ("userName", "x")];
        let refused = press(&app, path, &fields, None).await.is(401);
        guarded(&refused);
        assert!(!refused.body.contains("value=\"x\""));
    }
    for asset in ["/account/page.css", "/account/page.js"] {
        guarded(&look(&app, asset, "en").await.is(200));
    }
    press(&app, "/account/reset", &[("token", "x")], None)
        .await
        .is(400);
}

#[tokio::test]
async fn a_weak_password_leaves_the_link_good_and_is_said_with_advice() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    app.forgot(&user.email).await.is(202);
    let token = token(&sink.next().await);
    let fields = [("token", token.as_str()), ("password", "password1")];
    let refused = press(&app, "/account/reset", &fields, None).await.is(422);
    assert!(refused.body.contains("easy to guess"), "{}", refused.body);
    assert!(
        refused.body.contains(&token),
        "the form has the token still"
    );
    assert!(!refused.body.contains("password1"));
    let new = format!("a new one {}", random());
    let fields = [("token", token.as_str()), ("password", new.as_str())];
    press(&app, "/account/reset", &fields, None).await.is(200);
}

#[tokio::test]
async fn what_is_typed_into_a_page_is_text_in_it() {
    let app = App::start().await;
    let cli = e2e::Cli::new(app.folder(), app.database().url());
    let link = cli.finish(&["user", "invite", "guest@example.com"]).await;
    let token = link.trim().split_once("#token=").unwrap().1.to_owned();
    let name = "\"><script>alert(1)</script>";
    let fields = [
        ("token", token.as_str()),
        ("userName", name),
        ("password", "password1"),
    ];
    let refused = press(&app, "/account/invitation", &fields, None)
        .await
        .is(422);
    assert!(!refused.body.contains("<script>alert"), "{}", refused.body);
    let good = [
        ("token", token.as_str()),
        ("userName", "王小明"),
        ("password", "hippopotamus umbrella"),
    ];
    press(&app, "/account/invitation", &good, None)
        .await
        .is(200);
    app.try_log_in("guest@example.com", "hippopotamus umbrella")
        .await
        .is(200);
}
