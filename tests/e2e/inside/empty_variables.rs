//! Variables that are set and empty, as compose files write them.

use std::process::Command;

use e2e::{App, Ran, Running, program};

/// Variables of both services that may be missing.
const NONE_IS_FINE: [&str; 8] = [
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "WEB_ROOT",
    "RESOURCE_PUBLIC_URL",
    "DEMO_USER",
    "TRUSTED_PROXIES",
    "REVOCATION_FEED_URL",
    "DENY_FILE",
];

async fn init(variable: &'static str, folder: &std::path::Path) -> Ran {
    let path = |name: &str| folder.join(name).display().to_string();
    let arguments = [
        "keys".to_owned(),
        "init".to_owned(),
        format!("--jwt-keys-file={}", path("jwt-keys.json")),
        format!("--refresh-keys-file={}", path("refresh-keys.json")),
    ];
    let run = move || {
        let mut command = Command::new(program("auth-server"));
        command.env_clear().env(variable, "").args(arguments);
        command.output().unwrap()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    Ran {
        ok: done.status.success(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

#[tokio::test]
async fn an_empty_variable_is_none_where_none_is_fine_and_refused_where_it_would_be_an_accident() {
    let folder = tempfile::tempdir().unwrap();
    for variable in NONE_IS_FINE {
        let ran = init(variable, folder.path()).await;
        assert!(ran.ok, "{variable}: {ran:?}");
    }
    for variable in ["JWT_ISSUER", "JWT_AUDIENCE", "DATABASE_URL", "LOGIN_LIMITS"] {
        let ran = init(variable, folder.path()).await;
        assert!(!ran.ok && !ran.err.is_empty(), "{variable}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_services_start_with_every_variable_empty_that_may_be_missing() {
    // Only for its key files and its database.
    let app = App::start().await;
    let empty = NONE_IS_FINE.map(|name| (name, String::new()));
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../web").to_owned();
    for (name, web_root) in [
        ("auth-server", None),
        // The page needs the address of resource-api, which is the first audience unless it is given.
        ("auth-server", Some(web)),
        ("resource-api", None),
    ] {
        let ring = app.folder().join("jwt-keys.json").display().to_string();
        let mac_keys = app.folder().join("refresh-keys.json").display().to_string();
        let mut variables = Vec::from(empty.clone());
        variables.extend([
            ("JWT_KEYS_FILE", ring),
            ("REFRESH_KEYS_FILE", mac_keys),
            ("DATABASE_URL", app.database().url().to_owned()),
            ("AUTH_LISTEN", "127.0.0.1:0".to_owned()),
            ("RESOURCE_LISTEN", "127.0.0.1:0".to_owned()),
        ]);
        variables.extend(web_root.map(|root| ("WEB_ROOT", root)));
        let running = Running::start_with(name, &variables);
        let health = app.client.get(format!("{}/healthz", running.url));
        assert_eq!(health.send().await.unwrap().status(), 200, "{name}");
    }
}
