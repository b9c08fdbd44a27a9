//! Replacing, making and locking files, and who else could change them.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn names(folder: &Path) -> Vec<OsString> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect()
}

#[test]
fn a_file_is_replaced_whole_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.json");
    write_atomically(&path, b"one", 0o640).unwrap();
    write_atomically(&path, b"two", 0o640).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(names(folder.path()), ["ring.json"]);
}

#[test]
fn a_link_stays_a_link_and_its_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("ring.json"), folder.path().join("link"));
    write_atomically(&file, b"one", 0o640).unwrap();
    std::os::unix::fs::symlink("ring.json", &link).unwrap();
    write_atomically(&link, b"two", 0o640).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"two");
}

#[test]
fn a_new_file_never_replaces_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.json");
    assert!(create_new(&path, b"one", 0o600).unwrap());
    assert!(!create_new(&path, b"two", 0o600).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(names(folder.path()), ["ring.json"]);
}

#[test]
fn of_many_who_make_a_file_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.json");
    let made: usize = std::thread::scope(|scope| {
        let make = |at: usize| {
            let path = &path;
            scope.spawn(move || create_new(path, at.to_string().as_bytes(), 0o600).unwrap())
        };
        let threads: Vec<_> = (0..8).map(make).collect();
        threads
            .into_iter()
            .map(|thread| usize::from(thread.join().unwrap()))
            .sum()
    });
    assert_eq!(made, 1);
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write_atomically(&folder.path().join("no/ring.json"), b"", 0o600).is_err());
    assert!(create_new(&folder.path().join("no/ring.json"), b"", 0o600).is_err());
}

#[test]
fn a_lock_empties_nothing_that_somebody_put_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (path, name) = (
        folder.path().join("ring.json"),
        folder.path().join("ring.json.lock"),
    );
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let mode = || fs::metadata(&victim).unwrap().permissions().mode();
    let before = mode();

    std::os::unix::fs::symlink(&victim, &name).unwrap();
    let said = lock(&path).unwrap_err().to_string();
    assert!(
        said.contains("ring.json.lock") && said.contains("link"),
        "{said}"
    );
    fs::remove_file(&name).unwrap();

    // Nor is a link to nothing followed: the file would be made elsewhere.
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &name).unwrap();
    assert!(lock(&path).is_err());
    assert!(!folder.path().join("elsewhere").exists());
    fs::remove_file(&name).unwrap();

    fs::hard_link(&victim, &name).unwrap();
    drop(lock(&path).unwrap());
    fs::remove_file(&name).unwrap();

    fs::create_dir(&name).unwrap();
    assert!(lock(&path).is_err());
    fs::remove_dir(&name).unwrap();

    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(mode(), before);
}

#[test]
fn a_lock_that_is_a_pipe_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.json");
    let name = folder.path().join("ring.json.lock");
    let made = std::process::Command::new("mkfifo").arg(&name).status();
    assert!(made.unwrap().success());
    // Opened for reading alone it would wait for a writer that never comes.
    fs::set_permissions(&name, fs::Permissions::from_mode(0o400)).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(lock(&path).map(drop)));
    let said = told.recv_timeout(std::time::Duration::from_secs(20));
    let said = said.expect("it does not wait").unwrap_err().to_string();
    assert!(said.contains("no file"), "{said}");
}

#[test]
fn a_lock_is_for_one_at_a_time_and_nobody_else_s_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.json");
    let held = lock(&path).unwrap();
    let again = File::open(folder.path().join("ring.json.lock")).unwrap();
    assert!(again.try_lock().is_err());
    assert_eq!(
        again.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(held);
    again.try_lock().unwrap();
}

#[test]
fn folders_that_are_made_for_keys_are_their_owner_s_to_write_in() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data/shared/ring.json");
    make_folder_of(&path).unwrap();
    make_folder_of(&path).unwrap();
    for folder in ["data", "data/shared"] {
        let mode = fs::metadata(root.path().join(folder))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
    }
}
