//! Lists that commands print, with what somebody may have typed in them: for a terminal, a pipe, and programs.

use e2e::{App, Cli};
use serde_json::Value;

/// Older versions took names that are refused today, and rows may come from anywhere.
const HOSTILE: &str = "\u{1b}[2J\u{9b}31mroot\r\n\tadmin\u{2028}x\u{202e}nimda\u{7f}";
const SHOWN: &str = r"\u{1b}[2J\u{9b}31mroot\u{d}\u{a}\u{9}admin\u{2028}x\u{202e}nimda\u{7f}";

fn cli(app: &App) -> Cli {
    Cli::new(app.folder(), app.database().url())
}

/// No character that moves the cursor or the text.
fn is_plain(text: &str) -> bool {
    let moves = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{2028}'..='\u{202e}')
    };
    !text.contains(moves)
}

#[tokio::test]
async fn a_name_or_user_agent_that_fakes_lines_stays_in_its_cell() {
    let app = App::start().await;
    let cli = cli(&app);
    let (user, pair) = app.newcomer().await;
    let (id, sid) = (&user.id, pair.sid());
    app.database().execute(&format!(
        "UPDATE users SET user_name = '{HOSTILE}' WHERE id = '{id}'"
    ));
    app.database().set(
        &sid,
        &format!(
            "device = '{HOSTILE}', sighting_generation = 1, sighting_at = 3600, \
             sighting_address = '192.0.2.7', sighting_device = '{HOSTILE}'"
        ),
    );
    app.database().execute(&format!(
        "UPDATE audit SET user_agent = '{HOSTILE}' WHERE session_id = '{sid}'"
    ));

    let list = cli.done(&["user", "list"]);
    assert_eq!(
        list,
        format!("{id}\t{}\t{SHOWN}\t\tactive\n", user.email),
        "one line, and no head line"
    );
    let list = cli.done(&["sessions", "list", id]);
    let cells: Vec<_> = list.trim_end().split('\t').collect();
    assert_eq!((list.lines().count(), cells.len()), (1, 8), "{list}");
    assert_eq!((cells[0], cells[5]), (sid.as_str(), SHOWN));
    assert!(cells[1].starts_with("since ") && cells[2].starts_with("last used "));
    assert_eq!(cells[3], "0 rotations");
    assert_eq!(cells[6], format!("also used from 192.0.2.7 ({SHOWN})"));
    assert_eq!(cells[7], "account");
    let story = cli.done(&["sessions", "explain", &sid]);
    assert!(is_plain(&story) && story.contains(SHOWN), "{story:?}");

    let json = cli.done(&["user", "list", "--json"]);
    assert!(is_plain(&json), "{json:?}");
    let users: Value = serde_json::from_str(&json).unwrap();
    let one = &users[0];
    assert_eq!(
        (&one["id"], &one["userName"]),
        (&id.as_str().into(), &HOSTILE.into())
    );
    assert_eq!(one["email"], user.email.as_str());
    assert!(
        one["roles"].is_array() && one["createdAt"].is_i64(),
        "{one}"
    );
    assert!(!json.contains("argon2"), "{json}");
    let json = cli.done(&["sessions", "list", id, "--json"]);
    assert!(is_plain(&json), "{json:?}");
    let sessions: Value = serde_json::from_str(&json).unwrap();
    let (ours, theirs) = (&sessions[0], &app.sessions(&pair.access_token).await[0]);
    for name in [
        "id",
        "device",
        "address",
        "createdAt",
        "absoluteExpiresAt",
        "alsoUsedFrom",
    ] {
        assert_eq!(ours[name], theirs[name], "{name} is not as in the HTTP API");
    }
    // The user's own list is coarse here, so that a thief learns nothing; an operator's need not be.
    for name in ["lastUsedAt", "idleExpiresAt"] {
        assert!(ours[name].as_i64() >= theirs[name].as_i64() && ours[name].is_i64());
    }
}

#[tokio::test]
async fn keys_are_told_in_one_array_without_their_secrets() {
    let app = App::start().await;
    let cli = cli(&app);
    let json = cli.done(&["keys", "status", "--json"]);
    let keys: Value = serde_json::from_str(&json).unwrap();
    let settings: Vec<_> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["setting"])
        .collect();
    assert_eq!(settings, ["JWT_KEYS_FILE", "REFRESH_KEYS_FILE"]);
    assert_eq!(keys[0]["kid"], app.forge().kid.as_str());
    for name in ["jwt-keys.json", "refresh-keys.json"] {
        let file = std::fs::read(app.folder().join(name)).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let secret = file["keys"][0]["k"].as_str().unwrap();
        assert!(secret.len() > 40 && !json.contains(secret), "{name}");
    }
    let lines = cli.done(&["keys", "status"]);
    let row = lines
        .lines()
        .find(|line| line.starts_with(&app.forge().kid))
        .unwrap();
    assert_eq!(row.split('\t').nth(1), Some("active"), "{lines}");
}

/// A terminal of its own, by util-linux's `script`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_gets_a_head_line_and_columns_that_fit() {
    let app = App::start().await;
    let (user, _) = app.newcomer().await;
    let id = &user.id;
    let name = "王小明 who is called at great length and so on and on and on and on";
    app.database().execute(&format!(
        "UPDATE users SET user_name = '{name}' WHERE id = '{id}'"
    ));
    let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let cli = cli(&app);
    let words: Vec<_> = cli.arguments().iter().map(|word| quoted(word)).collect();
    let program = quoted(e2e::program("auth-server").to_str().unwrap());
    let command = format!("stty cols 100; {program} user list {}", words.join(" "));
    let ran = tokio::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .expect("`script` of util-linux is installed");
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(
        lines[0].starts_with("ID  ") && lines[0].ends_with("STATE"),
        "{out}"
    );
    assert!(lines[1].starts_with(id) && lines[1].contains('…'), "{out}");
    assert!(lines[1].ends_with("active"), "{out}");
    let widest = lines[0].find("STATE").unwrap() + "active".len();
    assert_eq!(widest, 100, "as wide as the terminal: {out}");
}
