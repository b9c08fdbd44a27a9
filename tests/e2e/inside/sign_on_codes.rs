//! A code's life: made for one client, fetched once within a minute, and what becomes of it otherwise.

use auth_server::sessions::refresh_token::Purpose;
use e2e::{Asking, Reply, Tokens, Visitor};
use futures_util::future::join_all;
use serde_json::json;

use super::sign_on_cast::{Stage, Table, claims, sid};

const REFUSED: (u16, &str, &str) = (400, "invalid_grant", "invalid_code");

#[track_caller]
fn is_refused(reply: &Reply) {
    let (status, word, code) = reply.error();
    assert_eq!((status, word.as_str(), code.as_str()), REFUSED, "{reply:?}");
}

/// The refresh of an app whose session has ended is refused with its reason.
#[track_caller]
fn is_over(reply: &Reply, reason: &str) {
    let (status, word, code) = reply.error();
    let expected = (400, "invalid_grant", "session_revoked");
    assert_eq!(
        (status, word.as_str(), code.as_str()),
        expected,
        "{reply:?}"
    );
    assert_eq!(reply.json()["reason"], reason, "{reply:?}");
}

#[tokio::test]
async fn of_twenty_who_bring_one_code_at_once_one_gets_tokens_that_stay_good() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for client in [&s.shop, &s.spa] {
        let asking = client.ask("openid offline_access");
        let code = s.code(&visitor, client, &asking).await;
        let all = join_all((0..20).map(|_| s.app.exchange(client, &code, &asking))).await;
        let (good, bad): (Vec<_>, Vec<_>) = all.iter().partition(|reply| reply.status == 200);
        assert_eq!((good.len(), bad.len()), (1, 19));
        bad.into_iter().for_each(is_refused);
        let tokens = good[0].tokens();
        let next = s.app.refresh_as(client, tokens.refresh()).await.tokens();
        s.app.userinfo(next.access()).await.is(200);
    }
}

#[tokio::test]
async fn a_refresh_between_two_exchanges_neither_forgives_the_second_nor_hastens_its_end() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for (later, ends) in [(0, false), (30, true)] {
        let asking = s.shop.ask("openid");
        let code = s.code(&visitor, &s.shop, &asking).await;
        let tokens = s.app.exchange(&s.shop, &code, &asking).await.tokens();
        s.app.database().age_exchange(&sid(&tokens), later);
        let next = s.app.refresh_as(&s.shop, tokens.refresh()).await.tokens();
        is_refused(&s.app.exchange(&s.shop, &code, &asking).await);
        let last = s.app.refresh_as(&s.shop, next.refresh()).await;
        if ends {
            is_over(&last, "reuse");
        } else {
            last.is(200);
        }
    }
}

#[tokio::test]
async fn a_code_that_comes_back_later_ends_its_session_and_only_that() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let bystander = s.tokens(&visitor, &s.shop, "openid").await;
    for (later, ends) in [(0, false), (8, false), (10, true), (3_600, true)] {
        let asking = s.shop.ask("openid");
        let code = s.code(&visitor, &s.shop, &asking).await;
        let tokens = s.app.exchange(&s.shop, &code, &asking).await.tokens();
        s.app.database().age_exchange(&sid(&tokens), later);
        is_refused(&s.app.exchange(&s.shop, &code, &asking).await);
        let next = s.app.refresh_as(&s.shop, tokens.refresh()).await;
        if ends && later < 60 {
            is_over(&next, "reuse");
            s.app.userinfo(tokens.access()).await.is(401);
            assert_eq!(s.app.database().records(&sid(&tokens), "session_ended"), 1);
        } else if ends {
            is_over(&next, "reuse");
        } else {
            next.tokens();
        }
    }
    s.app
        .refresh_as(&s.shop, bystander.refresh())
        .await
        .tokens();
}

