//! What pages say. Every language says all of it, or it does not compile.

mod chinese;
mod english;

use crate::{Language, Link, Mistake, Notice};

/// The pieces of a sentence around the `N - 1` texts that stand in it, which come in the same order in every language.
type Around<const N: usize> = [&'static str; N];

/// What all pages say.
pub(crate) struct Words {
    /// The language as a page says it.
    pub(crate) lang: &'static str,

    pub(crate) email: &'static str,
    pub(crate) user_name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) new_password: &'static str,
    pub(crate) password_hint: &'static str,
    /// On the button that shows the password; the second part for those who do not see what it stands beside.
    pub(crate) show: [&'static str; 2],
    pub(crate) token: &'static str,
    pub(crate) token_hint: &'static str,

    pub(crate) sign_in: &'static str,
    /// Around the program that somebody signs in for.
    pub(crate) to_go_on: Around<2>,
    pub(crate) keep: &'static str,
    pub(crate) forgot_link: &'static str,
    pub(crate) register_link: &'static str,

    pub(crate) register: &'static str,
    pub(crate) register_button: &'static str,
    pub(crate) has_account: &'static str,

    pub(crate) forgot: &'static str,
    pub(crate) forgot_lead: &'static str,
    pub(crate) forgot_button: &'static str,
    pub(crate) back_to_sign_in: &'static str,
    pub(crate) go_on_to_sign_in: &'static str,

    pub(crate) consent: &'static str,
    /// Around the program.
    pub(crate) wants: Around<2>,
    pub(crate) will_be_able: &'static str,
    pub(crate) allow: &'static str,
    pub(crate) deny: &'static str,
    scopes: ScopeWords,
    /// Around a scope that we have no words for.
    pub(crate) other_scope: Around<2>,
    /// Around a host.
    pub(crate) to_site: Around<2>,
    pub(crate) to_device: &'static str,
    /// Around the scheme of an app.
    pub(crate) to_app: Around<2>,
    pub(crate) signed_in_as: &'static str,
    pub(crate) another: &'static str,

    pub(crate) continue_title: &'static str,
    /// Around the name and the program.
    pub(crate) continue_as: Around<3>,
    pub(crate) continue_lead: &'static str,
    pub(crate) continue_button: &'static str,
    pub(crate) cancel: &'static str,

    pub(crate) signed_in: &'static str,
    pub(crate) go_on: &'static str,
    pub(crate) one_moment: &'static str,
    pub(crate) press_go_on: &'static str,

    pub(crate) sign_out: &'static str,
    pub(crate) sign_out_of: &'static str,
    pub(crate) sign_out_button: &'static str,
    pub(crate) stay: &'static str,

    pub(crate) for_developers: &'static str,
    pub(crate) request_id: &'static str,

    /// The title where a link did nothing.
    not_done: &'static str,
    reset_mail_sent: Text,
    registration_mail_sent: Text,
    signed_out: Text,
    reset: LinkWords,
    verify: LinkWords,
    invitation: LinkWords,
    mistakes: MistakeWords,
}

/// A title and what stands below it.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

/// What the page of a mailed link says.
pub(crate) struct LinkWords {
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) button: &'static str,
    /// After it was done.
    done: Text,
}

/// What a program with a scope will be able to do.
struct ScopeWords {
    openid: &'static str,
    profile: &'static str,
    email: &'static str,
    roles: &'static str,
    offline_access: &'static str,
    account: &'static str,
}

struct MistakeWords {
    unknown_client: Text,
    blocked_client: Text,
    redirect_uri: Text,
    malformed: Text,
    stale_form: Text,
    unavailable: Text,
    other: Text,
}

impl Words {
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &english::WORDS,
            Language::Zh => &chinese::WORDS,
        }
    }

    pub(crate) fn of_link(&self, link: Link) -> &LinkWords {
        match link {
            Link::Reset => &self.reset,
            Link::Verify => &self.verify,
            Link::Invitation => &self.invitation,
        }
    }

    pub(crate) fn title(&self, notice: &Notice<'_>) -> &'static str {
        match notice {
            Notice::Done(link) => self.of_link(*link).done.title,
            Notice::NotDone(_) => self.not_done,
            Notice::ResetMailSent => self.reset_mail_sent.title,
            Notice::RegistrationMailSent => self.registration_mail_sent.title,
            Notice::SignedOut => self.signed_out.title,
        }
    }

    /// What is told; of what was not done, the trouble tells it.
    pub(crate) fn text(&self, notice: &Notice<'_>) -> &'static str {
        match notice {
            Notice::Done(link) => self.of_link(*link).done.text,
            Notice::NotDone(_) => "",
            Notice::ResetMailSent => self.reset_mail_sent.text,
            Notice::RegistrationMailSent => self.registration_mail_sent.text,
            Notice::SignedOut => self.signed_out.text,
        }
    }

    pub(crate) fn mistake(&self, mistake: Mistake) -> Text {
        match mistake {
            Mistake::UnknownClient => self.mistakes.unknown_client,
            Mistake::BlockedClient => self.mistakes.blocked_client,
            Mistake::RedirectUri => self.mistakes.redirect_uri,
            Mistake::Malformed => self.mistakes.malformed,
            Mistake::StaleForm => self.mistakes.stale_form,
            Mistake::Unavailable => self.mistakes.unavailable,
            Mistake::Other => self.mistakes.other,
        }
    }

    /// None for a scope that is not ours.
    pub(crate) fn scope(&self, scope: &str) -> Option<&'static str> {
        Some(match scope {
            "openid" => self.scopes.openid,
            "profile" => self.scopes.profile,
            "email" => self.scopes.email,
            "roles" => self.scopes.roles,
            "offline_access" => self.scopes.offline_access,
            "account" => self.scopes.account,
            _ => return None,
        })
    }
}
