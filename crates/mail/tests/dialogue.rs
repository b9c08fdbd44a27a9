//! The talk with a mail server over real sockets, where it goes well and where it does not.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what cannot be done fails them"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use mail::{Mail, MailFrom, MailUrl, Mailer, SendError, Trust};
use smtp_sink::{Behaviour, Options, Sink, Tls};
use zeroize::Zeroizing;

const SECRET: &str = "https://accounts.example.com/account/reset#token=S3CR3T-t0k3n_1";
const PASSWORD: &str = "hunter2 with ü and blanks";

/// Long for a dialogue on one host, short for a test.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(600);

fn mail(id: &str) -> Mail {
    Mail {
        id: id.to_owned(),
        to: "Ann.Recipient@example.org".to_owned(),
        subject: "重置您的密码".to_owned(),
        text: format!("您好：\n\n{SECRET}\n\n.\n.. dots\n"),
        html: format!("<p>您好</p><a href=\"{SECRET}\">重置</a>\n"),
        written: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
    }
}

fn mailer_within(url: &str, sink: &Sink, password: Option<&str>, timeout: Duration) -> Mailer {
    let url: MailUrl = url.parse().unwrap();
    let from: MailFrom = "Keyturn <no-reply@keyturn.example>".parse().unwrap();
    let password = password.map(|password| Zeroizing::new(password.to_owned()));
    let trust = Trust::Only(sink.authority().to_owned());
    Mailer::new(&url, password, from, &trust, timeout).unwrap()
}

fn mailer(sink: &Sink) -> Mailer {
    mailer_within(&sink.url(), sink, None, LONG)
}

/// A name of this host that does not pass for loopback: what goes for servers elsewhere goes for it.
fn elsewhere(sink: &Sink) -> String {
    sink.url_of("0.0.0.0")
}

fn guarded(tls: Tls) -> Options {
    Options {
        tls,
        login: Some(("kt%user@example.com".to_owned(), PASSWORD.to_owned())),
        ..Options::default()
    }
}

/// That it failed for now, and that nothing is told that has to stay here.
fn later(sent: Result<(), SendError>, why: &str) {
    let Err(SendError::Later(said)) = sent else {
        panic!("{sent:?} instead of: {why}");
    };
    assert!(said.contains(why), "{said}");
    kept(&said);
}

fn kept(said: &str) {
    let lower = said.to_lowercase();
    for secret in ["s3cr3t", "hunter2", "ann.recipient", "example.org", "重置"] {
        assert!(!lower.contains(secret), "{said}");
    }
    assert!(!said.contains(char::is_control), "{said:?}");
}

