//! `auth-server doctor` beside services that agree, and beside services that do not; and what `/readyz` of
//! both says for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use e2e::{App, Options, Ran, program};
use serde_json::Value;

/// Key files in folders of their own, as in earnest.
fn options(apart: &Path) -> Options {
    let mac_keys = apart.join("refresh-keys.json").display().to_string();
    Options::new().auth("refresh-keys-file", mac_keys)
}

async fn doctor(app: &App, apart: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec![
        "doctor".to_owned(),
        format!("--auth-url={}", app.auth_url),
        format!("--resource-url={}", app.resource_url),
        format!("--database-url={}", app.database().url()),
        format!(
            "--jwt-keys-file={}",
            app.folder().join("jwt-keys.json").display()
        ),
        format!(
            "--refresh-keys-file={}",
            apart.join("refresh-keys.json").display()
        ),
    ];
    arguments.extend(more.iter().map(|flag| (*flag).to_owned()));
    let run = move || {
        let mut command = Command::new(program("auth-server"));
        command.env_clear().args(arguments).output().unwrap()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    Ran {
        ok: done.status.success(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

fn faults(ran: &Ran) -> Vec<&str> {
    let lines: Vec<&str> = ran.out.lines().collect();
    let at = |line: &usize| lines[*line].trim_start().starts_with("FAULT ");
    let found: Vec<usize> = (0..lines.len()).filter(at).collect();
    for line in &found {
        // What to do about it comes with it.
        assert!(lines[line + 1].starts_with("        "), "{ran:?}");
    }
    found.into_iter().map(|line| lines[line]).collect()
}

#[tokio::test]
async fn a_healthy_pair_has_nothing_to_mend() {
    let apart = tempfile::tempdir().unwrap();
    let app = App::with(options(apart.path()).with_feed()).await;
    let (_, pair) = app.newcomer().await;
    app.call_home(&pair.access_token).await.is(200);
    let ran = doctor(&app, apart.path(), &[]).await;
    assert!(
        ran.ok && ran.out.ends_with("nothing to mend\n") && ran.err.is_empty(),
        "{ran:?}"
    );
    assert_eq!(faults(&ran), [""; 0]);
}

#[tokio::test]
async fn a_pair_that_drifted_apart_is_told_what_to_mend() {
    let apart = tempfile::tempdir().unwrap();
    let copy = apart.path().join("old-ring.json");
    let old = shared::keys::KeyRing::generate(0).to_json();
    shared::key_file::write_atomically(&copy, old.as_bytes(), 0o600).unwrap();
    let drifted = options(apart.path())
        .resource("jwt-issuer", "http://localhost:5000/")
        .resource("jwt-audience", "https://api.example.com")
        .resource("jwt-clock-skew", "30s")
        .resource("jwt-keys-file", copy.display().to_string())
        .resource("cors-allowed-origins", "https://app.example.com");
    let app = App::with(drifted).await;
    let ring = app.folder().join("jwt-keys.json");
    let web_root = format!("--web-root={}", apart.path().display());
    let ran = doctor(&app, apart.path(), &[&web_root]).await;
    assert!(!ran.ok, "{ran:?}");
    let found = faults(&ran).join("\n");
    for word in [
        "JWT_ISSUER",
        "JWT_AUDIENCE",
        "JWT_CLOCK_SKEW is 30s there and 300s here",
        "does not know the keys",
        "may not call it",
    ] {
        assert!(found.contains(word), "{word}: {ran:?}");
    }
    assert_eq!(faults(&ran).len(), 5, "{ran:?}");
    assert!(ran.err.contains("5 to mend"), "{ran:?}");

    // Files that everybody may read, of which the services themselves would say nothing until they restart.
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o644)).unwrap();
    let mac_keys = apart.path().join("refresh-keys.json");
    fs::set_permissions(&mac_keys, fs::Permissions::from_mode(0o604)).unwrap();
    let ran = doctor(&app, apart.path(), &[]).await;
    let found = faults(&ran).join("\n");
    assert!(
        found.contains("JWT_KEYS_FILE") && found.contains("REFRESH_KEYS_FILE"),
        "{ran:?}"
    );
    assert!(
        found.contains("mode 0644") && found.contains("mode 0604"),
        "{ran:?}"
    );
    let said = format!("{}{}", ran.out, ran.err);
    for file in [ring, mac_keys] {
        let keys: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let secret = keys["keys"][0]["k"].as_str().unwrap();
        assert!(!said.contains(&secret[..16]), "{said}");
    }
}

#[tokio::test]
async fn services_that_do_not_answer_and_a_database_that_is_not_there_are_faults() {
    let apart = tempfile::tempdir().unwrap();
    let app = App::with(options(apart.path())).await;
    let nobody = [
        "--auth-url=http://127.0.0.1:9",
        "--resource-url=http://127.0.0.1:9",
    ];
    let missing = apart.path().join("mistyped.db");
    let ran = {
        let url = format!("sqlite://{}", missing.display());
        let arguments: Vec<String> = vec![
            "doctor".into(),
            nobody[0].into(),
            nobody[1].into(),
            format!("--database-url={url}"),
            format!(
                "--jwt-keys-file={}",
                app.folder().join("jwt-keys.json").display()
            ),
            format!(
                "--refresh-keys-file={}",
                apart.path().join("refresh-keys.json").display()
            ),
        ];
        let run = move || {
            let mut command = Command::new(program("auth-server"));
            command.env_clear().args(arguments).output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(!ran.status.success());
    assert_eq!(out.matches("does not answer").count(), 2, "{out}");
    assert!(out.contains("there is no database file"), "{out}");
    assert!(!missing.exists(), "looking is not making");
}

#[tokio::test]
async fn ready_services_say_what_must_agree_and_no_fingerprints() {
    let app = App::with(Options::new().with_feed()).await;
    let ring: Value =
        serde_json::from_slice(&fs::read(app.folder().join("jwt-keys.json")).unwrap()).unwrap();
    let key = &ring["keys"][0];
    let fingerprint = shared::key_file::KeyFile::open(&app.folder().join("jwt-keys.json"))
        .unwrap()
        .ring()
        .status(0)[0]
        .fingerprint
        .clone();
    for url in [&app.auth_url, &app.resource_url] {
        // The feed's first answer may be under way.
        let mut ready: Value = Value::Null;
        for _ in 0..50 {
            let answer = app
                .client
                .get(format!("{url}/readyz"))
                .send()
                .await
                .unwrap();
            ready = answer.json().await.unwrap();
            if ready["status"] == "ready" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(ready["status"], "ready", "{ready}");
        assert_eq!(ready["issuer"], "http://localhost:5000");
        assert_eq!(
            ready["audience"],
            serde_json::json!(["http://localhost:5001"])
        );
        assert_eq!(ready["clockSkew"], 300);
        assert_eq!(ready["keys"], serde_json::json!([key["kid"]]));
        let text = ready.to_string();
        assert!(!text.contains(&fingerprint) && !text.contains(key["k"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn what_sign_on_needs_is_looked_at_where_it_is_on() {
    let apart = tempfile::tempdir().unwrap();
    let app = App::with(options(apart.path()).with_feed()).await;
    let id_keys = apart.path().join("id-keys.json");
    let id_keys_file = format!("--id-keys-file={}", id_keys.display());
    let flags = [id_keys_file.as_str(), "--oauth=on"];
    let ran = doctor(&app, apart.path(), &flags).await;
    assert!(!ran.ok && faults(&ran).len() == 1, "{ran:?}");
    assert!(faults(&ran)[0].contains("ID_KEYS_FILE"), "{ran:?}");

    let ring = include_bytes!("../../../crates/id-keys/tests/keys/ring.json");
    fs::write(&id_keys, ring).unwrap();
    fs::set_permissions(&id_keys, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = doctor(&app, apart.path(), &flags).await;
    assert!(
        ran.ok && ran.out.contains("0 clients can sign in"),
        "{ran:?}"
    );

    // One that a later version wrote, or a hand.
    app.database().execute(
        "INSERT INTO clients VALUES ('odd', 'Odd', 'web', NULL, NULL, NULL, '[\"https://odd.example/\"]', '[]', NULL, \
         '[]', '[]', 0, 0, 1, 'RS256', 1, 1, NULL, 0)",
    );
    fs::set_permissions(&id_keys, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = doctor(&app, apart.path(), &flags).await;
    let found = faults(&ran).join("\n");
    assert!(
        found.contains("mode 0644") && found.contains("\"odd\""),
        "{ran:?}"
    );
    assert_eq!(faults(&ran).len(), 2, "{ran:?}");
    // Nothing of it matters where sign-on is off.
    let ran = doctor(&app, apart.path(), &[&id_keys_file]).await;
    assert!(ran.ok && !ran.out.contains("odd"), "{ran:?}");
}
