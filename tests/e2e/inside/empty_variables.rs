//! Variables that are set and empty, as compose files write them.

use std::process::Command;

use e2e::{Ran, program};

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
    for variable in [
        "TLS_CERT_FILE",
        "TLS_KEY_FILE",
        "WEB_ROOT",
        "RESOURCE_PUBLIC_URL",
        "DEMO_USER",
        "TRUSTED_PROXIES",
    ] {
        let ran = init(variable, folder.path()).await;
        assert!(ran.ok, "{variable}: {ran:?}");
    }
    for variable in ["JWT_ISSUER", "JWT_AUDIENCE", "DATABASE_URL", "LOGIN_LIMITS"] {
        let ran = init(variable, folder.path()).await;
        assert!(!ran.ok && !ran.err.is_empty(), "{variable}: {ran:?}");
    }
}
