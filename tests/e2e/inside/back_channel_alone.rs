//! Programs' sessions that end or are over by themselves: whom that is told, and what a logout token is worth.

use std::time::{Duration, Instant};

use e2e::{Options, Tokens};

use super::back_channel::{Guest, Hall};
use super::sign_on_cast::{claims, sid};

/// What each of the two has heard, and how many sessions of the user live.
async fn heard(hall: &Hall, guest: &Guest<'_>) -> (usize, usize, i64) {
    let (shop, wiki) = (
        hall.at_shop.settled(&hall.app).await.len(),
        hall.at_wiki.settled(&hall.app).await.len(),
    );
    (
        shop,
        wiki,
        hall.app.database().live_sessions(&guest.user.id),
    )
}

#[tokio::test]
async fn a_program_s_session_that_ends_alone_is_told_where_its_client_does_not_know() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let pair = hall.app.log_in(&guest.user).await;
    let list = format!("{}/api/account/sessions", hall.app.auth_url);
    let end = async |tokens: &Tokens| {
        let request = hall.app.client.delete(format!("{list}/{}", sid(tokens)));
        let answer = request
            .bearer_auth(&pair.access_token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 204);
    };
    // The client itself gives it up: it knows. Browser, shop, wiki, deaf and the account's own are five.
    let fields = [("token", guest.shop.refresh())];
    hall.app
        .ask_as(&hall.shop, "/oauth/revoke", &fields)
        .await
        .is(200);
    assert_eq!(heard(&hall, &guest).await, (0, 0, 4));
    // Of two of one client and browser one ends: the browser is signed in there still.
    let second = hall.tokens(&guest.visitor, &hall.wiki, "openid").await;
    end(&guest.wiki).await;
    assert_eq!(heard(&hall, &guest).await, (0, 0, 4));
    // And then the other: that program is told, and no other one.
    end(&second).await;
    assert_eq!(heard(&hall, &guest).await, (0, 1, 3));
    // When the browser signs out, all that ever had tokens are told, but who heard already.
    end_browser(&hall, &guest, &pair.access_token).await;
    assert_eq!(heard(&hall, &guest).await, (1, 1, 1));
}

async fn end_browser(hall: &Hall, guest: &Guest<'_>, access: &str) {
    let url = format!("{}/api/account/sessions/{}", hall.app.auth_url, guest.sid());
    let answer = hall.app.client.delete(url).bearer_auth(access).send().await;
    assert_eq!(answer.unwrap().status(), 204);
}

#[tokio::test]
async fn a_program_whose_session_is_over_by_itself_is_told_and_one_that_stays_as_well() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    let app = &hall.app;
    // A session that nobody refreshed for too long, and one that stays when the browser signs out.
    app.database().set(&sid(&guest.shop), "idle_until = 1");
    app.database()
        .set(&sid(&guest.wiki), "ended_at = 1, end_reason = 'logout'");
    let offline = hall
        .tokens(&guest.visitor, &hall.wiki, "openid offline_access")
        .await;
    // A code that nobody fetched is nothing that anybody knows of.
    let asking = hall.deaf.ask("openid");
    guest.visitor.get(&asking.path()).await;
    let pair = app.log_in(&guest.user).await;
    end_browser(&hall, &guest, &pair.access_token).await;
    let (shop, wiki, _) = heard(&hall, &guest).await;
    assert_eq!((shop, wiki), (1, 1));
    let offline = app.refresh_as(&hall.wiki, offline.refresh()).await.tokens();
    // What ends everything ends that one, too, and its client hears of it.
    app.delete("/sessions", &pair.access_token).await.is(204);
    assert_eq!(heard(&hall, &guest).await, (1, 2, 0));
    let refused = app.refresh_as(&hall.wiki, offline.refresh()).await.error();
    assert_eq!(refused.2, "session_revoked");
}

#[tokio::test]
async fn a_client_that_is_blocked_is_not_spoken_to_and_one_that_is_removed_is_forgotten() {
    let hall = Hall::open(Options::new()).await;
    let (guest, cli) = (hall.guest().await, hall.cli());
    cli.finish(&["client", "block", "shop"]).await;
    let pair = hall.app.log_in(&guest.user).await;
    hall.at_wiki.answer(e2e::Answering::With(500));
    end_browser(&hall, &guest, &pair.access_token).await;
    hall.at_wiki.wait_for(1).await;
    assert!(hall.at_shop.got().is_empty());
    let waiting = "SELECT COUNT(*) AS value FROM logout_deliveries";
    assert_eq!(hall.app.database().number(waiting), Some(1));
    cli.finish(&["client", "remove", "wiki"]).await;
    assert_eq!(hall.app.database().number(waiting), Some(0));
}

