//! `auth-server keys …` on the second ring, the keys of `id_token`s.

use std::fs;
use std::path::Path;

use e2e::{App, Cli, Options};
use serde_json::Value;
use tokio::time::sleep;

const LOOK: std::time::Duration = std::time::Duration::from_millis(1_500);

fn cli(app: &App) -> Cli {
    let id_keys = app.folder().join("id-keys.json");
    Cli::new(app.folder(), app.database().url())
        .with(format!("--id-keys-file={}", id_keys.display()))
        .with("--oauth=on")
}

fn keys_of(cli: &Cli) -> Vec<Value> {
    let keys: Vec<Value> = serde_json::from_str(&cli.done(&["keys", "status", "--json"])).unwrap();
    keys.into_iter().filter(|key| key["ring"] == "id").collect()
}

fn named<'a>(keys: &'a [Value], kid: &str) -> &'a Value {
    keys.iter().find(|key| key["kid"] == kid).unwrap()
}

async fn in_jwks(app: &App, kid: &str) -> bool {
    let reply = app.visitor().get("/oauth/jwks.json").await.is(200);
    reply.body.contains(kid)
}

/// The names that a command says of keys that it made.
fn said_kids(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| line.starts_with("key "));
    lines
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn both_algorithms_are_rotated_and_the_old_keys_stay_in_the_jwks() {
    let app = App::signing_on(Options::new(), &[]).await;
    let cli = cli(&app);
    let before = keys_of(&cli);
    let active: Vec<&Value> = before
        .iter()
        .filter(|key| key["state"] == "active")
        .collect();
    assert_eq!(active.len(), 2, "{before:?}");
    let said = cli.done(&["keys", "rotate-id"]);
    assert!(said.contains("JWKS"), "{said}");
    let staged = said_kids(&said);
    assert_eq!(staged.len(), 2, "{said}");
    let keys = keys_of(&cli);
    let day = shared::clock::now() + 24 * 3600;
    for kid in &staged {
        let key = named(&keys, kid);
        assert_eq!(key["state"], "staged");
        let from = key["signFrom"].as_i64().unwrap();
        assert!((day - 60..=day).contains(&from), "{key}");
    }
    let algs: Vec<&Value> = staged.iter().map(|kid| &named(&keys, kid)["alg"]).collect();
    assert_eq!(algs, ["RS256", "ES256"]);
    for key in active {
        assert_eq!(
            named(&keys, key["kid"].as_str().unwrap())["state"],
            "active"
        );
    }
    sleep(LOOK).await;
    for kid in &staged {
        assert!(in_jwks(&app, kid).await, "shown before it signs");
    }
    let details = app
        .database()
        .words("SELECT detail AS value FROM audit WHERE event = 'keys_changed'");
    assert_eq!(details, [Some(format!("rotate-id: {}", staged.join(", ")))]);
}

#[tokio::test]
async fn a_key_that_was_made_elsewhere_signs_after_its_time() {
    let app = App::signing_on(Options::new(), &[]).await;
    let cli = cli(&app);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/id-keys/tests/keys");
    let sample = |name: &str| samples.join(name).display().to_string();
    let said = cli.done(&["keys", "import-id", &sample("ec.pkcs8.pem"), "--in", "1h"]);
    let kids = said_kids(&said);
    let key = named(&keys_of(&cli), &kids[0]).clone();
    assert_eq!(
        (&key["alg"], &key["state"]),
        (&"ES256".into(), &"staged".into())
    );
    let text = fs::read_to_string(sample("ec.pkcs8.pem")).unwrap();
    let ring = fs::read_to_string(app.folder().join("id-keys.json")).unwrap();
    for (name, said) in [
        ("ec.pkcs8.pem", "in the ring already"),
        ("rsa-1024.pem", "rsa-1024.pem: "),
        ("ed25519.pem", "another algorithm"),
        ("rsa.encrypted.pem", "encrypted"),
        ("rsa.public.pem", "no private key"),
        ("none.pem", "none.pem: "),
    ] {
        let ran = cli.run(&["keys", "import-id", &sample(name)]);
        assert!(!ran.ok && ran.err.contains(said), "{name}: {ran:?}");
        assert_eq!(ran.err.trim().lines().count(), 1, "{ran:?}");
        assert!(text.lines().all(|line| !ran.err.contains(line)), "{ran:?}");
    }
    let after = fs::read_to_string(app.folder().join("id-keys.json")).unwrap();
    assert_eq!(after, ring);
}

