//! Every page in every state and language: complete, escaped, usable without a script.

mod samples;

use pages::{Language, Look, Template};
use samples::{Sample, Texts};

/// Text that wants to be markup, to leave its attribute, and to turn the sentence around it.
const HOSTILE: &str =
    "x\"'><script>alert(1)</script><!--&amp;\u{202e}\u{2069}\u{2066}\u{200f}\u{61c}\n{{ 7*7 }}";

const HOSTILE_TEXTS: Texts<'_> = Texts {
    client: HOSTILE,
    name: HOSTILE,
    email: HOSTILE,
    host: HOSTILE,
    scope: HOSTILE,
    error: HOSTILE,
    url: HOSTILE,
    hidden: &[(HOSTILE, HOSTILE), ("query", HOSTILE)],
};

fn every_page() -> Vec<Sample> {
    let pages = Language::ALL.into_iter().flat_map(|language| {
        let look = Look {
            language,
            service: HOSTILE,
            custom_style: true,
        };
        samples::all(look, &HOSTILE_TEXTS)
            .into_iter()
            .map(move |(name, html)| (format!("{language:?} {name}"), html))
    });
    pages.collect()
}

/// What stands between `<` and `>`: nothing of ours has a `>` within an attribute.
fn tags(html: &str) -> Vec<&str> {
    let pieces = html.split('<').skip(1);
    pieces.filter_map(|piece| piece.split('>').next()).collect()
}

/// The value of an attribute, as a browser reads it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    let value = after.split('"').next()?;
    let value = value.replace("&#34;", "\"").replace("&#39;", "'");
    let value = value.replace("&#60;", "<").replace("&#62;", ">");
    Some(value.replace("&#38;", "&"))
}

#[test]
fn other_peoples_text_is_nothing_but_text() {
    for (name, html) in every_page() {
        assert!(
            !html.contains("<script>alert") && !html.contains("<!--"),
            "{name}: {html}"
        );
        for tag in tags(&html) {
            let outside: String = tag.split('"').step_by(2).collect();
            assert!(!outside.contains(['\'', '&', '{']), "{name}: <{tag}>");
            let event = tag.split_whitespace().any(|word| word.starts_with("on"));
            assert!(!event && !tag.contains(" style="), "{name}: <{tag}>");
        }
        // Outside of attributes, which are read by machines or stand alone in a field.
        for text in html.split('<').filter_map(|piece| piece.split_once('>')) {
            let turns = |c: char| {
                matches!(
                    c,
                    '\u{61c}' | '\u{200f}' | '\u{202e}' | '\u{2066}' | '\u{2069}'
                )
            };
            assert!(!text.1.contains(turns), "{name}: {}", text.1);
        }
    }
}

#[test]
fn what_is_carried_along_comes_back_as_it_was() {
    let mut forms = 0;
    for (name, html) in every_page() {
        let hidden = tags(&html)
            .into_iter()
            .filter(|tag| tag.contains(" type=\"hidden\""));
        let pairs: Vec<_> = hidden
            .map(|tag| {
                (
                    attribute(tag, "name").unwrap(),
                    attribute(tag, "value").unwrap(),
                )
            })
            .collect();
        let expected = [(HOSTILE, HOSTILE), ("query", HOSTILE)];
        if !pairs.is_empty() {
            forms += 1;
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{name}");
        }
        let carries = html.contains("action=") && !html.contains("name=\"keep\">");
        assert!(!carries || !pairs.is_empty(), "{name}");
    }
    assert!(forms > 100, "{forms}");
}

#[test]
fn every_field_has_its_label_and_every_reference_its_element() {
    for (name, html) in every_page() {
        let tags = tags(&html);
        let ids: Vec<_> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
        let mut once = ids.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "{name}: an id twice");
        for tag in &tags {
            for reference in [
                "for",
                "aria-describedby",
                "aria-labelledby",
                "aria-controls",
            ] {
                for id in attribute(tag, reference)
                    .unwrap_or_default()
                    .split_whitespace()
                {
                    assert!(
                        ids.iter().any(|known| known == id),
                        "{name}: {reference} {id}"
                    );
                }
            }
            let field = tag.starts_with("input") && !tag.contains("type=\"hidden\"");
            if field && !tag.contains("type=\"checkbox\"") {
                let id = attribute(tag, "id").unwrap();
                assert!(
                    html.contains(&format!("<label for=\"{id}\">")),
                    "{name}: {id}"
                );
            }
        }
        let focused = tags.iter().filter(|tag| tag.contains(" autofocus")).count();
        assert!(focused <= 1, "{name}");
        let headings = tags.iter().filter(|tag| tag.starts_with("h1")).count();
        assert_eq!(headings, 1, "{name}");
    }
}

