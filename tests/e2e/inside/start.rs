//! What refuses the start, and whether the operator is told which setting it is and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use e2e::{Database, Options, services};
use serde_json::{Value, json};

/// A folder with good key files and an empty database.
struct Place {
    folder: tempfile::TempDir,
    database: Database,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path());
        let settings = Options::new()
            .auth_settings(folder.path(), database.url())
            .unwrap();
        auth_server::key_files::init(&settings, shared::clock::now()).unwrap();
        Self { folder, database }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn starts(&self, options: &Options) -> Result<(), String> {
        services(options, self.path(), self.database.url()).await
    }

    /// What resource-api alone says to the ring.
    async fn resource_api(&self) -> Result<(), String> {
        let settings = Options::new().resource_settings(self.path(), "").unwrap();
        resource_api::Server::bind(settings)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

fn assert_says(said: &Result<(), String>, words: &[&str], case: &str) {
    let Err(said) = said else {
        panic!("{case}: it started")
    };
    assert!(
        !said.trim().contains('\n'),
        "{case}: more than one line: {said}"
    );
    for word in words {
        assert!(
            said.to_lowercase().contains(&word.to_lowercase()),
            "{case}: no {word:?} in: {said}"
        );
    }
}

fn key(kid: &str, k: &str) -> Value {
    json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": k, "sign_from": 1_000})
}

const GOOD: &str = "igFrWLPukBdc0gAAfzGk-QtmyNMpnlQS_Yc8QL6hbeU";
const OTHER: &str = "AQFrWLPukBdc0gAAfzGk-QtmyNMpnlQS_Yc8QL6hbeU";

#[tokio::test]
async fn a_bad_key_ring_refuses_the_start_of_both_services() {
    let place = Place::new();
    let path = place.path().join("jwt-keys.json");
    let sample = "MTIzNDU2Nzg5MDEyMzQ1NjEyMzQ1Njc4OTAxMjM0NTY"; // the seeds' key, twice
    for (case, content, words) in [
        ("empty", String::new(), vec!["keys init"]),
        ("no JSON", "not json".into(), vec!["JSON", "keys init"]),
        (
            "cut",
            json!({"keys": [key("a", GOOD)]}).to_string()[..40].to_owned(),
            vec!["JSON"],
        ),
        ("an array", "[]".into(), vec!["keys init"]),
        ("no keys member", "{}".into(), vec!["keys"]),
        (
            "no keys",
            json!({"keys": []}).to_string(),
            vec!["keys init"],
        ),
        (
            "a short key",
            json!({"keys": [key("a", "c2hvcnQ")]}).to_string(),
            vec!["a", "32"],
        ),
        (
            "an empty key",
            json!({"keys": [key("a", "")]}).to_string(),
            vec!["a", "32"],
        ),
        (
            "31 bytes",
            json!({"keys": [key("a", &GOOD[..42])]}).to_string(),
            vec![],
        ),
        (
            "a sample key",
            json!({"keys": [key("a", sample)]}).to_string(),
            vec!["sample"],
        ),
        (
            "zeros",
            json!({"keys": [key("a", &"A".repeat(43))]}).to_string(),
            vec!["sample"],
        ),
        (
            "a name twice",
            json!({"keys": [key("a", GOOD), key("a", OTHER)]}).to_string(),
            vec!["twice"],
        ),
        (
            "a key twice",
            json!({"keys": [key("a", GOOD), key("b", GOOD)]}).to_string(),
            vec!["same secret"],
        ),
        (
            "an RSA key",
            json!({"keys": [{"kty": "RSA", "kid": "a", "n": "x", "e": "AQAB", "sign_from": 1}]})
                .to_string(),
            vec!["kty"],
        ),
        (
            "no secret",
            json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "a", "sign_from": 1}]})
                .to_string(),
            vec![],
        ),
        (
            "no name",
            json!({"keys": [{"kty": "oct", "alg": "HS256", "k": GOOD, "sign_from": 1}]})
                .to_string(),
            vec!["kid"],
        ),
    ] {
        fs::write(&path, &content).unwrap();
        let said = place.starts(&Options::new()).await;
        let said_too = place.resource_api().await;
        for said in [&said, &said_too] {
            assert_says(
                said,
                &[&["JWT_KEYS_FILE", "jwt-keys.json"], words.as_slice()].concat(),
                case,
            );
            assert!(
                !format!("{said:?}").contains(GOOD),
                "{case}: it tells the key"
            );
        }
    }
}

#[tokio::test]
async fn a_ring_that_cannot_sign_refuses_the_start_of_auth_server_alone() {
    let place = Place::new();
    let path = place.path().join("jwt-keys.json");
    let mut later = key("a", GOOD);
    later["sign_from"] = json!(9_999_999_999_i64);
    fs::write(&path, json!({"keys": [later]}).to_string()).unwrap();
    let said = place.starts(&Options::new()).await;
    assert_says(&said, &["JWT_KEYS_FILE", "sign", "keys rotate"], "staged");
    assert_eq!(place.resource_api().await, Ok(()), "it may already verify");
}

