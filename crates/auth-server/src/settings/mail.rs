//! The settings of mail.

use std::path::PathBuf;

use clap::Args;
use mail::{MailFrom, MailUrl};

use super::values::Unquoted;
use super::{Contradiction, Registration, Switch, refuse};
use chassis::settings::{Maybe, path_or_none, text_or_none};

/// Where mails go, from whom, and where their links lead.
#[derive(Args, Clone, Debug)]
pub struct MailSettings {
    /// Mail server: `smtp://USER@HOST:587` (STARTTLS, but for a relay on this machine), `smtps://USER@HOST:465`, or
    /// `file:DIR` for development. Without it no mail is sent.
    #[arg(
        long,
        env = "MAIL_URL",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true,
        value_parser = Unquoted(url_or_none),
        global = true
    )]
    pub mail_url: Maybe<MailUrl>,

    /// File with the password for the mail server, in its first line.
    #[arg(long, env = "MAIL_PASSWORD_FILE", default_value = "", hide_default_value = true, value_parser = path_or_none(), global = true)]
    pub mail_password_file: Maybe<PathBuf>,

    /// From whom mails are: `login@example.com`, or `Example <login@example.com>`.
    #[arg(
        long,
        env = "MAIL_FROM",
        default_value = "",
        hide_default_value = true,
        value_parser = Unquoted(sender_or_none),
        global = true
    )]
    pub mail_from: Maybe<MailFrom>,

    /// Where the links in mails lead: to this address with `/reset`, `/verify` or `/invitation` and
    /// `#token=TOKEN` after it; by default to our own pages, below `JWT_ISSUER`.
    #[arg(long, env = "MAIL_LINKS", default_value = "", hide_default_value = true, value_parser = text_or_none(), global = true)]
    pub mail_links: Maybe<String>,

    /// Folder with texts in the place of the built-in ones.
    #[arg(long, env = "MAIL_TEMPLATES", default_value = "", hide_default_value = true, value_parser = path_or_none(), global = true)]
    pub mail_templates: Maybe<PathBuf>,

    /// Tell users by mail when somebody logs in from a device that their account does not know.
    #[arg(long, env = "MAIL_NEW_DEVICE", default_value = "off", global = true)]
    pub mail_new_device: Switch,
}

impl MailSettings {
    /// Checks what the settings of mail say of each other, and of registration.
    ///
    /// # Errors
    /// A sentence with the names of the settings that cannot both hold.
    pub fn check(&self, registration: Registration) -> Result<(), Contradiction> {
        let Some(url) = &self.mail_url else {
            return refuse(registration == Registration::Verified, || {
                "REGISTRATION is verified, but MAIL_URL is not set: nobody could prove an address"
                    .into()
            });
        };
        refuse(self.mail_from.is_none() && url.folder().is_none(), || {
            "MAIL_URL is set, but MAIL_FROM is not: a mail has a sender".into()
        })?;
        refuse(
            self.mail_password_file.is_some() && url.user().is_none(),
            || {
                "MAIL_PASSWORD_FILE is set, but MAIL_URL names no user: write smtp://USER@HOST"
                    .into()
            },
        )?;
        refuse(
            self.mail_password_file.is_none() && url.user().is_some(),
            || "MAIL_URL names a user, but MAIL_PASSWORD_FILE is not set".into(),
        )?;
        let links = self.mail_links.as_deref().unwrap_or("https://");
        let is_url = links.starts_with("https://") || links.starts_with("http://");
        let clean = !links.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#');
        refuse(!is_url || !clean, || {
            "MAIL_LINKS is no http address, or has a fragment".into()
        })
    }

    /// The address below which links lead, without a slash at its end.
    #[must_use]
    pub fn links(&self, issuer: &str) -> String {
        match &self.mail_links {
            Some(links) => links.trim_end_matches('/').to_owned(),
            None => format!("{}/account", issuer.trim_end_matches('/')),
        }
    }
}

fn url_or_none(text: &str) -> Result<Maybe<MailUrl>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some)
}

fn sender_or_none(text: &str) -> Result<Maybe<MailFrom>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some)
}
