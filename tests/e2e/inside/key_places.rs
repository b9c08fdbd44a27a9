//! Key files at places where somebody else could put his own: no service starts on them, and no command
//! touches them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Cli, Database, Options, Ran, program, services};
use rcgen::{CertifiedKey, generate_simple_self_signed};

/// The two key files and a TLS key, each in a folder of its own, and a database.
struct Place {
    root: tempfile::TempDir,
    database: Database,
}

const FILES: [(&str, &str); 3] = [
    ("JWT_KEYS_FILE", "ring/jwt-keys.json"),
    ("REFRESH_KEYS_FILE", "own/refresh-keys.json"),
    ("TLS_KEY_FILE", "tls/key.pem"),
];

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let database = Database::create(root.path());
        let place = Self { root, database };
        let settings = place
            .options()
            .auth_settings(place.root.path(), place.database.url())
            .unwrap();
        auth_server::key_files::init(&settings, shared::clock::now()).unwrap();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        shared::key_file::make_folder_of(&place.path("tls/key.pem")).unwrap();
        for (name, text, mode) in [
            ("tls/cert.pem", cert.pem(), 0o644),
            ("tls/key.pem", signing_key.serialize_pem(), 0o600),
        ] {
            shared::key_file::write_atomically(&place.path(name), text.as_bytes(), mode).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn options(&self) -> Options {
        Options::new()
            .both("jwt-keys-file", &self.text("ring/jwt-keys.json"))
            .auth("refresh-keys-file", self.text("own/refresh-keys.json"))
            .both("tls-cert-file", &self.text("tls/cert.pem"))
            .both("tls-key-file", &self.text("tls/key.pem"))
    }

    /// What each of the services says to the place.
    async fn starts(&self) -> [Result<(), String>; 2] {
        let auth = services(&self.options(), self.root.path(), self.database.url()).await;
        let settings = self
            .options()
            .resource_settings(self.root.path(), "")
            .unwrap();
        let resource = resource_api::Server::bind(settings)
            .await
            .map(drop)
            .map_err(|error| error.to_string());
        [auth, resource]
    }

    async fn refused(&self, setting: &str, words: &[&str], case: &str) {
        let [auth, resource] = self.starts().await;
        let mut said = vec![auth];
        if setting != "REFRESH_KEYS_FILE" {
            said.push(resource);
        }
        for said in said {
            let said = said.expect_err(case);
            assert!(!said.contains('\n'), "{case}: {said}");
            for word in [&[setting], words].concat() {
                assert!(said.contains(word), "{case}: no {word} in: {said}");
            }
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_key_folder_that_others_may_write_in_refuses_the_start_of_both_services() {
    let place = Place::new();
    assert_eq!(place.starts().await, [Ok(()), Ok(())]);
    for (setting, file) in FILES {
        let folder = place.path(file).parent().unwrap().to_owned();
        let before = fs::metadata(&folder).unwrap().permissions();
        for mode in [0o777, 0o1777, 0o770] {
            chmod(&folder, mode);
            let case = format!("{setting} in a folder of mode {mode:o}");
            place
                .refused(setting, &["chmod go-w", &format!("{mode:04o}")], &case)
                .await;
        }
        fs::set_permissions(&folder, before).unwrap();
    }
    assert_eq!(place.starts().await, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn a_key_file_of_another_user_refuses_the_start_of_both_services() {
    let place = Place::new();
    for (setting, file) in FILES {
        let path = place.path(file);
        // Only root can give files away; the judgement itself is tested for every user where it is made.
        if chown(&path, Some(4_711), None).is_err() {
            return;
        }
        place.refused(setting, &["4711", "chown"], setting).await;
        chown(&path, Some(0), None).unwrap();
    }
    assert_eq!(place.starts().await, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn keys_that_are_mounted_as_kubernetes_does_are_read() {
    let place = Place::new();
    for (_, file) in FILES {
        let path = place.path(file);
        let folder = path.parent().unwrap();
        let (data, name) = (folder.join("..2026_11_25"), path.file_name().unwrap());
        fs::create_dir(&data).unwrap();
        fs::rename(&path, data.join(name)).unwrap();
        symlink("..2026_11_25", folder.join("..data")).unwrap();
        symlink(Path::new("..data").join(name), &path).unwrap();
        chmod(folder, 0o1777);
    }
    assert_eq!(place.starts().await, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn commands_touch_nothing_where_others_may_write() {
    let place = Place::new();
    let cli = Cli::at(
        place.database.url(),
        &place.path("ring/jwt-keys.json"),
        &place.path("own/refresh-keys.json"),
    );
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(place.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    for folder in ["ring", "own"] {
        chmod(&place.path(folder), 0o1777);
        let (before, ring) = (names(folder), fs::read(place.path("ring/jwt-keys.json")));
        let words: &[&[&str]] = match folder {
            "ring" => &[
                &["keys", "rotate"],
                &["keys", "revoke", "x"],
                &["keys", "import"],
                &["keys", "status"],
                &["keys", "init"],
            ],
            _ => &[
                &["keys", "rotate-refresh"],
                &["keys", "status"],
                &["keys", "init"],
            ],
        };
        for words in words {
            let ran = cli.run_with(words, "a secret of a reasonable length, that is");
            assert!(!ran.ok, "{words:?}: {ran:?}");
            assert!(
                ran.err.contains("KEYS_FILE") && ran.err.contains("chmod go-w"),
                "{words:?}: {ran:?}"
            );
        }
        assert_eq!(names(folder), before);
        assert_eq!(
            fs::read(place.path("ring/jwt-keys.json")).unwrap(),
            ring.unwrap()
        );
        let doctor = cli.run(&["doctor"]);
        assert!(
            !doctor.ok && doctor.out.contains("chmod go-w"),
            "{doctor:?}"
        );
        chmod(&place.path(folder), 0o700);
    }
}

#[tokio::test]
async fn keys_rotate_does_not_empty_what_its_lock_links_to() {
    let place = Place::new();
    let cli = Cli::at(
        place.database.url(),
        &place.path("ring/jwt-keys.json"),
        &place.path("own/refresh-keys.json"),
    );
    for (words, lock) in [
        (["keys", "rotate"], "ring/jwt-keys.json.lock"),
        (["keys", "rotate-refresh"], "own/refresh-keys.json.lock"),
    ] {
        let victim = place.path("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, place.path(lock)).unwrap();
        let ran = cli.run(&words);
        assert!(!ran.ok && ran.err.contains(".lock"), "{ran:?}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(place.path(lock)).unwrap();
        cli.done(&words);
    }
}

#[tokio::test]
async fn a_database_that_others_could_replace_is_a_fault_to_the_doctor() {
    let place = Place::new();
    let Some(file) = place.database.url().strip_prefix("sqlite://") else {
        return;
    };
    let cli = Cli::at(
        place.database.url(),
        &place.path("ring/jwt-keys.json"),
        &place.path("own/refresh-keys.json"),
    );
    cli.done(&["migrate"]);
    let said = cli.run(&["doctor"]).out;
    assert!(!said.contains("chmod"), "{said}");
    chmod(place.root.path(), 0o777);
    let said = cli.run(&["doctor"]).out;
    assert!(said.contains("chmod go-w"), "{said}");
    chmod(place.root.path(), 0o700);
    chmod(Path::new(file), 0o644);
    let said = cli.run(&["doctor"]).out;
    assert!(said.contains("chmod o-rwx"), "{said}");
}

/// Runs a shell in which the ring is mounted as a single file, as `-v ring.json:/keys/ring.json` does; `None`
/// where this user may not mount.
fn with_the_ring_mounted(place: &Place, shell: &str) -> Option<Ran> {
    let outside = place.path("outside.json");
    fs::copy(place.path("ring/jwt-keys.json"), &outside).unwrap();
    chmod(&outside, 0o640);
    let mounted = |shell: &str| {
        let done = Command::new("unshare")
            .args(["--mount", "sh", "-ec"])
            .arg(format!("mount --bind \"$OUTSIDE\" \"$RING\"; {shell}"))
            .env("OUTSIDE", &outside)
            .env("RING", place.path("ring/jwt-keys.json"))
            .env("REFRESH", place.path("own/refresh-keys.json"))
            .env("DATABASE", place.database.url())
            .env("AUTH", program("auth-server"))
            .env("API", program("resource-api"))
            .output()
            .ok()?;
        Some(Ran {
            ok: done.status.success(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        })
    };
    mounted("true").filter(|ran| ran.ok)?;
    mounted(shell)
}

#[tokio::test]
async fn a_ring_that_is_mounted_as_a_single_file_is_told_so_and_why_it_cannot_be_rotated() {
    let place = Place::new();
    let flags = "--jwt-keys-file=$RING --refresh-keys-file=$REFRESH --database-url=$DATABASE";
    let Some(rotate) = with_the_ring_mounted(&place, &format!("\"$AUTH\" keys rotate {flags}"))
    else {
        return eprintln!("left out: this user may not mount");
    };
    for word in ["JWT_KEYS_FILE", "single file", "folder"] {
        assert!(
            !rotate.ok && rotate.err.contains(word),
            "{word}: {rotate:?}"
        );
    }
    let doctor = with_the_ring_mounted(&place, &format!("\"$AUTH\" doctor {flags}")).unwrap();
    assert!(
        !doctor.ok && doctor.out.contains("JWT_KEYS_FILE") && doctor.out.contains("single file"),
        "{doctor:?}"
    );
    // Both services say it at the start, and serve.
    for start in [
        format!("timeout 2 \"$AUTH\" --listen=127.0.0.1:0 {flags}"),
        "timeout 2 \"$API\" --listen=127.0.0.1:0 --jwt-keys-file=$RING".to_owned(),
    ] {
        let served = with_the_ring_mounted(&place, &start).unwrap();
        assert!(
            served.err.contains("single file") && served.err.contains("listens on"),
            "{served:?}"
        );
    }
}
