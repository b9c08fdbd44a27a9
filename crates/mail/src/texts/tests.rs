use std::fs;

use super::*;

const EVIL: &str = "https://accounts.example.com/account/reset#token=SAMPLE_1-2&x=3";

fn every(mut check: impl FnMut(Kind, Locale, &Rendered, &str)) {
    let texts = Texts::load(None).unwrap();
    for kind in Kind::ALL {
        for locale in Locale::ALL {
            let rendered = texts.render(kind, locale, &Values::sample()).unwrap();
            let name = template(kind, locale);
            check(kind, locale, &rendered, &name);
        }
    }
}

fn with(files: &[(&str, &str)]) -> Result<Texts, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Texts::load(Some(folder.path()))
}

#[test]
fn every_mail_has_its_link_once_in_the_text_and_once_in_the_page() {
    every(|kind, _, rendered, name| {
        let link = Values::sample().link;
        let expected = usize::from(kind.has_link());
        assert_eq!(rendered.text.matches(link).count(), expected, "{name}");
        let in_page = page::escaped(link);
        assert_eq!(rendered.html.matches(&in_page).count(), expected, "{name}");
        let anchors = rendered.html.matches("<a ").count();
        assert_eq!(anchors, expected, "{name}");
        assert_eq!(
            rendered.html.matches("http").count(),
            expected,
            "{name}: {}",
            rendered.html
        );
    });
}

#[test]
fn no_mail_has_a_piece_of_a_template_left_or_a_value_missing() {
    every(|_, _, rendered, name| {
        for part in [&rendered.subject, &rendered.text, &rendered.html] {
            assert!(!part.contains(['{', '}']), "{name}: {part}");
            assert!(!part.contains("undefined"), "{name}: {part}");
        }
        let text = &rendered.text;
        assert!(rendered.subject.contains("accounts.example.com"), "{name}");
        assert!(!text.contains("none") && !text.contains("\n\n\n"), "{name}");
        assert!(text.ends_with("。\n") || text.ends_with(".\n"), "{name}");
    });
}

#[test]
fn subjects_are_one_line_that_fits() {
    every(|_, _, rendered, name| {
        let length = rendered.subject.chars().count();
        assert!(
            (5..=LONGEST_SUBJECT).contains(&length),
            "{name}: {}",
            rendered.subject
        );
        assert!(!rendered.subject.contains(char::is_control), "{name}");
        assert!(!rendered.subject.ends_with('…'), "{name}");
    });
    let texts = Texts::load(None).unwrap();
    let long = "a".repeat(200);
    let values = Values {
        service: &long,
        ..Values::sample()
    };
    let rendered = texts.render(Kind::Reset, Locale::En, &values).unwrap();
    assert_eq!(rendered.subject.chars().count(), LONGEST_SUBJECT);
    assert!(rendered.subject.ends_with('…'));
}

#[test]
fn every_mail_says_who_sent_it_to_whom_and_what_to_do_if_it_was_not_you() {
    every(|kind, locale, rendered, name| {
        let text = &rendered.text;
        let last = text.trim_end().lines().last().unwrap();
        assert!(
            last.contains("accounts.example.com") && last.contains("ann@example.com"),
            "{name}"
        );
        let advice: &[&str] = match (kind, locale) {
            (Kind::Verify, Locale::En) => &["If you did not register, do not open the link"],
            (Kind::Verify, Locale::Zh) => &["如果您没有注册，请不要打开该链接"],
            (Kind::Invitation, Locale::En) => &["do not open the link"],
            (Kind::Invitation, Locale::Zh) => &["请不要打开该链接"],
            (Kind::Reset, Locale::En) => &["If it was not you", "good once and for 30 minutes"],
            (Kind::Reset, Locale::Zh) => &["如果不是您本人", "仅可使用一次，30 分钟内有效"],
            (_, Locale::En) => &["If it was not you"],
            (_, Locale::Zh) => &["如果不是您本人"],
        };
        for part in advice {
            assert!(text.contains(part), "{name}: {text}");
        }
    });
}

#[test]
fn notes_say_what_changed_and_when() {
    every(|kind, _, rendered, name| {
        let when = matches!(
            kind,
            Kind::ChangeNote
                | Kind::AddressChanged
                | Kind::PasswordChanged
                | Kind::Blocked
                | Kind::NewDevice
        );
        let detail = matches!(
            kind,
            Kind::ChangeNote | Kind::AddressChanged | Kind::NewDevice
        );
        assert!(
            !when || rendered.text.contains("1970-01-01 00:00 UTC"),
            "{name}"
        );
        assert_eq!(rendered.text.contains("anna@example.org"), detail, "{name}");
    });
}

#[test]
fn a_mail_that_anybody_can_be_made_to_get_never_has_a_name() {
    every(|kind, _, rendered, name| {
        let named = rendered.text.contains("Ann，") || rendered.text.contains("Hello Ann,");
        assert_eq!(named, kind.may_name(), "{name}");
    });
    let texts = with(&[(
        "en/verify.txt",
        "Subject: s\n\nHello {{ name }}!\n\n{{ link }}\n",
    )])
    .unwrap();
    let rendered = texts
        .render(Kind::Verify, Locale::En, &Values::sample())
        .unwrap();
    assert!(
        rendered.text.starts_with("Hello !"),
        "an operator's template gets none either"
    );
}

