//! The judgement itself, by what Unix knows of files: owner, group, mode.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Gid, getegid, geteuid, getgroups};

use super::{Exposure, Metadata, Path, PathBuf};

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;
const GROUP_READS: u32 = 0o040;
const GROUP_WRITES: u32 = 0o020;

/// The user and the groups of this process.
struct Own {
    user: u32,
    groups: Vec<u32>,
}

impl Own {
    fn now() -> Self {
        let mut groups = vec![getegid().as_raw()];
        let more = getgroups().unwrap_or_default();
        groups.extend(more.into_iter().map(Gid::as_raw));
        Self {
            user: geteuid().as_raw(),
            groups,
        }
    }

    fn is(&self, user: u32) -> bool {
        user == 0 || user == self.user
    }

    /// root works for whoever the folder belongs to. Other users trust one that belongs to somebody who
    /// has given it to their group: so does auth-server with the ring that resource-api reads. In both cases
    /// what is in it is that user's: he has nothing to replace that belongs to us or root.
    fn trusts_folder(&self, folder: &Metadata, file: Option<u32>) -> bool {
        let lends = self.user == 0 || self.groups.contains(&folder.gid());
        self.is(folder.uid()) || (lends && file.is_none_or(|owner| owner == folder.uid()))
    }

    /// Whose a file in this folder should be: the ring is auth-server's, also in the eyes of resource-api.
    fn owner_in(&self, folder: &Metadata) -> u32 {
        if folder.uid() != 0 && self.trusts_folder(folder, None) {
            folder.uid()
        } else {
            self.user
        }
    }

    fn trusts_file(&self, file: &Metadata, folder: &Metadata) -> bool {
        let given = self.groups.contains(&file.gid()) && file.mode() & GROUP_READS != 0;
        self.is(file.uid()) || (file.uid() == folder.uid() && (self.user == 0 || given))
    }
}

/// One step on the way to a file: an entry, `None` if it is not there, in its folder.
struct Step {
    entry: Option<Metadata>,
    path: PathBuf,
    folder: PathBuf,
    rights: Metadata,
}

impl Step {
    fn is_link(&self) -> bool {
        self.entry.as_ref().is_some_and(Metadata::is_symlink)
    }

    /// What is wrong with the folder, for a file of this owner if there is one.
    fn exposure(&self, own: &Own, file: Option<u32>) -> Option<Exposure> {
        let (mode, owner) = (self.rights.mode() & 0o7777, self.rights.uid());
        // In a sticky folder nobody takes away what is another's. That will do for a link, which is
        // read alone (the root of a Kubernetes mount is 1777); beside the file itself commands write.
        let link = self.entry.as_ref().filter(|entry| entry.is_symlink());
        let stays = mode & STICKY != 0 && link.is_some_and(|link| own.is(link.uid()));
        if mode & OTHERS_WRITE != 0 && !stays {
            let path = self.folder.clone();
            return Some(Exposure::Folder { path, mode });
        }
        (!own.trusts_folder(&self.rights, file)).then(|| Exposure::FolderOwner {
            path: self.folder.clone(),
            owner,
            own: own.user,
        })
    }
}

/// The way to a file: the path itself, and what it leads to if it is a link.
fn steps(path: &Path) -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder)?;
        let entry = match fs::symlink_metadata(&path) {
            Ok(entry) => Some(entry),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let rights = fs::metadata(&folder)?;
        let step = Step {
            entry,
            path,
            folder,
            rights,
        };
        let next = if step.is_link() {
            Some(step.folder.join(fs::read_link(&step.path)?))
        } else {
            None
        };
        steps.push(step);
        match next {
            Some(next) => path = next,
            None => return Ok(steps),
        }
    }
    Err(io::Error::other("too many links"))
}

/// What is wrong with an open file of secrets and the way to it.
///
/// # Errors
/// If the way cannot be looked at.
pub fn of_file(path: &Path, file: &Metadata) -> io::Result<Option<Exposure>> {
    to_others_than(&Own::now(), path, file)
}

fn to_others_than(own: &Own, path: &Path, file: &Metadata) -> io::Result<Option<Exposure>> {
    let steps = steps(path)?;
    let mode = file.mode() & 0o7777;
    if mode & 0o007 != 0 {
        let path = path.to_owned();
        return Ok(Some(Exposure::Everybody { path, mode }));
    }
    if mode & GROUP_WRITES != 0 {
        let path = path.to_owned();
        return Ok(Some(Exposure::Group { path, mode }));
    }
    if let Some(last) = steps.last()
        && !own.trusts_file(file, &last.rights)
    {
        return Ok(Some(Exposure::Owner {
            path: last.path.clone(),
            owner: file.uid(),
            own: own.user,
            right: own.owner_in(&last.rights),
        }));
    }
    Ok(steps
        .iter()
        .find_map(|step| step.exposure(own, Some(file.uid()))))
}

/// What is wrong with the folder of a file of secrets, which need not be there yet.
///
/// # Errors
/// If the folder cannot be looked at.
pub(crate) fn of_folder(path: &Path) -> io::Result<Option<Exposure>> {
    let own = Own::now();
    Ok(steps(path)?
        .iter()
        .find_map(|step| step.exposure(&own, None)))
}

/// Mode, owner and group of each folder on the way: they change without the file.
pub(crate) fn rights_around(path: &Path) -> Vec<(u32, u32, u32)> {
    let rights = |step: &Step| (step.rights.mode(), step.rights.uid(), step.rights.gid());
    steps(path)
        .map(|steps| steps.iter().map(rights).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
