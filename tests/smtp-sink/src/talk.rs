//! One connection: RFC 5321 as far as a mail needs it, and what is to go wrong.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::{Behaviour, Mail, Said, Shared, Tls, lock};

/// A connection with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What is known of a connection.
struct Talk {
    stream: BufReader<Box<dyn Stream>>,
    shared: Arc<Shared>,
    behaviour: Behaviour,
    encrypted: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

/// Talks to one client until it goes, or is to be left.
pub(crate) async fn talk(tcp: TcpStream, shared: Arc<Shared>) {
    let behaviour = lock(&shared.script).pop_front();
    let behaviour = behaviour.unwrap_or_else(|| lock(&shared.otherwise).clone());
    let first = shared.options.tls == Tls::FromTheStart;
    let mut talk = Talk {
        stream: BufReader::new(Box::new(tcp)),
        shared,
        behaviour,
        encrypted: false,
        user: None,
        from: None,
        to: Vec::new(),
    };
    if talk.behaviour == Behaviour::HangsUp {
        return;
    }
    if first {
        match talk.encrypt().await {
            Ok(encrypted) => talk = encrypted,
            // The client wants no such certificate.
            Err(_) => return,
        }
    }
    // A client that goes in the middle is one of the things that are tried.
    let _ = talk.run().await;
}

impl Talk {
    async fn run(mut self) -> io::Result<()> {
        match self.behaviour {
            Behaviour::Silent => return self.hang().await,
            Behaviour::HalfAGreeting => {
                self.stream.write_all(b"220 sink").await?;
                loop {
                    self.stream.write_all(b".").await?;
                    self.stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            _ => self.answer("220 sink ESMTP").await?,
        }
        while let Some(line) = self.line().await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" if self.behaviour == Behaviour::HangsAtHello => return self.hang().await,
                "EHLO" => self.hello().await?,
                "STARTTLS" if self.offers_tls() => {
                    let go_ahead = match self.behaviour {
                        Behaviour::AnswersBehindStartTls => {
                            "220 go ahead\r\n250-sink\r\n250 AUTH LOGIN PLAIN"
                        }
                        _ => "220 go ahead",
                    };
                    self.answer(go_ahead).await?;
                    self = self.encrypt().await?;
                }
                "AUTH" if self.shared.options.login.is_some() => self.log_in(rest).await?,
                "MAIL" => self.sender(rest).await?,
                "RCPT" => self.recipient(rest).await?,
                "DATA" => {
                    if !self.content().await? {
                        return Ok(());
                    }
                }
                "RSET" | "NOOP" => self.answer("250 2.0.0 fine").await?,
                "QUIT" if self.behaviour == Behaviour::HangsAtGoodbye => return self.hang().await,
                "QUIT" => return self.answer("221 2.0.0 goodbye").await,
                _ => self.answer("502 5.5.1 not known here").await?,
            }
        }
        Ok(())
    }