#[tokio::test]
async fn a_key_is_revoked_in_whichever_ring_it_is() {
    let app = App::signing_on(Options::new(), &[]).await;
    let cli = cli(&app);
    let keys = keys_of(&cli);
    let old = keys
        .iter()
        .find(|key| key["state"] == "active" && key["alg"] == "ES256");
    let old = old.unwrap()["kid"].as_str().unwrap();
    let said = cli.done(&["keys", "revoke", old]);
    assert!(said.contains("id_token"), "{said}");
    let new = said_kids(&said).pop().unwrap();
    let keys = keys_of(&cli);
    assert_eq!(named(&keys, old)["state"], "revoked");
    assert_eq!(named(&keys, &new)["state"], "active");
    sleep(LOOK).await;
    assert!(!in_jwks(&app, old).await && in_jwks(&app, &new).await);
    for (kid, said) in [(old, "revoked already"), ("none", "no key \"none\"")] {
        let ran = cli.run(&["keys", "revoke", kid]);
        assert!(!ran.ok && ran.err.contains(said), "{ran:?}");
    }
    // The first ring's as ever.
    let said = cli.done(&["keys", "revoke", &app.forge().kid]);
    assert!(said.contains("access token"), "{said}");
    assert_eq!(keys_of(&cli).len(), keys.len());
}

#[tokio::test]
async fn without_the_second_ring_the_commands_work_on_the_first() {
    let app = App::start().await;
    let cli = cli(&app);
    let status = cli.done(&["keys", "status"]);
    assert!(!status.contains("id-keys"), "{status}");
    let none = keys_of(&cli);
    assert!(none.is_empty(), "{none:?}");
    let json = cli.done(&["keys", "status", "--json"]);
    let json: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["ring"], &json[0]["alg"]),
        (&"access".into(), &"HS256".into())
    );
    cli.done(&["keys", "rotate", "--in", "0s"]);
    cli.done(&["keys", "revoke", &app.forge().kid]);
    for words in [&["keys", "rotate-id"][..], &["keys", "import-id", "x"]] {
        let ran = cli.run(words);
        assert!(!ran.ok, "{ran:?}");
    }
    let ran = cli.run(&["keys", "rotate-id"]);
    assert!(ran.err.contains("keys init"), "{ran:?}");
    // It makes the missing one, and no other.
    let ring = fs::read(app.folder().join("jwt-keys.json")).unwrap();
    cli.done(&["keys", "init"]);
    assert_eq!(fs::read(app.folder().join("jwt-keys.json")).unwrap(), ring);
    assert_eq!(keys_of(&cli).len(), 2);

    // With a name of the first ring nobody could say which key is to be revoked.
    let sample = include_bytes!("../../../crates/id-keys/tests/keys/ring.json");
    let sample: Value = serde_json::from_slice(sample).unwrap();
    let mut jwk = sample["keys"][1].clone();
    let members = jwk.as_object_mut().unwrap();
    members.retain(|name, _| ["kty", "crv", "kid", "x", "y", "d"].contains(&name.as_str()));
    let path = app.folder().join("key.jwk");
    let import = |jwk: &Value| {
        fs::write(&path, jwk.to_string()).unwrap();
        cli.run(&["keys", "import-id", &path.display().to_string()])
    };
    let kid = std::mem::replace(&mut jwk["kid"], app.forge().kid.into());
    let ran = import(&jwk);
    assert!(!ran.ok && ran.err.contains("JWT_KEYS_FILE"), "{ran:?}");
    jwk["kid"] = kid.clone();
    let ran = import(&jwk);
    assert!(ran.ok, "{ran:?}");
    assert_eq!(said_kids(&ran.out), [kid.as_str().unwrap()]);
}

#[tokio::test]
async fn no_command_shows_a_private_number() {
    let app = App::signing_on(Options::new(), &[]).await;
    let cli = cli(&app);
    let mut said = String::new();
    for words in [
        &["keys", "rotate-id", "--in", "0s"][..],
        &["keys", "status"],
        &["keys", "status", "--json"],
    ] {
        let ran = cli.run(words);
        assert!(ran.ok, "{ran:?}");
        said.push_str(&(ran.out + &ran.err));
    }
    let ring = fs::read(app.folder().join("id-keys.json")).unwrap();
    let ring: Value = serde_json::from_slice(&ring).unwrap();
    for key in ring["keys"].as_array().unwrap() {
        assert!(said.contains(key["kid"].as_str().unwrap()), "{said}");
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            if let Some(number) = key[member].as_str() {
                assert!(!said.contains(&number[..12]), "{member} is shown");
            }
        }
    }
}
