//! `DATABASE_URL` with passwords that mean something in a URL: they work or are refused with advice, and nobody
//! says them, whatever goes wrong.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{App, Cli, Cluster, Running, program};

/// Passwords with what stands in the URL for them; `None`: it has to be refused.
const PASSWORDS: [(&str, Option<&str>); 14] = [
    ("Hunter2ssw0rd", Some("Hunter2ssw0rd")),
    ("Hunter2@ssw0rd", Some("Hunter2@ssw0rd")),
    ("Hunter2@ss@w0rd", Some("Hunter2%40ss@w0rd")),
    ("Hunter2 ssw0rd", Some("Hunter2 ssw0rd")),
    ("Hunter2?ssw0rd", Some("Hunter2?ssw0rd")),
    ("Hunter2?ssw0rd=1&x", Some("Hunter2?ssw0rd=1&x")),
    ("Hunter2#ssw0rd", Some("Hunter2#ssw0rd")),
    ("Hunter2:ssw0rd", Some("Hunter2:ssw0rd")),
    ("Hunter2/ssw0rd", Some("Hunter2%2Fssw0rd")),
    ("Hunter2%zzssw0rd", Some("Hunter2%25zzssw0rd")),
    (r"Hunter2\'ssw0rd", Some(r"Hunter2\'ssw0rd")),
    ("Húnter2 ßsw0rd", Some("Húnter2 %C3%9Fsw0rd")),
    ("Hunter2/ssw0rd", None),
    ("Hunter2%zzssw0rd", None),
];

/// Pieces that would tell such a password.
const PIECES: [&str; 5] = ["Hunter2", "Hunter", "ssw0rd", "nter2", "ßsw0rd"];

fn silent(said: &str, case: &str) {
    for piece in PIECES {
        assert!(!said.contains(piece), "{case}: {piece} is in: {said}");
    }
}

/// What the service says from its start until it waits for its database, serves, or ends.
fn serve(folder: &Path, url: &str) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut child = Command::new(program("auth-server"))
        .env_clear()
        .env("DATABASE_URL", url)
        .env("JWT_KEYS_FILE", path("jwt-keys.json"))
        .env("REFRESH_KEYS_FILE", path("refresh-keys.json"))
        .env("AUTH_LISTEN", "127.0.0.1:0")
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        said.push_str(&line);
        said.push('\n');
        if line.contains("waiting for the database") || line.contains("listens on") {
            break;
        }
    }
    let _ = child.kill();
    child.wait().unwrap();
    said
}

/// Every command that opens the database, and the service, on a URL that leads nowhere.
fn all_that_is_said(folder: &Path, url: &str) -> String {
    let cli = Cli::new(folder, url);
    let mut said = serve(folder, url);
    for words in [
        vec!["migrate"],
        vec!["user", "list"],
        vec!["keys", "rotate"],
        vec![
            "doctor",
            "--auth-url=http://127.0.0.1:9",
            "--resource-url=http://127.0.0.1:9",
        ],
        vec!["copy", "--from", url, "--to", "sqlite:///nowhere/x.db"],
    ] {
        let ran = cli.run(&words);
        // Rotating is done all the same; only the record of it is missing, and that is said.
        assert!(
            !ran.ok || words[1..] == ["rotate"],
            "{words:?} on {url}: {ran:?}"
        );
        said.push_str(&ran.out);
        said.push_str(&ran.err);
    }
    said
}

#[test]
fn a_password_that_cannot_be_reached_or_read_is_said_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    Cli::new(folder.path(), "sqlite://unused").done(&["keys", "init"]);
    for (password, written) in PASSWORDS {
        let url = format!(
            "postgres://kt:{}@127.0.0.1:1/keyturn",
            written.unwrap_or(password)
        );
        let began = Instant::now();
        let said = all_that_is_said(folder.path(), &url);
        silent(&said, &url);
        if written.is_some() {
            assert!(
                said.contains("127.0.0.1") && said.contains("port 1 "),
                "{said}"
            );
            assert!(said.contains("waiting for the database"), "{said}");
        } else {
            assert!(
                said.contains("%25") && said.contains("database-url"),
                "{said}"
            );
            assert!(!said.contains("waiting"), "{said}");
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{:?}",
            began.elapsed()
        );
    }
    // Other schemes, and what is no URL at all.
    for url in [
        "postgre://kt:Hunter2ssw0rd@h/d",
        "Hunter2ssw0rd",
        "postgres://kt:Hunter2@[::1/ssw0rd",
    ] {
        let said = all_that_is_said(folder.path(), url);
        silent(&said, url);
        assert!(said.contains("database-url"), "{said}");
    }
}

const BY_PASSWORD: &str = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

