//! Mails get away: later if they cannot now, once if that can be known, and never at the cost of a request.

use std::time::Duration;

use e2e::smtp::Behaviour;
use e2e::{App, Options, Running, random};

use super::mail_links::{mailing, plain_sink, registered, token};

/// Waits until the database says so.
pub(super) async fn until(app: &App, sql: &str, wanted: i64) {
    for _ in 0..600 {
        if app.database().number(sql) == Some(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{sql}: {:?}, never {wanted}", app.database().number(sql));
}

pub(super) const WAITING: &str = "SELECT COUNT(*) AS value FROM outbox";
const DELAYED: &str = "SELECT COUNT(*) AS value FROM outbox WHERE tries > 0 AND due_at > created_at + 5 AND due_at < created_at + 50";

/// Lets what was put off be due.
fn now(app: &App) {
    app.database()
        .execute("UPDATE outbox SET due_at = due_at - 4000");
}

#[tokio::test]
async fn a_mail_server_that_is_down_delays_a_mail_and_fails_no_request() {
    let sink = plain_sink().await;
    let app = App::with(Options::new().mailing(&sink)).await;
    sink.script([
        Behaviour::HangsUp,
        Behaviour::Recipient("451 4.7.1 come back later".into()),
        Behaviour::Content("550 5.7.1 we do not like it".into()),
        Behaviour::CutAtTheEnd,
    ]);
    let user = app.register().await;
    for _ in 0..4 {
        until(&app, DELAYED, 1).await;
        app.database()
            .execute("UPDATE outbox SET due_at = created_at, tries = 0");
    }
    // The server had it already when the line was cut: both have one name, so that its reader sees one mail.
    let (cut, mail) = (sink.next().await, sink.next().await);
    assert_eq!(cut.header("Message-ID"), mail.header("Message-ID"));
    assert_eq!(mail.to, [user.email.as_str()]);
    app.try_verify(&token(&mail)).await.is(204);
    until(&app, WAITING, 0).await;
    let metrics = app.client.get(format!("{}/metrics", app.auth_url));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    for line in [
        "keyturn_mails_total{outcome=\"delayed\"} 4",
        "keyturn_mails_total{outcome=\"sent\"} 1",
        "keyturn_outbox_mails ",
        "keyturn_outbox_oldest_seconds ",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn an_address_that_there_is_not_and_a_mail_of_yesterday_are_given_up() {
    let (app, sink) = mailing().await;
    let given_up =
        "SELECT COUNT(*) AS value FROM audit WHERE event = 'mail_given_up' AND detail = 'verify'";
    sink.script([Behaviour::Recipient("550 5.1.1 no such user".into())]);
    app.register().await;
    until(&app, given_up, 1).await;
    assert_eq!(app.database().number(WAITING), Some(0));

    sink.otherwise(Behaviour::Recipient("450 4.2.1 full".into()));
    app.register().await;
    until(&app, DELAYED, 1).await;
    app.database()
        .execute("UPDATE outbox SET created_at = created_at - 86401");
    now(&app);
    until(&app, given_up, 2).await;
    assert_eq!(app.database().number(WAITING), Some(0));
}

#[tokio::test]
async fn a_mail_that_takes_its_time_holds_up_no_other() {
    let sink = plain_sink().await;
    let app = App::with(Options::new().mailing(&sink)).await;
    sink.script([Behaviour::Silent]);
    app.register().await;
    sink.connected(1).await;
    // The first one's server says nothing for as long as a mail may take; others go meanwhile.
    let quick = app.register().await;
    assert_eq!(sink.next().await.to, [quick.email.as_str()]);
    // Whoever takes a mail has a minute for it; had the try ended, it would be due sooner.
    let under_way = "SELECT COUNT(*) AS value FROM outbox WHERE tries = 1 AND due_at > created_at + 50 AND address <> ";
    let under_way = format!("{under_way}'{}'", quick.email);
    assert_eq!(app.database().number(&under_way), Some(1));
    until(&app, WAITING, 1).await;
}

#[tokio::test]
async fn no_mail_goes_in_the_clear_to_another_machine() {
    let sink = plain_sink().await;
    // Reached by an address that is not loopback's, and without STARTTLS.
    let url = sink.url_of("0.0.0.0");
    let options = Options::new()
        .auth("mail-url", url)
        .auth("mail-from", "login@keyturn.test");
    let app = App::with(options).await;
    app.register().await;
    until(&app, DELAYED, 1).await;
    assert!(sink.accepted().is_empty());
    assert!(!format!("{:?}", sink.said()).contains("example.com"));
}

#[tokio::test]
async fn two_replicas_send_each_mail_once() {
    let sink = plain_sink().await;
    let options = Options::new().mailing(&sink);
    let app = App::with(options.clone()).await;
    let other = app.replica(&options).await;
    let mut registered = Vec::new();
    for n in 0..20 {
        let app = if n % 2 == 0 { &app } else { &other };
        registered.push(app.register().await.email);
    }
    let mut told = Vec::new();
    for _ in 0..20 {
        told.extend(sink.next().await.to);
    }
    registered.sort();
    told.sort();
    assert_eq!(registered, told);
    until(&app, WAITING, 0).await;
    assert_eq!(sink.accepted().len(), 20);
}

#[tokio::test]
async fn a_process_that_is_killed_between_commit_and_send_sends_after_all() {
    let sink = plain_sink().await;
    sink.script([Behaviour::Silent]);
    let app = App::start().await;
    // A process of its own on the same files, which alone mails.
    let cli = e2e::Cli::new(app.folder(), app.database().url());
    let flags: Vec<String> = cli
        .arguments()
        .iter()
        .cloned()
        .chain([
            "--listen=127.0.0.1:0".to_owned(),
            "--registration=open".to_owned(),
            format!("--mail-url={}", sink.url()),
            "--mail-from=login@keyturn.test".to_owned(),
        ])
        .collect();
    let process = Running::start("auth-server", &flags);
    let user = app.register().await;
    // Written by one that mails nothing, so by hand, as the unit of a process that mails would.
    let sql = format!(
        "INSERT INTO outbox (id, kind, user_id, address, locale, detail, created_at, due_at, tries) \
         VALUES ('{}', 'verify', '{}', '{}', 'en', '', {now}, {now}, 0)",
        random(),
        user.id,
        user.email,
        now = now_in_seconds(),
    );
    app.database().execute(&sql);
    sink.connected(1).await;
    process.kill();
    assert_eq!(app.database().number(WAITING), Some(1), "it was not lost");
    now(&app);
    let process = Running::start("auth-server", &flags);
    let mail = sink.next().await;
    assert_eq!(mail.to, [user.email.as_str()]);
    until(&app, WAITING, 0).await;
    let log = process.kill();
    assert!(
        log.contains("auth-server listens") && !log.contains(&token(&mail)),
        "{log}"
    );
    assert_eq!(sink.accepted().len(), 1);
}

fn now_in_seconds() -> u64 {
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs()
}

#[tokio::test]
async fn a_mail_is_plain_text_and_a_page_by_a_machine_to_one_person() {
    let (app, sink) = mailing().await;
    let (_, mail) = registered(&app, &sink).await;
    assert_eq!(
        mail.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert_eq!(
        mail.header("From").as_deref(),
        Some("Keyturn <login@keyturn.test>")
    );
    assert!(
        mail.header("Message-ID")
            .unwrap()
            .ends_with("@keyturn.test>")
    );
    assert_eq!(mail.to.len(), 1);
    let (link, html) = (mail.link().unwrap(), mail.html());
    assert!(html.contains(&link) && mail.text().contains(&link));
    assert!(!html.contains("<img") && !html.contains("src="));
}

#[tokio::test]
async fn mails_are_in_the_language_that_the_browser_asks_for() {
    let (app, sink) = mailing().await;
    let body = serde_json::json!({"userName": "王小明", "email": format!("{}@example.com", random()),
        "password": "hippopotamus umbrella"});
    let request = app
        .client
        .post(format!("{}/api/account/register", app.auth_url))
        .header("accept-language", "zh-CN,zh;q=0.9,en;q=0.5")
        .json(&body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let mail = sink.next().await;
    assert!(mail.text().contains("确认"), "{}", mail.text());
}

#[tokio::test]
async fn a_copy_of_the_database_has_no_link_in_it() {
    let sink = plain_sink().await;
    sink.otherwise(Behaviour::Recipient("450 4.2.1 full".into()));
    let app = App::with(Options::new().mailing(&sink)).await;
    let user = app.register().await;
    app.forgot(&user.email).await.is(202);
    let cli = e2e::Cli::new(app.folder(), app.database().url())
        .with(format!("--mail-url={}", sink.url()))
        .with("--mail-from=login@keyturn.test");
    cli.finish(&["user", "invite", "guest@example.com", "--role", "admin"])
        .await;
    until(
        &app,
        "SELECT COUNT(*) AS value FROM outbox WHERE tries > 0",
        3,
    )
    .await;
    let columns = "id || ' ' || kind || ' ' || COALESCE(user_id, '') || ' ' || address || ' ' || locale || ' ' || detail";
    let rows = app
        .database()
        .words(&format!("SELECT {columns} AS value FROM outbox"));
    assert_eq!(rows.len(), 3);
    for row in rows.into_iter().flatten() {
        // A token is one word of 82 characters or more; the longest here are ids.
        let longest = row
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
            .map(str::len)
            .max();
        assert!(longest < Some(60), "{row}");
    }
}
