//! Every page in every state, filled with given texts: for the tests and the gallery.

use pages::{
    Consent, ContinueAs, Destination, Fault, Forgot, FormPost, GoOn, Link, Look, Mailed, Message,
    Mistake, Notice, Person, Register, SignIn, SignOut, Template, Trouble,
};

/// What other people wrote.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    pub(crate) client: &'a str,
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
    pub(crate) host: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) error: &'a str,
    pub(crate) url: &'a str,
    pub(crate) hidden: &'a [(&'a str, &'a str)],
}

/// A page by its name.
pub(crate) type Sample = (String, String);

pub(crate) fn all(look: Look<'_>, texts: &Texts<'_>) -> Vec<Sample> {
    let mut samples = forms(look, texts);
    samples.extend(decisions(look, texts));
    samples.extend(messages(look, texts));
    samples.extend(mailed(look, texts));
    samples
}

pub(crate) fn troubles(text: &str) -> Vec<Trouble> {
    vec![
        Trouble::WrongCredentials,
        Trouble::Blocked,
        Trouble::NotVerified,
        Trouble::TooMany(37),
        Trouble::Busy,
        Trouble::Unavailable,
        Trouble::InvalidEmail,
        Trouble::InvalidUserName,
        Trouble::WeakPassword(text.to_owned()),
        Trouble::AccountExists,
        Trouble::AddressTaken,
        Trouble::RegistrationClosed,
        Trouble::InvalidLink,
        Trouble::StaleForm,
        Trouble::Other,
    ]
}

fn page(name: impl Into<String>, page: &impl Template) -> Sample {
    let html = page.render().unwrap_or_else(|error| error.to_string());
    (name.into(), html)
}

fn forms(look: Look<'_>, texts: &Texts<'_>) -> Vec<Sample> {
    let sign_in = SignIn {
        client: Some(texts.client),
        hidden: texts.hidden,
        forgot: Some(texts.url),
        register: Some(texts.url),
        ..SignIn::new(look)
    };
    let register = Register {
        client: Some(texts.client),
        hidden: texts.hidden,
        sign_in: Some(texts.url),
        ..Register::new(look)
    };
    let forgot = Forgot {
        hidden: texts.hidden,
        sign_in: Some(texts.url),
        ..Forgot::new(look)
    };
    let mut samples = vec![
        page("sign-in-bare", &SignIn::new(look)),
        page("sign-in", &sign_in),
        page("register", &register),
        page("forgot", &forgot),
    ];
    for (at, fault) in troubles(texts.error).iter().enumerate() {
        let (fault, email) = (Some(fault), texts.email);
        let sign_in = SignIn {
            email,
            keep: true,
            fault,
            ..sign_in.clone()
        };
        let user_name = texts.name;
        let register = Register {
            user_name,
            email,
            fault,
            ..register.clone()
        };
        let forgot = Forgot {
            email,
            fault,
            ..forgot.clone()
        };
        samples.extend([
            page(format!("sign-in-fault-{at}"), &sign_in),
            page(format!("register-fault-{at}"), &register),
            page(format!("forgot-fault-{at}"), &forgot),
        ]);
    }
    samples
}

fn decisions(look: Look<'_>, texts: &Texts<'_>) -> Vec<Sample> {
    let person = Person {
        name: texts.name,
        email: texts.email,
    };
    let scopes = [
        "openid",
        "profile",
        "email",
        "roles",
        "offline_access",
        "account",
        texts.scope,
    ];
    let consent = Consent {
        look,
        client: texts.client,
        person,
        scopes: &scopes,
        destination: Destination::Site(texts.host),
        hidden: texts.hidden,
        another: Some(texts.url),
    };
    let bare = Consent {
        scopes: &[],
        another: None,
        ..consent.clone()
    };
    let continue_as = ContinueAs {
        look,
        client: texts.client,
        person,
        destination: Destination::App(texts.host),
        hidden: texts.hidden,
        another: Some(texts.url),
    };
    let device = ContinueAs {
        destination: Destination::Device,
        ..continue_as.clone()
    };
    let programs = [texts.client, "Gitea"];
    let sign_out = SignOut {
        look,
        person: Some(person),
        programs: &programs,
        hidden: texts.hidden,
        stay: Some(texts.url),
    };
    let bare_sign_out = SignOut {
        person: None,
        programs: &[],
        stay: None,
        ..sign_out.clone()
    };
    vec![
        page("consent", &consent),
        page("consent-bare", &bare),
        page("continue-as", &continue_as),
        page("continue-as-device", &device),
        page("sign-out", &sign_out),
        page("sign-out-bare", &bare_sign_out),
    ]
}

fn messages(look: Look<'_>, texts: &Texts<'_>) -> Vec<Sample> {
    let message = |name: &str, notice, sign_in| {
        page(
            name,
            &Message {
                look,
                notice,
                sign_in,
            },
        )
    };
    let weak = Trouble::WeakPassword(texts.error.to_owned());
    let mut samples = vec![
        message("mail-sent-reset", Notice::ResetMailSent, Some(texts.url)),
        message(
            "mail-sent-registration",
            Notice::RegistrationMailSent,
            Some(texts.url),
        ),
        message("signed-out", Notice::SignedOut, Some(texts.url)),
        message("not-done", Notice::NotDone(&Trouble::InvalidLink), None),
        message("not-done-data", Notice::NotDone(&weak), None),
        page(
            "go-on",
            &GoOn {
                look,
                signed_in: true,
                url: texts.url,
            },
        ),
        page(
            "form-post",
            &FormPost {
                look,
                action: texts.url,
                fields: texts.hidden,
            },
        ),
    ];
    for link in Link::ALL {
        samples.push(message(&format!("done-{link:?}"), Notice::Done(link), None));
    }
    for mistake in Mistake::ALL {
        let fault = Fault {
            look,
            mistake,
            error: texts.error,
            description: texts.error,
            request_id: Some(texts.error),
        };
        samples.push(page(format!("fault-{mistake:?}"), &fault));
    }
    samples
}

fn mailed(look: Look<'_>, texts: &Texts<'_>) -> Vec<Sample> {
    let weak = Trouble::WeakPassword(texts.error.to_owned());
    let mut samples = Vec::new();
    for link in Link::ALL {
        let fresh = Mailed::new(look, link);
        let again = Mailed {
            token: texts.error,
            user_name: texts.name,
            fault: Some(&weak),
            ..fresh.clone()
        };
        samples.push(page(format!("mailed-{link:?}"), &fresh));
        samples.push(page(format!("mailed-{link:?}-fault"), &again));
    }
    samples
}