#[test]
fn scripts_and_styles_are_our_own_files() {
    for (name, html) in every_page() {
        for tag in tags(&html)
            .into_iter()
            .filter(|tag| tag.starts_with("script"))
        {
            let own = tag == "script src=\"/account/page.js\"";
            let posts = tag == "script" && name.ends_with(" form-post");
            assert!(own || posts, "{name}: {tag}");
        }
        let sheets: Vec<_> = tags(&html)
            .into_iter()
            .filter(|tag| tag.starts_with("link"))
            .filter_map(|tag| attribute(tag, "href"))
            .collect();
        assert_eq!(
            sheets,
            ["/account/page.css", "/account/style.css"],
            "{name}"
        );
        for part in [
            "<!doctype html>",
            "name=\"viewport\"",
            "content=\"noindex\"",
            "light dark",
        ] {
            assert!(html.contains(part), "{name}: {part}");
        }
    }
    for asset in [pages::STYLE, pages::SCRIPT] {
        assert!(!asset.contains("url(") && !asset.contains("@import") && !asset.contains("//cdn"));
    }
}

#[test]
fn the_operators_sheet_is_linked_only_where_there_is_one() {
    let look = Look {
        language: Language::En,
        service: "login.example",
        custom_style: false,
    };
    let html = pages::SignIn::new(look).render().unwrap();
    assert_eq!(html.matches("<link").count(), 1);
    assert!(html.contains("<title>Sign in · login.example</title>"));
}

#[test]
fn a_page_speaks_one_language() {
    let look = |language| Look {
        language,
        service: "s",
        custom_style: false,
    };
    let texts = Texts {
        client: "c",
        name: "n",
        email: "e",
        host: "h",
        scope: "s",
        error: "e",
        url: "u",
        hidden: &[],
    };
    let chinese = |html: &str| html.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for (name, html) in samples::all(look(Language::En), &texts) {
        assert!(!chinese(&html) && html.contains("lang=\"en\""), "{name}");
    }
    for (name, html) in samples::all(look(Language::Zh), &texts) {
        assert!(html.contains("lang=\"zh-Hans\""), "{name}");
        for text in html.split('<').filter_map(|piece| piece.split_once('>')) {
            // A word or two of English would be a sentence that was forgotten.
            let words = text.1.split(|c: char| !c.is_ascii_alphabetic());
            let long = words.filter(|word| word.len() > 2).collect::<Vec<_>>();
            let known = ["Cookie", "Gitea", "token", "HTMLFormElement", "doctype"];
            let fine = long.iter().all(|word| known.contains(word)) || text.0 == "script";
            assert!(fine, "{name}: {long:?}");
        }
    }
}

#[test]
fn a_sign_in_begins_where_something_is_to_be_typed() {
    use pages::{SignIn, Trouble};

    let look = Look {
        language: Language::En,
        service: "s",
        custom_style: false,
    };
    let focused = |email, fault: Option<&Trouble>| {
        let page = SignIn {
            email,
            fault,
            ..SignIn::new(look)
        };
        let html = page.render().unwrap();
        let tag = tags(&html)
            .into_iter()
            .find(|tag| tag.contains(" autofocus"));
        attribute(tag.unwrap(), "id").unwrap()
    };
    assert_eq!(focused("", None), "email");
    assert_eq!(focused("ada@example.com", None), "password");
    assert_eq!(
        focused("ada@example.com", Some(&Trouble::WrongCredentials)),
        "password"
    );
    assert_eq!(focused("", Some(&Trouble::WrongCredentials)), "email");
    assert_eq!(focused("ada", Some(&Trouble::InvalidEmail)), "email");
}
