//! The program itself: what a newcomer sees, pastes and presses.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and the functions they share"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program in a folder of its own, on free ports, without the variables of whoever runs this.
fn quickstart(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    command
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
        .env_clear()
        .env("AUTH_LISTEN", "127.0.0.1:0")
        .env("RESOURCE_LISTEN", "127.0.0.1:0");
    command
}

struct Running {
    /// `None` once it has been waited for.
    child: Option<Child>,
    banner: String,
}

impl Running {
    /// Starts the program and reads what it says up to its last line to paste.
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("/refresh-token") {
            if out.read_line(&mut banner).unwrap() == 0 {
                let mut said = String::new();
                child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut said)
                    .unwrap();
                panic!("it ended: {banner}{said}");
            }
        }
        Self {
            child: Some(child),
            banner,
        }
    }

    /// The page's address, as the banner has it.
    fn page(&self) -> String {
        let mut lines = self.banner.lines();
        let page = lines.find_map(|line| line.strip_prefix("  page           "));
        page.unwrap().to_owned()
    }

    /// What a shell prints when the lines of the banner are pasted into it.
    fn pasted(&self) -> String {
        let lines = self
            .banner
            .lines()
            .skip_while(|line| !line.contains("PAIR=$(curl"));
        let script: Vec<_> = lines.collect();
        let shell = Command::new("sh")
            .arg("-c")
            .arg(script.join("\n"))
            .output()
            .unwrap();
        String::from_utf8(shell.stdout).unwrap() + &String::from_utf8(shell.stderr).unwrap()
    }

    /// Sends a signal and waits for the end.
    fn stop(mut self, signal: &str) -> Output {
        let child = self.child.take().unwrap();
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        child.wait_with_output().unwrap()
    }
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn fetched(url: &str) -> String {
    let answer = Command::new("curl").args(["-sS", url]).output().unwrap();
    String::from_utf8(answer.stdout).unwrap()
}

fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    // Log lines begin with a bracket.
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with('[')).collect();
    let [line] = lines[..] else {
        panic!("not one line: {said}")
    };
    line.to_owned()
}

#[test]
fn the_lines_work_when_pasted_and_a_second_run_finds_its_data() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["INT", "TERM"] {
        let running = Running::start(quickstart(folder.path()));
        assert!(
            running.banner.contains("demo@example.com"),
            "{}",
            running.banner
        );
        // By now resource-api waits for news of the feed, which must not hold up the end.
        std::thread::sleep(Duration::from_millis(500));
        let pasted = running.pasted();
        assert_eq!(pasted.matches("200 OK").count(), 2, "{pasted}");
        assert!(pasted.contains("\"refreshToken\":"), "{pasted}");
        let told = Instant::now();
        let stopped = running.stop(signal);
        assert!(
            told.elapsed() < Duration::from_secs(5),
            "it took {:?}",
            told.elapsed()
        );
        let said = String::from_utf8(stopped.stderr).unwrap();
        assert!(
            stopped.status.success(),
            "SIG{signal}: {:?} {said}",
            stopped.status
        );
        assert!(!said.contains("panicked"), "{said}");
    }
    let keys = folder.path().join("data/shared/jwt-keys.json");
    let before = std::fs::read(&keys).unwrap();
    Running::start(quickstart(folder.path())).stop("TERM");
    assert_eq!(
        std::fs::read(&keys).unwrap(),
        before,
        "no key is made twice"
    );
}

#[test]
fn the_page_has_a_client_at_the_issuer_s_address() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(quickstart(folder.path()));
    let page = running.page();
    assert!(page.starts_with("http://localhost:"), "{page}");
    let line = format!("  demo client    demo   redirect URI: {page}\n");
    assert!(running.banner.contains(&line), "{}", running.banner);
    let config = fetched(&format!("{page}config.json"));
    let client = r#""demoClient":{"id":"demo","scope":"openid profile email roles account"}"#;
    assert!(config.contains(client), "{config}");
    let issuer = format!(r#""issuer":"{}""#, page.trim_end_matches('/'));
    let metadata = fetched(&format!("{page}.well-known/openid-configuration"));
    assert!(metadata.contains(&issuer), "{metadata}");
    running.stop("TERM");
    // Another port, and the client follows.
    let running = Running::start(quickstart(folder.path()));
    let config = fetched(&format!("{}config.json", running.page()));
    assert!(config.contains(client), "{config}");
}

#[test]
fn an_issuer_that_sign_on_cannot_have_leaves_it_off_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let with_issuer = || {
        let mut command = quickstart(folder.path());
        command.env("JWT_ISSUER", "http://auth.example:5000");
        command
    };
    let running = Running::start(with_issuer());
    let page = running.page();
    assert!(page.starts_with("http://127.0.0.1:"), "{page}");
    assert!(
        !running.banner.contains("demo client"),
        "{}",
        running.banner
    );
    assert!(!fetched(&format!("{page}config.json")).contains("demoClient"));
    running.stop("TERM");
    let mut asked = with_issuer();
    asked.env("OAUTH", "on");
    let line = refused(asked);
    assert!(line.contains("JWT_ISSUER must be https"), "{line}");
}

#[test]
fn a_taken_port_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for variable in ["AUTH_LISTEN", "RESOURCE_LISTEN"] {
        let mut command = quickstart(folder.path());
        command.env(variable, &address);
        let line = refused(command);
        assert!(
            line.starts_with("quickstart: ") && line.contains(variable),
            "{line}"
        );
        assert!(line.contains(&address), "{line}");
    }
}

#[test]
fn an_unwritable_folder_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the data folder should be: refuses root as well.
    std::fs::write(folder.path().join("data"), "").unwrap();
    let line = refused(quickstart(folder.path()));
    assert!(line.contains("data/shared/jwt-keys.json"), "{line}");
    std::fs::remove_file(folder.path().join("data")).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o500)).unwrap();
    if std::fs::create_dir(folder.path().join("probe")).is_err() {
        let line = refused(quickstart(folder.path()));
        assert!(line.contains("data/shared/jwt-keys.json"), "{line}");
    }
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn a_wrong_variable_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = quickstart(folder.path());
    command.env("ACCESS_TOKEN_TTL", "soon");
    let line = refused(command);
    assert!(
        line.contains("soon") && line.contains("access-token-ttl"),
        "{line}"
    );
}
