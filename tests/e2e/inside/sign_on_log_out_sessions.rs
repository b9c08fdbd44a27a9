//! Signing out where something came before it: nobody is signed in, another log-in, a long pause.

use e2e::Options;

use super::back_channel::Hall;
use super::sign_on_cast::{Table, claims, cookie};
use super::sign_on_log_out::{BYE, lives, outcome, path, say_yes};

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
