//! What is to be done about an authorization request: one pure function.

use super::request::AuthRequest;
use crate::clients::{OFFLINE, covers, has_word};
use crate::sessions::Browser;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The log-in form.
    SignIn,
    /// The question whether the client may.
    Consent,
    /// "Continue as Ada?"
    ContinueAs,
    /// Nothing stands in the way: the code.
    Code,
    /// The client is told no: the RFC's word, and a sentence.
    Refuse(&'static str, &'static str),
}

/// What is known besides the request.
pub(super) struct Situation<'a> {
    /// Who is signed in.
    pub(super) browser: Option<&'a Browser>,
    /// What he has agreed to with this client, words by blanks.
    pub(super) consent: Option<&'a str>,
    /// Whether he gave his password for this very request.
    pub(super) fresh: bool,
    /// Whether he has just agreed to it.
    pub(super) agreed: bool,
    /// Or has not.
    pub(super) denied: bool,
    /// Unix seconds.
    pub(super) now: i64,
}

pub(super) fn judge(request: &AuthRequest, at: &Situation<'_>) -> Step {
    if at.denied {
        return Step::Refuse("access_denied", "the user said no");
    }
    let prompt = request.prompt;
    // `shown`, or the error of whoever wants nothing shown.
    let ask = |shown: Step, error: &'static str, said: &'static str| {
        if prompt.none {
            Step::Refuse(error, said)
        } else {
            shown
        }
    };
    let sign_in = || {
        ask(
            Step::SignIn,
            "login_required",
            "nobody is signed in who would do",
        )
    };
    let Some(browser) = at.browser else {
        return sign_in();
    };
    if request
        .hint
        .is_some_and(|hint| hint.user != browser.account.id)
    {
        return if at.fresh {
            Step::Refuse(
                "login_required",
                "another user signed in than id_token_hint names",
            )
        } else {
            sign_in()
        };
    }
    let age = at.now.saturating_sub(browser.auth_time);
    // 0 is another way to say `prompt=login`.
    let too_old = request.max_age.is_some_and(|most| most == 0 || age > most);
    if (prompt.login || too_old) && !at.fresh {
        return sign_in();
    }
    // Who has just agreed did so in a row as well: without it, he has taken it back since.
    let missing = !covers(at.consent.unwrap_or_default(), to_agree(request));
    if missing || (prompt.consent && !at.agreed) {
        return ask(
            Step::Consent,
            "consent_required",
            "the user has not agreed to this",
        );
    }
    if (request.is_from_a_machine() || prompt.select_account) && !at.agreed {
        return ask(
            Step::ContinueAs,
            "interaction_required",
            "any program of the machine could ask for this: the user must be asked",
        );
    }
    Step::Code
}

