//! Who else could read or change a file of secrets: its owner, its mode, and the folders on the way to it.
//!
//! Whoever may write in a folder may put another file in the place of each one in it, whatever the file's
//! own mode says. So a folder counts as much as the file, and where the file is a link (Kubernetes mounts
//! secrets so), the folder of the link and the folder that it leads to both do.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// What is wrong with the place or the rights of a file of secrets, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Exposure {
    /// The file may be read, written or run by every user of this machine.
    #[error(
        "has mode {mode:04o}, so every user of this machine may use it; take the rights of others away with \
         `chmod o-rwx {}`, and consider its keys known", path.display()
    )]
    Everybody {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The group of the file may write it.
    #[error(
        "has mode {mode:04o}, so its group can change it, and need not know the keys for that; take that right \
         away with `chmod g-w {}`", path.display()
    )]
    Group {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to somebody who has nothing to do with this program.
    #[error(
        "belongs to the user with id {owner}, who is neither root nor the user of this program ({own}) and can \
         change it; `chown {right} {}`, and consider its keys known", path.display()
    )]
    Owner {
        /// The file.
        path: PathBuf,
        /// Id of the user that it belongs to.
        owner: u32,
        /// Id of the user of this process.
        own: u32,
        /// Id of the user whose it should be.
        right: u32,
    },
    /// Others than its owner may write in the folder.
    #[error(
        "the folder {} has mode {mode:04o}, so others than its owner can replace what is in it; \
         `chmod go-w {}`, or choose a folder that `auth-server keys init` makes", path.display(), path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder belongs to somebody who has nothing to do with this program.
    #[error(
        "the folder {} belongs to the user with id {owner}, who is neither root nor the user of this program \
         ({own}) and can replace what is in it; `chown {own} {}`", path.display(), path.display()
    )]
    FolderOwner {
        /// The folder.
        path: PathBuf,
        /// Id of the user that it belongs to.
        owner: u32,
        /// Id of the user of this process.
        own: u32,
    },
}

#[cfg(unix)]
pub use unix::of_file;
#[cfg(unix)]
pub(crate) use unix::{of_folder, rights_around};

#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
/// What is wrong with a file of secrets: nothing that can be told here.
///
/// # Errors
/// None.
pub fn of_file(_: &Path, _: &Metadata) -> std::io::Result<Option<Exposure>> {
    Ok(None)
}

#[cfg(not(unix))]
pub(crate) fn of_folder(_: &Path) -> std::io::Result<Option<Exposure>> {
    Ok(None)
}

#[cfg(not(unix))]
pub(crate) fn rights_around(_: &Path) -> Vec<(u32, u32, u32)> {
    Vec::new()
}