#[tokio::test]
async fn a_logout_token_opens_nothing_and_hints_at_nobody() {
    let hall = Hall::open(Options::new()).await;
    let (guest, app) = (hall.guest().await, &hall.app);
    let pair = app.log_in(&guest.user).await;
    end_browser(&hall, &guest, &pair.access_token).await;
    let token = hall.at_shop.wait_for(1).await.remove(0);
    let again = hall.again(guest.user.clone()).await;
    let path = format!("/oauth/logout?id_token_hint={token}");
    assert!(again.visitor.get(&path).await.is(200).says("sign-out"));
    let asking = hall.shop.ask("openid").with("id_token_hint", &token);
    let end = again.visitor.get(&asking.path()).await;
    let told = end.redirected_to(hall.shop.redirect_uri());
    assert_eq!(told["error"], "invalid_request");
    app.call_home(&token).await.is(401);
    app.get("/api/account/sessions", &token).await.is(401);
    app.userinfo(&token).await.is(401);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &token)];
    let refused = app.ask_as(&hall.shop, "/oauth/token", &fields).await;
    assert_eq!(refused.error().1, "invalid_grant");
    let refused = app.exchange(&hall.shop, &token, &asking).await;
    assert_eq!(refused.error().1, "invalid_grant");
    let fields = [("token", token.as_str())];
    app.ask_as(&hall.shop, "/oauth/revoke", &fields)
        .await
        .is(200);
    assert_eq!(app.database().live_sessions(&guest.user.id), 5);
}

#[tokio::test]
async fn a_program_whose_refresh_token_came_back_is_told_and_so_is_one_whose_access_was_taken_away()
{
    let hall = Hall::open(Options::new()).await;
    let (guest, app) = (hall.guest().await, &hall.app);
    let mut tokens = guest.shop.clone();
    for _ in 0..2 {
        tokens = app.refresh_as(&hall.shop, tokens.refresh()).await.tokens();
    }
    app.database().age(&sid(&guest.shop), 3600);
    let reused = app.refresh_as(&hall.shop, guest.shop.refresh()).await;
    assert_eq!(reused.error().2, "refresh_token_reused");
    assert_eq!(heard(&hall, &guest).await, (1, 0, 3));
    let pair = app.log_in(&guest.user).await;
    app.delete("/apps/wiki", &pair.access_token).await.is(204);
    assert_eq!(heard(&hall, &guest).await, (1, 1, 3));
}

#[tokio::test]
async fn a_program_is_told_under_every_name_that_it_knows_however_long_its_sessions_are_over() {
    let hall = Hall::open(Options::new()).await;
    let (guest, app) = (hall.guest().await, &hall.app);
    // Another log-in over it: the browser has another name from then on.
    let asking = hall.shop.ask("openid").with("prompt", "login");
    let page = guest.visitor.get(&asking.path()).await;
    guest.visitor.enter(&page, &guest.user).await.is(200);
    let second = hall.tokens(&guest.visitor, &hall.shop, "openid").await;
    let offline = hall
        .tokens(&guest.visitor, &hall.wiki, "openid offline_access")
        .await;
    // Long over by themselves; what only stays without the browser as well.
    for tokens in [&guest.shop, &second, &guest.wiki, &offline] {
        app.database().set(
            &sid(tokens),
            "idle_until = 1, absolute_until = 1, rotated_at = 1",
        );
    }
    let third = hall.tokens(&guest.visitor, &hall.shop, "openid").await;
    // What was over for long is taken away after a log-in: this one as well, so then it has happened.
    let somebody = app.register().await;
    let over = app.log_in(&somebody).await.sid();
    app.database()
        .set(&over, "idle_until = 1, absolute_until = 1");
    let is_there = format!("SELECT COUNT(*) AS value FROM sessions WHERE id = '{over}'");
    let patience = Instant::now() + Duration::from_secs(20);
    while app.database().number(&is_there) != Some(0) {
        assert!(Instant::now() < patience, "nothing is swept");
        app.log_in(&somebody).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let name = |tokens: &Tokens| claims(tokens.text("id_token"))["sid"].clone();
    let hint = third.text("id_token");
    let path = format!("/oauth/logout?id_token_hint={hint}");
    guest.visitor.get(&path).await.is(200);
    let mut told: Vec<_> = Vec::new();
    for receiver in [&hall.at_shop, &hall.at_wiki] {
        let got = receiver.settled(app).await;
        let mut sids: Vec<_> = got.iter().map(|it| claims(it)["sid"].to_string()).collect();
        sids.sort();
        told.push(sids);
    }
    let mut both = vec![name(&guest.shop).to_string(), name(&third).to_string()];
    both.sort();
    assert_eq!(told, [both.clone(), both]);
}
