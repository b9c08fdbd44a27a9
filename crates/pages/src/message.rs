//! The pages that only say something, with a link to go on at most.

use askama::Template;

use crate::{Link, Look, Trouble, filters};

/// What a [`Message`] is about.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// A mailed link did what it is for.
    Done(Link),
    /// It did not.
    NotDone(&'a Trouble),
    /// If there is such an account, a mail is on its way: nothing is told about whether there is.
    ResetMailSent,
    /// Whoever registered has to prove the address first; the same where the address has an account.
    RegistrationMailSent,
    /// This browser is signed out.
    SignedOut,
}

/// A title, a text, and where to go on.
#[derive(Clone, Debug, Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// What is said.
    pub notice: Notice<'a>,
    /// Where to sign in.
    pub sign_in: Option<&'a str>,
}

/// "You are signed in", or after another form "One moment", with a link to the address that the browser is sent to
/// anyway.
#[derive(Clone, Debug, Template)]
#[template(path = "go-on.html")]
pub struct GoOn<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// Whether somebody has just signed in.
    pub signed_in: bool,
    /// Where it goes on.
    pub url: &'a str,
}

impl GoOn<'_> {
    fn title(&self) -> &'static str {
        let words = self.look.words();
        if self.signed_in {
            words.signed_in
        } else {
            words.one_moment
        }
    }
}

/// Why a [`Fault`] page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// No client has this id.
    UnknownClient,
    /// The client was blocked.
    BlockedClient,
    /// The redirect URI is none of the client's.
    RedirectUri,
    /// The request is not what the page expects.
    Malformed,
    /// A form was open for too long, or came without its cookie, or from elsewhere.
    StaleForm,
    /// Something that we need does not answer, or too much is waiting.
    Unavailable,
    /// Anything else.
    Other,
}

impl Mistake {
    /// Every mistake.
    pub const ALL: [Self; 7] = [
        Self::UnknownClient,
        Self::BlockedClient,
        Self::RedirectUri,
        Self::Malformed,
        Self::StaleForm,
        Self::Unavailable,
        Self::Other,
    ];
}

/// A request that leads nowhere, not even back to who sent it.
#[derive(Clone, Debug, Template)]
#[template(path = "fault.html")]
pub struct Fault<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// What people are told.
    pub mistake: Mistake,
    /// What the client's developer is told: the word of the RFC or ours.
    pub error: &'a str,
    /// The same in a sentence.
    pub description: &'a str,
    /// What the server's log knows the request by.
    pub request_id: Option<&'a str>,
}
