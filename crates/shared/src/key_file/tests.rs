//! Opening, reloading, and refusing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

const NOW: i64 = 1_800_000_000;

struct Ring {
    folder: TempDir,
    path: PathBuf,
}

impl Ring {
    fn new() -> (Self, KeyRing) {
        let folder = tempfile::tempdir().unwrap();
        let it = Self {
            path: folder.path().join("keys.json"),
            folder,
        };
        let ring = KeyRing::generate(NOW);
        it.write(&ring);
        (it, ring)
    }

    fn write(&self, ring: &KeyRing) {
        write_atomically(&self.path, ring.to_json().as_bytes(), 0o640).unwrap();
    }

    fn write_raw(&self, text: &str) {
        write_atomically(&self.path, text.as_bytes(), 0o640).unwrap();
    }

    fn chmod(&self, mode: u32) {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn kid(file: &KeyFile) -> String {
    file.ring().active(NOW).unwrap().kid().to_owned()
}

#[test]
fn a_new_file_is_a_new_ring() {
    let (on_disk, ring) = Ring::new();
    let file = KeyFile::open(&on_disk.path).unwrap();
    assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
    let before = kid(&file);
    on_disk.write(&ring.rotate(NOW, Duration::ZERO, Duration::ZERO).ring);
    assert!(matches!(file.reload_if_changed(), Reload::Reloaded));
    assert_ne!(kid(&file), before);
    assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
}

#[test]
fn a_broken_file_is_reported_once_and_the_old_ring_stays() {
    let (on_disk, ring) = Ring::new();
    let file = KeyFile::open(&on_disk.path).unwrap();
    let before = kid(&file);
    for broken in ["{\"keys\":[", "{\"keys\": []}"] {
        on_disk.write_raw(broken);
        assert!(matches!(
            file.reload_if_changed(),
            Reload::Broken(KeyFileError::Ring { .. })
        ));
        assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
        assert_eq!(kid(&file), before);
    }
    fs::remove_file(&on_disk.path).unwrap();
    assert!(matches!(
        file.reload_if_changed(),
        Reload::Broken(KeyFileError::Read { .. })
    ));
    assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
    assert_eq!(kid(&file), before);
    on_disk.write(&ring);
    assert!(matches!(file.reload_if_changed(), Reload::Reloaded));
}

#[test]
fn a_file_that_is_open_to_everybody_is_refused_until_its_mode_is_right() {
    let (on_disk, ring) = Ring::new();
    for mode in [0o644, 0o642, 0o641, 0o604, 0o777] {
        on_disk.chmod(mode);
        let error = KeyFile::open(&on_disk.path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { .. }), "{error}");
        assert!(check_permissions(&on_disk.path).is_err());
        let text = error.naming("JWT_KEYS_FILE");
        assert!(
            text.starts_with("JWT_KEYS_FILE: ") && text.contains("chmod o-rwx"),
            "{text}"
        );
    }
    for mode in [0o600, 0o640, 0o440, 0o400] {
        on_disk.chmod(mode);
        check_permissions(&on_disk.path).unwrap();
    }
    let file = KeyFile::open(&on_disk.path).unwrap();
    let before = kid(&file);
    write_atomically(
        &on_disk.path,
        KeyRing::generate(NOW).to_json().as_bytes(),
        0o644,
    )
    .unwrap();
    assert!(matches!(
        file.reload_if_changed(),
        Reload::Broken(KeyFileError::Exposed { .. })
    ));
    assert_eq!(kid(&file), before);
    on_disk.chmod(0o640);
    assert!(matches!(file.reload_if_changed(), Reload::Reloaded));
    assert_ne!(kid(&file), before);
    drop(ring);
}

#[test]
fn bad_files_stop_the_start_with_path_and_advice() {
    let (on_disk, _) = Ring::new();
    let fault = |text: &str| {
        on_disk.write_raw(text);
        KeyFile::open(&on_disk.path)
            .unwrap_err()
            .naming("JWT_KEYS_FILE")
    };
    for (text, hint) in [
        ("", "not valid JSON"),
        ("[]", "JWK Set"),
        ("{\"keys\":[]}", "keys init"),
    ] {
        let fault = fault(text);
        assert!(
            fault.contains("keys.json: ") && fault.contains(hint),
            "{fault}"
        );
    }
    let missing = KeyFile::open(&on_disk.folder.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("keys init"), "{missing}");
    assert!(KeyFile::open(on_disk.folder.path()).is_err());
    let huge = "x".repeat(1024 * 1024 + 1);
    assert!(fault(&huge).contains("1 MiB"));
}

#[test]
fn an_unknown_kid_makes_us_look_at_most_once_a_second() {
    let (on_disk, ring) = Ring::new();
    let file = KeyFile::open(&on_disk.path).unwrap();
    let rotate = || {
        let next = ring.rotate(NOW, Duration::ZERO, Duration::ZERO);
        on_disk.write(&next.ring);
        next.added.unwrap()
    };
    let first = rotate();
    assert!(file.look_again().find(&first).is_some());
    let second = rotate();
    assert!(file.look_again().find(&second).is_none());
    *file.looked.lock().unwrap() = Instant::now().checked_sub(LOOK_EVERY);
    assert!(file.look_again().find(&second).is_some());
}

#[test]
fn a_fixed_ring_never_changes() {
    let file = KeyFile::fixed(KeyRing::generate(NOW));
    let before = kid(&file);
    assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
    assert_eq!(file.look_again().active(NOW).unwrap().kid(), before);
}

#[test]
fn a_token_under_a_key_that_was_just_added_is_accepted() {
    use crate::token::NewToken;
    use crate::token::{Policy, Signer, Validator};
    use crate::token_error::TokenError;

    let (on_disk, ring) = Ring::new();
    let policy = Policy {
        issuer: "i".into(),
        audiences: vec!["a".into()],
        skew: 0,
    };
    let validator = Validator::new(KeyFile::open(&on_disk.path).unwrap(), policy.clone());
    let next = ring.rotate(NOW, Duration::ZERO, Duration::ZERO).ring;
    let token = NewToken {
        sub: "u",
        sid: "s",
        jti: "t",
        iat: NOW,
        nbf: NOW,
        exp: NOW + 9,
        name: "",
        email: "",
        email_verified: false,
        roles: &[],
    };
    let signed = Signer::new(KeyFile::fixed(next.clone()), policy.clone())
        .sign(&token, NOW)
        .unwrap();
    on_disk.write(&next);
    // Many at the same moment: the one who reads the file lets nobody else down.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(validator.check(&signed, NOW).is_ok()));
        }
    });
    let foreign = Signer::new(KeyFile::fixed(KeyRing::generate(NOW)), policy);
    let foreign = foreign.sign(&token, NOW).unwrap();
    assert_eq!(
        validator.check(&foreign, NOW).unwrap_err(),
        TokenError::UnknownKey
    );
}