#[test]
fn what_strangers_chose_is_escaped_and_brings_no_line_and_no_link() {
    let texts = Texts::load(None).unwrap();
    let evil = "<img src=//x>\nSubject: y\r\n\r\nhttps://evil.example/";
    let values = Values {
        name: "<b>evil</b>",
        detail: evil,
        address: evil,
        service: "<s>",
        ..Values::sample()
    };
    for kind in Kind::ALL {
        let rendered = texts.render(kind, Locale::En, &values).unwrap();
        assert!(
            !rendered.html.contains("<img") && !rendered.html.contains("<b>"),
            "{kind:?}"
        );
        assert!(
            !rendered.html.contains("<s>") && rendered.html.contains("&lt;s&gt;"),
            "{kind:?}"
        );
        assert!(rendered.html.matches("<a ").count() <= 1, "{kind:?}");
        assert!(
            !rendered
                .text
                .lines()
                .any(|line| line.starts_with("Subject") || line.starts_with("https://evil"))
        );
    }
    let quoting = Values {
        link: "https://a.example/\"><script>",
        ..Values::sample()
    };
    let rendered = texts.render(Kind::Reset, Locale::En, &quoting).unwrap();
    assert!(
        rendered
            .html
            .contains("href=\"https://a.example/&quot;&gt;&lt;script&gt;\"")
    );
}

#[test]
fn an_operator_s_file_takes_the_place_of_ours_of_the_same_name() {
    let texts = with(&[
        (
            "zh/reset.txt",
            "Subject: 我们的\r\nButton: 走\r\n\r\n{{ address }}\r\n\r\n{{ link }}\r\n",
        ),
        (
            "layout.html",
            "{% for b in blocks %}[{{ b.link }}{{ b.lines|join('|') }}]{% endfor %}{{ button }}",
        ),
        ("README.md", "not ours"),
    ])
    .unwrap();
    let rendered = texts
        .render(Kind::Reset, Locale::Zh, &Values::sample())
        .unwrap();
    assert_eq!(rendered.subject, "我们的");
    assert_eq!(rendered.text, format!("ann@example.com\n\n{EVIL}\n"));
    assert!(rendered.html.ends_with("&amp;x=3]走"), "{}", rendered.html);
    let ours = texts
        .render(Kind::Reset, Locale::En, &Values::sample())
        .unwrap();
    assert!(ours.subject.starts_with("Choose a new password"));
}

#[test]
fn a_mistake_in_a_file_is_found_at_start_and_said_with_file_and_line() {
    for (name, text, why) in [
        (
            "en/reset.txt",
            "Subject: a\n\n{{ link }}\n{{ nmae }}\n",
            "en/reset.txt: line 4: undefined value: `nmae`",
        ),
        (
            "en/reset.txt",
            "Subject: a\n\n{{ link }}\n{% if name %}\n{{ nmae }}{% endif %}",
            "",
        ),
        (
            "en/test.txt",
            "Subject: a\n\n{% if name %}x{% else %}\n{{ nmae }}{% endif %}y",
            "en/test.txt: line 4: undefined value",
        ),
        (
            "zh/test.txt",
            "Subject: a\n\nb\n{% if %}",
            "zh/test.txt: line 4: syntax error",
        ),
        (
            "zh/test.txt",
            "Subject: a\n\nb\n{{ name|nosuch }}",
            "zh/test.txt: line 4: unknown filter",
        ),
        (
            "layout.html",
            "<p>\n{% for %}",
            "layout.html: line 2: syntax error",
        ),
        (
            "layout.html",
            "{{ subject }}\n{{ x.y }}",
            "layout.html: line 2: undefined value",
        ),
        (
            "layout.html",
            "{{ subject }}",
            "layout.html: the link of en/reset.txt is not in it",
        ),
        (
            "en/reset.txt",
            "Hello\n\n{{ link }}",
            "en/reset.txt: line 1: wants `Subject: …`",
        ),
        (
            "en/reset.txt",
            "Subject:\n\n{{ link }}",
            "en/reset.txt: line 1: wants `Subject: …`",
        ),
        (
            "en/reset.txt",
            "Subject: a\nBcc: x@y\n\n{{ link }}",
            "behind the subject stands a blank line",
        ),
        ("en/reset.txt", "Subject: a\n\n", "no text"),
        ("en/reset.txt", "", "en/reset.txt: line 1"),
        (
            "en/reset.txt",
            "Subject: a\n\nopen {{ link }}",
            "en/reset.txt: {{ link }} has to stand in a line of its own",
        ),
        (
            "en/rset.txt",
            "Subject: a\n\nb",
            "en/rset.txt: no mail is made from a file of this name",
        ),
        ("reset.txt", "Subject: a\n\nb", "reset.txt: no mail is made"),
    ] {
        match with(&[(name, text)]) {
            Ok(_) => assert_eq!(why, "", "{name}: {text}"),
            Err(said) => {
                assert!(
                    !why.is_empty() && said.contains(why),
                    "{name}: {text}: {said}"
                );
                assert!(said.starts_with("MAIL_TEMPLATES: /"), "{said}");
            }
        }
    }
    let missing = Texts::load(Some(Path::new("/nowhere/mails"))).unwrap_err();
    assert!(
        missing.starts_with("MAIL_TEMPLATES: /nowhere/mails"),
        "{missing}"
    );
}

#[test]
fn names_of_kinds_are_read_back() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Kind::parse("nothing"), None);
}

#[test]
fn a_page_has_nothing_to_fetch_and_follows_the_reader_s_colours() {
    every(|_, locale, rendered, name| {
        let page = &rendered.html;
        for remote in [
            "<img", "<link", "src=", "url(", "<script", "@import", "<style",
        ] {
            assert!(!page.contains(remote), "{name}: {remote}");
        }
        assert!(page.contains("content=\"light dark\""), "{name}");
        assert!(
            page.contains(&format!("lang=\"{}\"", locale.html())),
            "{name}"
        );
    });
}
