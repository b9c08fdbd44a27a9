//! Commands whose reader has gone, and secrets that come in through a pipe.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{App, Cli, Ran, program};

fn start(cli: &Cli, words: &[&str], out: Stdio) -> Child {
    Command::new(program("auth-server"))
        .env_clear()
        .args(words)
        .args(cli.arguments())
        .stdin(Stdio::piped())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) -> Ran {
    let done = child.wait_with_output().unwrap();
    Ran {
        ok: done.status.success(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Runs a command whose standard output leads to nobody.
fn unheard(cli: &Cli, words: &[&str], input: &str) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = start(cli, words, writer.into());
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    finish(child)
}

#[tokio::test]
async fn no_command_panics_when_its_reader_has_gone() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let (user, pair) = app.newcomer().await;
    let sid = pair.sid();
    for (words, input) in [
        (vec!["user", "list"], ""),
        (vec!["user", "add", "new@example.com"], "a long password"),
        (
            vec!["user", "set-password", "new@example.com"],
            "another long password",
        ),
        (vec!["user", "set-roles", "new@example.com", "auditor"], ""),
        (vec!["user", "block", "new@example.com"], ""),
        (vec!["user", "unblock", "new@example.com"], ""),
        (vec!["sessions", "list", &user.email], ""),
        (vec!["sessions", "explain", &sid], ""),
        (vec!["sessions", "revoke", &sid], ""),
        (vec!["sessions", "revoke", "--user", &user.email], ""),
        (vec!["keys", "status"], ""),
        (vec!["keys", "init"], ""),
        (vec!["keys", "rotate"], ""),
        (vec!["keys", "rotate-refresh"], ""),
        (
            vec!["keys", "import", "--kid", "piped"],
            "8f#kLq2!vRz9@Xw4$Tn7%Bc1^Md6&Hj3",
        ),
        (vec!["keys", "revoke", "piped"], ""),
        (vec!["migrate"], ""),
        (vec!["user", "delete", "new@example.com"], ""),
        (vec!["--help"], ""),
        (vec!["--version"], ""),
    ] {
        let ran = unheard(&cli, &words, input);
        assert!(ran.ok && ran.err.is_empty(), "{words:?}: {ran:?}");
    }
    // The faults that it finds are in its exit code.
    let doctor = unheard(&cli, &["doctor", "--auth-url=http://127.0.0.1:9"], "");
    assert!(!doctor.ok && !doctor.err.contains("panicked"), "{doctor:?}");
    // And all of it has been done.
    let events = app
        .database()
        .words("SELECT detail AS value FROM audit WHERE event = 'keys_changed'");
    for what in [
        "rotate: ",
        "rotate-refresh",
        "import: piped",
        "revoke: piped",
    ] {
        assert!(
            events
                .iter()
                .flatten()
                .any(|detail| detail.starts_with(what)),
            "{what} is not in the audit trail: {events:?}"
        );
    }
    assert_eq!(app.database().end_reason(&sid).as_deref(), Some("admin"));
}

#[tokio::test]
async fn a_list_whose_reader_has_gone_ends_and_a_full_disk_is_a_failure() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    app.register().await;
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    if let Ok(full) = full {
        let mut child = start(&cli, &["user", "list"], full.into());
        drop(child.stdin.take());
        let ran = finish(child);
        assert!(!ran.ok && !ran.err.contains("panicked"), "{ran:?}");
        assert!(ran.err.contains("standard output"), "{ran:?}");
    }
    // Nor does a complaint that nobody hears end in a panic: it would be exit code 101.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for name in ["auth-server", "resource-api"] {
        let status = Command::new(program(name))
            .env_clear()
            .arg("--jwt-keys-file=/nowhere/keys.json")
            .arg("--listen=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(writer.try_clone().unwrap())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1), "{name}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_a_password_or_secret() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let mark = "\u{feff}";
    let added = cli.run_with(
        &["user", "add", "ada@example.com"],
        &format!("{mark}a long password\r\n"),
    );
    assert!(added.ok, "{added:?}");
    app.try_log_in("ada@example.com", "a long password")
        .await
        .is(200);
    let set = cli.run_with(
        &["user", "set-password", "ada@example.com"],
        &format!("{mark}another long password"),
    );
    assert!(set.ok, "{set:?}");
    app.try_log_in("ada@example.com", "another long password")
        .await
        .is(200);
    for (form, written) in [
        (
            "hex",
            "5c016b58b3ee90175cd200007f31a4f90b66c8d3299e5412fd873c40bea16de5".to_owned(),
        ),
        (
            "base64url",
            "igFrWLPukBdc0gAAfzGk-QtmyNMpnlQS_Yc8QL6hbeU".to_owned(),
        ),
        ("utf8", "8f#kLq2!vRz9@Xw4$Tn7%Bc1^Md6&Hj3".to_owned()),
    ] {
        let ran = cli.run_with(
            &["keys", "import", "--form", form, "--kid", form],
            &format!("{mark}{written}\n"),
        );
        assert!(ran.ok, "{form}: {ran:?}");
    }
    let ring: serde_json::Value =
        serde_json::from_slice(&fs::read(app.folder().join("jwt-keys.json")).unwrap()).unwrap();
    let text = URL_SAFE_NO_PAD.encode("8f#kLq2!vRz9@Xw4$Tn7%Bc1^Md6&Hj3");
    let keys = ring["keys"].as_array().unwrap();
    let imported = keys.iter().find(|key| key["kid"] == "utf8").unwrap();
    assert_eq!(imported["k"], text.as_str(), "the text as it was written");
    let utf16 = Command::new(program("auth-server"))
        .env_clear()
        .args(["keys", "import"])
        .args(cli.arguments())
        .stdin(fs::File::open(utf16_file(&app)).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(utf16.stderr).unwrap();
    assert!(!utf16.status.success() && said.contains("UTF-8"), "{said}");
}

fn utf16_file(app: &App) -> std::path::PathBuf {
    let path = app.folder().join("utf16.txt");
    let units = "\u{feff}8f#kLq2!vRz9@Xw4$Tn7%Bc1^Md6&Hj3".encode_utf16();
    fs::write(&path, units.flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    path
}

/// Longer than a request may wait for the database.
const TYPING: Duration = Duration::from_secs(11);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_may_take_its_time_to_be_typed() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let user = app.register().await;
    let slowly: Vec<_> = [
        (vec!["user", "add", "slow@example.com"], "a long password\n"),
        (
            vec!["user", "set-password", &user.email],
            "another long password\n",
        ),
        (vec!["keys", "import"], "8f#kLq2!vRz9@Xw4$Tn7%Bc1^Md6&Hj3\n"),
    ]
    .into_iter()
    .map(|(words, input)| (start(&cli, &words, Stdio::piped()), words, input))
    .collect();
    tokio::time::sleep(TYPING).await;
    for (mut child, words, input) in slowly {
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let ran = finish(child);
        assert!(ran.ok && ran.err.is_empty(), "{words:?}: {ran:?}");
    }
    app.try_log_in("slow@example.com", "a long password")
        .await
        .is(200);
    app.try_log_in(&user.email, "another long password")
        .await
        .is(200);
}
