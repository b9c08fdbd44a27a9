//! The forms of people who are not signed in: to sign in, to register, to get a new password.

use askama::Template;

use crate::trouble::Field;
use crate::{Hidden, Look, Trouble, filters};

/// Signing in: `email`, `password`, and `keep` if wanted, to `/oauth/sign-in`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign-in.html")]
pub struct SignIn<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// The program that wants somebody signed in; none where we are that ourselves.
    pub client: Option<&'a str>,
    /// The address as it was typed, or the client's hint.
    pub email: &'a str,
    /// Whether the box "keep me signed in" is ticked.
    pub keep: bool,
    /// What goes along with the form.
    pub hidden: Hidden<'a>,
    /// Why the last try failed.
    pub fault: Option<&'a Trouble>,
    /// Where a forgotten password is told, if there is help.
    pub forgot: Option<&'a str>,
    /// Where an account is made, if everybody may.
    pub register: Option<&'a str>,
}

impl<'a> SignIn<'a> {
    /// The empty form.
    #[must_use]
    pub fn new(look: Look<'a>) -> Self {
        Self {
            look,
            client: None,
            email: "",
            keep: false,
            hidden: &[],
            fault: None,
            forgot: None,
            register: None,
        }
    }

    fn wrong(&self, field: Field) -> bool {
        is_about(self.fault, field)
    }

    /// With a wrong password, the address is most often right.
    fn focus(&self) -> Field {
        if self.email.is_empty() || self.wrong(Field::Email) && !self.wrong(Field::Password) {
            Field::Email
        } else {
            Field::Password
        }
    }
}

/// Making an account: `userName`, `email`, `password`, to `/oauth/register`.
#[derive(Clone, Debug, Template)]
#[template(path = "register.html")]
pub struct Register<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// The program that wants somebody signed in; none where we are that ourselves.
    pub client: Option<&'a str>,
    /// The name as it was typed.
    pub user_name: &'a str,
    /// The address as it was typed.
    pub email: &'a str,
    /// What goes along with the form.
    pub hidden: Hidden<'a>,
    /// Why the last try failed.
    pub fault: Option<&'a Trouble>,
    /// Where people with an account sign in.
    pub sign_in: Option<&'a str>,
}

impl<'a> Register<'a> {
    /// The empty form.
    #[must_use]
    pub fn new(look: Look<'a>) -> Self {
        Self {
            look,
            client: None,
            user_name: "",
            email: "",
            hidden: &[],
            fault: None,
            sign_in: None,
        }
    }

    fn wrong(&self, field: Field) -> bool {
        is_about(self.fault, field)
    }

    fn focus(&self) -> Field {
        [Field::Email, Field::Password]
            .into_iter()
            .find(|field| self.wrong(*field))
            .unwrap_or(Field::UserName)
    }
}

/// Asking for a mail with which a new password is chosen: `email`, to `/oauth/forgot`.
#[derive(Clone, Debug, Template)]
#[template(path = "forgot.html")]
pub struct Forgot<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// The address as it was typed.
    pub email: &'a str,
    /// What goes along with the form.
    pub hidden: Hidden<'a>,
    /// Why the last try failed.
    pub fault: Option<&'a Trouble>,
    /// Where people who remember sign in.
    pub sign_in: Option<&'a str>,
}

impl<'a> Forgot<'a> {
    /// The empty form.
    #[must_use]
    pub fn new(look: Look<'a>) -> Self {
        Self {
            look,
            email: "",
            hidden: &[],
            fault: None,
            sign_in: None,
        }
    }

    fn wrong(&self, field: Field) -> bool {
        is_about(self.fault, field)
    }

    /// The only field there is.
    #[expect(
        clippy::unused_self,
        reason = "as the templates of other forms ask for it"
    )]
    fn focus(&self) -> Field {
        Field::Email
    }
}

fn is_about(fault: Option<&Trouble>, field: Field) -> bool {
    fault.is_some_and(|fault| fault.is_about(field))
}
