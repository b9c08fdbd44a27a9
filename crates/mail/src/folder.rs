//! Mails as files, for development: one `.eml` each, which mail programs open.
//!
//! They hold links that work, so nobody else may read them, and the oldest go.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How many files are kept.
const KEPT: usize = 100;

/// Writes a mail as `MILLIS-ID.eml`, whole or not at all, and removes all but the newest files of that form.
/// The same mail again replaces its file.
///
/// # Errors
/// If the folder cannot be made or written to.
pub(crate) fn keep(folder: &Path, millis: i64, id: &str, raw: &[u8]) -> io::Result<()> {
    make(folder)?;
    // Readable by its owner alone; nobody sees half a mail under its name.
    let mut file = tempfile::Builder::new()
        .prefix(".mail-")
        .tempfile_in(folder)?;
    file.write_all(raw)?;
    file.persist(folder.join(format!("{millis}-{id}.eml")))?;
    sweep(folder)
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn sweep(folder: &Path) -> io::Result<()> {
    let mut mails: Vec<(i64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(millis) = millis_of(&path) {
            mails.push((millis, path));
        }
    }
    mails.sort();
    let surplus = mails.len().saturating_sub(KEPT);
    for (_, path) in mails.into_iter().take(surplus) {
        match fs::remove_file(path) {
            // Another process of the same folder was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

/// When the mail in this file was written, if the name is one of ours.
fn millis_of(path: &Path) -> Option<i64> {
    let name = path.file_name()?.to_str()?;
    let (millis, _) = name.strip_suffix(".eml")?.split_once('-')?;
    millis.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_mail_is_a_file_that_its_owner_alone_can_read() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/mails");
        keep(&folder, 1_700_000_000_123, "id-1", b"first").unwrap();
        keep(&folder, 1_700_000_000_123, "id-1", b"again").unwrap();
        assert_eq!(names(&folder), ["1700000000123-id-1.eml"]);
        let file = folder.join("1700000000123-id-1.eml");
        assert_eq!(fs::read(&file).unwrap(), b"again");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        }
    }

    #[test]
    fn the_newest_hundred_stay_and_other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let others = ["notes.eml", "a-b.eml", "1-x.txt"];
        for other in others {
            fs::write(folder.path().join(other), "").unwrap();
        }
        for number in 0..105 {
            // Of different length, so that the order of names is not that of times.
            keep(folder.path(), 95 + number, "m", b"x").unwrap();
        }
        let names = names(folder.path());
        assert_eq!(names.len(), KEPT + others.len());
        assert!(!names.contains(&"99-m.eml".to_owned()));
        assert!(names.contains(&"100-m.eml".to_owned()) && names.contains(&"199-m.eml".to_owned()));
    }
}
