//! Files that hold secrets: replaced whole or not at all, and never readable by everybody.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;

/// Replaces a file, or makes it: whoever reads sees the old content or the new, also after a power
/// cut. `mode` are the Unix permission bits; the owner of a file that is replaced stays its owner,
/// as far as this process may give files away.
///
/// # Errors
/// If the folder cannot be written to; the old content stays.
pub fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    // A link stays one: whoever reads the file that it leads to reads the new one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let staged = Staged::write(path, contents, mode)?;
    fs::rename(&staged.path, path)?;
    staged.keep();
    sync_folder(path)
}

/// Makes a file that is not there yet, with its whole content at once. `false`: there is one
/// already, which is left alone, also if somebody else makes it at the same moment.
///
/// # Errors
/// If the folder cannot be written to.
pub fn create_new(path: &Path, contents: &[u8], mode: u32) -> io::Result<bool> {
    if path.try_exists()? {
        return Ok(false);
    }
    let staged = Staged::write(path, contents, mode)?;
    // Unlike a rename, a link never replaces anything.
    match fs::hard_link(&staged.path, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        // A file system without links: the name is still taken by one process only, though a
        // reader may see the file before it is complete.
        Err(_) => match open_new(path, mode) {
            Ok(mut file) => {
                file.write_all(contents)?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        },
    }
    sync_folder(path)?;
    Ok(true)
}

/// A complete file beside its destination; removed again unless it was put in place.
struct Staged {
    path: PathBuf,
}

impl Staged {
    fn write(destination: &Path, contents: &[u8], mode: u32) -> io::Result<Self> {
        let mut random = [0; 9];
        rand::rng().fill_bytes(&mut random);
        let mut name = OsString::from(".");
        name.push(destination.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        name.push(format!(".{}.tmp", URL_SAFE_NO_PAD.encode(random)));
        let path = destination.with_file_name(name);

        let mut file = open_new(&path, mode)?;
        let staged = Self { path };
        give_to_owner_of(destination, &file);
        set_mode(&file, mode)?;
        file.write_all(contents)?;
        file.sync_all()?;
        Ok(staged)
    }

    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Nothing more can be done about a file that does not go away.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the new name durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if cfg!(unix) {
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn open_new(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

#[cfg(not(unix))]
fn open_new(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Sets the mode itself: what `open` makes of it depends on the umask.
#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// An operator who rotates as root must not take the file away from the services.
#[cfg(unix)]
fn give_to_owner_of(old: &Path, file: &File) {
    use std::os::unix::fs::{MetadataExt, fchown};
    if let Ok(old) = fs::metadata(old) {
        // Allowed to root only, or to members of the group: otherwise there is nothing to keep.
        if fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
            let _ = fchown(file, None, Some(old.gid()));
        }
    }
}

#[cfg(not(unix))]
fn give_to_owner_of(_old: &Path, _file: &File) {}

/// The permission bits of a file that everybody may read, write or run; `None` if all is well.
#[cfg(unix)]
pub(crate) fn open_to_everybody(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    (mode & 0o007 != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(crate) fn open_to_everybody(_metadata: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
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
}
