//! The talk with a mail server, from the connection to its "I have it".
//!
//! A connection per mail: there are few, and none is then found dead. Each refusal is known by the step it came
//! in. What the server says is passed on only from the steps before it knows the recipient, since later it may
//! repeat the address; from then on its codes have to do.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::SendError;
use crate::careful::Careful;
use crate::url::{Host, Server};

/// How long the server may take to say goodbye, when the mail's fate is known.
const GOODBYE: Duration = Duration::from_secs(1);

/// How much of what a server says is passed on, in characters.
const MOST_WORDS: usize = 200;

/// A mail server, and all that is needed to talk to it.
pub(crate) struct Dialogue {
    pub(crate) server: Server,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) tls: TlsParameters,
    /// What `EHLO` says.
    pub(crate) name: ClientId,
    /// How long one of the server's addresses may take to accept a connection.
    pub(crate) patience: Duration,
}

/// How far a talk has come.
#[derive(Clone, Copy)]
enum Step {
    Connection,
    Greeting,
    Tls,
    LogIn,
    Sender,
    Recipient,
    Content,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection",
            Self::Greeting => "the greeting",
            Self::Tls => "TLS",
            Self::LogIn => "the log-in",
            Self::Sender => "the sender, MAIL_FROM",
            Self::Recipient => "the recipient",
            Self::Content => "the mail itself",
        })
    }
}

impl Dialogue {
    /// Hands the mail over; returns when the server has taken responsibility for it. All of it is done within the
    /// limit, but for the goodbye: a mail that was taken is not sent again because of it.
    pub(crate) async fn hand_over(
        &self,
        message: &Message,
        limit: Duration,
    ) -> Result<(), SendError> {
        let mut step = Step::Connection;
        let mut connection = None;
        let talk = async {
            let open = connection.insert(self.open(&mut step).await?);
            self.talk(open, message, &mut step).await
        };
        let Ok(done) = timeout(limit, talk).await else {
            let seconds = limit.as_secs_f32();
            return Err(self.later(&format!("not done within {seconds} s, stuck at {step}")));
        };
        if let Some(mut connection) = connection {
            // The mail's fate is known: what the goodbye yields changes nothing.
            let _ = timeout(GOODBYE, connection.quit()).await;
        }
        done
    }

    /// A connection with as much TLS as the URL asks for.
    async fn open(&self, step: &mut Step) -> Result<AsyncSmtpConnection, SendError> {
        if self.server.tls_first {
            let addresses = self.addresses().await?;
            let connected = AsyncSmtpConnection::connect_tokio1(
                addresses.as_slice(),
                Some(self.patience),
                &self.name,
                Some(self.tls.clone()),
                None,
            );
            return connected.await.map_err(|error| self.fault(*step, &error));
        }
        let mut connection = self.open_plain(step).await?;
        let loopback = self.server.host.is_loopback();
        *step = Step::Tls;
        if !connection.can_starttls() {
            return if loopback {
                Ok(connection)
            } else {
                Err(self.later("offers no STARTTLS, and nothing is said to it in the clear"))
            };
        }
        match connection.starttls(self.tls.clone(), &self.name).await {
            Ok(()) => Ok(connection),
            // A relay on this host often has a certificate that nobody signed, and nobody listens on the way.
            Err(_) if loopback => self.open_plain(step).await,
            Err(error) => Err(self.fault(*step, &error)),
        }
    }