#[test]
fn a_folder_that_others_may_write_in_is_refused_until_its_mode_is_right() {
    let (on_disk, ring) = Ring::new();
    let folder = on_disk.folder.path();
    let chmod = |mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    let file = KeyFile::open(&on_disk.path).unwrap();
    let before = kid(&file);
    for mode in [0o777, 0o1777, 0o775] {
        chmod(mode);
        let text = KeyFile::open(&on_disk.path)
            .unwrap_err()
            .naming("JWT_KEYS_FILE");
        assert!(
            text.starts_with("JWT_KEYS_FILE: ") && text.contains("chmod go-w"),
            "{text}"
        );
        assert!(check_permissions(&on_disk.path).is_err());
        assert!(check_folder_of(&on_disk.path).is_err());
    }
    // A running service does not take over what anybody may have put there, and does when it is mended.
    on_disk.write(&ring.rotate(NOW, Duration::ZERO, Duration::ZERO).ring);
    assert!(matches!(
        file.reload_if_changed(),
        Reload::Broken(KeyFileError::Exposed { .. })
    ));
    assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
    assert_eq!(kid(&file), before);
    chmod(0o755);
    assert!(matches!(file.reload_if_changed(), Reload::Reloaded));
    assert_ne!(kid(&file), before);
}

