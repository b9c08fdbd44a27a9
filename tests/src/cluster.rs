//! A PostgreSQL server of one test's own, to stop, hang and mistreat.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query};
use tempfile::TempDir;

/// A server with a folder of its own. Dropping it ends it and removes the folder; it ends with the thread
/// that started it, too.
pub struct Cluster {
    server: Option<Child>,
    bin: PathBuf,
    settings: Vec<String>,
    port: u16,
    frozen: bool,
    folder: TempDir,
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are told.
    Fast,
    /// As in a crash, though a prompt one.
    Immediate,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    value: i64,
}

impl Cluster {
    /// Makes a server that listens on a socket in its folder, or nothing if this run is not one with
    /// PostgreSQL (see `tests/with-postgres`).
    #[must_use]
    pub fn start(settings: &[&str]) -> Option<Self> {
        if std::env::var("E2E_DATABASE").as_deref() != Ok("postgres") {
            eprintln!("left out: this run is not one with PostgreSQL");
            return None;
        }
        let bin = binaries();
        let folder = tempfile::tempdir().expect("a folder");
        if root() {
            // For the server alone, which does not run as root.
            let given = Command::new("chown")
                .arg("postgres")
                .arg(folder.path())
                .status();
            assert!(given.is_ok_and(|status| status.success()));
        }
        let mut cluster = Self {
            server: None,
            bin,
            settings: settings.iter().map(|&s| s.to_owned()).collect(),
            port: free_port(),
            frozen: false,
            folder,
        };
        let data = cluster.data();
        let made = as_server(&cluster.bin.join("initdb"))
            .arg("--pgdata")
            .arg(data)
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb");
        cluster.up();
        cluster.execute("postgres", "CREATE DATABASE keyturn");
        Some(cluster)
    }

    /// What `DATABASE_URL` takes.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("keyturn")
    }

    /// The port of its socket, and of TCP with the setting `listen_addresses`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Puts a file beside the server's own, for the server alone.
    pub fn put(&self, name: &str, contents: &str) {
        let file = self.data().join(name);
        fs::write(&file, contents).expect("a file of the server");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        if root() {
            let given = Command::new("chown").arg("postgres").arg(&file).status();
            assert!(given.is_ok_and(|status| status.success()));
        }
    }

    /// The folder with the server's files.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the server and waits until it answers.
    pub fn up(&mut self) {
        let log = fs::File::create(self.folder.path().join("server.log")).expect("a log");
        let mut command = as_server(&self.bin.join("postgres"));
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=", "fsync=off", "shared_buffers=32MB"]
            .into_iter()
            .map(str::to_owned)
            .chain(self.settings.clone())
        {
            command.args(["-c", &setting]);
        }
        self.server = Some(command.stderr(log).spawn().expect("the server starts"));
        let until = Instant::now() + Duration::from_secs(30);
        while PgConnection::establish(&self.url_of("postgres")).is_err() {
            assert!(Instant::now() < until, "the server answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server.
    pub fn down(&mut self, how: Stop) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        signal(server.id(), if how == Stop::Fast { "INT" } else { "QUIT" });
        server.wait().expect("its end");
    }

    /// Stops or continues every process of the server: nothing is answered, and no connection breaks.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
        let server = self.server.as_ref().expect("the server runs").id();
        let children = Command::new("pgrep")
            .args(["-P", &server.to_string()])
            .output()
            .expect("pgrep");
        let children = String::from_utf8(children.stdout).expect("numbers");
        let name = if frozen { "STOP" } else { "CONT" };
        signal(server, name);
        children
            .lines()
            .for_each(|id| signal(id.parse().expect("a number"), name));
    }

    /// Runs statements in a database.
    pub fn execute(&self, database: &str, sql: &str) {
        self.session(database)
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The column `value` of the one row of a query in the services' database.
    pub fn number(&self, sql: &str) -> i64 {
        let row: QueryResult = sql_query(sql).get_result(&mut self.session("keyturn"));
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).value
    }

    /// A connection of the test's own.
    pub fn session(&self, database: &str) -> PgConnection {
        PgConnection::establish(&self.url_of(database)).expect("a connection")
    }

    fn url_of(&self, database: &str) -> String {
        format!(
            "postgres://postgres@/{database}?host={}&port={}",
            self.folder.path().display(),
            self.port
        )
    }
}

type QueryResult = diesel::QueryResult<Number>;

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.frozen {
            self.freeze(false);
        }
        self.down(Stop::Immediate);
        // The server's files belong to somebody who may be another; root removes them all the same.
        let _ = fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o700));
    }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .stderr(Stdio::null()) // it may have ended meanwhile
        .status();
    assert!(sent.is_ok(), "kill runs");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.starts_with(b"0\n")
}

/// PostgreSQL refuses root.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=QUIT");
    if root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

/// Where the installed server is, the newest one.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .expect("an installed PostgreSQL server; on Debian: apt-get install postgresql")
}