    /// A connection without TLS, greeted.
    async fn open_plain(&self, step: &mut Step) -> Result<AsyncSmtpConnection, SendError> {
        *step = Step::Connection;
        let mut fault = self.later("has no address");
        for address in self.addresses().await? {
            match timeout(self.patience, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    *step = Step::Greeting;
                    let stream = Box::new(Careful::new(tcp));
                    let greeted = AsyncSmtpConnection::connect_with_transport(stream, &self.name);
                    return greeted.await.map_err(|error| self.fault(*step, &error));
                }
                Ok(Err(error)) => fault = self.later(&format!("cannot be reached: {error}")),
                Err(_) => fault = self.later("cannot be reached: no answer"),
            }
        }
        Err(fault)
    }

    /// `localhost` is this host, whatever a resolver says: what may stay without TLS must not leave it.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, SendError> {
        let port = self.server.port;
        let addresses: Vec<IpAddr> = match &self.server.host {
            Host::Address(address) => vec![*address],
            Host::Name(_) if self.server.host.is_loopback() => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Host::Name(name) => {
                let found = lookup_host((name.as_str(), port)).await;
                let found =
                    found.map_err(|error| self.later(&format!("cannot be found: {error}")))?;
                return Ok(found.collect());
            }
        };
        Ok(addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }

    async fn talk(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
        step: &mut Step,
    ) -> Result<(), SendError> {
        if let (Some(user), Some(password)) = (&self.server.user, &self.password) {
            *step = Step::LogIn;
            // On loopback the password may go in the clear, elsewhere TLS stands: `open` has seen to it.
            let credentials = Credentials::new(user.clone(), password.as_str().to_owned());
            let logged_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            logged_in.map_err(|error| self.fault(*step, &error))?;
        }
        let raw = message.formatted();
        let mut parameters = Vec::new();
        let knows = |extension| connection.server_info().supports_feature(extension);
        let utf8 = |address: &lettre::Address| !AsRef::<str>::as_ref(address).is_ascii();
        if message.envelope().to().iter().any(utf8) {
            if !knows(Extension::SmtpUtfEight) {
                return Err(SendError::Never(format!(
                    "{}: takes no address with other letters than ASCII in front of the @ (SMTPUTF8)",
                    self.server
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !raw.is_ascii() && knows(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        *step = Step::Sender;
        let sender = Mail::new(message.envelope().from().cloned(), parameters);
        let taken = connection.command(sender).await;
        taken.map_err(|error| self.fault(*step, &error))?;
        *step = Step::Recipient;
        for address in message.envelope().to() {
            let taken = connection
                .command(Rcpt::new(address.clone(), Vec::new()))
                .await;
            taken.map_err(|error| self.fault(*step, &error))?;
        }
        *step = Step::Content;
        let taken = connection.command(Data).await;
        taken.map_err(|error| self.fault(*step, &error))?;
        let taken = connection.message(&raw).await;
        taken.map_err(|error| self.fault(*step, &error))?;
        Ok(())
    }

    /// That it may go well later.
    fn later(&self, what: &str) -> SendError {
        SendError::Later(format!("{}: {what}", self.server))
    }

    fn fault(&self, step: Step, error: &Error) -> SendError {
        let source = std::error::Error::source(error).map(ToString::to_string);
        let said = source.unwrap_or_default();
        // From here on the server knows the recipient, and may repeat the address in whatever it says.
        let knows_recipient = matches!(step, Step::Recipient | Step::Content);
        let Some(code) = error.status() else {
            return if error.is_response() {
                self.later(&format!("broke off or said what is no SMTP, at {step}"))
            } else if knows_recipient {
                self.later(&format!("the connection broke at {step}"))
            } else {
                self.later(&format!("failed at {step}: {}", self.harmless(&said)))
            };
        };
        let enhanced = enhanced(&said);
        if knows_recipient {
            let codes = match &enhanced {
                Some(enhanced) => format!("{code} {enhanced}"),
                None => code.to_string(),
            };
            let text = format!("{}: refused {step}: {codes}", self.server);
            let no_mailbox = enhanced.is_some_and(|enhanced| is_bad_recipient(&enhanced));
            return if no_mailbox {
                SendError::Never(text)
            } else {
                SendError::Later(text)
            };
        }
        self.later(&format!("refused {step}: {code} {}", self.harmless(&said)))
    }

    /// What a server says, in a form that can stand in a log, and without the password, also as `AUTH` writes it.
    fn harmless(&self, said: &str) -> String {
        let mut said = said.to_owned();
        if let (Some(user), Some(password)) = (&self.server.user, &self.password) {
            let plain = Zeroizing::new(format!("\0{user}\0{}", password.as_str()));
            let coded = [plain.as_str(), password.as_str()]
                .map(|secret| Zeroizing::new(STANDARD.encode(secret)));
            for secret in [password].into_iter().chain(&coded) {
                said = said.replace(secret.as_str(), "[redacted]");
            }
        }
        let printable = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
        said.chars()
            .take(MOST_WORDS)
            .map(printable)
            .collect::<String>()
            .trim()
            .to_owned()
    }
}

/// The enhanced status code that an answer begins with (RFC 3463), as in `5.1.1`.
fn enhanced(said: &str) -> Option<String> {
    let word = said.split_whitespace().next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (parts.len() == 3 && parts.iter().all(number)).then(|| word.to_owned())
}

/// Whether the code says that there is no such mailbox (RFC 3463 §3.2). `5.1.7` and `5.1.8` are about the
/// sender's address: that is `MAIL_FROM`, which an operator can put right.
fn is_bad_recipient(code: &str) -> bool {
    code.starts_with("5.1.") && !matches!(code, "5.1.7" | "5.1.8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_without_a_mailbox_is_given_up() {
        for (said, never) in [
            ("5.1.1 no such user", true),
            ("5.1.10 null MX", true),
            ("5.1.2", true),
            ("5.1.7 bad sender", false),
            ("5.1.8 bad sender", false),
            ("5.7.1 relaying denied", false),
            ("5.2.2 mailbox full", false),
            ("4.1.1 later", false),
            ("no such user 5.1.1", false),
            ("5.1. x", false),
            ("5.1.1.1", false),
            ("", false),
        ] {
            let judged = enhanced(said).is_some_and(|code| is_bad_recipient(&code));
            assert_eq!(judged, never, "{said}");
        }
    }
}
