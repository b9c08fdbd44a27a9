//! The real programs, as processes: to kill them, and to use their command line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

/// Variables by which users configure cargo.
const OF_THE_USER: [&str; 3] = ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS"];

/// Where the program is, built from the sources that the tests were built from.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("E2E_PROGRAMS") {
            return folder.into();
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo told this test of its own package would make build scripts of others run again.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_") && !OF_THE_USER.contains(&&*text) {
                cargo.env_remove(&name);
            }
        }
        let built = cargo
            .args(["build", "--quiet", "--workspace", "--bins", "--examples"])
            .arg("--manifest-path")
            .arg(manifest)
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the programs can be built"
        );
        // target/debug/deps/e2e-… stands beside target/debug/auth-server.
        let own = std::env::current_exe().expect("the path of this program");
        own.ancestors().nth(2).expect("a folder").to_owned()
    });
    folder.join(name)
}

/// A service's process. Dropping it kills it.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub url: String,
    log: Option<thread::JoinHandle<String>>,
}

impl Running {
    /// Starts a service with these arguments, and waits until it listens.
    #[must_use]
    pub fn start(name: &str, arguments: &[String]) -> Self {
        Self::listening(name, command(name).args(arguments))
    }

    /// Starts a service that may have only so many files open, connections included.
    #[must_use]
    pub fn start_with_few_files(name: &str, arguments: &[String], files: u32) -> Self {
        let mut shell = Command::new("sh");
        shell
            .env_clear()
            .arg("-c")
            .arg(format!(r#"ulimit -n {files} && exec "$0" "$@""#))
            .arg(program(name))
            .args(arguments);
        Self::listening(name, &mut shell)
    }

    /// Starts a service with these variables and no others, and waits until it listens.
    #[must_use]
    pub fn start_with(name: &str, variables: &[(&str, String)]) -> Self {
        let mut service = Command::new(program(name));
        service.env_clear().envs(variables.iter().cloned());
        Self::listening(name, &mut service)
    }

    /// Starts the example of a library with these variables and no others, and waits until it listens.
    #[must_use]
    pub fn start_example(name: &str, variables: &[(&str, String)]) -> Self {
        Self::start_with(&format!("examples/{name}"), variables)
    }

    fn listening(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .env("RUST_LOG", "trace,hyper_util=off,reqwest=off")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut log = String::new();
        let url = loop {
            let mut line = String::new();
            assert!(
                lines.read_line(&mut line).expect("UTF-8") > 0,
                "{name} ended before it listened:\n{log}"
            );
            log.push_str(&line);
            if let Some((_, address)) = line.trim_end().split_once(" listens on ") {
                break format!("http://{}", address.split(' ').next().unwrap_or_default());
            }
        };
        // Read on, so that the program never waits for us.
        let log = thread::spawn(move || {
            let _ = lines.read_to_string(&mut log);
            log
        });
        Self {
            child,
            url,
            log: Some(log),
        }
    }

    /// Kills the process as a power cut would, and returns what it had logged.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("it can be killed");
        let _ = self.child.wait();
        self.log.take().expect("its log").join().expect("its log")
    }

    /// Stops the process as an operator does, waits for its end, and returns what it had logged.
    pub fn stop(mut self) -> String {
        crate::signal(self.id(), "TERM");
        let _ = self.child.wait();
        self.log.take().expect("its log").join().expect("its log")
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end and says how it ended.
    pub fn wait(mut self) -> std::process::ExitStatus {
        self.child.wait().expect("its end")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Ran {
    /// Whether it ended well.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// auth-server's command line on one folder and database.
#[derive(Clone)]
pub struct Cli {
    arguments: Vec<String>,
}

impl Cli {
    /// The command line for a folder with key files and a database.
    #[must_use]
    pub fn new(folder: &Path, database_url: &str) -> Self {
        Self::at(
            database_url,
            &folder.join("jwt-keys.json"),
            &folder.join("refresh-keys.json"),
        )
    }

    /// The command line for a database and key files that are not in one folder.
    #[must_use]
    pub fn at(database_url: &str, ring: &Path, refresh_keys: &Path) -> Self {
        Self {
            arguments: vec![
                format!("--database-url={database_url}"),
                format!("--jwt-keys-file={}", ring.display()),
                format!("--refresh-keys-file={}", refresh_keys.display()),
            ],
        }
    }

    /// The same with one argument more.
    #[must_use]
    pub fn with(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The arguments that every command gets.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Runs a command.
    #[must_use]
    pub fn run(&self, command: &[&str]) -> Ran {
        self.run_with(command, "")
    }

    /// Runs a command that reads this.
    #[must_use]
    pub fn run_with(&self, words: &[&str], input: &str) -> Ran {
        let mut child = command("auth-server")
            .args(words)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        // It may end without having read.
        let _ = child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input.as_bytes());
        let done = child.wait_with_output().expect("its end");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran {
            ok: done.status.success(),
            out: text(done.stdout),
            err: text(done.stderr),
        }
    }

    /// Runs a command that must end well, while the caller's runtime goes on.
    pub async fn finish(&self, words: &[&str]) -> String {
        let (cli, words) = (self.clone(), words.iter().map(|word| (*word).to_owned()));
        let words: Vec<String> = words.collect();
        let run = move || cli.done(&words.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run)
            .await
            .expect("it ends well")
    }

    /// Runs a command that must end well, and returns what it said.
    pub fn done(&self, command: &[&str]) -> String {
        let ran = self.run(command);
        assert!(ran.ok, "{command:?}: {ran:?}");
        ran.out
    }
}

/// The program without any variable of its settings, so that only flags decide.
fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}