/// That the server heard neither of the mail nor of the password.
fn nothing_said(sink: &Sink) {
    assert!(sink.accepted().is_empty());
    for said in sink.said() {
        let verb = said.line.split(' ').next().unwrap().to_owned();
        let harmless = matches!(verb.as_str(), "EHLO" | "STARTTLS" | "QUIT");
        // What a client says under TLS that it begins unasked is no text.
        assert!(harmless || verb.contains('\u{16}'), "{said:?}");
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_under_starttls() {
    let sink = Sink::start().await;
    for url in [sink.url(), elsewhere(&sink), sink.url_of("127.0.0.1")] {
        mailer_within(&url, &sink, None, LONG)
            .send(&mail("id-1"))
            .await
            .unwrap();
        let got = sink.next().await;
        assert!(got.encrypted && got.user.is_none());
        assert_eq!(got.from, "no-reply@keyturn.example");
        assert_eq!(got.to, ["Ann.Recipient@example.org"]);
        assert_eq!(got.subject(), mail("").subject);
        assert_eq!(got.text(), mail("").text);
        assert_eq!(got.html(), mail("").html);
        assert_eq!(got.link().unwrap(), SECRET);
        for (name, value) in [
            ("From", "Keyturn <no-reply@keyturn.example>"),
            ("To", "Ann.Recipient@example.org"),
            ("Date", "Tue, 14 Nov 2023 22:13:20 +0000"),
            ("Message-ID", "<id-1@keyturn.example>"),
            ("Auto-Submitted", "auto-generated"),
            ("MIME-Version", "1.0"),
        ] {
            assert_eq!(got.header(name).unwrap(), value);
        }
        assert_eq!(got.headers().len(), 8);
    }
    assert_eq!(sink.said()[0].line, "EHLO keyturn.example");
    assert_eq!(sink.said().last().unwrap().line, "QUIT");
}

#[tokio::test]
async fn tls_from_the_start_and_both_ways_to_log_in() {
    for tls in [Tls::FromTheStart, Tls::StartTls] {
        for auth_login_alone in [false, true] {
            let sink = Sink::start_with(Options {
                auth_login_alone,
                ..guarded(tls)
            })
            .await;
            let mailer = mailer_within(&sink.url(), &sink, Some(PASSWORD), LONG);
            mailer.send(&mail("id-2")).await.unwrap();
            let got = sink.next().await;
            assert_eq!(
                (got.encrypted, got.user.as_deref()),
                (true, Some("kt%user@example.com"))
            );
            let shown = format!("{mailer:?}");
            assert!(
                shown.contains("localhost") && !shown.contains("hunter2"),
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn a_refused_log_in_is_tried_again_later() {
    let sink = Sink::start_with(guarded(Tls::StartTls)).await;
    let wrong = mailer_within(&elsewhere(&sink), &sink, Some("hunter2 is wrong"), LONG);
    later(
        wrong.send(&mail("id")).await,
        "refused the log-in: 535 5.7.8 user and password are not accepted",
    );
    sink.script([Behaviour::RefusesLogIn]);
    let right = mailer_within(&elsewhere(&sink), &sink, Some(PASSWORD), LONG);
    later(right.send(&mail("id")).await, "refused the log-in: 535");
    let nobody = mailer_within(
        &format!("smtp://0.0.0.0:{}", sink.port()),
        &sink,
        None,
        LONG,
    );
    later(
        nobody.send(&mail("id")).await,
        "refused the sender, MAIL_FROM: 530 5.7.0 log in first",
    );
    right.send(&mail("id")).await.unwrap();
    assert_eq!(sink.accepted().len(), 1);
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_gets_neither_mail_nor_password() {
    for tls in [Tls::StartTls, Tls::FromTheStart] {
        let sink = Sink::start_with(guarded(tls)).await;
        let mailer = mailer_within(&elsewhere(&sink), &sink, Some(PASSWORD), LONG);
        sink.script([Behaviour::OtherName, Behaviour::OtherAuthority]);
        later(
            mailer.send(&mail("id")).await,
            "certificate not valid for name",
        );
        later(mailer.send(&mail("id")).await, "UnknownIssuer");
        let system = Mailer::new(
            &elsewhere(&sink).parse().unwrap(),
            Some(Zeroizing::new(PASSWORD.to_owned())),
            "no-reply@keyturn.example".parse().unwrap(),
            &Trust::System,
            LONG,
        );
        later(system.unwrap().send(&mail("id")).await, "UnknownIssuer");
        nothing_said(&sink);
        mailer.send(&mail("id")).await.unwrap();
        assert_eq!(sink.accepted().len(), 1);
    }
}

#[tokio::test]
async fn the_system_s_store_is_the_one_that_ssl_cert_file_names() {
    // The variable counts when a process reads its store: a child has it from its first moment.
    if let Ok(url) = std::env::var("MAIL_TEST_CHILD") {
        let from = "no-reply@keyturn.example".parse().unwrap();
        let mailer = Mailer::new(&url.parse().unwrap(), None, from, &Trust::System, LONG).unwrap();
        return mailer.send(&mail("id-child")).await.unwrap();
    }
    let sink = Sink::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, sink.authority()).unwrap();
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_system_s_store_is_the_one_that_ssl_cert_file_names",
        ])
        .env("MAIL_TEST_CHILD", elsewhere(&sink))
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .output();
    let ran = child.await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert!(sink.next().await.encrypted);
}

#[tokio::test]
async fn without_starttls_nothing_is_said_to_a_server_elsewhere() {
    let sink = Sink::start_with(guarded(Tls::None)).await;
    let mailer = mailer_within(&elsewhere(&sink), &sink, Some(PASSWORD), LONG);
    later(mailer.send(&mail("id")).await, "offers no STARTTLS");
    nothing_said(&sink);
    let sink = Sink::start().await;
    sink.script([Behaviour::NoStartTls]);
    later(
        mailer_within(&elsewhere(&sink), &sink, None, LONG)
            .send(&mail("id"))
            .await,
        "offers no STARTTLS",
    );
    nothing_said(&sink);
}

#[tokio::test]
async fn a_relay_on_this_host_needs_no_tls_and_no_certificate_that_fits() {
    let sink = Sink::start_with(Options {
        tls: Tls::None,
        ..Options::default()
    })
    .await;
    mailer(&sink).send(&mail("id")).await.unwrap();
    assert!(!sink.next().await.encrypted);
    let sink = Sink::start_with(guarded(Tls::StartTls)).await;
    let mailer = mailer_within(&sink.url(), &sink, Some(PASSWORD), LONG);
    for odd in [Behaviour::OtherName, Behaviour::OtherAuthority] {
        sink.script([odd]);
        mailer.send(&mail("id")).await.unwrap();
        assert!(!sink.next().await.encrypted);
    }
    assert_eq!(sink.connections(), 4);
    mailer.send(&mail("id")).await.unwrap();
    assert!(sink.next().await.encrypted);
    // TLS from the start was asked for by name: it is not given up.
    let sink = Sink::start_with(Options {
        tls: Tls::FromTheStart,
        ..Options::default()
    })
    .await;
    sink.script([Behaviour::OtherName]);
    let mailer = mailer_within(&sink.url(), &sink, None, LONG);
    later(
        mailer.send(&mail("id")).await,
        "certificate not valid for name",
    );
    nothing_said(&sink);
}

#[tokio::test]
async fn answers_put_behind_the_go_ahead_for_starttls_are_not_taken_for_the_server_s() {
    let sink = Sink::start_with(guarded(Tls::StartTls)).await;
    sink.script([Behaviour::AnswersBehindStartTls]);
    let mailer = mailer_within(&elsewhere(&sink), &sink, Some(PASSWORD), LONG);
    later(mailer.send(&mail("id")).await, "failed at TLS");
    nothing_said(&sink);
}

#[tokio::test]
async fn a_busy_server_gets_the_same_mail_again() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink);
    let busy = || Behaviour::Recipient("451 4.3.0 {to} later".to_owned());
    sink.script([busy(), busy()]);
    for _ in 0..2 {
        later(
            mailer.send(&mail("id-7")).await,
            "refused the recipient: 451 4.3.0",
        );
    }
    mailer.send(&mail("id-7")).await.unwrap();
    assert_eq!(
        sink.next().await.header("Message-ID").unwrap(),
        "<id-7@keyturn.example>"
    );
    assert_eq!(sink.accepted().len(), 1);
}

#[tokio::test]
async fn only_an_address_without_a_mailbox_is_given_up() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink);
    for (behaviour, never) in [
        (
            Behaviour::Recipient("550 5.1.1 <{to}> unknown".to_owned()),
            true,
        ),
        (
            Behaviour::Recipient("550-5.1.1 <{to}>\r\n550 5.1.1 unknown".to_owned()),
            true,
        ),
        (
            Behaviour::Recipient("556 5.1.10 {to} takes no mail".to_owned()),
            true,
        ),
        (
            Behaviour::Content("550 5.1.1 {to} unknown".to_owned()),
            true,
        ),
        (Behaviour::Recipient("550 {to} unknown".to_owned()), false),
        (
            Behaviour::Recipient("550 5.7.1 {to}: relaying denied".to_owned()),
            false,
        ),
        (
            Behaviour::Recipient("552 5.2.2 {to} is full".to_owned()),
            false,
        ),
        (
            Behaviour::Recipient("450 4.1.1 {to} perhaps later".to_owned()),
            false,
        ),
        (
            Behaviour::Sender("550 5.1.8 no such sender".to_owned()),
            false,
        ),
        (
            Behaviour::Sender("550 5.1.1 no such sender".to_owned()),
            false,
        ),
        (
            Behaviour::Content("554 5.7.1 {to}: this is spam".to_owned()),
            false,
        ),
        (Behaviour::Content("{to} is no answer".to_owned()), false),
    ] {
        sink.script([behaviour.clone()]);
        let sent = mailer.send(&mail("id")).await;
        match (&sent, never) {
            (Err(SendError::Never(said)), true) | (Err(SendError::Later(said)), false) => {
                kept(said);
            }
            _ => panic!("{behaviour:?}: {sent:?}"),
        }
    }
    assert!(sink.accepted().is_empty());
}