#[tokio::test]
async fn a_spent_code_ends_nothing_for_who_cannot_prove_it() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let asking = s.shop.ask("openid");
    let code = s.code(&visitor, &s.shop, &asking).await;
    let tokens = s.app.exchange(&s.shop, &code, &asking).await.tokens();
    s.app.database().age(&sid(&tokens), 3_600);
    let other = Asking {
        verifier: s.shop.ask("openid").verifier,
        ..asking.clone()
    };
    is_refused(&s.app.exchange(&s.shop, &code, &other).await);
    // Nor for another client, which shows the right one.
    for client in [&s.wiki, &s.spa, &s.forum] {
        is_refused(&s.app.exchange(client, &code, &asking).await);
    }
    s.app.refresh_as(&s.shop, tokens.refresh()).await.tokens();
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_code_is_good_for_a_minute_by_its_own_word_and_its_row_s() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let now = shared::clock::now();
    for (name, end, status) in [("a minute", 60, 200), ("some seconds left", 20, 200), ("over", 0, 400), ("long over", -3_600, 400)] {
        let asking = s.shop.ask("openid");
        let code = s.code(&visitor, &s.shop, &asking).await;
        let code = s.remint(Purpose::Code, &code, |it| it.absolute_until = now + end);
        table.row(name, s.app.exchange(&s.shop, &code, &asking).await.status, status);
    }
    let asking = s.shop.ask("openid");
    let code = s.code(&visitor, &s.shop, &asking).await;
    let mut until = 0;
    s.remint(Purpose::Code, &code, |it| until = it.absolute_until);
    table.row("what is written in it", (now + 59..=shared::clock::now() + 60).contains(&until), true);
    let row = s.session_of(Purpose::Code, &code);
    table.row("and in its row", s.app.database().session(&row, "absolute_until"), Some(until));
    table.row("pending ones are not listed", s.app.sessions(&s.app.log_in(&s.user).await.access_token).await.iter().all(|it| it["id"] != row.as_str()), true);
    table.close(7);
}

/// What happens between a code and its exchange.
async fn between(s: &Stage, visitor: &Visitor<'_>, what: &str) {
    let pair = s.app.log_in(&s.user).await;
    match what {
        "another user signs in in this browser" => {
            let other = s.app.register().await;
            let asking = s.shop.ask("openid").with("prompt", "login");
            let page = visitor.get(&asking.path()).await;
            visitor.enter(&page, &other).await.is(200);
        }
        "the browser's session is ended" => {
            let path = format!("/sessions/{}", s.browser_of(visitor));
            s.app.delete(&path, &pair.access_token).await.is(204);
        }
        "all are ended" => drop(s.app.delete("/sessions", &pair.access_token).await.is(204)),
        "the password is changed" => {
            let (old, new) = (s.user.password.as_str(), "another correct horse of mine");
            s.app
                .try_change_password(&pair.access_token, old, new)
                .await
                .is(200);
        }
        "the account is deleted" => {
            s.app
                .try_delete_account(&pair.access_token, &s.user.password)
                .await
                .is(204);
        }
        _ => unreachable!("{what}"),
    }
}

#[tokio::test]
async fn what_ends_the_browser_s_session_ends_its_codes_and_its_programs() {
    for what in [
        "another user signs in in this browser",
        "the browser's session is ended",
        "all are ended",
        "the password is changed",
        "the account is deleted",
    ] {
        let s = Stage::open().await;
        let visitor = s.browser().await;
        let online = s.tokens(&visitor, &s.shop, "openid").await;
        let offline = s.tokens(&visitor, &s.shop, "openid offline_access").await;
        let asking = s.shop.ask("openid");
        let code = s.code(&visitor, &s.shop, &asking).await;
        between(&s, &visitor, what).await;
        is_refused(&s.app.exchange(&s.shop, &code, &asking).await);
        let next = s.app.refresh_as(&s.shop, online.refresh()).await;
        assert_eq!(next.error().2, "session_revoked", "{what}: {next:?}");
        s.app.userinfo(online.access()).await.is(401);
        // Offline is what survives a log-out, and nothing else.
        let survives = what.contains("browser");
        let next = s.app.refresh_as(&s.shop, offline.refresh()).await;
        assert_eq!(next.status == 200, survives, "{what}: {next:?}");
        if survives {
            s.app.userinfo(offline.access()).await.is(200);
        }
    }
}

#[tokio::test]
async fn a_browser_s_session_that_is_over_by_itself_ends_no_program() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let online = s.tokens(&visitor, &s.shop, "openid").await;
    let asking = s.shop.ask("openid");
    let code = s.code(&visitor, &s.shop, &asking).await;
    let past = shared::clock::now() - 10;
    let browser = s.browser_of(&visitor);
    s.app
        .database()
        .set(&browser, &format!("idle_until = {past}"));
    let page = visitor.get(&s.shop.ask("openid").path()).await;
    assert!(page.says("<h1>Sign in</h1>"), "{page:?}");
    s.app.exchange(&s.shop, &code, &asking).await.tokens();
    let next = s.app.refresh_as(&s.shop, online.refresh()).await.tokens();
    // Its end is not beyond the browser's, however often it is refreshed.
    let end = s.app.database().session(&browser, "absolute_until");
    assert!(s.app.database().session(&sid(&next), "absolute_until") <= end);
    // A session that ends is another thing.
    let pair = s.app.log_in(&s.user).await;
    let path = format!("/sessions/{}", sid(&next));
    s.app.delete(&path, &pair.access_token).await.is(204);
    is_over(&s.app.refresh_as(&s.shop, next.refresh()).await, "ended");
}

