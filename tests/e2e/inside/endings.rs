//! Every way to end a session, at every moment at which a gate may still accept a token of it; and what is left of
//! it afterwards.

use std::time::{Duration, Instant};

use auth_server::db::Db;
use auth_server::db::{Caller, EndReason};
use auth_server::sessions::end_all;
use e2e::{App, Cli, Options, Pair, User};
use serde_json::json;

/// How far a session is in its life when somebody ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Live,
    /// Nobody refreshed it for too long; its last token lives.
    Idle,
    /// The same; its last token, a retry's, is over, and accepted for the skew.
    IdleInSkew,
    /// Its longest life is over, and so is its last token.
    Absolute,
    /// The same, shortly before the skew is used up.
    AbsoluteInSkew,
    /// Over for so long that no gate accepts a token of it.
    LongOver,
}

const MOMENTS: [Moment; 6] = [
    Moment::Live,
    Moment::Idle,
    Moment::IdleInSkew,
    Moment::Absolute,
    Moment::AbsoluteInSkew,
    Moment::LongOver,
];

impl Moment {
    /// Moves a session there, and returns its last pair.
    fn come(self, app: &App, pair: &Pair) -> Pair {
        let now = shared::clock::now();
        let (idle, absolute, exp) = match self {
            Self::Live => return pair.clone(),
            Self::Idle => (now - 10, now + 1000, now + 200),
            Self::IdleInSkew => (now - 500, now + 1000, now - 200),
            Self::Absolute => (now - 5, now - 5, now - 5),
            Self::AbsoluteInSkew => (now - 270, now - 270, now - 270),
            Self::LongOver => (now - 4000, now - 4000, now - 4000),
        };
        let columns = format!("idle_until = {idle}, absolute_until = {absolute}");
        app.database().set(&pair.sid(), &columns);
        let draft = app.forge().draft(&pair.claims());
        Pair {
            access_token: draft.claim("exp", json!(exp)).sign(),
            refresh_token: app.remint(&pair.refresh_token, |token| token.absolute_until = absolute),
            ..pair.clone()
        }
    }

    fn is_accepted(self) -> bool {
        self != Self::LongOver
    }
}

