//! Mail: what is to be sent is written in the unit of what it tells of; one task of each replica sends it.
//!
//! No HTTP. The links are computed when a mail goes out; see [`link`].

mod content;
pub(crate) mod link;
mod sender;

pub(crate) use content::{Guest, Links};
pub(crate) use sender::{Newest, Sender};

use std::path::Path;

use chrono::DateTime;
use mail::{Kind, Locale, Mail, Mailer, TIMEOUT, Texts, Trust, Values};
use shared::key_file::check_permissions;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::db::{DbError, LetterKind, NewLetter, Unit, UserId};
use crate::settings::MailSettings;

/// What mails are made with, and by what they get away.
pub(crate) struct Post {
    mailer: Mailer,
    texts: Texts,
    /// What the service calls itself.
    service: String,
    /// Whether mails only become files, for development.
    to_folder: bool,
}

impl Post {
    /// What the settings say; `None` where no mail is sent.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn open(settings: &MailSettings, issuer: &str) -> Result<Option<Self>, String> {
        let Some(url) = &settings.mail_url else {
            return Ok(None);
        };
        let password = settings.mail_password_file.as_deref().map(read_password);
        let from = match &settings.mail_from {
            Some(from) => from.clone(),
            None => "Keyturn <keyturn@localhost>".parse()?,
        };
        let mailer = Mailer::new(url, password.transpose()?, from, &Trust::System, TIMEOUT)
            .map_err(|why| format!("MAIL_URL: {why}"))?;
        let texts = Texts::load(settings.mail_templates.as_deref())
            .map_err(|why| format!("MAIL_TEMPLATES: {why}"))?;
        let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
        Ok(Some(Self {
            mailer,
            texts,
            service: host.trim_end_matches('/').to_owned(),
            to_folder: url.folder().is_some(),
        }))
    }

    /// Sends a mail that says nothing but that mail is sent.
    ///
    /// # Errors
    /// What is in the way.
    pub(crate) async fn test(&self, to: &str, now: i64) -> Result<(), String> {
        let when = DateTime::from_timestamp(now, 0).unwrap_or_default();
        let values = Values {
            address: to,
            service: &self.service,
            when,
            ..Values::default()
        };
        let rendered = self.texts.render(Kind::Test, Locale::En, &values)?;
        let mail = Mail {
            id: Uuid::now_v7().to_string(),
            to: to.to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            written: when,
        };
        let sent = self.mailer.send(&mail).await;
        sent.map_err(|error| error.to_string())
    }
}

/// The first line of the file.
fn read_password(path: &Path) -> Result<Zeroizing<String>, String> {
    let said = |why: String| format!("MAIL_PASSWORD_FILE: {}: {why}", path.display());
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| said(error.to_string()))?;
    match text.trim_start_matches('\u{feff}').lines().next() {
        Some(line) if !line.is_empty() => {
            // A warning alone: container engines hand secrets over in files that all of the container may read.
            if let Err(exposed) = check_permissions(path) {
                log::warn!("{}", exposed.naming("MAIL_PASSWORD_FILE"));
            }
            Ok(Zeroizing::new(line.to_owned()))
        }
        _ => Err(said("its first line is empty".into())),
    }
}

/// Where mails are put. Without a mail server it takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbox {
    on: bool,
}

impl Outbox {
    /// One that takes mails, or takes none.
    #[must_use]
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether mails are sent.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.on
    }

    /// A mail that tells the account's user of something, to the address that is the account's now.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn note(
        self,
        tx: &mut Unit<'_, '_>,
        kind: Kind,
        user: UserId,
        detail: &str,
    ) -> Result<(), DbError> {
        if !self.on {
            return Ok(());
        }
        let Some(found) = tx.find_user(user)? else {
            return Ok(());
        };
        // Whoever registered a stranger's address must not have him written to by changing a password or logging in again
        // and again.
        let repeatable = matches!(kind, Kind::NewDevice | Kind::PasswordChanged);
        let now = tx.now();
        if repeatable && !found.account.email_verified && tx.pay_for_letter(user, now)?.is_some() {
            return Ok(());
        }
        self.post(tx, kind, user, &found.account.email, detail)
    }

    /// A mail to an address that may not be the account's.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn post(
        self,
        tx: &mut Unit<'_, '_>,
        kind: Kind,
        user: UserId,
        address: &str,
        detail: &str,
    ) -> Result<(), DbError> {
        self.put(tx, kind, (user, address), detail, 0)
    }

    /// The same, to be sent in so many seconds.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn post_after(
        self,
        tx: &mut Unit<'_, '_>,
        kind: Kind,
        user: UserId,
        address: &str,
        seconds: i64,
    ) -> Result<(), DbError> {
        self.put(tx, kind, (user, address), "", seconds)
    }

    fn put(
        self,
        tx: &mut Unit<'_, '_>,
        kind: Kind,
        (user, address): (UserId, &str),
        detail: &str,
        after: i64,
    ) -> Result<(), DbError> {
        if !self.on {
            return Ok(());
        }
        let locale = tx.caller().locale;
        tx.post(&NewLetter {
            kind: LetterKind::Mail(kind),
            user: Some(user),
            address: address.to_owned(),
            locale,
            detail: detail.to_owned(),
            after,
        })
    }

    /// A mail that tells an account's user that somebody else wants its address: once an hour.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn tell_owner(
        self,
        tx: &mut Unit<'_, '_>,
        owner: UserId,
        address: &str,
    ) -> Result<(), DbError> {
        let now = tx.now();
        if !self.on || !tx.may_be_told(owner, now)? {
            return Ok(());
        }
        self.post(tx, Kind::AccountExists, owner, address, "")
    }

    /// A mail that somebody asks for, so that there is a limit: the seconds to wait, if it is reached and nothing is sent.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn post_on_request(
        self,
        tx: &mut Unit<'_, '_>,
        kind: Kind,
        user: UserId,
        address: &str,
    ) -> Result<Option<i64>, DbError> {
        if !self.on {
            return Ok(None);
        }
        let now = tx.now();
        if let Some(wait) = tx.pay_for_letter(user, now)? {
            return Ok(Some(wait));
        }
        self.post(tx, kind, user, address, "")?;
        Ok(None)
    }
}