/// What of a request's scope its user must have agreed to, words by blanks.
pub(super) fn to_agree(request: &AuthRequest) -> &str {
    match request.client.trusted {
        false => &request.scope,
        true if has_word(&request.scope, OFFLINE) => OFFLINE,
        true => "",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clients::{Client, ClientKind, Definition};
    use crate::db::{Account, SessionId, UserId};
    use crate::sign_on::{Hint, Prompt};

    const NOW: i64 = 1_800_000_000;

    fn client(kind: ClientKind, trusted: bool, redirect: &str) -> Arc<Client> {
        let definition = Definition {
            redirect_uris: vec![redirect.into()],
            trusted,
            ..Definition::new("app", kind)
        };
        let row = definition.row(None, None, 0).unwrap();
        Arc::new(row.try_into().unwrap())
    }

    fn request(client: Arc<Client>, scope: &str) -> AuthRequest {
        AuthRequest {
            redirect_uri: client.redirects.registered()[0].clone(),
            client,
            state: None,
            form_post: false,
            scope: scope.into(),
            nonce: None,
            challenge: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            ui_locales: None,
            hint: None,
            query: String::new(),
            since: None,
            agreed: None,
            denied: None,
        }
    }

    fn browser() -> Browser {
        Browser {
            session: SessionId::random(),
            account: Account {
                id: UserId::random(),
                user_name: "Ada".into(),
                email: "ada@x".into(),
                email_verified: true,
                roles: Vec::new(),
            },
            auth_time: NOW - 100,
            amr: "pwd".into(),
            absolute_until: NOW + 1000,
        }
    }

    fn at<'a>(browser: Option<&'a Browser>, consent: Option<&'a str>) -> Situation<'a> {
        Situation {
            browser,
            consent,
            fresh: false,
            agreed: false,
            denied: false,
            now: NOW,
        }
    }

    /// What is said with and without `prompt=none`.
    fn both(request: &AuthRequest, at: &Situation<'_>) -> (Step, &'static str) {
        let mut silent = request.clone();
        silent.prompt = Prompt {
            none: true,
            ..Prompt::default()
        };
        let quiet = match judge(&silent, at) {
            Step::Refuse(word, _) => word,
            Step::Code => "code",
            shown => panic!("prompt=none shows {shown:?}"),
        };
        (judge(request, at), quiet)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn who_is_asked_what() {
        use ClientKind::{Browser as InBrowser, Native, Web};
        const WEB: &str = "https://app.example/cb";
        let ada = browser();
        let (some, none) = (Some(&ada), None::<&Browser>);
        for (kind, trusted, redirect, scope, browser, consent, expected, quiet) in [
            (
                Web,
                false,
                WEB,
                "openid",
                none,
                none_of(),
                Step::SignIn,
                "login_required",
            ),
            (
                Web,
                true,
                WEB,
                "openid",
                none,
                none_of(),
                Step::SignIn,
                "login_required",
            ),
            (
                Web,
                false,
                WEB,
                "openid",
                some,
                none_of(),
                Step::Consent,
                "consent_required",
            ),
            (
                Web,
                false,
                WEB,
                "openid",
                some,
                Some("openid"),
                Step::Code,
                "code",
            ),
            (
                Web,
                false,
                WEB,
                "openid email",
                some,
                Some("openid"),
                Step::Consent,
                "consent_required",
            ),
            (
                Web,
                false,
                WEB,
                "email",
                some,
                Some("openid email"),
                Step::Code,
                "code",
            ),
            (
                Web,
                true,
                WEB,
                "openid email",
                some,
                none_of(),
                Step::Code,
                "code",
            ),
            (
                Web,
                true,
                WEB,
                "openid offline_access",
                some,
                none_of(),
                Step::Consent,
                "consent_required",
            ),
            (
                Web,
                true,
                WEB,
                "openid offline_access",
                some,
                Some("offline_access"),
                Step::Code,
                "code",
            ),
            (
                InBrowser,
                true,
                "http://localhost:3000/",
                "openid",
                some,
                none_of(),
                Step::Code,
                "code",
            ),
            (
                Native,
                true,
                "http://127.0.0.1/cb",
                "openid",
                some,
                none_of(),
                Step::ContinueAs,
                "interaction_required",
            ),
            (
                Native,
                true,
                "com.example.app:/cb",
                "openid",
                some,
                none_of(),
                Step::ContinueAs,
                "interaction_required",
            ),
            (
                Native,
                true,
                WEB,
                "openid",
                some,
                none_of(),
                Step::Code,
                "code",
            ),
            (
                Native,
                false,
                "com.example.app:/cb",
                "openid",
                some,
                none_of(),
                Step::Consent,
                "consent_required",
            ),
            (
                Native,
                false,
                "com.example.app:/cb",
                "openid",
                some,
                Some("openid"),
                Step::ContinueAs,
                "interaction_required",
            ),
        ] {
            let request = request(client(kind, trusted, redirect), scope);
            let judged = both(&request, &at(browser, consent));
            assert_eq!(
                judged,
                (expected, quiet),
                "{kind:?} {trusted} {redirect} {scope} {consent:?}"
            );
        }
    }

    fn none_of() -> Option<&'static str> {
        None
    }

    #[test]
    fn what_a_request_wants_is_asked_once() {
        let ada = browser();
        let web = || client(ClientKind::Web, true, "https://app.example/cb");
        let asking = |change: fn(&mut AuthRequest)| {
            let mut request = request(web(), "openid");
            change(&mut request);
            request
        };
        let fresh = || Situation {
            fresh: true,
            ..at(Some(&ada), None)
        };
        let agreed = || Situation {
            agreed: true,
            ..at(Some(&ada), None)
        };
        let login = asking(|it| it.prompt.login = true);
        assert_eq!(judge(&login, &at(Some(&ada), None)), Step::SignIn);
        assert_eq!(judge(&login, &agreed()), Step::SignIn);
        assert_eq!(judge(&login, &fresh()), Step::Code);
        for (max_age, expected) in [(0, Step::SignIn), (99, Step::SignIn), (100, Step::Code)] {
            let mut aged = asking(|_| ());
            aged.max_age = Some(max_age);
            assert_eq!(judge(&aged, &at(Some(&ada), None)), expected, "{max_age}");
            assert_eq!(judge(&aged, &fresh()), Step::Code, "{max_age}");
        }
        let consent = asking(|it| it.prompt.consent = true);
        assert_eq!(judge(&consent, &at(Some(&ada), None)), Step::Consent);
        assert_eq!(judge(&consent, &fresh()), Step::Consent);
        assert_eq!(judge(&consent, &agreed()), Step::Code);
        let choose = asking(|it| it.prompt.select_account = true);
        assert_eq!(judge(&choose, &at(Some(&ada), None)), Step::ContinueAs);
        assert_eq!(judge(&choose, &agreed()), Step::Code);
        let denied = Situation {
            denied: true,
            ..fresh()
        };
        assert!(matches!(
            judge(&choose, &denied),
            Step::Refuse("access_denied", _)
        ));
    }

    #[test]
    fn a_yes_that_was_taken_back_is_no_yes_any_more() {
        let ada = browser();
        let untrusted = client(ClientKind::Web, false, "https://app.example/cb");
        let native = client(ClientKind::Native, true, "com.example.app:/cb");
        // What was agreed to is in the row as well as in the ticket; the row alone can be taken back.
        for (client, scope, agreed, held) in [
            (&untrusted, "openid", None, Step::Consent),
            (&untrusted, "openid email", Some("openid"), Step::Consent),
            (&untrusted, "openid", Some("openid"), Step::Code),
            (&native, "openid offline_access", None, Step::Consent),
            (
                &native,
                "openid offline_access",
                Some("offline_access"),
                Step::Code,
            ),
            (&native, "openid", None, Step::Code),
        ] {
            let request = request(Arc::clone(client), scope);
            let situation = Situation {
                agreed: true,
                ..at(Some(&ada), agreed)
            };
            assert_eq!(judge(&request, &situation), held, "{scope} {agreed:?}");
        }
    }

    #[test]
    fn another_user_than_the_hint_s_never_gets_a_code() {
        let ada = browser();
        let mut request = request(
            client(ClientKind::Web, true, "https://app.example/cb"),
            "openid",
        );
        request.hint = Some(Hint {
            user: ada.account.id,
        });
        assert_eq!(both(&request, &at(Some(&ada), None)), (Step::Code, "code"));
        request.hint = Some(Hint {
            user: UserId::random(),
        });
        let judged = both(&request, &at(Some(&ada), None));
        assert_eq!(judged, (Step::SignIn, "login_required"));
        // He has logged in, and is still another: asking again would go on for ever.
        let fresh = Situation {
            fresh: true,
            agreed: true,
            ..at(Some(&ada), None)
        };
        assert!(matches!(
            judge(&request, &fresh),
            Step::Refuse("login_required", _)
        ));
    }
}
