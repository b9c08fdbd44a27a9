//! The revocation feed, asked as a follower asks it.

use std::time::{Duration, Instant};

use e2e::{Answer, App, Cli, Draft, Options};
use serde_json::{Value, json};

/// A service's bearer, ready to be spoilt.
pub(super) fn bearer(app: &App) -> Draft {
    let now = shared::clock::now();
    let claims = json!({
        "iss": "http://localhost:5000", "aud": "http://localhost:5000/internal", "sub": "e2e", "iat": now, "exp": now + 60,
    });
    app.forge().draft(&claims).head("typ", json!("service+jwt"))
}

async fn ask_with(app: &App, bearer: &str, query: &str) -> Answer {
    let url = format!("{}/internal/revocations{query}", app.auth_url);
    Answer::read(
        app.client
            .get(url)
            .bearer_auth(bearer)
            .send()
            .await
            .unwrap(),
    )
    .await
}

pub(super) async fn ask(app: &App, query: impl AsRef<str>) -> Value {
    ask_with(app, &bearer(app).sign(), query.as_ref())
        .await
        .is(200)
        .json()
}

fn sids(news: &Value) -> Vec<String> {
    let entries = news["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["sid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn the_feed_is_for_services_alone() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let now = shared::clock::now();
    for (case, token, code) in [
        ("a user's token", pair.access_token.clone(), "token_malformed"),
        ("a user's token for the feed", app.forge().draft(&pair.claims()).claim("aud", json!("http://localhost:5000/internal")).sign(), "token_malformed"),
        ("a user's token as a service's", app.forge().draft(&pair.claims()).head("typ", json!("service+jwt")).sign(), "token_wrong_audience"),
        ("no typ", bearer(&app).no_head("typ").sign(), "token_malformed"),
        ("JWT", bearer(&app).head("typ", json!("JWT")).sign(), "token_malformed"),
        ("at+jwt", bearer(&app).head("typ", json!("at+jwt")).sign(), "token_malformed"),
        ("another key", bearer(&app).under(&[3; 32]).sign(), "token_bad_signature"),
        ("an unknown key", bearer(&app).head("kid", json!("x")).sign(), "token_unknown_key"),
        ("alg none", bearer(&app).head("alg", json!("none")).unsigned() + ".", "token_malformed"),
        ("another issuer", bearer(&app).claim("iss", json!("http://elsewhere")).sign(), "token_wrong_issuer"),
        ("the users' audience", bearer(&app).claim("aud", json!("http://localhost:5001")).sign(), "token_wrong_audience"),
        ("no audience", bearer(&app).no_claim("aud").sign(), "token_wrong_audience"),
        ("no sub", bearer(&app).no_claim("sub").sign(), "token_malformed"),
        ("expired", bearer(&app).claim("exp", json!(now)).sign(), "token_expired"),
        ("expired within the skew", bearer(&app).claim("exp", json!(now - 100)).sign(), "token_expired"),
        ("more than a minute and a half ahead", bearer(&app).claim("exp", json!(now + 100)).sign(), "token_malformed"),
        ("an hour long", bearer(&app).claim("exp", json!(now + 3_600)).sign(), "token_malformed"),
        ("without an end", bearer(&app).no_claim("exp").sign(), "token_malformed"),
        ("not valid yet", bearer(&app).claim("nbf", json!(now + 3_600)).sign(), "token_not_yet_valid"),
    ] {
        let answer = ask_with(&app, &token, "?wait=0").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{case}: {answer:?}");
    }
    let url = format!("{}/internal/revocations", app.auth_url);
    Answer::read(app.client.get(&url).send().await.unwrap()).await.refused(401, "token_missing");
    // And the other way round: no gate takes a service's token.
    app.call_home(&bearer(&app).sign()).await.refused(401, "token_malformed");
    app.call_home(&bearer(&app).claim("aud", json!("http://localhost:5001")).sign()).await.refused(401, "token_malformed");
    app.get("/api/account/sessions", &bearer(&app).sign()).await.refused(401, "token_malformed");
    ask(&app, "?wait=0").await;
}

#[tokio::test]
async fn a_first_question_gets_everything_and_the_next_what_is_new() {
    let app = App::with(Options::new().both("jwt-clock-skew", "2m")).await;
    let (user, _) = app.newcomer().await;
    let (first, second) = (app.log_in(&user).await, app.log_in(&user).await);
    app.log_out(&first).await;
    let ended = shared::clock::now();
    let all = ask(&app, "?wait=0").await;
    assert_eq!(all["full"], true);
    assert_eq!(sids(&all), [first.sid()]);
    let until = all["entries"][0]["until"].as_i64().unwrap();
    let expected = ended + 7_200 + 120 + 60;
    assert!(
        (expected - 2..=expected).contains(&until),
        "{until} instead of {expected}"
    );

    app.log_out(&second).await;
    let after = format!("?wait=5&after={}", all["cursor"].as_str().unwrap());
    let news = ask(&app, &after).await;
    assert_eq!(
        (&news["full"], sids(&news)),
        (&json!(false), vec![second.sid()])
    );
    for cursor in ["x", "0-0", "ffffffffffffffff-1", "%00", "-"] {
        let everything = ask(&app, &format!("?wait=20&after={cursor}")).await;
        assert_eq!(everything["full"], true, "{cursor}");
        assert_eq!(sids(&everything).len(), 2, "{cursor}");
    }
    for query in [
        "?wait=x",
        "?wait=-1",
        "?wait=1.5",
        "?wait=99999999999999999999",
    ] {
        ask_with(&app, &bearer(&app).sign(), query)
            .await
            .refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_question_waits_for_news_and_no_longer_than_it_said() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let cursor = ask(&app, "?wait=0").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let started = Instant::now();
    let nothing = ask(&app, &format!("?wait=1&after={cursor}")).await;
    assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&started.elapsed()));
    assert_eq!((&nothing["full"], sids(&nothing).len()), (&json!(false), 0));

    let query = format!("?wait=20&after={cursor}");
    let waiting = ask(&app, &query);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.log_out(&pair).await;
        Instant::now()
    };
    let (news, ended) = tokio::join!(waiting, ending);
    assert!(
        ended.elapsed() < Duration::from_secs(1),
        "{:?}",
        ended.elapsed()
    );
    assert_eq!(sids(&news), [pair.sid()]);
}

