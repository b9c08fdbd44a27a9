//! TLS to PostgreSQL, which needs auth-server built with `--features postgres-tls`:
//!
//! ```sh
//! cargo build -p auth-server -p resource-api --features auth-server/postgres-tls
//! E2E_POSTGRES_TLS=1 E2E_PROGRAMS=target/debug tests/with-postgres cargo test -p e2e postgres_tls
//! ```

use e2e::{App, Cli, Cluster, random};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::fleet::auth_server;

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("authority {}", random()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    Authority {
        certificate,
        issuer: Issuer::new(params, key),
    }
}

#[tokio::test]
async fn verify_full_trusts_the_named_authority_and_the_named_host_alone() {
    if std::env::var_os("E2E_POSTGRES_TLS").is_none() {
        return eprintln!(
            "left out: E2E_POSTGRES_TLS says that the programs can TLS to PostgreSQL"
        );
    }
    let Some(cluster) = Cluster::start(&["listen_addresses=127.0.0.1"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &ours.issuer).unwrap();
    cluster.put("server.crt", &certificate.pem());
    cluster.put("server.key", &key.serialize_pem());
    cluster.execute("postgres", "ALTER SYSTEM SET ssl = on");
    cluster.execute("postgres", "SELECT pg_reload_conf()");
    let file = |name: &str, authority: &Authority| {
        let file = folder.path().join(name);
        std::fs::write(&file, &authority.certificate).unwrap();
        file.display().to_string()
    };
    let (ours, other) = (file("ours.pem", &ours), file("other.pem", &other));
    let url = |host: &str, root: &str| {
        let port = cluster.port();
        format!("postgres://postgres@{host}:{port}/keyturn?sslmode=verify-full&sslrootcert={root}")
    };

    for (wrong, why) in [
        (url("localhost", &other), "certificate verify failed"),
        (url("127.0.0.1", &ours), "127.0.0.1"),
    ] {
        let ran = Cli::new(folder.path(), &wrong).run(&["migrate"]);
        assert!(!ran.ok && ran.err.contains(why), "{ran:?}");
    }

    let auth = auth_server(folder.path(), &url("localhost", &ours), &[]);
    let app = App::at(&auth.url, "");
    let (_, pair) = app.newcomer().await;
    app.refresh(&pair).await;
    let connections = |tls: bool| {
        cluster.number(&format!(
            "SELECT COUNT(*) AS value FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'keyturn' AND ssl = {tls}"
        ))
    };
    assert!(connections(true) > 0 && connections(false) == 0);
}
