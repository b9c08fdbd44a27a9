//! The pages that mailed links lead to: a new password, the proof of an address, an invitation.

use askama::Template;

use crate::words::LinkWords;
use crate::{Look, Trouble, filters};

/// What a mailed link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A new password.
    Reset,
    /// The proof of an address.
    Verify,
    /// An account for somebody who was asked to come.
    Invitation,
}

impl Link {
    /// Every kind of link.
    pub const ALL: [Self; 3] = [Self::Reset, Self::Verify, Self::Invitation];
}

/// The form behind a mailed link: `token`, and `userName` and `password` as it needs them, to its own address.
#[derive(Clone, Debug, Template)]
#[template(path = "mailed.html")]
pub struct Mailed<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// Which form.
    pub link: Link,
    /// The token that came with the last try. At first it is in the link's fragment, for the script alone.
    pub token: &'a str,
    /// The name that came with the last try.
    pub user_name: &'a str,
    /// Why that failed.
    pub fault: Option<&'a Trouble>,
}

impl<'a> Mailed<'a> {
    /// The empty form.
    #[must_use]
    pub fn new(look: Look<'a>, link: Link) -> Self {
        Self {
            look,
            link,
            token: "",
            user_name: "",
            fault: None,
        }
    }

    fn own(&self) -> &'static LinkWords {
        self.look.words().of_link(self.link)
    }

    fn names(&self) -> bool {
        self.link == Link::Invitation
    }

    fn passwords(&self) -> bool {
        self.link != Link::Verify
    }
}
