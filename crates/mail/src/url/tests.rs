use super::*;

fn server(url: &str) -> Server {
    match url.parse::<MailUrl>().unwrap().0 {
        Way::Server(server) => server,
        Way::Folder(_) => panic!("{url}"),
    }
}

#[test]
fn what_is_left_out_has_its_usual_value() {
    for (url, shown, user, tls_first) in [
        (
            "smtp://mail.example.com",
            "smtp://mail.example.com:587",
            None,
            false,
        ),
        (
            "smtps://mail.example.com",
            "smtps://mail.example.com:465",
            None,
            true,
        ),
        (
            "smtp://u@mail.example.com:25\n",
            "smtp://mail.example.com:25",
            Some("u"),
            false,
        ),
        (
            "smtps://user%40example.com@Mail.Example.com",
            "smtps://mail.example.com:465",
            Some("user@example.com"),
            true,
        ),
        (
            "smtp://user@example.com@h",
            "smtp://h:587",
            Some("user@example.com"),
            false,
        ),
        ("smtp://a%25b%3Ac@h", "smtp://h:587", Some("a%b:c"), false),
        (
            "smtp://127.0.0.1:1025",
            "smtp://127.0.0.1:1025",
            None,
            false,
        ),
        (
            "smtp://u@[2001:db8::1]",
            "smtp://[2001:db8::1]:587",
            Some("u"),
            false,
        ),
        ("smtps://[::1]:4650", "smtps://[::1]:4650", None, true),
        (
            "smtp://bücher.example",
            "smtp://xn--bcher-kva.example:587",
            None,
            false,
        ),
    ] {
        let server = server(url);
        assert_eq!(server.to_string(), shown, "{url}");
        assert_eq!(server.user.as_deref(), user, "{url}");
        assert_eq!(server.tls_first, tls_first, "{url}");
    }
}

#[test]
fn loopback_is_what_cannot_leave_this_host() {
    for (host, loopback) in [
        ("localhost", true),
        ("LocalHost", true),
        ("localhost.", true),
        ("127.0.0.1", true),
        ("127.9.8.7", true),
        ("[::1]", true),
        ("localhost.example.com", false),
        ("127.0.0.1.example.com", false),
        ("127.1", false),
        ("0.0.0.0", false),
        ("10.0.0.1", false),
        ("[::ffff:127.0.0.1]", false),
        ("[::2]", false),
        ("relay", false),
    ] {
        assert_eq!(
            server(&format!("smtp://{host}")).host.is_loopback(),
            loopback,
            "{host}"
        );
    }
}

#[test]
fn folders_are_paths() {
    for (url, folder) in [
        ("file:mails", "mails"),
        ("file:/var/mails\n", "/var/mails"),
        ("file:///var/mails", "/var/mails"),
        ("file:data/my mails", "data/my mails"),
    ] {
        let url: MailUrl = url.parse().unwrap();
        assert_eq!(url.folder(), Some(Path::new(folder)));
        assert_eq!(url.user(), None);
    }
}

#[test]
fn a_password_in_the_url_is_refused_with_the_place_where_it_belongs_and_never_quoted() {
    for url in [
        "smtp://kt:hunter2zz@mail.example.com",
        "smtps://kt:hunter2zz@mail.example.com:465",
        "smtp://kt:hunter2/zz@mail.example.com",
        "smtp://kt:hunter2@zz@mail.example.com",
        "smtp://kt:hunter2?zz@mail.example.com",
        "smtp://kt:@mail.example.com",
        "smtp://:hunter2zz@mail.example.com",
    ] {
        let said = url.parse::<MailUrl>().unwrap_err();
        assert!(said.contains("MAIL_PASSWORD_FILE"), "{url}: {said}");
        assert!(
            !said.contains("hunter2") && !said.contains("zz"),
            "{url}: {said}"
        );
    }
    for url in [
        "smtp://kt:hunter2zz",
        "smtp://kt:hunter2/zz",
        "kt:hunter2zz@h",
        "smtp://h:hunter2",
    ] {
        let said = url.parse::<MailUrl>().unwrap_err();
        assert!(!said.contains("hunter2"), "{url}: {said}");
    }
}

#[test]
fn what_cannot_be_meant_is_an_error_that_says_why() {
    for (url, why) in [
        ("", "schemes known here"),
        ("mail.example.com", "schemes known here"),
        ("mailto:a@b.example", "schemes known here"),
        ("SMTP://h", "schemes known here"),
        ("sendmail:", "smtps://"),
        ("http://mail.example.com", "file:DIR"),
        ("file:", "path of a folder"),
        ("file://", "file:///DIR"),
        ("file://mails", "file:///DIR"),
        ("file:mails?x=1", "nothing behind it"),
        ("smtp://", "name of a host"),
        ("smtp://:587", "name of a host"),
        ("smtp://.", "name of a host"),
        ("smtp://@h", "the user who logs in"),
        ("smtp://u%0d%0a@h", "the user who logs in"),
        ("smtp://u%zz@h", "hexadecimal"),
        ("smtp://u%4@h", "hexadecimal"),
        ("smtp://u%ff@h", "UTF-8"),
        ("smtp://a b", "name of a host"),
        ("smtp://h:0", "port 0"),
        ("smtp://h:", "no port"),
        ("smtp://h:+25", "no port"),
        ("smtp://h:65536", "no port"),
        ("smtp://h:25:26", "no port"),
        ("smtp://h/", "nothing more"),
        ("smtp://h:25/path", "nothing more"),
        ("smtp://h?tls=none", "nothing more"),
        ("smtp://h#x", "nothing more"),
        ("smtp://[::1", "`]`"),
        ("smtp://[::1]25", "`]`"),
        ("smtp://[127.0.0.1]", "no IPv6 address"),
        ("smtp://::1", "name of a host"),
    ] {
        let said = url.parse::<MailUrl>().unwrap_err();
        assert!(said.contains(why), "{url}: {said}");
    }
}

#[test]
fn what_is_shown_tells_the_server_and_the_user() {
    let url: MailUrl = "smtp://a%40b@h".parse().unwrap();
    assert_eq!(
        format!("{url} {url:?}"),
        "smtp://h:587 smtp://h:587 as \"a@b\""
    );
}
