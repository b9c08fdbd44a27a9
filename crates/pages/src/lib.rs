//! What people see on Keyturn's own pages: the forms to sign in, the question whether a program may, what went wrong,
//! and the pages that mailed links lead to.
//!
//! A page is a struct of what it shows; [`Template::render`] makes the HTML of it. No request, no rule and no database
//! is known here: who fills a page has decided what stands on it. Names, addresses and hosts are other people's text:
//! they are escaped, kept apart from the direction of the sentence around them, and lose the characters that would
//! turn it around. Addresses of links are the server's own: nothing here looks at them.
//!
//! Pages work without a script, and under a policy that takes style and script from the own origin alone: [`STYLE`]
//! belongs at [`STYLE_PATH`], [`SCRIPT`] at [`SCRIPT_PATH`]. [`FormPost`] has a script in it, whose hash is
//! [`FORM_POST_SCRIPT_SOURCE`].
//!
//! ```
//! use pages::{Language, Look, SignIn, Template, Trouble};
//!
//! let look = Look { language: Language::En, service: "login.example", custom_style: false };
//! let page = SignIn {
//!     client: Some("Grafana"),
//!     email: "ada@example.com",
//!     fault: Some(&Trouble::WrongCredentials),
//!     ..SignIn::new(look)
//! };
//! assert!(page.render()?.contains("E-mail or password is wrong."));
//! # Ok::<(), pages::Error>(())
//! ```

mod decision;
mod filters;
mod form_post;
mod forms;
mod language;
mod mailed;
mod message;
mod trouble;
mod words;

pub use askama::{Error, Template};

pub use decision::{Consent, ContinueAs, Destination, Person, SignOut};
pub use form_post::{FORM_POST_SCRIPT, FORM_POST_SCRIPT_SOURCE, FormPost};
pub use forms::{Forgot, Register, SignIn};
pub use language::Language;
pub use mailed::{Link, Mailed};
pub use message::{Fault, GoOn, Message, Mistake, Notice};
pub use trouble::Trouble;

use words::Words;

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("../assets/page.css");
/// Where pages expect [`STYLE`].
pub const STYLE_PATH: &str = "/account/page.css";
/// The script of the pages with a field for a password or a link's token.
pub const SCRIPT: &str = include_str!("../assets/page.js");
/// Where pages expect [`SCRIPT`].
pub const SCRIPT_PATH: &str = "/account/page.js";
/// Where pages expect the operator's own style sheet ([`Look::custom_style`]).
pub const CUSTOM_STYLE_PATH: &str = "/account/style.css";

/// Fields that a form carries along unseen: name and value.
pub type Hidden<'a> = &'a [(&'a str, &'a str)];

/// What all pages have in common.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The language that the page speaks.
    pub language: Language,
    /// What the service is called: the operator's title, or the host.
    pub service: &'a str,
    /// Whether the operator's own sheet follows ours.
    pub custom_style: bool,
}

impl Look<'_> {
    fn words(&self) -> &'static Words {
        Words::of(self.language)
    }
}
