//! What a deny file may say, and what happens to the list when it goes wrong.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use super::*;

fn claims(sub: &str, sid: &str, jti: &str) -> Claims {
    Claims {
        iss: "issuer".into(),
        aud: vec!["audience".into()],
        sub: sub.into(),
        sid: Some(sid.into()),
        jti: Some(jti.into()),
        iat: None,
        nbf: None,
        exp: 0,
        name: None,
        email: None,
        email_verified: false,
        roles: Vec::new(),
        client_id: None,
        scope: None,
    }
}

/// A deny file in a folder of its own; every write is seen as a change, however fast it follows.
struct OnDisk {
    folder: tempfile::TempDir,
    writes: std::cell::Cell<u64>,
}

impl OnDisk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            writes: std::cell::Cell::new(0),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("deny")
    }

    fn write(&self, text: &str) {
        self.writes.set(self.writes.get() + 1);
        let mut file = File::create(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(self.writes.get());
        file.set_modified(modified).unwrap();
    }
}

#[test]
fn lines_comments_and_spaces_are_read() {
    let text =
        "# an emergency\n\n  sid:s1  # the stolen phone\r\nsub: u1\njti:t1\njti:urn:uuid:1\n";
    let (list, broken) = DenyList::parse(text.as_bytes());
    assert_eq!(broken, Vec::<usize>::new());
    assert!(list.sessions.contains("s1"));
    assert!(list.subjects.contains("u1"));
    assert!(list.tokens.contains("t1") && list.tokens.contains("urn:uuid:1"));
    assert_eq!(list.len(), 4);
}

#[test]
fn lines_that_say_nothing_are_counted_and_the_rest_is_taken() {
    let text = b"sid:s1\nuid:u1\nsid:\nsub\nsub:a b\n\xff\xfe\njti:t1";
    let (list, broken) = DenyList::parse(text);
    assert_eq!(broken, [2, 3, 4, 5, 6]);
    assert_eq!(list.len(), 2);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let (list, broken) = DenyList::parse("\u{feff}sid:s1".as_bytes());
    assert!(list.sessions.contains("s1") && broken.is_empty());
}

#[test]
fn an_account_or_session_has_no_cure_and_a_token_has_one() {
    let (list, _) = DenyList::parse(b"sid:s1\nsub:u1\njti:t1");
    assert_eq!(list.judge(&claims("u", "s", "t")), None);
    assert_eq!(list.judge(&claims("u1", "s", "t")), Some(Cure::None));
    assert_eq!(list.judge(&claims("u", "s1", "t")), Some(Cure::None));
    assert_eq!(list.judge(&claims("u", "s", "t1")), Some(Cure::Refresh));
    assert_eq!(
        list.judge(&claims("u1", "s", "t1")),
        Some(Cure::None),
        "the stronger rule counts"
    );
    assert_eq!(
        list.judge(&claims("s1", "u1", "s1")),
        None,
        "an id of another kind is another id"
    );
}

#[test]
fn a_changed_file_is_read_again() {
    let disk = OnDisk::new();
    disk.write("sid:s1");
    let file = DenyFile::open(&disk.path()).unwrap();
    assert!(file.judge(&claims("u", "s1", "t")).is_some());
    disk.write("sid:s2");
    file.reload_if_changed();
    assert!(file.judge(&claims("u", "s1", "t")).is_none());
    assert!(file.judge(&claims("u", "s2", "t")).is_some());
    disk.write("");
    file.reload_if_changed();
    assert!(file.is_empty(), "an emptied file lifts everything");
}

#[test]
fn a_file_that_appears_later_counts_from_then_on() {
    let disk = OnDisk::new();
    let file = DenyFile::open(&disk.path()).unwrap();
    assert!(file.is_empty());
    disk.write("sub:u1");
    file.reload_if_changed();
    assert!(file.judge(&claims("u1", "s", "t")).is_some());
}

