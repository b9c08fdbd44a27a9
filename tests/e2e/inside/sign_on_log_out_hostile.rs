//! Requests to sign out that are wrong, and forms that nobody pressed: they sign nobody out.

use std::collections::BTreeMap;

use e2e::Options;
use reqwest::Method;

use super::back_channel::Hall;
use super::sign_on_cast::{Table, cookie, send};
use super::sign_on_log_out::{BYE, came_of, lives, outcome, path};

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
    table.close(17);
}

#[tokio::test]
async fn nobody_is_signed_out_but_by_the_button_of_his_own_page() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let hint = guest.shop.text("id_token");
    let mut table = Table::default();
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
    table.close(15);
}
