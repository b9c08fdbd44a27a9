//! The real programs as processes: built if need be, started with short lives, killed, and never left behind.

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rand::RngExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Fault;
use crate::http::{Message, exchange};

/// How long a process may take to answer.
const START: Duration = Duration::from_secs(20);

/// What a process that was started must answer, and how often it is asked.
#[derive(Clone, Copy)]
struct Wanted {
    path: &'static str,
    every: Duration,
}

const LIVES: Wanted = Wanted {
    path: "/healthz",
    every: Duration::from_millis(10),
};

/// Asked often, since the time until then is what is measured.
const READY: Wanted = Wanted {
    path: "/readyz",
    every: Duration::from_millis(1),
};

/// Where the programs are, and what they share.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// Files of this run.
    pub data: PathBuf,
    /// As `DATABASE_URL` has it.
    pub database: String,
    settings: Vec<(&'static str, OsString)>,
}

impl Programs {
    /// Finds the programs beside this one, and has cargo bring them up to date where cargo started this one.
    ///
    /// `database` is `sqlite` for a file in `data`, or a URL.
    ///
    /// # Errors
    /// When they are not there, or the key files cannot be made.
    pub async fn find(
        data: &Path,
        database: &str,
        settings: &[(&'static str, &str)],
    ) -> Result<Self, Fault> {
        let folder = built(&["auth-server", "resource-api"]).await?;
        let database = match database {
            "sqlite" => format!("sqlite://{}", data.join("keyturn.db").display()),
            url => url.to_owned(),
        };
        let mut all = vec![
            ("DATABASE_URL", database.clone().into()),
            ("JWT_KEYS_FILE", data.join("jwt-keys.json").into()),
            ("REFRESH_KEYS_FILE", data.join("refresh-keys.json").into()),
            ("ID_KEYS_FILE", data.join("id-keys.json").into()),
            ("REGISTRATION", "open".into()),
            ("LOGIN_LIMITS", "off".into()),
            ("JWT_CLOCK_SKEW", "0s".into()),
            ("RUST_LOG", "warn".into()),
        ];
        all.extend(
            settings
                .iter()
                .map(|(name, value)| (*name, OsString::from(value))),
        );
        let programs = Self {
            folder,
            data: data.to_owned(),
            database,
            settings: all,
        };
        programs.run(&["keys", "init"]).await?;
        Ok(programs)
    }

    /// Runs a command of `auth-server` and gives what it printed.
    ///
    /// # Errors
    /// What it says when it fails.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, Fault> {
        let done = self
            .command("auth-server")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await?;
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&done.stderr)
                .trim()
                .to_owned()
                .into())
        }
    }

    /// Starts an auth-server on `listen`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn auth_server(&self, listen: SocketAddr) -> Result<Service, Fault> {
        let mut command = self.command("auth-server");
        command.env("AUTH_LISTEN", listen.to_string());
        self.start(command, "auth-server", listen, LIVES).await
    }

    /// Starts a resource-api on `listen` that follows the feed of the auth-server at `auth`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn resource_api(
        &self,
        listen: SocketAddr,
        auth: SocketAddr,
    ) -> Result<Service, Fault> {
        let command = self.api_command(listen, auth);
        self.start(command, "resource-api", listen, LIVES).await
    }

    /// Starts an auth-server on `listen`, and tells how long it took until it was ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn time_auth_server(&self, listen: SocketAddr) -> Result<(Service, Duration), Fault> {
        let mut command = self.command("auth-server");
        command.env("AUTH_LISTEN", listen.to_string());
        let begun = Instant::now();
        let service = self.start(command, "auth-server", listen, READY).await?;
        Ok((service, begun.elapsed()))
    }

    /// Starts a resource-api as [`Self::resource_api`] does, and tells how long it took until it was ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn time_resource_api(
        &self,
        listen: SocketAddr,
        auth: SocketAddr,
    ) -> Result<(Service, Duration), Fault> {
        let command = self.api_command(listen, auth);
        let begun = Instant::now();
        let service = self.start(command, "resource-api", listen, READY).await?;
        Ok((service, begun.elapsed()))
    }

    /// The file of a program.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn api_command(&self, listen: SocketAddr, auth: SocketAddr) -> Command {
        let mut command = self.command("resource-api");
        command
            .env("RESOURCE_LISTEN", listen.to_string())
            .env("REVOCATION_FEED_URL", format!("http://{auth}"));
        command
    }

    async fn start(
        &self,
        mut command: Command,
        name: &str,
        listen: SocketAddr,
        wanted: Wanted,
    ) -> Result<Service, Fault> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log(name))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut service = Service {
            child: command.spawn()?,
            addr: listen,
        };
        let until = Instant::now() + START;
        while !service.answers(wanted.path).await {
            if let Some(status) = service.child.try_wait()? {
                return Err(format!("{name} stopped ({status}): {}", self.last_words(name)).into());
            }
            if Instant::now() > until {
                return Err(format!("{name} does not answer: {}", self.last_words(name)).into());
            }
            sleep(wanted.every).await;
        }
        Ok(service)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.data.join(format!("{name}.log"))
    }

    fn last_words(&self, name: &str) -> String {
        let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        // Dropping the handle kills the process: on every way out of these programs, a panic included.
        command
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        command
    }
}

/// Has cargo bring the programs of these packages up to date, where cargo started this one, and gives the folder that
/// they are in: the one of this program.
///
/// # Errors
/// When they do not build.
pub async fn built(packages: &[&str]) -> Result<PathBuf, Fault> {
    let this = std::env::current_exe()?;
    let folder = this.parent().ok_or("this program is nowhere")?.to_owned();
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--bins"]);
        build.args(packages.iter().flat_map(|package| ["-p", package]));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        if !build.status().await?.success() {
            return Err(format!("{} do not build", packages.join(" and ")).into());
        }
    }
    Ok(folder)
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Service {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Kills it as a power cut would, SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> Result<(), Fault> {
        Ok(self.child.kill().await?)
    }

    async fn answers(&self, path: &str) -> bool {
        let asked = exchange(
            self.addr,
            &Message::request("GET", path),
            Duration::from_secs(1),
        )
        .await;
        asked.is_ok_and(|answer| answer.status() == 200)
    }
}

/// A free address; free a moment ago, that is. Below the ports that systems give to outgoing connections: one
/// of those may not take it while the server that had it is being started again.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr, Fault> {
    for _ in 0..100 {
        let addr: SocketAddr = (
            Ipv4Addr::LOCALHOST,
            rand::rng().random_range(15_000..32_000),
        )
            .into();
        if TcpListener::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    Err("there is no free port".into())
}

/// Completes when this program is told to stop, so that it can stop what it started.
pub async fn told_to_stop() {
    chassis::service::stop_signal().await;
}