/// What the MAC keys go through as well.
#[test]
fn a_pipe_in_place_of_the_file_does_not_end_the_looking() {
    let (on_disk, ring) = Ring::new();
    let file = KeyFile::open(&on_disk.path).unwrap();
    let before = kid(&file);
    fs::remove_file(&on_disk.path).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(&on_disk.path)
        .status();
    assert!(made.unwrap().success());
    on_disk.chmod(0o640);
    let (tell, told) = std::sync::mpsc::channel();
    let (looking, path) = (Arc::clone(&file), on_disk.path.clone());
    std::thread::spawn(move || {
        let looks = (looking.reload_if_changed(), looking.reload_if_changed());
        let _ = tell.send((looks, KeyFile::open(&path)));
    });
    let told = told.recv_timeout(Duration::from_secs(20));
    let ((first, second), opened) = told.expect("nobody waits for a writer");
    assert!(matches!(first, Reload::Broken(KeyFileError::Read { .. })));
    assert!(matches!(second, Reload::Unchanged));
    let said = opened.unwrap_err().to_string();
    assert!(said.contains("no file"), "{said}");
    assert_eq!(kid(&file), before);
    // And it goes on when there is a file again.
    on_disk.write(&ring.rotate(NOW, Duration::ZERO, Duration::ZERO).ring);
    assert!(matches!(file.reload_if_changed(), Reload::Reloaded));
}

#[test]
fn a_file_whose_group_was_put_right_is_looked_at_again() {
    let (on_disk, _) = Ring::new();
    let version = || {
        let metadata = fs::metadata(&on_disk.path).unwrap();
        Version::of(&on_disk.path, &metadata)
    };
    let before = version();
    assert_eq!(version(), before);
    // Only root may give a file to a group that it is not in.
    if std::os::unix::fs::chown(&on_disk.path, None, Some(1)).is_ok() {
        assert_ne!(version(), before);
    }
}

#[test]
fn what_cannot_be_read_is_tried_again_at_every_look_and_told_once() {
    let (on_disk, ring) = Ring::new();
    let file = KeyFile::open(&on_disk.path).unwrap();
    let before = kid(&file);
    fs::remove_file(&on_disk.path).unwrap();
    fs::create_dir(&on_disk.path).unwrap();
    assert!(matches!(
        file.reload_if_changed(),
        Reload::Broken(KeyFileError::Read { .. })
    ));
    for _ in 0..3 {
        assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
        // It has not counted as seen: the next look reads it, were it readable by then.
        assert_ne!(file.seen.lock().unwrap().version, version(&on_disk.path));
        assert_eq!(kid(&file), before);
    }
    fs::remove_dir(&on_disk.path).unwrap();
    on_disk.write(&ring.rotate(NOW, Duration::ZERO, Duration::ZERO).ring);
    assert!(matches!(file.reload_if_changed(), Reload::Reloaded));
    assert_ne!(kid(&file), before);
}

#[test]
fn a_second_file_with_the_fault_of_the_first_is_told_as_well() {
    let (on_disk, _) = Ring::new();
    let file = KeyFile::open(&on_disk.path).unwrap();
    for _ in 0..2 {
        write_atomically(&on_disk.path, b"{", 0o600).unwrap();
        assert!(matches!(
            file.reload_if_changed(),
            Reload::Broken(KeyFileError::Ring { .. })
        ));
        assert!(matches!(file.reload_if_changed(), Reload::Unchanged));
    }
}