#[tokio::test]
async fn missing_key_files_are_named_with_the_command_that_makes_them() {
    let place = Place::new();
    fs::remove_file(place.path().join("jwt-keys.json")).unwrap();
    assert_says(
        &place.starts(&Options::new()).await,
        &["JWT_KEYS_FILE", "keys init"],
        "ring",
    );
    assert_says(
        &place.resource_api().await,
        &["JWT_KEYS_FILE", "keys init"],
        "ring",
    );
    let place = Place::new();
    fs::remove_file(place.path().join("refresh-keys.json")).unwrap();
    assert_says(
        &place.starts(&Options::new()).await,
        &["REFRESH_KEYS_FILE", "keys init"],
        "MAC keys",
    );
}

#[tokio::test]
async fn key_files_that_everybody_may_use_are_refused() {
    for (file, setting) in [
        ("jwt-keys.json", "JWT_KEYS_FILE"),
        ("refresh-keys.json", "REFRESH_KEYS_FILE"),
    ] {
        for mode in [0o644, 0o604, 0o666, 0o602, 0o777] {
            let place = Place::new();
            let path = place.path().join(file);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_says(
                &place.starts(&Options::new()).await,
                &[setting, "chmod", file],
                &format!("{file} {mode:o}"),
            );
        }
    }
    let place = Place::new();
    fs::set_permissions(
        place.path().join("jwt-keys.json"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    assert_eq!(place.starts(&Options::new()).await, Ok(()));
}

#[tokio::test]
async fn bad_mac_keys_refuse_the_start() {
    let place = Place::new();
    let path = place.path().join("refresh-keys.json");
    for content in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"id":1,"k":"c2hvcnQ","sign_from":0}]}"#,
    ] {
        fs::write(&path, content).unwrap();
        assert_says(
            &place.starts(&Options::new()).await,
            &["REFRESH_KEYS_FILE", "refresh-keys.json"],
            content,
        );
    }
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_named() {
    let place = Place::new();
    let options = Options::new;
    for (options, words) in [
        (
            options().auth("refresh-idle-ttl", "31d"),
            vec!["REFRESH_IDLE_TTL", "REFRESH_ABSOLUTE_TTL"],
        ),
        (
            options()
                .auth("access-token-ttl", "30m")
                .auth("refresh-idle-ttl", "30m"),
            vec!["ACCESS_TOKEN_TTL", "REFRESH_IDLE_TTL"],
        ),
        (
            options().auth("access-token-ttl", "121m"),
            vec!["ACCESS_TOKEN_TTL", "2h"],
        ),
        (
            options().auth("refresh-grace", "301s"),
            vec!["REFRESH_GRACE", "5m"],
        ),
        (
            options().auth("access-token-ttl", "0s"),
            vec!["ACCESS_TOKEN_TTL"],
        ),
        (
            options().auth("refresh-idle-ttl", "0s"),
            vec!["REFRESH_IDLE_TTL"],
        ),
        (
            options().auth("refresh-absolute-ttl", "0s"),
            vec!["REFRESH_ABSOLUTE_TTL"],
        ),
        (options().auth("web-root", "/nowhere"), vec!["WEB_ROOT"]),
        (
            options().resource("revocation-stale", "closed"),
            vec!["REVOCATION_STALE", "REVOCATION_FEED_URL"],
        ),
        (
            options().resource("revocation-feed-url", "ftp://x"),
            vec!["REVOCATION_FEED_URL"],
        ),
    ] {
        assert_says(
            &place.starts(&options).await,
            &words,
            &format!("{options:?}"),
        );
    }
    // What clap itself refuses names the flag, and a value that is none of a setting.
    for (flag, value) in [
        ("jwt-clock-skew", "11m"),
        ("access-token-ttl", "5"),
        ("refresh-grace", "soon"),
        ("registration", "ajar"),
        ("refresh-reuse", "shrug"),
        ("max-sessions-per-user", "0"),
        ("database-url", "mysql://x"),
        ("listen", "nowhere"),
        ("cors-allowed-origins", "example.com"),
        ("demo-user", "nobody"),
        ("jwt-audience", ""),
        ("jwt-issuer", ""),
    ] {
        let said = Options::new()
            .auth(flag, value)
            .auth_settings(place.path(), place.database.url())
            .unwrap_err();
        assert!(said.contains(&format!("--{flag}")), "{flag}: {said}");
    }
}

#[tokio::test]
async fn a_taken_port_and_a_database_that_cannot_be_are_one_line() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = place
        .starts(&Options::new().auth("listen", address.clone()))
        .await;
    assert_says(&said, &["AUTH_LISTEN", &address], "auth-server");
    let said = place
        .starts(&Options::new().resource("listen", address.clone()))
        .await;
    assert_says(&said, &["RESOURCE_LISTEN", &address], "resource-api");
    let file = place.path().join("file");
    fs::write(&file, "no database ".repeat(1_000)).unwrap();
    let url = format!("sqlite://{}/below/keyturn.db", file.display());
    assert_says(
        &place
            .starts(&Options::new().auth("database-url", url))
            .await,
        &["DATABASE_URL"],
        "a folder that is a file",
    );
    let url = format!("sqlite://{}", file.display());
    assert_says(
        &place
            .starts(&Options::new().auth("database-url", url))
            .await,
        &["DATABASE_URL"],
        "no database",
    );
}
