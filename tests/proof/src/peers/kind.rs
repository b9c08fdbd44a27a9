//! Which peers there are, and how each is started: as `bench/peers/README.md` says.

use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::process::Command;

use crate::Fault;
use crate::http::Message;
use crate::peers::install;
use crate::peers::load::Client;
use crate::peers::process::Peer;
use crate::peers::tokens::Tokens;
use crate::processes::{Programs, free_address};
use crate::{client, http};

/// How long a log-in may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// actix-web and jsonwebtoken.
    Actix,
    /// Express and jsonwebtoken.
    Express,
    /// `FastAPI` and `PyJWT`.
    FastApi,
    /// `@node-oauth/oauth2-server` on SQLite.
    Oauth2Server,
    /// `oidc-provider`, in memory.
    OidcProvider,
}

impl Kind {
    /// Those that check access tokens.
    pub const GUARDS: [Self; 3] = [Self::Actix, Self::Express, Self::FastApi];
    /// Those that issue and refresh them.
    pub const ISSUERS: [Self; 2] = [Self::Oauth2Server, Self::OidcProvider];

    /// As the tables have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Actix => "actix-web + jsonwebtoken",
            Self::Express => "Express + jsonwebtoken",
            Self::FastApi => "FastAPI + PyJWT",
            Self::Oauth2Server => "@node-oauth/oauth2-server, SQLite",
            Self::OidcProvider => "oidc-provider, in memory",
        }
    }

    /// The folder in `bench/peers`.
    const fn folder(self) -> &'static str {
        match self {
            Self::Actix => "actix",
            Self::Express => "express",
            Self::FastApi => "fastapi",
            Self::Oauth2Server => "oauth2-server",
            Self::OidcProvider => "oidc-provider",
        }
    }

    /// Installs it if need be, and starts it.
    ///
    /// # Errors
    /// When it cannot be installed, or does not answer.
    pub async fn start(self, programs: &Programs, tokens: &Tokens) -> Result<Peer, Fault> {
        let addr = free_address()?;
        let folder = install::folder().join(self.folder());
        let mut command = match self {
            Self::Actix => Command::new(install::cargo(&folder).await?.join("peer-actix")),
            Self::FastApi => uvicorn(&folder, addr.port()).await?,
            Self::Express | Self::Oauth2Server | Self::OidcProvider => {
                install::npm(&folder).await?;
                let mut node = Command::new("node");
                node.arg("server.js").env("NODE_ENV", "production");
                node
            }
        };
        command
            .current_dir(folder)
            .envs(tokens.settings())
            .env("DATABASE", programs.data.join("oauth2-server.db"));
        Peer::start(command, self.folder(), addr, &programs.data).await
    }

    /// Begins a session at a running issuer.
    ///
    /// # Errors
    /// When it answers with no refresh token.
    pub async fn log_in(self, peer: &Peer) -> Result<Client, Fault> {
        let request = if self == Self::OidcProvider {
            Message::request("POST", "/login")
        } else {
            let body = "grant_type=password&client_id=demo&username=demo&password=keyturn-demo";
            Message::request("POST", "/token").form(body)
        };
        let answer = http::exchange(peer.addr, &request, PATIENCE).await?;
        match answer.text("refresh_token") {
            token if token.is_empty() => Err(client::said(Some(&answer)).into()),
            token => Ok(Client::OAuth(token)),
        }
    }
}

/// A worker per core, as `FastAPI`'s documentation advises for a machine of one's own.
async fn uvicorn(folder: &Path, port: u16) -> Result<Command, Fault> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).ok_or("this program is nowhere")?;
    let environment = target.join("peers/fastapi");
    install::pip(folder, &environment).await?;
    let workers = available_parallelism()?.to_string();
    let mut command = Command::new(environment.join("bin/uvicorn"));
    command
        .args(["main:app", "--host", "127.0.0.1", "--no-access-log"])
        .args(["--port", &port.to_string(), "--workers", &workers])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