async fn with_feed() -> App {
    let app = App::with(Options::new().with_feed()).await;
    let until = Instant::now() + Duration::from_secs(10);
    let url = format!("{}/readyz", app.resource_url);
    while app.client.get(&url).send().await.unwrap().status() != 200 {
        assert!(Instant::now() < until, "the feed answers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app
}

/// The API refuses it within a second of the ending, as revoked if it would accept it otherwise.
async fn is_refused(app: &App, moment: Moment, pair: &Pair, case: &str) {
    let ended = Instant::now();
    loop {
        let answer = app.call_home(&pair.access_token).await;
        let code = answer.code();
        if code == "token_revoked" || (code == "token_expired" && !moment.is_accepted()) {
            return;
        }
        assert_eq!(code, "ok", "{case}, {moment:?}");
        // What is due within a second has five on a machine that is busy with other tests.
        assert!(
            ended.elapsed() < Duration::from_secs(5),
            "{case}, {moment:?}: still accepted"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn is_accepted(app: &App, moment: Moment, pair: &Pair) {
    let code = app.call_home(&pair.access_token).await.code();
    let expected = if moment.is_accepted() {
        "ok"
    } else {
        "token_expired"
    };
    assert_eq!(code, expected, "before it ends: {moment:?}");
}

#[tokio::test]
async fn a_session_that_is_over_already_is_ended_and_refused_everywhere() {
    let app = with_feed().await;
    let cli = Cli::new(app.folder(), app.database().url());
    for way in ["log-out", "old log-out", "from the list", "by an operator"] {
        for moment in MOMENTS {
            let (user, other) = app.newcomer().await;
            let first = app.log_in(&user).await;
            let pair = moment.come(&app, &app.refresh(&first).await);
            is_accepted(&app, moment, &pair).await;
            let one = format!("/sessions/{}", pair.sid());
            match way {
                "log-out" => app.log_out(&pair).await,
                // Any genuine refresh token of the session will do.
                "old log-out" => app.log_out(&moment.come(&app, &first)).await,
                "from the list" => drop(app.delete(&one, &other.access_token).await.is(204)),
                _ => drop(cli.finish(&["sessions", "revoke", &pair.sid()]).await),
            }
            is_refused(&app, moment, &pair, way).await;
            app.refresh(&other).await;
        }
    }
}

#[tokio::test]
async fn what_ends_all_sessions_ends_those_that_are_over_already() {
    let app = with_feed().await;
    let cli = Cli::new(app.folder(), app.database().url());
    for way in 0..8 {
        let (user, caller) = app.newcomer().await;
        let (
            User {
                email, password, ..
            },
            access,
        ) = (&user, caller.access_token.as_str());
        let mut pairs = Vec::new();
        for moment in MOMENTS {
            pairs.push((moment, moment.come(&app, &app.log_in(&user).await)));
        }
        for (moment, pair) in &pairs {
            is_accepted(&app, *moment, pair).await;
        }
        match way {
            0 => drop(app.delete("/sessions", access).await.is(204)),
            1 => drop(
                app.try_change_password(access, password, "quite another one")
                    .await
                    .is(200),
            ),
            2 => drop(app.try_delete_account(access, password).await.is(204)),
            3 => drop(cli.finish(&["user", "block", email]).await),
            4 => drop(cli.finish(&["sessions", "revoke", "--user", email]).await),
            5 => drop(cli.finish(&["user", "set-roles", email, "--now"]).await),
            6 => drop(cli.finish(&["user", "delete", email]).await),
            _ => {
                let ran = cli.run_with(&["user", "set-password", email], "quite another one\n");
                assert!(ran.ok, "{ran:?}");
            }
        }
        pairs.push((Moment::Live, caller));
        for (moment, pair) in &pairs {
            is_refused(&app, *moment, pair, &format!("way {way}")).await;
        }
    }
}

#[tokio::test]
async fn a_reuse_that_blocks_the_account_ends_those_that_are_over_already() {
    let options = Options::new().auth("refresh-reuse", "block-user");
    let app = App::with(options.with_feed()).await;
    let user = app.register().await;
    let mut pairs = Vec::new();
    for moment in MOMENTS {
        pairs.push((moment, moment.come(&app, &app.log_in(&user).await)));
    }
    let first = app.log_in(&user).await;
    let last = app.refresh(&app.refresh(&first).await).await;
    app.database().age(&first.sid(), 31);
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_reused");
    pairs.push((Moment::Live, last));
    for (moment, pair) in &pairs {
        is_refused(&app, *moment, pair, "reuse").await;
    }
}

#[tokio::test]
async fn every_ending_is_counted_under_its_own_reason() {
    let options = Options::new()
        .auth("refresh-reuse", "block-user")
        .auth("max-sessions-per-user", "3");
    let app = App::with(options).await;
    let counted = async || {
        let url = format!("{}/metrics", app.auth_url);
        let text = app
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let lines = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("keyturn_sessions_ended_total{reason=\"")?;
            let (reason, count) = rest.split_once("\"} ")?;
            Some((reason.to_owned(), count.parse::<u64>().unwrap()))
        });
        lines.collect::<std::collections::BTreeMap<_, _>>()
    };
    let expect = |counts: &[(&str, u64)]| {
        let counts = counts
            .iter()
            .map(|(reason, count)| ((*reason).to_owned(), *count));
        counts.collect::<std::collections::BTreeMap<_, _>>()
    };
    // A deleted account's sessions were ended by their user.
    let (user, pair) = app.newcomer().await;
    app.log_in(&user).await;
    app.try_delete_account(&pair.access_token, &user.password)
        .await
        .is(204);
    assert_eq!(counted().await, expect(&[("ended", 2)]));
    // A reuse that blocks the account ends one for the reuse and the others for the block.
    let user = app.register().await;
    let (first, _, _) = (
        app.log_in(&user).await,
        app.log_in(&user).await,
        app.log_in(&user).await,
    );
    app.refresh(&app.refresh(&first).await).await;
    app.database().age(&first.sid(), 31);
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_reused");
    assert_eq!(
        counted().await,
        expect(&[("blocked", 2), ("ended", 2), ("reuse", 1)])
    );
    // A fourth session pushes one out.
    let user = app.register().await;
    for _ in 0..4 {
        app.log_in(&user).await;
    }
    assert_eq!(
        counted().await,
        expect(&[("blocked", 2), ("ended", 2), ("limit", 1), ("reuse", 1)])
    );
}

#[tokio::test]
async fn a_log_out_from_a_session_that_is_over_is_204_whatever_comes_along() {
    let app = App::start().await;
    for moment in [Moment::Absolute, Moment::AbsoluteInSkew, Moment::LongOver] {
        let pair = moment.come(&app, &app.newcomer().await.1);
        let (_, stranger) = app.newcomer().await;
        for access in ["rubbish", &stranger.access_token] {
            app.try_log_out_with(access, &pair.refresh_token)
                .await
                .is(204);
            let ended = app.database().session(&pair.sid(), "ended_at");
            assert_eq!(ended, None, "{moment:?}: that was not its holder");
        }
        app.refresh(&stranger).await;
    }
}

/// As a command on a machine whose clock is wrong: it writes to the database, by its own idea of the time.
#[tokio::test]
async fn what_a_command_on_a_machine_with_a_wrong_clock_ends_is_refused_by_the_api() {
    let app = with_feed().await;
    let url = app.database().url().parse().unwrap();
    let open = move || Db::open(&url, Duration::ZERO).unwrap();
    let db = tokio::task::spawn_blocking(open).await.unwrap();
    for wrong in [-75, 75, -7200, 7200] {
        let (user, pair) = app.newcomer().await;
        app.call_home(&pair.access_token).await.is(200);
        let caller = Caller {
            now: shared::clock::now() + wrong,
            ..Caller::cli()
        };
        let id = user.id.parse().unwrap();
        let end = db.write(&caller, move |tx| {
            end_all(tx, id, EndReason::Blocked).map(|ended| ended.len())
        });
        assert_eq!(end.await.unwrap(), 1);
        is_refused(&app, Moment::Live, &pair, &format!("{wrong} s")).await;
        let ended = app.database().session(&pair.sid(), "ended_at").unwrap();
        assert!(
            (shared::clock::now() - ended).abs() < 30,
            "the database's clock"
        );
    }
}

#[tokio::test]
async fn ended_sessions_are_deleted_once_the_feed_has_forgotten_them() {
    let app = App::start().await;
    let (user, keeper) = app.newcomer().await;
    let mut ended = Vec::new();
    for _ in 0..23 {
        let pair = app.log_in(&user).await;
        app.log_out(&pair).await;
        ended.push(pair);
    }
    let rows = || {
        let count = "SELECT COUNT(*) AS value FROM sessions WHERE ended_at IS NOT NULL";
        app.database().number(count)
    };
    // Two hours, the skew and a minute is what the feed tells of them; a minute more they stay.
    let (forgotten, told) = ended.split_at(21);
    for (pairs, ago) in [(forgotten, 7200 + 300 + 60 + 65), (told, 7200 + 300 + 60)] {
        for pair in pairs {
            app.database()
                .set(&pair.sid(), &format!("ended_at = ended_at - {ago}"));
        }
    }
    assert_eq!(rows(), Some(23));
    // More than one begin of a session may add, and a change of the password is one, too.
    let mut password = user.password.clone();
    let mut pair = keeper;
    for turn in 0..2 {
        let new = format!("the password of turn {turn}");
        pair = app
            .try_change_password(&pair.access_token, &password, &new)
            .await
            .is(200)
            .json();
        password = new;
    }
    let until = Instant::now() + Duration::from_secs(10);
    while rows() != Some(2 + 2) {
        assert!(Instant::now() < until, "{:?} rows are left", rows());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.try_refresh(&forgotten[0])
        .await
        .refused(401, "session_expired");
    let refused = app
        .try_refresh(&told[0])
        .await
        .refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("logout"));
    app.refresh(&pair).await;
}
