//! The pages' defences: whose forms are taken, what cookies and headers look like, and who may read what.

use e2e::{ISSUER, Options, Reply, Visitor};
use reqwest::Method;
use reqwest::header::SET_COOKIE;

use super::sign_on_cast::{POLICY, Stage, Table, cookie, is_guarded, outcome, send};

/// Sends a page's form with these headers, and with `changes` in place of its fields.
async fn press(
    s: &Stage,
    visitor: &Visitor<'_>,
    page: &Reply,
    headers: &[(&str, &str)],
    changes: &[(&str, &str)],
) -> Reply {
    let (action, hidden) = page.form();
    let mut fields: Vec<(&str, &str)> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !changes.iter().any(|(other, _)| other == name))
        .collect();
    fields.extend(changes.iter().filter(|(_, value)| *value != "\0"));
    let jar = ["keyturn", "keyturn-form"].map(|name| format!("{name}={}", cookie(visitor, name)));
    let jar = jar.join("; ");
    let mut all = vec![
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", jar.as_str()),
    ];
    all.extend(headers);
    let body = serde_urlencoded::to_string(fields).unwrap();
    send(s.request(Method::POST, &action, &all).body(body)).await
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_form_is_taken_from_our_own_pages_alone() {
    let s = Stage::open().await;
    let stranger = s.app.visitor();
    let asking = s.forum.ask("openid");
    let sign_in = stranger.get(&asking.path()).await;
    let visitor = s.browser().await;
    let consent = visitor.get(&asking.path()).await;
    let enter = [("email", s.user.email.as_str()), ("password", s.user.password.as_str())];
    let allow = [("decision", "allow")];
    let (origin, site) = ("origin", "sec-fetch-site");
    let mut table = Table::default();
    for (name, headers, status) in [
        ("another origin", vec![(origin, "https://evil.example")], 403),
        ("another port", vec![(origin, "http://localhost:5001")], 403),
        ("no port", vec![(origin, "http://localhost")], 403),
        ("https", vec![(origin, "https://localhost:5000")], 403),
        ("another name of this machine", vec![(origin, "http://127.0.0.1:5000")], 403),
        ("ours with a slash", vec![(origin, "http://localhost:5000/")], 403),
        ("ours and more", vec![(origin, "http://localhost:5000.evil.example")], 403),
        ("a client's", vec![(origin, "https://forum.example")], 403),
        ("empty", vec![(origin, "")], 403),
        ("null", vec![(origin, "null")], 403),
        ("null, from another site", vec![(origin, "null"), (site, "cross-site")], 403),
        ("null, from a site beside ours", vec![(origin, "null"), (site, "same-site")], 403),
        ("null, out of nothing", vec![(origin, "null"), (site, "none")], 403),
        ("missing", vec![], 403),
        ("missing, from another site", vec![(site, "cross-site")], 403),
        ("missing, out of nothing", vec![(site, "none")], 403),
        ("ours, from another site", vec![(origin, ISSUER), (site, "cross-site")], 403),
        ("ours, from a site beside ours", vec![(origin, ISSUER), (site, "same-site")], 403),
        ("another, from our own", vec![(origin, "https://evil.example"), (site, "same-origin")], 403),
        ("missing, from our own", vec![(site, "same-origin")], 403),
        ("null, from our own", vec![(origin, "null"), (site, "same-origin")], 200),
        ("ours, from our own", vec![(origin, ISSUER), (site, "same-origin")], 200),
        ("ours", vec![(origin, ISSUER)], 200),
    ] {
        let entered = press(&s, &stranger, &sign_in, &headers, &enter).await;
        table.row(format!("{name}: log-in"), (entered.status, entered.says("You are signed in")), (status, status == 200));
        let signed = entered.headers.get_all(SET_COOKIE).iter().any(|it| it.to_str().unwrap().starts_with("keyturn="));
        table.row(format!("{name}: cookie of a log-in"), signed, status == 200);
        is_guarded(&entered);
        let agreed = press(&s, &visitor, &consent, &headers, &allow).await;
        table.row(format!("{name}: consent"), (agreed.status, agreed.says("One moment")), (status, status == 200));
        is_guarded(&agreed);
        // Nothing was noted.
        if status == 403 {
            table.row(format!("{name}: consents"), s.count("consents", "client_id = 'forum'"), 0);
        }
    }
    table.close(70);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_form_has_the_token_of_this_browser_and_this_kind_of_page() {
    let s = Stage::open().await;
    let (stranger, another) = (s.app.visitor(), s.app.visitor());
    let asking = s.forum.ask("openid");
    let (sign_in, of_another) = (stranger.get(&asking.path()).await, another.get(&asking.path()).await);
    let visitor = s.browser().await;
    let consent = visitor.get(&asking.path()).await;
    let login = visitor.get(&asking.clone().with("prompt", "login").path()).await;
    let field = |page: &Reply| page.form().1.into_iter().find(|(name, _)| name == "form").unwrap().1;
    let origin = [("origin", ISSUER)];
    let mut table = Table::default();
    for (name, token) in [
        ("missing", "\0".to_owned()),
        ("empty", String::new()),
        ("of another browser", field(&of_another)),
        ("of another kind of form", field(&consent)),
        ("the cookie itself", cookie(&stranger, "keyturn-form")),
        ("of letters", "x".repeat(48)),
    ] {
        let fields = [("email", s.user.email.as_str()), ("password", s.user.password.as_str()), ("form", token.as_str())];
        let refused = press(&s, &stranger, &sign_in, &origin, &fields).await;
        // The page again, with a token that is good.
        table.row(name, (refused.status, outcome(&Reply { status: 200, ..refused.clone() }, &asking)), (403, "sign-in".to_owned()));
        table.row(name, refused.headers.get_all(SET_COOKIE).iter().any(|it| it.to_str().unwrap().starts_with("keyturn=")), false);
    }
    for (name, token) in [("missing", "\0".to_owned()), ("of the log-in in this browser", field(&login)), ("of another browser", field(&of_another))] {
        let again = press(&s, &visitor, &consent, &origin, &[("decision", "allow"), ("form", &token)]).await;
        table.row(format!("consent: {name}"), outcome(&visitor.go_on(&again).await, &asking), "consent");
    }
    table.row("consents", s.count("consents", "client_id = 'forum'"), 0);
    // Two tabs do not spoil each other.
    let (one, two) = (stranger.get(&asking.path()).await, stranger.get(&s.shop.ask("openid").path()).await);
    for page in [one, two] {
        table.row("two tabs", stranger.enter(&page, &s.user).await.says("You are signed in"), true);
    }
    // Without cookies nobody gets in, and hears why.
    let none = s.app.visitor();
    none.cookies.lock().unwrap().clear();
    let page = none.get(&asking.path()).await;
    none.cookies.lock().unwrap().clear();
    table.row("no cookies", none.enter(&page, &s.user).await.status, 403);
    table.close(19);
}

#[tokio::test]
async fn cookies_are_for_this_host_alone_and_not_for_scripts() {
    for (issuer, prefix, more) in [
        ("http://localhost:5000", "", ""),
        ("https://login.example", "__Host-", "; Secure"),
    ] {
        let s = Stage::with(Options::new().both("jwt-issuer", issuer)).await;
        for keep in [None, Some("on")] {
            let visitor = s.app.visitor();
            let page = visitor.get(&s.shop.ask("openid").path()).await;
            let (action, mut fields) = page.form();
            fields.push(("email".into(), s.user.email.clone()));
            fields.push(("password".into(), s.user.password.clone()));
            fields.extend(keep.map(|on| ("keep".to_owned(), on.to_owned())));
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect();
            let entered = visitor
                .post_from(Some(issuer), &action, &fields)
                .await
                .is(200);
            let set: Vec<_> = page
                .headers
                .get_all(SET_COOKIE)
                .iter()
                .chain(entered.headers.get_all(SET_COOKIE))
                .map(|it| it.to_str().unwrap().to_owned())
                .collect();
            let attributes = |name: &str| {
                let start = format!("{prefix}{name}=");
                let mut found = set.iter().filter_map(|it| it.strip_prefix(&start));
                let cookie = found.next().unwrap_or_else(|| panic!("{name}: {set:?}"));
                assert!(found.next().is_none(), "{set:?}");
                cookie.split_once(';').unwrap().1.trim().to_owned()
            };
            let plain = format!("HttpOnly; SameSite=Lax{more}; Path=/");
            assert_eq!(attributes("keyturn-form"), plain);
            let kept = format!("{plain}; Max-Age=2592000");
            assert_eq!(
                attributes("keyturn"),
                if keep.is_some() { kept } else { plain.clone() }
            );
            assert!(attributes("keyturn-device").starts_with(&plain));
            assert_eq!(set.len(), 3, "{set:?}");
        }
    }
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn pages_are_read_by_nobody_else_and_what_programs_ask_is() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let origin = [("origin", "https://spa.example")];
    let ask = |client: &e2e::Member| client.ask("openid").path();
    let mut table = Table::default();
    let session = format!("keyturn={}", cookie(&visitor, "keyturn"));
    for (name, path, status) in [
        ("log-in", ask(&s.shop), 200),
        ("registration", format!("/oauth/register?{}", ask(&s.shop).split_once('?').unwrap().1), 200),
        ("forgot", format!("/oauth/forgot?{}", ask(&s.shop).split_once('?').unwrap().1), 200),
        ("a fault", s.shop.ask("openid").with("client_id", "nobody").path(), 400),
        ("nothing asked", "/oauth/authorize".to_owned(), 400),
    ] {
        let page = s.get(&path, &origin).await;
        is_guarded(&page);
        table.row(name, page.status, status);
    }
    for (name, path) in [("consent", ask(&s.forum)), ("continue", ask(&s.phone))] {
        let page = s.get(&path, &[origin[0], ("cookie", &session)]).await;
        is_guarded(&page);
        table.row(name, page.status, 200);
    }
    let redirect = s.get(&ask(&s.shop), &[origin[0], ("cookie", &session)]).await;
    table.row("redirect", (redirect.status, redirect.header("access-control-allow-origin"), redirect.header("cache-control"), redirect.header("x-frame-options")), (302, "", "no-store", "DENY"));
    table.row("redirect: what it says of where it came from", redirect.header("referrer-policy"), "no-referrer");
    for path in ["/oauth/authorize", "/oauth/sign-in", "/oauth/consent", "/oauth/register", "/oauth/forgot"] {
        for method in [Method::POST, Method::OPTIONS] {
            let headers = [origin[0], ("access-control-request-method", "POST"), ("content-type", "application/x-www-form-urlencoded")];
            let reply = send(s.request(method.clone(), path, &headers).body("")).await;
            table.row(format!("{method} {path}"), (reply.header("access-control-allow-origin"), reply.header("access-control-allow-credentials")), ("", ""));
        }
    }
    for (method, path) in [
        (Method::POST, "/oauth/token"), (Method::POST, "/oauth/revoke"), (Method::POST, "/oauth/par"),
        (Method::GET, "/oauth/userinfo"), (Method::GET, "/oauth/jwks.json"),
        (Method::GET, "/.well-known/openid-configuration"), (Method::GET, "/.well-known/oauth-authorization-server"),
    ] {
        let reply = send(s.request(method.clone(), path, &origin)).await;
        table.row(format!("{method} {path}"), (reply.header("access-control-allow-origin"), reply.header("access-control-allow-credentials")), ("*", ""));
        let before = [origin[0], ("access-control-request-method", method.as_str()), ("access-control-request-headers", "authorization, content-type")];
        let reply = send(s.request(Method::OPTIONS, path, &before)).await;
        table.row(format!("OPTIONS {path}"), (reply.status, reply.header("access-control-allow-origin").is_empty()), (204, false));
    }
    table.close(33);
}

#[tokio::test]
async fn a_posted_answer_is_a_page_that_may_send_one_form_to_one_place() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for (prompt, expected) in [("", "code"), ("none consent", "invalid_request")] {
        let asking = s
            .shop
            .ask("openid")
            .with("response_mode", "form_post")
            .with("prompt", prompt);
        let page = visitor.get(&asking.path()).await.is(200);
        let policy = POLICY
            .replace("img-src 'self'; ", "")
            .replace(
                "script-src 'self'",
                "script-src 'sha256-KEQsrnz155by/CaZ3YE89wPohRVcBIkVhJYDA69gi5U='",
            )
            .replace("form-action 'self'", "form-action https://shop.example");
        assert_eq!(page.header("content-security-policy"), policy);
        is_guarded(&with_policy(page.clone()));
        let (action, fields) = page.form();
        assert_eq!(action, s.shop.redirect_uri());
        let fields = fields.into_iter().collect();
        assert_eq!(super::sign_on_cast::told(&fields, &asking), expected);
        assert!(
            page.says("<button type=\"submit\">"),
            "without scripts there is a button"
        );
    }
    // What is no place on the web gets no form.
    let asking = s.phone.ask("openid").with("response_mode", "form_post");
    let page = visitor.get(&asking.path()).await;
    assert_eq!(outcome(&visitor.through(page).await, &asking), "code");
}

