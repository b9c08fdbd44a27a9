//! Receivers of log-outs that are down, slow, out of order or in the wrong place; servers that are killed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use auth_server::clients::ClientKind::Web;
use e2e::{Answering, App, Cli, Database, Options, Receiver, Running, member, put_id_keys};

use super::back_channel::{Guest, Hall};
use super::sign_on_cast::claims;

const WAITING: &str = "SELECT COUNT(*) AS value FROM logout_deliveries";
/// As if the time until the next try had gone by.
const NOW: &str = "UPDATE logout_deliveries SET due_at = 0";

/// Waits until what the database says is so.
async fn until(database: &Database, sql: &str, wanted: i64) {
    let patience = Instant::now() + Duration::from_secs(20);
    while database.number(sql) != Some(wanted) {
        assert!(Instant::now() < patience, "{sql} is never {wanted}");
        tokio::task::yield_now().await;
    }
}

async fn metric(app: &App, line: &str) -> bool {
    let metrics = app.client.get(format!("{}/metrics", app.auth_url));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    metrics.lines().any(|found| found == line)
}

/// Waits until the service has counted so many.
async fn until_counted(app: &App, outcome: &str, number: usize) {
    let line = format!("keyturn_logout_deliveries_total{{outcome=\"{outcome}\"}} {number}");
    until_shown(app, &line).await;
}

async fn until_shown(app: &App, line: &str) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !metric(app, line).await {
        assert!(Instant::now() < patience, "never {line}");
        tokio::task::yield_now().await;
    }
}

async fn leave(guest: &Guest<'_>) {
    let hint = guest.shop.text("id_token");
    let path = format!("/oauth/logout?id_token_hint={hint}");
    guest.visitor.get(&path).await.is(200);
}

#[tokio::test]
async fn a_receiver_that_was_down_hears_of_it_when_it_is_back() {
    let hall = Hall::open(Options::new()).await;
    let (app, database) = (&hall.app, hall.app.database());
    let guest = hall.guest().await;
    for (try_, how, pause) in [
        (1, Answering::With(500), 60),
        (2, Answering::With(400), 120),
        (3, Answering::Elsewhere, 240),
        (4, Answering::With(503), 480),
    ] {
        hall.at_shop.answer(how);
        if try_ == 1 {
            leave(&guest).await;
            hall.at_wiki.wait_for(1).await;
        } else {
            database.execute(NOW);
        }
        assert_eq!(hall.at_shop.wait_for(try_).await.len(), try_, "{how:?}");
        let now = auth_server::db::Caller::cli().now;
        until_counted(app, "delayed", try_).await;
        let put_off = format!(
            "SELECT COUNT(*) AS value FROM logout_deliveries WHERE tries = {try_} \
             AND due_at > {} AND due_at <= {}",
            now + pause - 10,
            now + pause + 10
        );
        until(database, &put_off, 1).await;
        until(database, WAITING, 1).await;
    }
    let explained = hall
        .cli()
        .finish(&["sessions", "explain", &guest.sid()])
        .await;
    assert!(
        explained.contains("client wiki was told of the log-out"),
        "{explained}"
    );
    assert!(
        explained.contains("client shop is still to be told"),
        "{explained}"
    );
    assert!(explained.contains("tried 4 times"), "{explained}");
    let ran = hall.cli().run(&["doctor", "--oauth=on"]);
    let said = format!("{ran:?}");
    assert!(said.contains("does not take log-outs: 1 wait"), "{said}");
    until_shown(app, "keyturn_logout_deliveries_waiting 1").await;
    hall.at_shop.answer(Answering::With(204));
    database.execute(NOW);
    hall.at_shop.settled(app).await;
    let got = hall.at_shop.got();
    assert_eq!(got.len(), 5);
    let jtis: HashSet<_> = got.iter().map(|it| claims(it)["jti"].to_string()).collect();
    assert_eq!(jtis.len(), 5, "a client may refuse what it has seen");
    assert_eq!(hall.at_wiki.got().len(), 1, "who heard is not told again");
    for (outcome, number) in [("delivered", 2), ("delayed", 4), ("given_up", 0)] {
        until_counted(app, outcome, number).await;
    }
}

#[tokio::test]
async fn what_nobody_takes_for_a_day_is_given_up_and_recorded() {
    let hall = Hall::open(Options::new()).await;
    let database = hall.app.database();
    hall.at_shop.answer(Answering::With(500));
    let guest = hall.guest().await;
    leave(&guest).await;
    hall.at_shop.wait_for(1).await;
    until_counted(&hall.app, "delayed", 1).await;
    database.execute("UPDATE logout_deliveries SET due_at = 0, created_at = created_at - 86401");
    hall.at_shop.settled(&hall.app).await;
    assert_eq!(database.records(&guest.sid(), "log_out_given_up"), 1);
    until_counted(&hall.app, "given_up", 1).await;
}

