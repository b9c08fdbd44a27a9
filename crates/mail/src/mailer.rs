//! The way out: hands mails to what `MAIL_URL` names, one at a time and within a bound.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::dialogue::Dialogue;
use crate::url::Way;
use crate::{Mail, MailFrom, MailUrl, SendError, folder};

/// How long a mail may take in all, where nobody says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Whose word is taken for a mail server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's store; `SSL_CERT_FILE` and `SSL_CERT_DIR` name another.
    System,
    /// These certificates in PEM, and no others.
    Only(String),
}

/// Sends mails. Its `Debug` shows no password.
pub struct Mailer {
    from: MailFrom,
    out: Out,
    timeout: Duration,
}

enum Out {
    Folder(PathBuf),
    Server(Box<Dialogue>),
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({} from {})", self.out, self.from)
    }
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file:{}", folder.display()),
            Self::Server(dialogue) => dialogue.server.fmt(f),
        }
    }
}

impl Mailer {
    /// A mailer for what the URL names. The password is what `MAIL_PASSWORD_FILE` holds, without the line's end;
    /// `timeout` bounds each mail as a whole, but for a second to say goodbye. The system's certificates are read here, once.
    ///
    /// # Errors
    /// If user and password do not come together, or the certificates cannot be read.
    pub fn new(
        url: &MailUrl,
        password: Option<Zeroizing<String>>,
        from: MailFrom,
        trust: &Trust,
        timeout: Duration,
    ) -> Result<Self, String> {
        let password = password.filter(|password| !password.is_empty());
        let out = match &url.0 {
            Way::Folder(folder) => Out::Folder(folder.clone()),
            Way::Server(server) => {
                match (&server.user, &password) {
                    (Some(_), None) => {
                        return Err("MAIL_URL names a user: MAIL_PASSWORD_FILE names the file with the password".to_owned());
                    }
                    (None, Some(_)) => {
                        return Err("MAIL_PASSWORD_FILE is set, but MAIL_URL names no user: write smtp://USER@HOST".to_owned());
                    }
                    _ => {}
                }
                let certified = server.host.certified();
                Out::Server(Box::new(Dialogue {
                    server: server.clone(),
                    password,
                    tls: tls(certified, trust)?,
                    // The name of this host means nothing to others, and some refuse `localhost`.
                    name: ClientId::Domain(from.domain().to_owned()),
                    patience: timeout / 3,
                }))
            }
        };
        Ok(Self { from, out, timeout })
    }

    /// Hands over one mail; returns when the mail server has taken responsibility for it, or the file is written.
    ///
    /// A mail whose fate is unknown, since the connection broke behind its end, counts as not sent: sent again,
    /// it has the same `Message-ID`.
    ///
    /// # Errors
    /// If it was not handed over; [`SendError`] says whether another try makes sense.
    pub async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let message = mail.compose(&self.from)?;
        match &self.out {
            Out::Folder(folder) => write(folder.clone(), mail, &message).await,
            Out::Server(dialogue) => dialogue.hand_over(&message, self.timeout).await,
        }
    }
}

fn tls(certified: String, trust: &Trust) -> Result<TlsParameters, String> {
    let builder = TlsParameters::builder(certified);
    let builder = match trust {
        Trust::System => builder,
        Trust::Only(pem) => {
            if !pem.contains("-----BEGIN CERTIFICATE-----") {
                return Err("there is no certificate in PEM among those to trust".to_owned());
            }
            let roots = Certificate::from_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
            let builder = builder.certificate_store(CertificateStore::None);
            builder.add_root_certificate(roots)
        }
    };
    builder.build_rustls().map_err(|error| error.to_string())
}

async fn write(folder: PathBuf, mail: &Mail, message: &Message) -> Result<(), SendError> {
    let (millis, id) = (mail.written.timestamp_millis(), mail.plain_id());
    let raw = message.formatted();
    let place = folder.display().to_string();
    let written = spawn_blocking(move || folder::keep(&folder, millis, &id, &raw)).await;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(SendError::Later(format!("file:{place}: {error}"))),
        Err(_) => Err(SendError::Later(format!(
            "file:{place}: the writing was broken off"
        ))),
    }
}
