//! What is to be done about an authorization request: one pure function.

use super::has;
use super::request::AuthRequest;
use crate::clients::OFFLINE;
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
    // Seconds begun count as whole ones, so that `max_age=0` always wants a log-in (OIDC Core §3.1.2.1).
    let too_old = request.max_age.is_some_and(|most| age >= most);
    if (prompt.login || too_old) && !at.fresh {
        return sign_in();
    }
    if !at.agreed {
        let covers = |word: &str| at.consent.is_some_and(|agreed| has(agreed, word));
        let missing = if request.client.trusted {
            has(&request.scope, OFFLINE) && !covers(OFFLINE)
        } else {
            !request.scope.split(' ').all(covers)
        };
        if missing || prompt.consent {
            return ask(
                Step::Consent,
                "consent_required",
                "the user has not agreed to this",
            );
        }
        if request.is_from_a_machine() || prompt.select_account {
            return ask(
                Step::ContinueAs,
                "interaction_required",
                "any program of the machine could ask for this: the user must be asked",
            );
        }
    }
    Step::Code
}