/// Codes that were fetched, each a little later than the one before.
async fn fetched(s: &Stage, visitor: &Visitor<'_>, how_many: usize) -> Vec<Tokens> {
    let mut all = Vec::new();
    for _ in 0..how_many {
        s.app
            .database()
            .execute("UPDATE sessions SET rotated_at = rotated_at - 40 WHERE kind = 'app'");
        all.push(s.tokens(visitor, &s.shop, "openid").await);
    }
    all
}

#[tokio::test]
async fn a_client_has_ten_live_sessions_in_one_browser_and_the_least_recently_used_ends() {
    let s = Stage::open().await;
    let (visitor, elsewhere) = (s.browser().await, s.browser().await);
    let apart = [
        s.tokens(&elsewhere, &s.shop, "openid").await,
        s.tokens(&visitor, &s.wiki, "openid").await,
    ];
    let mut all = fetched(&s, &visitor, 10).await;
    // The oldest is used again, so it is the second that goes.
    all[0] = s.app.refresh_as(&s.shop, all[0].refresh()).await.tokens();
    all.extend(fetched(&s, &visitor, 1).await);
    let live = format!(
        "kind = 'app' AND generation > 0 AND ended_at IS NULL AND client_id = 'shop' AND parent_id = '{}'",
        s.browser_of(&visitor)
    );
    assert_eq!(s.count("sessions", &live), 10);
    is_over(&s.app.refresh_as(&s.shop, all[1].refresh()).await, "limit");
    for tokens in [&all[0], &all[2], &all[10]] {
        s.app.refresh_as(&s.shop, tokens.refresh()).await.tokens();
    }
    for (client, tokens) in [&s.shop, &s.wiki].into_iter().zip(&apart) {
        s.app.refresh_as(client, tokens.refresh()).await.tokens();
    }
}

#[tokio::test]
async fn twenty_codes_wait_and_the_newest_is_never_the_one_that_goes() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut codes = Vec::new();
    for _ in 0..25 {
        let asking = s.shop.ask("openid");
        codes.push((s.code(&visitor, &s.shop, &asking).await, asking));
        // Another replica's clock is ahead: the newest looks like the oldest.
        s.app
            .database()
            .execute("UPDATE sessions SET created_at = created_at + 5 WHERE generation = 0");
    }
    assert_eq!(
        s.count("sessions", "generation = 0 AND ended_at IS NULL"),
        20
    );
    let (code, asking) = codes.last().unwrap();
    s.app.exchange(&s.shop, code, asking).await.tokens();
}

#[tokio::test]
async fn a_code_keeps_what_was_asked_for() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let asking = s
        .shop
        .ask("openid unknown email account roles")
        .with("nonce", "n\u{e9}\"<&");
    let code = s.code(&visitor, &s.shop, &asking).await;
    assert_eq!(code.len(), 112);
    let tokens = s.app.exchange(&s.shop, &code, &asking).await.tokens();
    assert_eq!(
        tokens.text("scope"),
        "openid email roles",
        "what it may not have is dropped"
    );
    let id = s.app.claims_of_id_token(tokens.text("id_token")).await;
    assert_eq!(id["nonce"], "n\u{e9}\"<&");
    assert_eq!(id["sid"], s.browser_of(&visitor));
    let access = claims(tokens.access());
    assert_eq!(access["client_id"], "shop");
    assert_eq!(access["aud"], "http://localhost:5001");
    assert_ne!(access["sid"], id["sid"], "the feed's is the program's own");
    assert_eq!(
        (&access["name"], &access["roles"]),
        (&json!(null), &json!([]))
    );
    assert_eq!(access["email"], s.user.email.as_str());
    // Without openid it is no sign-in, and without the APIs the token is for us alone.
    let plain = s.tokens(&visitor, &s.wiki, "email").await;
    assert_eq!(plain.0["id_token"], json!(null));
    assert_eq!(claims(plain.access())["aud"], "http://localhost:5000");
}
