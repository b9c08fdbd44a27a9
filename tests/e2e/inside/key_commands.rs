//! `auth-server keys …` as an operator uses it, beside services that run.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use e2e::{App, Cli, Forge, Options, Pair};
use serde_json::{Value, json};
use tokio::time::sleep;

const LOOK: Duration = Duration::from_millis(1_500);

fn cli(app: &App) -> Cli {
    Cli::new(app.folder(), app.database().url())
}

fn file(app: &App, name: &str) -> Value {
    serde_json::from_slice(&fs::read(app.folder().join(name)).unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What the seeds' issuer in .NET writes: no `kid`, no `sid`, the name under a long URI.
fn dotnet_token(secret: &[u8]) -> String {
    let now = shared::clock::now();
    let forge = Forge {
        kid: String::new(),
        secret: secret.to_vec(),
    };
    let claims = json!({
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": "somebody",
        "sub": "7", "nbf": now, "exp": now + 300,
        "iss": "http://localhost:5000", "aud": "http://localhost:5001",
    });
    forge.draft(&claims).no_head("kid").sign()
}

#[tokio::test]
async fn an_imported_secret_verifies_tokens_that_were_signed_elsewhere() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let random: [u8; 40] = rand::random::<[[u8; 20]; 2]>().concat().try_into().unwrap();
    let text = format!("a .NET app's own secret, {}", e2e::random());
    for (form, written, secret) in [
        ("utf8", format!("{text}\n"), text.as_bytes().to_vec()),
        ("hex", hex(&random), random.to_vec()),
        (
            "base64url",
            format!("{}\r\n", URL_SAFE_NO_PAD.encode(&random[..33])),
            random[..33].to_vec(),
        ),
        (
            "base64url",
            base64::engine::general_purpose::URL_SAFE.encode(&random[..32]),
            random[..32].to_vec(),
        ),
    ] {
        let token = dotnet_token(&secret);
        app.call_home(&token)
            .await
            .refused(401, "token_bad_signature");
        let ran = cli(&app).run_with(&["keys", "import", "--form", form], &written);
        assert!(ran.ok, "{ran:?}");
        sleep(LOOK).await;
        app.call_home(&token).await.is(200);
        let me: Value = app.call("/api/me", &token).await.is(200).json();
        assert_eq!(me["sub"], "7");
        // It signs, too: whoever knows only this secret accepts the tokens of Keyturn.
        let next = app.refresh(&pair).await;
        let (input, mac) = next.access_token.rsplit_once('.').unwrap();
        let stranger = Forge {
            kid: String::new(),
            secret: secret.clone(),
        };
        let signed = stranger.draft(&json!({})).sign_text(input);
        assert_eq!(signed.rsplit_once('.').unwrap().1, mac);
    }
    // Nobody was signed out.
    app.call_home(&pair.access_token).await.is(200);
}

#[tokio::test]
async fn secrets_that_are_weak_or_written_otherwise_are_not_imported() {
    let app = App::start().await;
    let before = file(&app, "jwt-keys.json");
    for (form, written) in [
        ("utf8", "too short"),
        ("utf8", ""),
        ("hex", "zz"),
        ("hex", "00112233445566778899aabbccddeeff"),
        (
            "base64url",
            "not base64url at all, and yet quite long enough",
        ),
        ("utf8", "00000000000000000000000000000000"),
    ] {
        let ran = cli(&app).run_with(&["keys", "import", "--form", form], written);
        assert!(!ran.ok, "{form} {written:?}: {ran:?}");
        assert!(
            written.is_empty() || !ran.err.contains(written),
            "it repeats the secret: {ran:?}"
        );
        assert_eq!(ran.err.trim().lines().count(), 1, "one line: {ran:?}");
    }
    assert_eq!(file(&app, "jwt-keys.json"), before);
}

#[tokio::test]
async fn a_secret_that_can_be_guessed_is_imported_with_a_warning() {
    let app = App::start().await;
    let cli = cli(&app);
    for (kid, secret) in [
        (
            "words",
            "this is my companys secret signing key do not share",
        ),
        ("camels", "TheSecretOfTheHouseThatJackBuiltIn2026"),
        ("again", "hunter2hunter3hunter4hunter5hunter6"),
    ] {
        let ran = cli.run_with(&["keys", "import", "--kid", kid], secret);
        assert!(ran.ok, "{ran:?}");
        assert!(
            ran.err.contains("warning") && ran.err.contains("bits to guess"),
            "{ran:?}"
        );
        assert!(!ran.err.contains(&secret[..12]), "{ran:?}");
    }
    let random = e2e::random() + &e2e::random();
    let ran = cli.run_with(&["keys", "import", "--kid", "random"], &random);
    assert!(ran.ok && ran.err.is_empty(), "{ran:?}");
}

#[tokio::test]
async fn the_sample_keys_of_tutorials_are_not_imported_in_any_spelling() {
    let app = App::start().await;
    let cli = cli(&app);
    for (form, sample) in [
        (
            "utf8",
            "THIS IS USED TO SIGN AND VERIFY JWT TOKENS, IT CAN BE ANY STRING",
        ),
        (
            "utf8",
            "your-super-secret-jwt-token-with-at-least-32-characters-long",
        ),
        (
            "utf8",
            "db3OIsj+BXE9NZDy0t8W3TcNekrF+2d/1sFnWG4HnV8TZY30iTOdtVWJG8abWvB1GlOgJuQZdcF2Luqm/hccMw==",
        ),
        (
            "hex",
            "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
        ),
        (
            "utf8",
            "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
        ),
        (
            "base64url",
            "NDA0RTYzNTI2NjU1NkE1ODZFMzI3MjM1NzUzODc4MkY0MTNGNDQyODQ3MkI0QjYyNTA2NDUzNjc1NjZCNTk3MA",
        ),
        ("utf8", "REALLYREALLYREALLYREALLYVERYSAFE"),
        (
            "utf8",
            "======================BezKoder=Spring===========================",
        ),
    ] {
        let ran = cli.run_with(&["keys", "import", "--form", form], sample);
        assert!(!ran.ok && ran.err.contains("sample"), "{sample}: {ran:?}");
    }
}

#[tokio::test]
async fn no_command_shows_a_secret() {
    let app = App::start().await;
    let commands = cli(&app);
    let text = format!("an imported secret, {}", e2e::random().repeat(2));
    let mut said = Vec::new();
    for (words, input) in [
        (vec!["keys", "rotate", "--in", "0s"], ""),
        (
            vec!["keys", "import", "--kid", "legacy-app", "--form", "utf8"],
            text.as_str(),
        ),
        (vec!["keys", "revoke", "legacy-app"], ""),
        (vec!["keys", "rotate-refresh"], ""),
        (vec!["keys", "init"], ""),
        (vec!["keys", "status"], ""),
    ] {
        let ran = commands.run_with(&words, input);
        assert!(ran.ok, "{words:?}: {ran:?}");
        said.push(format!("{}{}", ran.out, ran.err));
    }
    let said = said.join("\n");
    let keys = |name: &str, list: &str| {
        file(&app, name)[list]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let all = [
        keys("jwt-keys.json", "keys"),
        keys("jwt-keys.json", "former"),
        keys("refresh-keys.json", "keys"),
    ]
    .concat();
    assert!(all.len() >= 6, "{}", all.len());
    for key in all {
        let (kid, k) = (key["kid"].as_str().unwrap(), key["k"].as_str().unwrap());
        assert!(said.contains(kid), "{kid} is missing:\n{said}");
        let secret = URL_SAFE_NO_PAD.decode(k).unwrap();
        for spelling in [k.to_owned(), hex(&secret), STANDARD.encode(&secret)] {
            let part = &spelling[..12];
            assert!(!said.contains(part), "a secret is shown:\n{said}");
        }
    }
    assert!(!said.contains(&text[..30]), "{said}");
    for word in ["active", "retiring", "revoked", "staged"] {
        assert!(said.contains(word), "{word}:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_at_the_same_time_lose_no_key() {
    let app = App::start().await;
    let commands = Arc::new(cli(&app));
    let mut running = Vec::new();
    for n in 0..12 {
        let commands = Arc::clone(&commands);
        running.push(tokio::task::spawn_blocking(move || match n % 3 {
            0 => commands.done(&["keys", "rotate-refresh"]),
            _ => commands.done(&["keys", "rotate", "--in", "60s"]),
        }));
    }
    let mut said = String::new();
    for command in running {
        said.push_str(&command.await.unwrap());
    }
    let ring = file(&app, "jwt-keys.json");
    let kids: Vec<&str> = ring["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    assert_eq!(kids.len(), 9, "{kids:?}");
    for line in said.lines().filter(|line| line.starts_with("key ")) {
        let kid = line.split(' ').nth(1).unwrap();
        assert!(kids.contains(&kid), "{kid} is lost: {kids:?}");
    }
    let mac_keys = file(&app, "refresh-keys.json");
    assert_eq!(mac_keys["keys"].as_array().unwrap().len(), 5);
}

/// The number of the MAC key in a refresh token.
fn mac_key(pair: &Pair) -> [u8; 4] {
    let bytes = URL_SAFE_NO_PAD.decode(&pair.refresh_token).unwrap();
    *bytes.first_chunk().unwrap()
}

#[tokio::test]
async fn sessions_keep_the_mac_key_they_began_with_and_new_ones_take_the_new() {
    let app = App::start().await;
    let user = app.register().await;
    let old = app.log_in(&user).await;
    cli(&app)
        .finish(&["keys", "rotate-refresh", "--in", "3s"])
        .await;
    let staged = app.log_in(&user).await;
    assert_eq!(mac_key(&staged), mac_key(&old), "not before its time");
    sleep(Duration::from_millis(3_100)).await;
    let new = app.log_in(&user).await;
    assert_ne!(mac_key(&new), mac_key(&old));
    for pair in [&old, &staged, &new] {
        let next = app.refresh(pair).await;
        assert_eq!(mac_key(&next), mac_key(pair));
        let again = app.refresh(&next).await;
        app.call_home(&again.access_token).await.is(200);
    }
}

#[tokio::test]
async fn a_replica_that_has_not_read_the_new_mac_key_yet_signs_nobody_out() {
    let app = App::start().await;
    let replica = app.replica(&Options::new()).await;
    let (user, _) = app.newcomer().await;
    for _ in 0..3 {
        // Without a lead: one replica begins sessions with it before the other has looked.
        cli(&app)
            .finish(&["keys", "rotate-refresh", "--in", "0s"])
            .await;
        let pair = app.log_in(&user).await;
        replica.refresh(&pair).await;
        sleep(Duration::from_millis(1_050)).await;
        let pair = app.log_in(&user).await;
        replica.refresh(&pair).await;
    }
}

#[tokio::test]
async fn a_command_with_other_lifetimes_than_the_service_s_drops_no_key_that_a_session_needs() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let cli = cli(&app);
    // A day passed: the ring has turned over, and its first key is over.
    cli.done(&["keys", "rotate", "--in", "0s"]);
    let mut ring = file(&app, "jwt-keys.json");
    let now = shared::clock::now();
    let keys = ring["keys"].as_array_mut().unwrap();
    let old = keys.iter_mut().find(|key| key["verify_until"].is_number());
    let old = old.unwrap();
    (old["sign_from"], old["verify_until"]) = (json!(now - 90_000), json!(now - 80_000));
    let kid = old["kid"].clone();
    fs::write(app.folder().join("jwt-keys.json"), ring.to_string()).unwrap();
    app.database()
        .execute("UPDATE sessions SET created_at = created_at - 80000");
    let short = [
        "--access-token-ttl=30s",
        "--refresh-idle-ttl=1m",
        "--refresh-absolute-ttl=1m",
    ];
    for _ in 0..2 {
        for command in ["rotate", "rotate-refresh"] {
            cli.done(&[&["keys", command, "--in", "0s"][..], &short].concat());
        }
        // The MAC key that sessions began with was followed long ago, as well.
        let mut macs = file(&app, "refresh-keys.json");
        for (at, key) in macs["keys"].as_array_mut().unwrap().iter_mut().enumerate() {
            key["sign_from"] = json!(now - 90_000 + i64::try_from(at).unwrap());
        }
        fs::write(app.folder().join("refresh-keys.json"), macs.to_string()).unwrap();
    }
    let former = file(&app, "jwt-keys.json")["former"].clone();
    assert!(
        former
            .as_array()
            .unwrap()
            .iter()
            .any(|key| key["kid"] == kid),
        "{former}"
    );
    sleep(LOOK).await;
    app.refresh(&pair).await;

    // Nobody needs them when the last session has ended; then the settings decide.
    app.log_out(&pair).await;
    let short = [
        "keys",
        "rotate",
        "--in",
        "0s",
        "--access-token-ttl=30s",
        "--refresh-idle-ttl=1m",
    ];
    cli.done(&short);
    let former = file(&app, "jwt-keys.json")["former"].clone();
    assert!(
        !former.to_string().contains(kid.as_str().unwrap()),
        "{former}"
    );
}

#[tokio::test]
async fn without_a_database_to_ask_no_key_is_dropped() {
    let app = App::start().await;
    app.register().await;
    let ring = file(&app, "jwt-keys.json");
    let mut old = ring["keys"][0].clone();
    for (name, value) in [
        ("kid", json!("old")),
        ("state", json!("retired")),
        ("since", json!(1000)),
    ] {
        old[name] = value;
    }
    old["k"] = json!(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let with_old = json!({"keys": ring["keys"], "former": [old]});
    fs::write(app.folder().join("jwt-keys.json"), with_old.to_string()).unwrap();
    let none = app.folder().join("none/keyturn.db");
    let empty = tempfile::tempdir().unwrap();
    let empty = e2e::Database::create(empty.path());
    Cli::new(app.folder(), empty.url()).done(&["migrate"]);
    for nowhere in [
        "postgres://nobody@127.0.0.1:1/none",
        &format!("sqlite://{}", none.display()),
        // What a command of another host, or without the service's variables, may be given.
        empty.url(),
    ] {
        let ran = Cli::new(app.folder(), nowhere).run(&["keys", "rotate"]);
        assert!(
            ran.ok && ran.err.contains("no old key is dropped") && ran.err.contains("DATABASE_URL"),
            "{ran:?}"
        );
        assert_eq!(
            file(&app, "jwt-keys.json")["former"][0]["kid"],
            "old",
            "{nowhere}"
        );
    }
    assert!(!none.exists() && !none.with_file_name("").exists());
    cli(&app).done(&["keys", "rotate"]);
    assert_eq!(
        file(&app, "jwt-keys.json")["former"]
            .as_array()
            .map_or(0, Vec::len),
        0
    );
}
