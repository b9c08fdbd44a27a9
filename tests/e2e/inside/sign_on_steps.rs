//! From page to page: what was done on the way counts for this request in this browser, once asked and once answered.

use std::collections::BTreeMap;

use e2e::{Asking, Member, Reply, Visitor};

use super::sign_on_cast::{Stage, Table, outcome};

/// Where a page goes on to.
#[track_caller]
fn next(page: &Reply) -> String {
    let refresh = page.header("refresh");
    let url = refresh.strip_prefix("0; url=");
    url.unwrap_or_else(|| panic!("{page:?}")).to_owned()
}

fn ticket(page: &Reply, name: &str) -> String {
    let url = next(page);
    let query: BTreeMap<String, String> =
        serde_urlencoded::from_str(url.split_once('?').unwrap().1).unwrap();
    query.get(name).unwrap_or_else(|| panic!("{url}")).clone()
}

/// A page of one of our forms, which shows in one word.
async fn shown(visitor: &Visitor<'_>, asking: &Asking) -> String {
    outcome(&visitor.get(&asking.path()).await, asking)
}

#[tokio::test]
async fn a_log_in_for_a_request_counts_for_it_in_this_browser_and_nowhere_else() {
    let s = Stage::open().await;
    let login = |client: &Member| client.ask("openid").with("prompt", "login");
    let (visitor, elsewhere) = (s.browser().await, s.browser().await);
    let asking = login(&s.shop);
    let page = visitor.get(&asking.path()).await;
    assert_eq!(outcome(&page, &asking), "sign-in");
    let entered = visitor.enter(&page, &s.user).await;
    // The loop ends.
    assert_eq!(outcome(&visitor.go_on(&entered).await, &asking), "code");
    let since = ticket(&entered, "since");
    let with = |asking: Asking| asking.with("since", &since);
    let mut table = Table::default();
    table.row(
        "the same request",
        shown(&visitor, &with(asking.clone())).await,
        "code",
    );
    table.row(
        "in another browser",
        shown(&elsewhere, &with(asking.clone())).await,
        "sign-in",
    );
    table.row(
        "another state",
        shown(&visitor, &with(asking.clone().with("state", "x"))).await,
        "sign-in",
    );
    table.row(
        "another nonce",
        shown(&visitor, &with(asking.clone().with("nonce", "x"))).await,
        "sign-in",
    );
    table.row(
        "another scope",
        shown(
            &visitor,
            &with(asking.clone().with("scope", "openid email")),
        )
        .await,
        "sign-in",
    );
    table.row(
        "another request",
        shown(&visitor, &with(login(&s.shop))).await,
        "sign-in",
    );
    table.row(
        "another client",
        shown(&visitor, &with(login(&s.wiki))).await,
        "sign-in",
    );
    table.row(
        "max_age for prompt",
        shown(
            &visitor,
            &with(asking.clone().with("prompt", "").with("max_age", "0")),
        )
        .await,
        "sign-in",
    );
    table.row(
        "as something else",
        shown(&visitor, &asking.clone().with("agreed", &since)).await,
        "sign-in",
    );
    table.row(
        "as a refusal",
        shown(&visitor, &asking.clone().with("denied", &since)).await,
        "sign-in",
    );
    // After another log-in it is worth nothing, whoever it is.
    let again = visitor.get(&asking.path()).await;
    visitor.enter(&again, &s.user).await.is(200);
    table.row(
        "after another log-in",
        shown(&visitor, &with(asking.clone())).await,
        "sign-in",
    );
    let other = s.app.register().await;
    let (theirs, entered) = s.app.signed_in(&other, &s.shop.ask("openid")).await;
    entered.is(200);
    table.row(
        "of another user",
        shown(&theirs, &with(asking)).await,
        "sign-in",
    );
    table.close(12);
}