#[tokio::test]
async fn what_was_never_tried_is_tried_once_after_a_long_standstill() {
    let hall = Hall::open(Options::new()).await;
    let guest = hall.guest().await;
    // As if nobody had been there to tell it.
    let queue = format!(
        "INSERT INTO logout_deliveries (id, client_id, sid, sub, tries, due_at, created_at) \
         VALUES ('0', 'shop', '{}', '{}', 0, 0, 1)",
        guest.sid(),
        guest.user.id
    );
    hall.app.database().execute(&queue);
    hall.at_shop.settled(&hall.app).await;
    assert_eq!(hall.at_shop.got().len(), 1);
    let sid = guest.sid();
    assert_eq!(hall.app.database().records(&sid, "log_out_given_up"), 0);
    assert_eq!(hall.app.database().records(&sid, "log_out_delivered"), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let hall = Hall::open(Options::new()).await;
    hall.at_shop.answer(Answering::Not);
    let first = hall.guest().await;
    let mut guests = vec![];
    for _ in 0..9 {
        let user = e2e::User {
            ..first.user.clone()
        };
        guests.push(hall.again(user).await);
    }
    guests.push(first);
    for guest in &guests {
        leave(guest).await;
    }
    hall.at_wiki.wait_for(10).await;
    let hung = hall.at_shop.got().len();
    assert!(hung < 10, "{hung}: it was told no more than some at once");
    // What it did not take is not lost, and comes when it is itself again.
    hall.at_shop.answer(Answering::With(200));
    until(
        hall.app.database(),
        "SELECT COUNT(*) AS value FROM logout_deliveries WHERE tries = 0",
        0,
    )
    .await;
    until_counted(&hall.app, "delayed", hung).await;
    hall.app.database().execute(NOW);
    hall.at_shop.settled(&hall.app).await;
    let heard: HashSet<_> = hall
        .at_shop
        .got()
        .iter()
        .map(|it| claims(it)["sid"].to_string())
        .collect();
    assert_eq!(heard.len(), 10);
}

#[tokio::test]
async fn of_two_replicas_one_tells() {
    let hall = Hall::open(Options::new()).await;
    let options = Options::new().with_feed().auth("oauth", "on");
    let other = hall.app.replica(&options).await;
    let mut guests = vec![hall.guest().await];
    for _ in 0..11 {
        let user = guests[0].user.clone();
        guests.push(hall.again(user).await);
    }
    // All at once, so that both see them.
    futures_util::future::join_all(guests.iter().map(leave)).await;
    for receiver in [&hall.at_shop, &hall.at_wiki] {
        let got = receiver.settled(&hall.app).await;
        let sids: HashSet<_> = got.iter().map(|it| claims(it)["sid"].to_string()).collect();
        assert_eq!((got.len(), sids.len()), (12, 12), "once each");
    }
    drop(other);
}

#[tokio::test]
async fn a_server_that_is_killed_while_it_tells_has_lost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    put_id_keys(folder.path());
    let database = Database::create(folder.path());
    let id_keys = folder.path().join("id-keys.json");
    let cli = Cli::new(folder.path(), database.url())
        .with(format!("--id-keys-file={}", id_keys.display()));
    cli.done(&["keys", "init"]);
    let receiver = Receiver::open().await;
    receiver.answer(Answering::Not);
    let shop = member("shop", Web).with(|it| {
        it.trusted = true;
        it.backchannel_uri = Some(receiver.uri.clone());
    });
    e2e::put_clients(database.url(), vec![shop.clone()]);
    let start = || {
        let mut arguments = cli.arguments().to_vec();
        for flag in ["--listen=127.0.0.1:0", "--registration=open", "--oauth=on"] {
            arguments.push(flag.to_owned());
        }
        Running::start("auth-server", &arguments)
    };
    let mut running = start();
    let app = App::at(&running.url, "");
    let user = app.register().await;
    let asking = shop.ask("openid");
    let (visitor, entered) = app.signed_in(&user, &asking).await;
    let code = visitor.code(entered, &shop).await;
    let tokens = app.exchange(&shop, &code, &asking).await.tokens();
    let path = format!("/oauth/logout?id_token_hint={}", tokens.text("id_token"));
    visitor.get(&path).await.is(200);
    receiver.wait_for(1).await;
    running.kill();
    assert_eq!(database.number(WAITING), Some(1));
    receiver.answer(Answering::With(200));
    running = start();
    // It was the killed one's for a minute.
    database.execute(NOW);
    receiver.wait_for(2).await;
    until(&database, WAITING, 0).await;
    running.kill();
}
