//! What Keyturn writes to people, and how it gets to a mail server.
//!
//! [`Texts`] makes a mail's subject and bodies from templates, [`Mailer`] hands a [`Mail`] to what [`MailUrl`]
//! names. Knows SMTP and languages; knows no accounts, no database, no web and no clock, and keeps nothing between
//! two mails: when to try again is for the caller, who is told whether it makes sense ([`SendError`]).

mod address;
mod careful;
mod dialogue;
mod error;
mod folder;
mod mailer;
mod message;
mod texts;
mod url;

pub use address::MailFrom;
pub use error::SendError;
pub use mailer::{Mailer, TIMEOUT, Trust};
pub use message::Mail;
pub use texts::{Kind, Locale, Rendered, Texts, Values};
pub use url::MailUrl;