#[tokio::test]
async fn an_answer_counts_for_its_request_in_this_browser_and_nowhere_else() {
    let s = Stage::open().await;
    let mut table = Table::default();
    // A native program is asked each time.
    for round in 0..2 {
        let (visitor, elsewhere) = (s.browser().await, s.browser().await);
        let asking = s.phone.ask("openid");
        let page = visitor.get(&asking.path()).await;
        table.row(round, outcome(&page, &asking), "continue");
        let yes = visitor.submit(&page, &[("decision", "allow")]).await;
        let agreed = ticket(&yes, "agreed");
        let with = |asking: Asking| asking.with("agreed", &agreed);
        table.row(
            "the same",
            shown(&visitor, &with(asking.clone())).await,
            "code",
        );
        table.row(
            "in another browser",
            shown(&elsewhere, &with(asking.clone())).await,
            "continue",
        );
        table.row(
            "another state",
            shown(&visitor, &with(asking.clone().with("state", "x"))).await,
            "continue",
        );
        table.row(
            "another place",
            shown(
                &visitor,
                &with(asking.clone().with("redirect_uri", "http://127.0.0.1:7/cb")),
            )
            .await,
            "continue",
        );
        table.row(
            "more scope",
            shown(
                &visitor,
                &with(asking.clone().with("scope", "openid email")),
            )
            .await,
            "continue",
        );
        table.row(
            "and silent",
            shown(&visitor, &with(asking.clone().with("prompt", "none"))).await,
            "interaction_required",
        );
        table.row(
            "and a log-in",
            shown(&visitor, &with(asking.clone().with("prompt", "login"))).await,
            "sign-in",
        );
        table.row(
            "another request",
            shown(&visitor, &with(s.phone.ask("openid"))).await,
            "continue",
        );
        table.row(
            "as a log-in",
            shown(&visitor, &asking.clone().with("since", &agreed)).await,
            "continue",
        );
        // No.
        let page = visitor.get(&asking.path()).await;
        let no = visitor.submit(&page, &[("decision", "deny")]).await;
        table.row(
            "no",
            outcome(&visitor.go_on(&no).await, &asking),
            "access_denied",
        );
        let denied = asking.clone().with("denied", &ticket(&no, "denied"));
        table.row(
            "no, in another browser",
            shown(&elsewhere, &denied).await,
            "continue",
        );
        table.row(
            "no, another state",
            shown(&visitor, &denied.with("state", "x")).await,
            "continue",
        );
    }
    table.close(26);
}

#[tokio::test]
async fn consent_is_asked_until_it_is_given_and_for_what_is_new() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let asking = s.forum.ask("openid");
    for (name, fields) in [
        ("no button", vec![]),
        ("an empty answer", vec![("decision", "")]),
        ("another answer", vec![("decision", "yes")]),
        ("in upper case", vec![("decision", "ALLOW")]),
    ] {
        let page = visitor.get(&asking.path()).await;
        let back = visitor.submit(&page, &fields).await;
        table.row(
            name,
            outcome(&visitor.go_on(&back).await, &asking),
            "consent",
        );
    }
    let page = visitor.get(&asking.path()).await;
    let no = visitor.submit(&page, &[("decision", "deny")]).await;
    table.row(
        "no",
        outcome(&visitor.go_on(&no).await, &asking),
        "access_denied",
    );
    table.row(
        "after a no",
        shown(&visitor, &s.forum.ask("openid")).await,
        "consent",
    );
    table.row(
        "nothing was noted",
        s.count("consents", "client_id = 'forum'"),
        0,
    );
    let silent = |scope: &str| s.forum.ask(scope).with("prompt", "none");
    table.row(
        "silent before",
        shown(&visitor, &silent("openid")).await,
        "consent_required",
    );
    let page = visitor.get(&s.forum.ask("openid email").path()).await;
    let yes = visitor.submit(&page, &[("decision", "allow")]).await;
    drop(
        visitor
            .go_on(&yes)
            .await
            .redirected_to(s.forum.redirect_uri()),
    );
    for (scope, expected) in [
        ("openid", "code"),
        ("openid email", "code"),
        ("email", "code"),
        ("openid profile", "consent"),
        ("openid offline_access", "consent"),
    ] {
        let quiet = if expected == "consent" {
            "consent_required"
        } else {
            expected
        };
        table.row(scope, shown(&visitor, &s.forum.ask(scope)).await, expected);
        table.row(
            format!("{scope}, silent"),
            shown(&visitor, &silent(scope)).await,
            quiet,
        );
        let again = s.forum.ask(scope).with("prompt", "consent");
        table.row(
            format!("{scope}, asked again"),
            shown(&visitor, &again).await,
            "consent",
        );
    }
    // A trusted one is asked once for what outlives a log-out.
    let offline = || s.shop.ask("openid offline_access");
    table.row(
        "trusted, silent",
        shown(&visitor, &offline().with("prompt", "none")).await,
        "consent_required",
    );
    let page = visitor.get(&offline().path()).await;
    table.row("trusted", outcome(&page, &offline()), "consent");
    visitor
        .submit(&page, &[("decision", "allow")])
        .await
        .is(200);
    table.row("trusted, again", shown(&visitor, &offline()).await, "code");
    // Another user has said nothing.
    let other = s.app.register().await;
    let (theirs, _) = s.app.signed_in(&other, &s.shop.ask("openid")).await;
    table.row(
        "another user",
        shown(&theirs, &s.forum.ask("openid")).await,
        "consent",
    );
    table.close(27);
}