#[test]
fn a_vanished_file_brings_nobody_back() {
    let disk = OnDisk::new();
    disk.write("sub:u1");
    let file = DenyFile::open(&disk.path()).unwrap();
    fs::remove_file(disk.path()).unwrap();
    file.reload_if_changed();
    assert!(file.judge(&claims("u1", "s", "t")).is_some());
    disk.write("sub:u2");
    file.reload_if_changed();
    assert!(file.judge(&claims("u1", "s", "t")).is_none());
}

#[test]
fn a_broken_line_brings_nobody_back_until_it_is_mended() {
    let disk = OnDisk::new();
    disk.write("sub:u1");
    let file = DenyFile::open(&disk.path()).unwrap();
    disk.write("subu1\nsub:u2");
    file.reload_if_changed();
    assert_eq!(file.broken_lines(), 1);
    assert!(file.judge(&claims("u1", "s", "t")).is_some());
    assert!(file.judge(&claims("u2", "s", "t")).is_some());
    disk.write("sub:u2");
    file.reload_if_changed();
    assert_eq!(file.broken_lines(), 0);
    assert!(file.judge(&claims("u1", "s", "t")).is_none());
}

#[test]
fn a_folder_in_its_place_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(DenyFile::open(folder.path()).is_err());
}

#[test]
fn a_uuid_in_capitals_or_any_other_spelling_denies() {
    const ID: &str = "d21d099b-b49b-4604-a247-71b0518a0b1c";
    let spellings = [
        ID.to_owned(),
        ID.to_uppercase(),
        ID.replace('-', ""),
        ID.replace('-', "").to_uppercase(),
        format!("{{{}}}", ID.to_uppercase()),
        format!("urn:uuid:{ID}"),
        format!("D21d099B{}", &ID[8..]),
    ];
    let other = "d21d099b-b49b-4604-a247-71b0518a0b1d";
    for rule in &spellings {
        for claimed in &spellings {
            for kind in ["sub", "sid", "jti"] {
                let (list, broken) = DenyList::parse(format!("{kind}:{rule}\n").as_bytes());
                assert!(broken.is_empty(), "{rule}");
                let of = |id: &str| match kind {
                    "sub" => claims(id, "s", "t"),
                    "sid" => claims("u", id, "t"),
                    _ => claims("u", "s", id),
                };
                assert!(
                    list.judge(&of(claimed)).is_some(),
                    "{kind}:{rule} {claimed}"
                );
                assert_eq!(list.judge(&of(other)), None, "{kind}:{rule}");
            }
        }
    }
    // What is no UUID has one spelling: another issuer's users may differ in case alone.
    let (list, _) = DenyList::parse(b"sub:Ada\n");
    assert!(list.judge(&claims("Ada", "s", "t")).is_some());
    for id in ["ada", "ADA", "{Ada}"] {
        assert_eq!(list.judge(&claims(id, "s", "t")), None, "{id}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_the_file_does_not_end_the_looking() {
    let disk = OnDisk::new();
    disk.write("sid:s1");
    let file = Arc::new(DenyFile::open(&disk.path()).unwrap());
    fs::remove_file(disk.path()).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(disk.path())
        .status();
    assert!(made.unwrap().success());
    let (tell, told) = std::sync::mpsc::channel();
    let (looking, path) = (Arc::clone(&file), disk.path());
    std::thread::spawn(move || {
        looking.reload_if_changed();
        tell.send(DenyFile::open(&path))
    });
    let told = told.recv_timeout(Duration::from_secs(20));
    let opened = told.expect("nobody waits for a writer");
    assert!(opened.unwrap_err().to_string().contains("no file"));
    assert!(file.judge(&claims("u", "s1", "t")).is_some());
    fs::remove_file(disk.path()).unwrap();
    disk.write("sid:s2");
    file.reload_if_changed();
    assert!(file.judge(&claims("u", "s2", "t")).is_some());
}