    /// A line of the client, as long as there is one.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        lock(&self.shared.said).push(Said {
            line: line.clone(),
            encrypted: self.encrypted,
        });
        Ok(Some(line))
    }

    async fn answer(&mut self, text: &str) -> io::Result<()> {
        self.stream
            .write_all(format!("{text}\r\n").as_bytes())
            .await?;
        self.stream.flush().await
    }

    /// Says nothing more until the client goes.
    async fn hang(mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.map(drop)
    }

    fn certificate(&self) -> Arc<ServerConfig> {
        let all = &self.shared.certificates;
        match self.behaviour {
            Behaviour::OtherName => all.other_name.clone(),
            Behaviour::OtherAuthority => all.other_authority.clone(),
            _ => all.right.clone(),
        }
    }

    /// What was said before does not count under TLS (RFC 3207 §4.2).
    async fn encrypt(self) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(self.certificate());
        let stream = acceptor.accept(self.stream.into_inner()).await?;
        Ok(Self {
            stream: BufReader::new(Box::new(stream)),
            encrypted: true,
            user: None,
            from: None,
            to: Vec::new(),
            ..self
        })
    }

    fn offers_tls(&self) -> bool {
        self.shared.options.tls == Tls::StartTls
            && !self.encrypted
            && self.behaviour != Behaviour::NoStartTls
    }

    async fn hello(&mut self) -> io::Result<()> {
        let mut lines = vec!["sink", "8BITMIME", "ENHANCEDSTATUSCODES"];
        if !self.shared.options.without_smtputf8 {
            lines.push("SMTPUTF8");
        }
        if self.offers_tls() {
            lines.push("STARTTLS");
        }
        if self.shared.options.login.is_some() {
            lines.push(if self.shared.options.auth_login_alone {
                "AUTH LOGIN"
            } else {
                "AUTH PLAIN LOGIN"
            });
        }
        lines.push("HELP");
        let text = format!("250-{}", lines.join("\r\n250-")).replace("250-HELP", "250 HELP");
        self.answer(&text).await
    }

    async fn log_in(&mut self, how: &str) -> io::Result<()> {
        let (mechanism, first) = how.split_once(' ').unwrap_or((how, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" if !self.shared.options.auth_login_alone => {
                let response = match first {
                    "" => self.challenge("").await?,
                    first => decoded(first),
                };
                let mut parts = response.split('\0').skip(1).map(str::to_owned);
                (parts.next(), parts.next())
            }
            "LOGIN" => {
                let user = match first {
                    "" => self.challenge("VXNlcm5hbWU6").await?,
                    first => decoded(first),
                };
                (Some(user), Some(self.challenge("UGFzc3dvcmQ6").await?))
            }
            _ => return self.answer("504 5.5.4 mechanism not known here").await,
        };
        let right = match (&self.shared.options.login, &given) {
            (Some((user, password)), (Some(by), Some(with))) => user == by && password == with,
            _ => false,
        };
        if !right || self.behaviour == Behaviour::RefusesLogIn {
            return self
                .answer("535 5.7.8 user and password are not accepted")
                .await;
        }
        self.user = given.0;
        self.answer("235 2.7.0 welcome").await
    }

    async fn challenge(&mut self, challenge: &str) -> io::Result<String> {
        self.answer(&format!("334 {challenge}")).await?;
        Ok(decoded(&self.line().await?.unwrap_or_default()))
    }

    async fn sender(&mut self, rest: &str) -> io::Result<()> {
        if self.shared.options.login.is_some() && self.user.is_none() {
            return self.answer("530 5.7.0 log in first").await;
        }
        if let Behaviour::Sender(text) = &self.behaviour {
            return self.answer(&text.clone()).await;
        }
        self.from = address(rest, "FROM:");
        self.to.clear();
        let text = if self.from.is_some() {
            "250 2.1.0 fine"
        } else {
            "501 5.5.4 FROM:<address>"
        };
        self.answer(text).await
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        let (Some(_), Some(to)) = (&self.from, address(rest, "TO:")) else {
            return self
                .answer("503 5.5.1 MAIL FROM first, then TO:<address>")
                .await;
        };
        if let Behaviour::Recipient(text) = &self.behaviour {
            return self.answer(&text.replace("{to}", &to)).await;
        }
        self.to.push(to);
        self.answer("250 2.1.5 fine").await
    }

    /// Takes the mail; whether the talk goes on.
    async fn content(&mut self) -> io::Result<bool> {
        if self.to.is_empty() {
            self.answer("503 5.5.1 RCPT TO first").await?;
            return Ok(true);
        }
        self.answer("354 go ahead").await?;
        let mut raw = Vec::new();
        loop {
            let start = raw.len();
            if self.stream.read_until(b'\n', &mut raw).await? == 0 {
                return Ok(false);
            }
            let line = raw.get(start..).unwrap_or_default();
            if line == b".\r\n" {
                raw.truncate(start);
                break;
            }
            if line.starts_with(b".") {
                raw.remove(start);
            }
        }
        if let Behaviour::Content(text) = &self.behaviour {
            let text = text.replace("{to}", &self.to.join(","));
            self.answer(&text).await?;
            return Ok(true);
        }
        lock(&self.shared.mails).push(Mail {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            user: self.user.clone(),
            encrypted: self.encrypted,
            raw,
        });
        self.shared.count.send_modify(|count| *count += 1);
        if self.behaviour == Behaviour::HangsAtTheEnd {
            let mut rest = Vec::new();
            self.stream.read_to_end(&mut rest).await?;
            return Ok(false);
        }
        if self.behaviour == Behaviour::CutAtTheEnd {
            return Ok(false);
        }
        self.answer("250 2.0.0 taken").await?;
        Ok(true)
    }
}

/// What the brackets of `FROM:<…>` and `TO:<…>` hold.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let start = rest.get(..keyword.len())?;
    let behind = rest.get(keyword.len()..)?.trim_start().strip_prefix('<')?;
    let (address, _) = behind.split_once('>')?;
    start
        .eq_ignore_ascii_case(keyword)
        .then(|| address.to_owned())
}

fn decoded(text: &str) -> String {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