fn with_policy(mut page: Reply) -> Reply {
    let policy = POLICY.parse().unwrap();
    page.headers.insert("content-security-policy", policy);
    page
}

#[tokio::test]
async fn a_posted_request_goes_on_as_a_get_and_is_carried_whole() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let asking = s.shop.ask("openid").with("state", "a b&c=d#%");
    let fields: Vec<_> = asking
        .params
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    // From the client's own page, where the browser leaves our cookie out.
    let from = Some("https://shop.example");
    let reply = visitor
        .post_from(from, "/oauth/authorize", &fields)
        .await
        .is(303);
    let location = reply.header("location");
    assert!(location.starts_with("/oauth/authorize?"), "{location}");
    assert_eq!(outcome(&visitor.get(location).await, &asking), "code");
}

#[tokio::test]
async fn an_operator_gives_the_pages_a_name_and_a_look() {
    let mut s = Stage::open().await;
    let style = s.app.folder().join("style.css");
    std::fs::write(&style, "body { color: teal }").unwrap();
    let page = s.app.visitor().get(&s.shop.ask("openid").path()).await;
    assert!(
        page.says("localhost:5000") && !page.says("/account/style.css"),
        "{page:?}"
    );
    let options = Options::new()
        .auth("oauth", "on")
        .auth("page-title", "Ada & <Co>")
        .auth("page-style", style.display().to_string());
    s.app.restart(Some(options)).await;
    for path in [
        s.shop.ask("openid").path(),
        "/oauth/authorize".to_owned(),
        "/account/reset".to_owned(),
    ] {
        let page = s.app.visitor().get(&path).await;
        assert!(page.says("Ada &#38; &#60;Co&#62;"), "{page:?}");
        assert!(page.says("href=\"/account/style.css\""), "{page:?}");
    }
    let sheet = s.get("/account/style.css", &[]).await.is(200);
    assert_eq!(sheet.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(sheet.body, "body { color: teal }");
}
