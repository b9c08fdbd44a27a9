//! The user's programs: what each has, and how it is taken away for good.

use auth_server::sessions::refresh_token::Purpose;
use e2e::{App, Options, Tokens};
use reqwest::Method;
use reqwest::header::REFRESH;
use serde_json::{Value, json};

use super::sign_on_cast::{Stage, Table, claims, outcome, send, sid};

/// The list, as the user's own session gets it.
async fn apps(s: &Stage, access: &str) -> Vec<Value> {
    let list: Value = s.app.get("/api/account/apps", access).await.is(200).json();
    list.as_array().unwrap().clone()
}

fn ids(apps: &[Value]) -> Vec<&str> {
    apps.iter()
        .map(|app| app["client"]["id"].as_str().unwrap())
        .collect()
}

/// Waits until an API that follows the feed refuses the token: within the second that is promised.
async fn is_refused_by_the_api(s: &Stage, access: &str) {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while s.app.call_home(access).await.status != 401 {
        assert!(std::time::Instant::now() < patience, "not within a second");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_list_has_what_was_agreed_to_and_what_is_signed_in() {
    let s = Stage::open().await;
    let pair = s.app.log_in(&s.user).await;
    assert_eq!(apps(&s, &pair.access_token).await, Vec::<Value>::new());
    let before = shared::clock::now();
    let visitor = s.browser().await;
    let forum = s.tokens(&visitor, &s.forum, "openid profile").await;
    let shop = s.tokens(&visitor, &s.shop, "openid email").await;
    let again = s.tokens(&visitor, &s.shop, "openid roles").await;
    // What another user has, and what a service does in its own name, is nobody's here; nor are codes on their way.
    let other = s.app.register().await;
    s.app.tokens_of(&other, &s.wiki, "openid").await;
    s.service().await;
    s.code(&visitor, &s.legacy, &s.legacy.ask("openid")).await;

    let list = apps(&s, &pair.access_token).await;
    assert_eq!(ids(&list), ["forum", "shop"]);
    let (of_forum, of_shop) = (&list[0], &list[1]);
    assert_eq!(of_forum["client"], json!({"id": "forum", "name": "forum"}));
    assert_eq!(of_forum["scope"], "openid profile");
    let granted = of_forum["grantedAt"].as_i64().unwrap();
    assert!((before..=shared::clock::now()).contains(&granted));
    // A trusted one, whose users are not asked, has no time of that, and the words of its sessions.
    let mut words: Vec<_> = of_shop["scope"].as_str().unwrap().split(' ').collect();
    words.sort_unstable();
    assert_eq!(words, ["email", "openid", "roles"]);
    assert_eq!(of_shop["grantedAt"], json!(null));
    // The same sessions in the same shape as in the list of sessions.
    let sessions: Value = s
        .app
        .get("/api/account/sessions", &pair.access_token)
        .await
        .json();
    let of = |tokens: &Tokens| {
        let id = json!(sid(tokens));
        let all = sessions.as_array().unwrap();
        all.iter().find(|one| one["id"] == id).unwrap().clone()
    };
    assert_eq!(of_forum["sessions"], json!([of(&forum)]));
    let two = of_shop["sessions"].as_array().unwrap();
    assert!(two.len() == 2 && [&shop, &again].iter().all(|it| two.contains(&of(it))));
    for app in &list {
        let used = app["sessions"].as_array().unwrap().iter();
        let latest = used.map(|one| one["lastUsedAt"].as_i64()).max().unwrap();
        assert_eq!(app["lastUsedAt"].as_i64(), latest);
    }
    // Signed out of everywhere, what was agreed to stays, and is shown.
    s.app.delete("/sessions", &pair.access_token).await.is(204);
    let pair = s.app.log_in(&s.user).await;
    let list = apps(&s, &pair.access_token).await;
    assert_eq!(ids(&list), ["forum"]);
    assert_eq!(list[0]["sessions"], json!([]));
    assert_eq!(list[0]["lastUsedAt"], json!(null));
}

#[tokio::test]
async fn taken_away_everything_of_the_program_ends_at_once_and_the_next_time_it_asks() {
    let s = Stage::with(Options::new().with_feed()).await;
    let pair = s.app.log_in(&s.user).await;
    let visitor = s.browser().await;
    let elsewhere = s.browser().await;
    // The API's own: one in each browser, one that stays, one on its way. It is made to ask.
    let asking = s.forum.ask("openid");
    let online = s.tokens(&visitor, &s.forum, "openid").await;
    let far = s.tokens(&elsewhere, &s.forum, "openid").await;
    let offline = s.tokens(&visitor, &s.forum, "openid offline_access").await;
    let code = s.code(&visitor, &s.forum, &asking).await;
    let waiting = s.session_of(Purpose::Code, &code);
    let spared = s.tokens(&visitor, &s.shop, "openid").await;
    let other = s.app.register().await;
    let theirs = s.app.tokens_of(&other, &s.forum, "openid").await;
    let browser = s.browser_of(&visitor);

    s.app
        .delete("/apps/forum", &pair.access_token)
        .await
        .is(204);

    let db = s.app.database();
    for id in [sid(&online), sid(&far), sid(&offline), waiting] {
        assert_eq!(db.end_reason(&id).as_deref(), Some("ended"));
        assert_eq!(db.records(&id, "session_ended"), 1);
    }
    let withdrawn = format!(
        "event = 'consent_withdrawn' AND user_id = '{}' AND detail = 'forum'",
        s.user.id
    );
    assert_eq!(s.count("audit", &withdrawn), 1);
    assert_eq!(
        s.count("consents", &format!("user_id = '{}'", s.user.id)),
        0
    );
    for tokens in [&online, &far, &offline] {
        let (_, word, code) = s.app.refresh_as(&s.forum, tokens.refresh()).await.error();
        assert_eq!(
            (word.as_str(), code.as_str()),
            ("invalid_grant", "session_revoked")
        );
        s.app.userinfo(tokens.access()).await.is(401);
    }
    let (_, word, _) = s.app.exchange(&s.forum, &code, &asking).await.error();
    assert_eq!(word, "invalid_grant");
    // What is not this program's, or not this user's, goes on.
    assert_eq!(db.end_reason(&browser), None);
    s.app.refresh_as(&s.shop, spared.refresh()).await.is(200);
    s.app.call_home(spared.access()).await.is(200);
    s.app.refresh_as(&s.forum, theirs.refresh()).await.is(200);
    assert_eq!(ids(&apps(&s, &pair.access_token).await), ["shop"]);
    // The next time it asks, with the browser still signed in; silently it gets nothing.
    let asking = s.forum.ask("openid");
    let page = visitor.get(&asking.path()).await;
    assert_eq!(outcome(&page, &asking), "consent");
    let silent = asking.clone().with("prompt", "none");
    assert_eq!(
        outcome(&visitor.get(&silent.path()).await, &silent),
        "consent_required"
    );
    // A trusted one is not asked about, and what it had is over all the same.
    s.app.delete("/apps/shop", &pair.access_token).await.is(204);
    is_refused_by_the_api(&s, spared.access()).await;
}

#[tokio::test]
async fn a_yes_out_of_the_history_is_no_yes_after_the_access_was_taken_away() {
    let s = Stage::open().await;
    let pair = s.app.log_in(&s.user).await;
    let visitor = s.browser().await;
    for asking in [
        s.forum.ask("openid"),
        s.forum.ask("openid").with("prompt", "consent"),
    ] {
        let page = visitor.get(&asking.path()).await;
        let agreed = visitor.submit(&page, &[("decision", "allow")]).await;
        let refresh = agreed.header(REFRESH.as_str()).to_owned();
        let path = refresh.strip_prefix("0; url=").unwrap();
        assert!(path.contains("agreed="), "{path}");
        assert_eq!(outcome(&visitor.get(path).await, &asking), "code");
        s.app
            .delete("/apps/forum", &pair.access_token)
            .await
            .is(204);
        // The same address, within the ten minutes of its ticket.
        assert_eq!(outcome(&visitor.get(path).await, &asking), "consent");
        assert_eq!(
            s.count("sessions", "client_id = 'forum' AND ended_at IS NULL"),
            0
        );
    }
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn what_is_no_program_of_the_user_s_is_not_found_and_nothing_changes() {
    let s = Stage::open().await;
    let pair = s.app.log_in(&s.user).await;
    let visitor = s.browser().await;
    let access = pair.access_token.as_str();
    let forum = s.tokens(&visitor, &s.forum, "openid").await;
    let other = s.app.register().await;
    s.app.tokens_of(&other, &s.wiki, "openid").await;
    let long = "x".repeat(65);
    let rows = s.rows();
    let mut table = Table::default();
    for id in ["nobody", "wiki", "robot", "FORUM", "forum%20", "forum%00", "%66orum%2F", "forum%27%20OR%201=1", "..%2Fsessions", "%C3%A9", long.as_str()] {
        let answer = s.app.delete(&format!("/apps/{id}"), access).await;
        table.row(id, (answer.status, answer.code()), (404, "app_not_found".to_owned()));
    }
    for (method, path, code) in [
        (Method::DELETE, "/api/account/apps", 405),
        (Method::POST, "/api/account/apps", 405),
        (Method::GET, "/api/account/apps/forum", 405),
        (Method::DELETE, "/api/account/apps/", 404),
        (Method::DELETE, "/api/account/apps/forum/x", 404),
    ] {
        let answer = s.app.ask_auth(method.clone(), path, Some(access), None).await;
        table.row(format!("{method} {path}"), answer.status, code);
    }
    // The wall: programs see no programs, and take nothing away from each other.
    let manager = s.tokens(&visitor, &s.manager, "openid").await;
    let robot = s.service().await;
    let rows_with_them = s.rows();
    for (name, token) in [("forum", forum.access()), ("manager, not for the account", manager.access()), ("robot", robot.access())] {
        for (method, path) in [(Method::GET, "/api/account/apps"), (Method::DELETE, "/api/account/apps/forum")] {
            let answer = s.app.ask_auth(method.clone(), path, Some(token), None).await;
            table.row(format!("{name}: {method}"), (answer.status, answer.code()), (403, "wrong_kind_of_token".to_owned()));
        }
    }
    for (method, path) in [(Method::GET, "/api/account/apps"), (Method::DELETE, "/api/account/apps/forum")] {
        let answer = s.app.ask_auth(method, path, None, None).await;
        table.row(path, answer.code(), "token_missing");
    }
    table.close(24);
    assert_eq!(s.rows(), rows_with_them);
    assert_ne!(rows_with_them, rows);
    // One of ours, with the word for it, may; and what is gone is gone.
    let manager = s.tokens(&visitor, &s.manager, "openid account").await;
    assert_eq!(ids(&apps(&s, manager.access()).await), ["forum", "manager"]);
    s.app.delete("/apps/%66orum", manager.access()).await.is(204);
    s.app.delete("/apps/forum", access).await.refused(404, "app_not_found");
    s.app.delete("/apps/manager", manager.access()).await.is(204);
    s.app.get("/api/account/apps", manager.access()).await.refused(401, "token_revoked");
}

#[tokio::test]
async fn without_sign_on_there_are_no_programs() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    for (method, path) in [
        (Method::GET, "/api/account/apps"),
        (Method::DELETE, "/api/account/apps/x"),
    ] {
        for bearer in [None, Some(pair.access_token.as_str())] {
            let answer = app.ask_auth(method.clone(), path, bearer, None).await;
            answer.refused(404, "not_found");
        }
    }
    let request = app
        .client
        .post(format!("{}/oauth/introspect", app.auth_url));
    assert_eq!(send(request.body("token=x")).await.status, 404);
}

#[tokio::test]
async fn a_program_that_is_not_known_any_more_is_shown_by_its_id() {
    let mut s = Stage::open().await;
    let visitor = s.browser().await;
    s.tokens(&visitor, &s.forum, "openid").await;
    drop(visitor);
    // As if it had been removed without its sessions.
    let sql = "DELETE FROM clients WHERE id = 'forum'";
    assert_eq!(s.app.database().execute(sql), 1);
    s.app.restart(None).await;
    let pair = s.app.log_in(&s.user).await;
    let list = apps(&s, &pair.access_token).await;
    assert_eq!(list[0]["client"], json!({"id": "forum", "name": "forum"}));
    s.app
        .delete("/apps/forum", &pair.access_token)
        .await
        .is(204);
    assert_eq!(apps(&s, &pair.access_token).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_session_of_a_program_names_the_browser_that_opened_it() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let tokens = s.tokens(&visitor, &s.shop, "openid").await;
    let pair = s.app.log_in(&s.user).await;
    let list = apps(&s, &pair.access_token).await;
    let session = &list[0]["sessions"][0];
    assert_eq!(session["parentId"], json!(s.browser_of(&visitor)));
    assert_eq!(session["id"], claims(tokens.access())["sid"]);
    assert_eq!(session["client"], json!({"id": "shop", "name": "shop"}));
}