#[test]
fn a_password_that_means_something_in_a_url_opens_the_database_and_a_wrong_one_is_said_by_nobody() {
    let Some(cluster) = Cluster::start(&["listen_addresses=127.0.0.1"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    Cli::new(folder.path(), "sqlite://unused").done(&["keys", "init"]);
    cluster.execute(
        "postgres",
        "CREATE ROLE kt LOGIN; ALTER DATABASE keyturn OWNER TO kt",
    );
    cluster.execute("keyturn", "ALTER SCHEMA public OWNER TO kt");
    cluster.put("pg_hba.conf", BY_PASSWORD);
    cluster.execute("postgres", "SELECT pg_reload_conf()");
    let set = |password: &str| {
        let quoted = password.replace('\'', "''");
        let sql =
            format!("SET standard_conforming_strings = on; ALTER ROLE kt PASSWORD '{quoted}'");
        cluster.execute("postgres", &sql);
    };
    let port = cluster.port();
    for (password, written) in PASSWORDS {
        let Some(written) = written else { continue };
        let url = format!("postgres://kt:{written}@127.0.0.1:{port}/keyturn?sslmode=disable");
        set(password);
        let cli = Cli::new(folder.path(), &url);
        cli.done(&["migrate"]);
        assert_eq!(cli.done(&["user", "list"]), "", "{url}");
        set("another one");
        let said = all_that_is_said(folder.path(), &url);
        assert!(said.contains("authentication failed"), "{said}");
        silent(&said, &url);
    }
    // The parameters that the service adds are none of the database's name.
    set("a?b");
    let name = "SELECT COUNT(*) AS value FROM pg_stat_activity WHERE application_name = 'keyturn'";
    let url = format!("postgres://kt:a?b@127.0.0.1:{port}/keyturn");
    let arguments = [
        Cli::new(folder.path(), &url).arguments(),
        &["--listen=127.0.0.1:0".to_owned()],
    ]
    .concat();
    let _running = Running::start("auth-server", &arguments);
    assert!(cluster.number(name) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_hosts_sockets_and_options_work_as_libpq_knows_them() {
    let Some(cluster) = Cluster::start(&["listen_addresses=127.0.0.1,::1"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keys = Cli::new(folder.path(), "sqlite://unused");
    keys.done(&["keys", "init"]);
    cluster.put(
        "pg_hba.conf",
        "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n",
    );
    cluster.execute("postgres", "SELECT pg_reload_conf()");
    let port = cluster.port();
    let socket = cluster.data().parent().unwrap().display().to_string();
    let encoded = socket.replace('/', "%2F");
    for url in [
        format!("postgres://postgres@127.0.0.1:{port}/keyturn"),
        format!("postgresql://postgres@[::1]:{port}/keyturn"),
        format!("postgres://postgres@/keyturn?host={socket}&port={port}"),
        format!("postgres://postgres@{encoded}:{port}/keyturn"),
        format!("postgres:///keyturn?host={socket}&port={port}&user=postgres"),
        format!(
            "postgres://postgres@127.0.0.1:1,127.0.0.1:{port}/keyturn?target_session_attrs=read-write"
        ),
        format!(
            "postgres://postgres@127.0.0.1:{port}/keyturn?options=-c%20application_name%3Dx&connect_timeout=2\n"
        ),
    ] {
        Cli::new(folder.path(), &url).finish(&["migrate"]).await;
    }
    let url = format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{port}/keyturn");
    let arguments = [
        Cli::new(folder.path(), &url).arguments(),
        &["--listen=127.0.0.1:0", "--registration=open"].map(str::to_owned),
    ]
    .concat();
    let running = tokio::task::spawn_blocking(move || Running::start("auth-server", &arguments))
        .await
        .unwrap();
    let app = App::at(&running.url, "");
    let (_, pair) = app.newcomer().await;
    app.refresh(&pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_encoding_stops_the_start_with_advice() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for encoding in ["LATIN1", "SQL_ASCII", "WIN1251"] {
        let name = encoding.to_lowercase();
        cluster.execute(
            "postgres",
            &format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        );
        let url = cluster.url().replace("/keyturn?", &format!("/{name}?"));
        let cli = Cli::new(folder.path(), &url);
        cli.done(&["keys", "init"]);
        let began = Instant::now();
        let said = serve(folder.path(), &url);
        assert!(!said.contains("listens on"), "{said}");
        let migrate = cli.run(&["migrate"]);
        let doctor = cli.run(&[
            "doctor",
            "--auth-url=http://127.0.0.1:9",
            "--resource-url=http://127.0.0.1:9",
        ]);
        for said in [&said, &migrate.err, &doctor.out] {
            for word in ["DATABASE_URL", encoding, "UTF8", "CREATE DATABASE"] {
                assert!(said.contains(word), "{encoding}, {word}: {said}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(30));
        let tables = "SELECT COUNT(*) AS value FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(number_in(&cluster, &name, tables), 0, "nothing was made");
    }
}

fn number_in(cluster: &Cluster, database: &str, sql: &str) -> i64 {
    use diesel::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        value: i64,
    }
    let row: Row = diesel::sql_query(sql)
        .get_result(&mut cluster.session(database))
        .unwrap();
    row.value
}