#[tokio::test]
async fn an_address_in_utf_8_goes_where_it_is_taken_and_is_given_up_elsewhere() {
    let utf8 = Mail {
        to: "用户@例子.测试".to_owned(),
        ..mail("id")
    };
    let sink = Sink::start().await;
    mailer(&sink).send(&utf8).await.unwrap();
    let got = sink.next().await;
    assert_eq!(got.to, ["用户@xn--fsqu00a.xn--0zwm56d"]);
    assert!(
        sink.said()
            .iter()
            .any(|said| said.line.starts_with("MAIL") && said.line.contains("SMTPUTF8"))
    );
    let sink = Sink::start_with(Options {
        without_smtputf8: true,
        ..Options::default()
    })
    .await;
    let sent = mailer(&sink).send(&utf8).await;
    assert!(matches!(sent, Err(SendError::Never(_))), "{sent:?}");
    // Of the domain alone there is an ASCII form, which every server takes.
    let domain = Mail {
        to: "ann@例子.测试".to_owned(),
        ..mail("id")
    };
    mailer(&sink).send(&domain).await.unwrap();
    for impossible in [
        "",
        "ann",
        "ann@example.org\r\nRCPT TO:<x@y.example>",
        "a b@example.org",
    ] {
        let sent = mailer(&sink)
            .send(&Mail {
                to: impossible.to_owned(),
                ..mail("id")
            })
            .await;
        assert!(matches!(sent, Err(SendError::Never(_))), "{sent:?}");
    }
    assert_eq!(sink.accepted().len(), 1);
}

