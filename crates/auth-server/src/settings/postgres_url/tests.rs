//! Passwords of every kind, and the forms of a URL that work.

use proptest::prelude::*;

use super::*;

fn value(url: &str, keyword: &str) -> Option<String> {
    let url = PostgresUrl::parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
    url.parameter(keyword).map(str::to_owned)
}

#[test]
fn a_url_is_what_libpq_makes_of_it() {
    for (url, wanted) in [
        ("", ""),
        ("h", "host='h' "),
        ("h:5433", "host='h' port='5433' "),
        ("u@h/d", "user='u' host='h' dbname='d' "),
        (
            "u:p@h:1/d",
            "user='u' password='p' host='h' port='1' dbname='d' ",
        ),
        ("u:p@/d", "user='u' password='p' dbname='d' "),
        (
            "/d?host=/run/postgresql",
            "dbname='d' host='/run/postgresql' ",
        ),
        (
            "u@%2Frun%2Fpostgresql/d",
            "user='u' host='/run/postgresql' dbname='d' ",
        ),
        (
            "/d?host=/a,/b&port=1,2",
            "dbname='d' host='/a,/b' port='1,2' ",
        ),
        ("a,b:5433,c/d", "host='a,b,c' port=',5433,' dbname='d' "),
        (
            "u@[::1]:5433/d",
            "user='u' host='::1' port='5433' dbname='d' ",
        ),
        (
            "[2001:db8::1],[::1]:2/d",
            "host='2001:db8::1,::1' port=',2' dbname='d' ",
        ),
        (
            "h/d?sslmode=verify-full&options=-c%20search_path%3Dx",
            "host='h' dbname='d' sslmode='verify-full' options='-c search_path=x' ",
        ),
        ("h/d?ssl=true", "host='h' dbname='d' sslmode='require' "),
        ("u@h/d?user=v&host=i", "dbname='d' user='v' host='i' "),
        (
            "h?dbname=d&password=a%26b",
            "host='h' dbname='d' password='a&b' ",
        ),
        (
            "h/d?application_name=a@b",
            "host='h' dbname='d' application_name='a@b' ",
        ),
        ("u:@h/", "user='u' host='h' "),
        (
            "caf%C3%A9@h/d%27%5C",
            r"user='café' host='h' dbname='d\'\\' ",
        ),
    ] {
        let read = PostgresUrl::parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
        assert_eq!(*read.connection_string(&[]), wanted, "{url}");
    }
}

#[test]
fn what_the_url_does_not_say_gets_a_bound() {
    let bounds = [("connect_timeout", "3"), ("application_name", "keyturn")];
    let url = PostgresUrl::parse("u:a?b@h/d?connect_timeout=9").unwrap();
    let text = url.connection_string(&bounds);
    assert_eq!(
        *text,
        "user='u' password='a?b' host='h' dbname='d' connect_timeout='9' application_name='keyturn' "
    );
}

/// What stands raw in the URL, and works.
#[test]
fn passwords_with_characters_that_mean_something_elsewhere_are_read_as_they_are() {
    for password in [
        "a@b",
        "@",
        "a@@b@",
        "a b",
        " a ",
        "a?b",
        "?a=b",
        "a#b",
        "a&b=c",
        "a:b:c",
        "[a]",
        "a,b",
        "'a'",
        "\\a\\",
        "a\"b",
        "é ü",
        "user=x",
        "a?b@c",
        "%2F".repeat(3).as_str(),
    ] {
        let url = format!("kt:{password}@127.0.0.1:5432/kt?sslmode=disable");
        let wanted = password.replace("%2F", "/");
        assert_eq!(value(&url, "password").as_deref(), Some(wanted.as_str()));
        assert_eq!(value(&url, "host").as_deref(), Some("127.0.0.1"), "{url}");
        assert_eq!(value(&url, "dbname").as_deref(), Some("kt"), "{url}");
        assert_eq!(value(&url, "user").as_deref(), Some("kt"), "{url}");
    }
}

