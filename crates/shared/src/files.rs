//! Files that hold secrets: replaced whole or not at all, by one program at a time, and never within reach of others.

pub mod exposure;
pub(crate) mod mount;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PersistError};

/// Mode of folders that are made for keys.
#[cfg(unix)]
const FOLDER_MODE: u32 = 0o750;
const LOCK_MODE: u32 = 0o600;

/// Replaces a file, or makes it: whoever reads sees the old content or the new, also after a power
/// cut. `mode` are the Unix permission bits; the owner of a file that is replaced stays its owner,
/// as far as this process may give files away.
///
/// # Errors
/// If the folder cannot be written to; the old content stays.
pub fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    // A link stays one: whoever reads the file that it leads to reads the new one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let staged = staged(path, contents, mode)?;
    staged.persist(path).map_err(|PersistError { error, .. }| {
        if error.kind() == io::ErrorKind::ResourceBusy && mount::is_mounted_alone(path) {
            return io::Error::new(error.kind(), mount::ADVICE);
        }
        error
    })?;
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
    let persisted = staged(path, contents, mode)?.persist_noclobber(path);
    match persisted.map_err(|PersistError { error, .. }| error) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        // A file system that cannot do so: the name is still taken by one process only, though a
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

/// Opens a file to read it, and says what it is. Whatever else has the name is refused: a pipe would make its
/// reader wait until somebody writes, and who looks at a file every second would never look again.
///
/// # Errors
/// If it cannot be opened or is no file.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a folder, a pipe or a device, and no file",
        ));
    }
    Ok((file, metadata))
}

/// Makes the folder of a file of secrets, and those above it, where they are missing: whatever the umask
/// says, nobody but their owner may write in them.
///
/// # Errors
/// If a folder cannot be made.
pub fn make_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder else { return Ok(()) };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
    builder.create(folder)
}

/// Waits until nobody else changes the file, and keeps others from it until the handle is dropped. Two
/// commands at once must not lose each other's key.
///
/// The lock is an empty file beside the file, which is neither written nor followed: the name is known
/// beforehand, and somebody may have put something else there.
///
/// # Errors
/// If the lock's file cannot be made or opened, or is none; the text names it.
pub fn lock(path: &Path) -> io::Result<File> {
    // Appended: in place of the extension it could be the name of a key file.
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let failed = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot lock {}: {error}", name.display()),
        )
    };
    let file = open_lock(&name, path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no file; remove it")));
    }
    file.lock().map_err(failed)?;
    Ok(file)
}

fn open_lock(name: &Path, path: &Path) -> io::Result<File> {
    match open_new(name, LOCK_MODE) {
        Ok(file) => {
            // Of one that was just made, and of no other: it is ours to give away.
            give_to_owner_of(path, &file);
            return Ok(file);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if fs::symlink_metadata(name)?.is_symlink() {
        return Err(io::Error::other("it is a link; remove it"));
    }
    // Another user's (root's, perhaps) need only be readable to be locked.
    open_as_it_is(name, true).or_else(|refused| open_as_it_is(name, false).map_err(|_| refused))
}

/// A complete file beside its destination; removed again unless it is put in place.
fn staged(destination: &Path, contents: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(destination.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    prefix.push(".");
    // Made for its owner alone; the mode comes before the content.
    let mut staged = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".tmp")
        .tempfile_in(folder_of(destination))?;
    give_to_owner_of(destination, staged.as_file());
    set_mode(staged.as_file(), mode)?;
    staged.write_all(contents)?;
    staged.as_file().sync_all()?;
    Ok(staged)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Makes the new name durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
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

/// Opens what is there without following a link, waiting for a pipe's other end or changing anything.
#[cfg(unix)]
fn open_as_it_is(path: &Path, write: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Opens what the path leads to without waiting for a pipe's other end.
#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(not(unix))]
fn open_as_it_is(path: &Path, write: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(write).open(path)
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

#[cfg(test)]
#[cfg(unix)]
mod tests;