#[tokio::test]
async fn a_server_that_hangs_costs_no_more_than_the_limit() {
    for tls in [Tls::StartTls, Tls::FromTheStart] {
        let sink = Sink::start_with(Options {
            tls,
            ..Options::default()
        })
        .await;
        let mailer = mailer_within(&elsewhere(&sink), &sink, None, SHORT);
        for (behaviour, step) in [
            (Behaviour::Silent, "the greeting"),
            (Behaviour::HalfAGreeting, "the greeting"),
            (Behaviour::HangsAtHello, "the greeting"),
            (Behaviour::HangsAtTheEnd, "the mail itself"),
        ] {
            let step = if tls == Tls::FromTheStart && step == "the greeting" {
                "the connection"
            } else {
                step
            };
            sink.script([behaviour.clone()]);
            let started = Instant::now();
            later(
                mailer.send(&mail("id")).await,
                &format!("not done within 0.6 s, stuck at {step}"),
            );
            assert!(
                started.elapsed() < SHORT * 5,
                "{behaviour:?}: {:?}",
                started.elapsed()
            );
        }
    }
}

#[tokio::test]
async fn a_mail_that_was_taken_is_sent_however_the_goodbye_goes() {
    let sink = Sink::start().await;
    sink.otherwise(Behaviour::HangsAtGoodbye);
    let mailer = mailer_within(&sink.url(), &sink, None, SHORT);
    let started = Instant::now();
    mailer.send(&mail("id")).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(sink.accepted().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_or_goes_is_tried_again_later() {
    let sink = Sink::start().await;
    sink.script([Behaviour::HangsUp, Behaviour::CutAtTheEnd]);
    let mailer = mailer(&sink);
    later(mailer.send(&mail("id-9")).await, "broke off");
    later(mailer.send(&mail("id-9")).await, "the mail itself");
    mailer.send(&mail("id-9")).await.unwrap();
    // The server may have stored what it did not confirm: the two are one to whoever gets them.
    let (first, again) = (sink.next().await, sink.next().await);
    assert_eq!(first.header("Message-ID"), again.header("Message-ID"));
    drop(sink);
    let url = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("smtp://127.0.0.1:{}", gone.local_addr().unwrap().port())
    };
    let sink = Sink::start().await;
    later(
        mailer_within(&url, &sink, None, LONG)
            .send(&mail("id"))
            .await,
        "cannot be reached",
    );
    let nowhere = mailer_within("smtp://no-such-host.invalid", &sink, None, LONG);
    later(nowhere.send(&mail("id")).await, "cannot be found");
}

#[tokio::test]
async fn mails_can_go_side_by_side() {
    let sink = Sink::start().await;
    let mailer = Arc::new(mailer(&sink));
    let send = |number: usize| {
        let mailer = mailer.clone();
        tokio::spawn(async move { mailer.send(&mail(&format!("id-{number}"))).await })
    };
    for sent in (0..8).map(send).collect::<Vec<_>>() {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(sink.accepted().len(), 8);
}

#[tokio::test]
async fn a_folder_gets_a_file_per_mail() {
    let folder = tempfile::tempdir().unwrap();
    let mails = folder.path().join("mails");
    let url: MailUrl = format!("file:{}", mails.display()).parse().unwrap();
    let from = "no-reply@keyturn.example".parse().unwrap();
    let mailer = Mailer::new(&url, None, from, &Trust::System, LONG).unwrap();
    mailer.send(&mail("../id")).await.unwrap();
    let file = mails.join("1700000000000----id.eml");
    let raw = std::fs::read_to_string(file).unwrap();
    assert!(raw.starts_with("From: no-reply@keyturn.example\r\n"));
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let url: MailUrl = format!("file:{}/taken", folder.path().display())
        .parse()
        .unwrap();
    let from = "no-reply@keyturn.example".parse().unwrap();
    let mailer = Mailer::new(&url, None, from, &Trust::System, LONG).unwrap();
    assert!(matches!(
        mailer.send(&mail("id")).await,
        Err(SendError::Later(_))
    ));
}

#[tokio::test]
async fn user_and_password_come_together() {
    let build = |url: &str, password: Option<&str>| {
        let password = password.map(|password| Zeroizing::new(password.to_owned()));
        let from = "no-reply@keyturn.example".parse().unwrap();
        Mailer::new(&url.parse().unwrap(), password, from, &Trust::System, LONG).map(drop)
    };
    for (url, password, why) in [
        (
            "smtp://u@localhost",
            None,
            "MAIL_PASSWORD_FILE names the file",
        ),
        (
            "smtp://u@localhost",
            Some(""),
            "MAIL_PASSWORD_FILE names the file",
        ),
        (
            "smtp://localhost",
            Some("hunter2"),
            "MAIL_URL names no user",
        ),
    ] {
        let said = build(url, password).unwrap_err();
        assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
    }
    assert!(build("smtp://u@localhost", Some("p")).is_ok());
    assert!(build("smtp://localhost", None).is_ok());
}