#[tokio::test]
async fn endings_by_others_are_noticed_within_a_second() {
    let app = App::start().await;
    let (user, pair) = app.newcomer().await;
    let (_, other) = app.newcomer().await;
    let mut cursor = ask(&app, "?wait=0").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    // As another replica would, and as the command line does.
    let by_hand = async {
        app.database().set(
            &pair.sid(),
            &format!("ended_at = {}, end_reason = 'ended'", shared::clock::now()),
        );
    };
    let started = Instant::now();
    let query = format!("?wait=20&after={cursor}");
    let (news, ()) = tokio::join!(ask(&app, &query), by_hand);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(sids(&news), [pair.sid()]);
    cursor = news["cursor"].as_str().unwrap().to_owned();

    let third = app.log_in(&user).await;
    let cli = Cli::new(app.folder(), app.database().url());
    cli.done(&["sessions", "revoke", &third.sid()]);
    let started = Instant::now();
    let news = ask(&app, &format!("?wait=20&after={cursor}")).await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(sids(&news), [third.sid()]);
    app.refresh(&other).await;
}

#[tokio::test]
async fn a_restarted_server_tells_everything_in_force() {
    let mut app = App::start().await;
    let (_, pair) = app.newcomer().await;
    app.log_out(&pair).await;
    let cursor = ask(&app, "?wait=0").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    app.restart(None).await;
    let news = ask(&app, &format!("?wait=20&after={cursor}")).await;
    assert_eq!(
        (&news["full"], sids(&news)),
        (&json!(true), vec![pair.sid()])
    );
}

#[tokio::test]
async fn an_answer_is_signed_over_its_body_the_whole_question_and_the_time() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    app.log_out(&pair).await;
    let bearer = bearer(&app).sign();
    let longest = "n".repeat(128);
    for (query, nonce, after) in [
        ("?wait=0", "", ""),
        ("?wait=0&nonce=&after=", "", ""),
        ("?wait=0&nonce=x&after=unknown", "x", "unknown"),
        ("?wait=0&after=a%0A1%C3%A9%20", "", "a\n1é "),
        ("?wait=0&nonce=Nonce_1-x", "Nonce_1-x", ""),
        (&format!("?wait=0&nonce={longest}"), longest.as_str(), ""),
    ] {
        let answer = ask_with(&app, &bearer, query).await.is(200);
        let signature = answer.header("keyturn-signature").expect("a signature");
        // As docs/ARCHITECTURE.md tells whoever writes a follower.
        let rest = signature.strip_prefix("v1 t=").unwrap();
        let (time, rest) = rest.split_once(",mac=").unwrap();
        let (mac, kid) = rest.split_once(",kid=").unwrap();
        let length = after.len();
        let expected = format!(
            "keyturn feed v1\n{nonce}\n{length} {after}\n{time}\n{}",
            answer.body
        );
        let draft = app.forge().draft(&json!({}));
        let signed = draft.sign_text(&expected);
        assert_eq!(signed.rsplit_once('.').unwrap().1, mac, "{query}");
        let ring = std::fs::read_to_string(app.folder().join("jwt-keys.json")).unwrap();
        assert!(ring.contains(kid), "{kid}");
        let apart = shared::clock::now() - time.parse::<i64>().unwrap();
        assert!((0..30).contains(&apart), "{apart} s");
    }
    for nonce in ["a%20b", "a%0ab", "%C3%A9", "a%3D", &"n".repeat(129)] {
        let query = format!("?wait=0&nonce={nonce}");
        ask_with(&app, &bearer, &query)
            .await
            .refused(400, "invalid_request");
    }
}