/// What cannot be told from something else is refused, with advice and without a word of it.
#[test]
fn passwords_that_cannot_be_told_from_the_rest_are_refused_without_quoting_them() {
    for password in [
        "Hunter2%zzssw0rd",
        "Hunter2%",
        "Hunter2%4",
        "Hunter2%+1x",
        "Hunter2/ssw0rd",
        "Hunter2/",
        "/Hunter2",
        "1234/Hunter2",
        "1234?Hunter2/x",
        "Hunter2?x/y",
        "Hunter2@x/y",
        "Hunter2@x?y",
        "Hunter2@x?y=z",
        "Hunter2%00x",
        "Hunter2%FFx",
    ] {
        let url = format!("kt:{password}@127.0.0.1:1/kt");
        let why = PostgresUrl::parse(&url)
            .err()
            .unwrap_or_else(|| panic!("{password} was read as something"));
        assert!(!why.contains("Hunter2") && !why.contains("ssw0rd"), "{why}");
        assert!(!why.contains("1234"), "{why}");
    }
    for (url, word) in [
        ("u@h:port/d", "port"),
        ("u@h:99999/d", "port"),
        ("u@[::1/d", "]"),
        ("u@[::1]5432/d", "port"),
        ("h/d?sslmod=require", "connection parameters"),
        ("h/d?sslmode", "name=value"),
        ("h/d?sslmode=Hunter2", "sslmode is none of disable, allow,"),
        ("h/d?sslmode=Require", "verify-full"),
        ("h/d?target_session_attrs=Hunter2", "read-write"),
        ("h/d?channel_binding=Hunter2", "channel_binding is none of"),
        (
            "h/d?connect_timeout=Hunter2",
            "connect_timeout is no whole number",
        ),
        (
            "h/d?keepalives_idle=1s",
            "keepalives_idle is no whole number",
        ),
        ("a host/d", "blank"),
    ] {
        let why = PostgresUrl::parse(url).err().unwrap();
        assert!(
            why.contains(word) && !why.contains("Hunter2"),
            "{url}: {why}"
        );
    }
}

#[test]
fn what_a_library_says_is_cleaned_of_the_password_and_of_its_pieces() {
    let url =
        PostgresUrl::parse("kt:Hunt%C3%A9r2%20p%40ss%2Fw0rd@h/d?sslpassword=s3cret-key").unwrap();
    for (said, wanted) in [
        (
            "invalid percent-encoded token: \"Hunt%C3%A9r2%20p%40\"",
            "invalid percent-encoded token: \"[redacted]\"",
        ),
        (
            "could not translate host name \"ss/w0rd@h\"",
            "could not translate host name \"[redacted]@h\"",
        ),
        ("Huntér2 p@ss/w0rd", "[redacted]"),
        ("xHuntér2 p@ss/w0rdx", "x[redacted]x"),
        ("Huntér", "[redacted]"),
        ("s3cret-key", "[redacted]"),
        ("cret-", "[redacted]"),
        ("Hunt", "Hunt"),
        (
            "connection to server at \"h\", port 5432 failed",
            "connection to server at \"h\", port 5432 failed",
        ),
    ] {
        assert_eq!(url.without_secrets(said), wanted);
    }
    let short = PostgresUrl::parse("kt:abc@h/d").unwrap();
    assert_eq!(short.without_secrets("abc ab"), "[redacted] ab");
    let none = PostgresUrl::parse("kt@h/d").unwrap();
    assert_eq!(none.without_secrets("kt@h"), "kt@h");
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        let _ = write!(url, "%{byte:02x}");
        url
    })
}

proptest! {
    #[test]
    fn any_password_that_is_written_in_percent_signs_is_read(password in "[^\0]{1,40}") {
        let url = format!("kt:{}@h/d", encoded(&password));
        prop_assert_eq!(value(&url, "password"), Some(password));
    }

    #[test]
    fn any_raw_password_is_read_whole_or_refused_without_a_piece_of_it(password in "[ -~]{5,40}") {
        let url = format!("kt:{password}@db.example/keyturn");
        match PostgresUrl::parse(&url) {
            Err(why) => prop_assert!(!why.contains(&password)),
            // Percent signs are the one thing that stands for another.
            Ok(_) if password.contains('%') => {}
            Ok(read) => {
                prop_assert_eq!(read.parameter("password"), Some(password.as_str()));
                prop_assert_eq!(read.parameter("host"), Some("db.example"));
                prop_assert_eq!(read.parameter("dbname"), Some("keyturn"));
            }
        }
    }
}
