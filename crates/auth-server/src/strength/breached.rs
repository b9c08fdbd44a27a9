//! Passwords that are known to have leaked: a sorted file of SHA-1 hashes, as Have I Been Pwned hands it out.
//!
//! Its lines are 40 hexadecimal digits in capitals or not, and after a colon a count. It is searched on the disk, some
//! forty short reads in 40 GB, and opened anew each time, so that a newer one may take its place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

const HASH: usize = 40;
/// Longer than any line.
const WINDOW: u64 = 128;

/// The file.
#[derive(Clone, Debug)]
pub struct BreachedPasswords {
    path: PathBuf,
}

impl BreachedPasswords {
    /// Looks whether it is such a file.
    ///
    /// # Errors
    /// A sentence with the path.
    pub fn open(path: &Path) -> Result<Self, String> {
        let said = |why: String| format!("BREACHED_PASSWORDS_FILE: {}: {why}", path.display());
        let (mut file, length) = open(path).map_err(|error| said(error.to_string()))?;
        let mut ends = Vec::new();
        for at in [0, length / 2, length.saturating_sub(WINDOW).max(length / 2)] {
            let line = line_from(&mut file, at, length).map_err(|error| said(error.to_string()))?;
            if let Some((_, hash)) = line {
                ends.push(hash);
            }
        }
        if ends.is_empty() || !ends.is_sorted() {
            return Err(said(
                "no sorted lines of 40 hexadecimal digits, as in the file that is ordered by hash"
                    .into(),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Whether this password is in it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn has(&self, password: &str) -> io::Result<bool> {
        let wanted: [u8; 20] = Sha1::digest(password).into();
        let (mut file, length) = open(&self.path)?;
        // The line that begins first at or after `low` is not below the wanted one's; that after `high` is not above.
        let (mut low, mut high) = (0, length);
        while low < high {
            let middle = low.midpoint(high);
            match line_from(&mut file, middle, length)? {
                Some((start, hash)) if hash < wanted => low = start.saturating_add(1),
                Some((_, hash)) if hash == wanted => return Ok(true),
                _ => high = middle,
            }
        }
        Ok(false)
    }
}

/// The file and its length. A pipe in its place would hold up whoever opens it.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::other("this is no regular file"));
    }
    Ok((File::open(path)?, found.len()))
}

/// The first line that begins at or after this place, and where; `None` if none does.
fn line_from(file: &mut File, at: u64, length: u64) -> io::Result<Option<(u64, [u8; 20])>> {
    // The byte before tells whether a line begins right here.
    let from = at.saturating_sub(1);
    file.seek(SeekFrom::Start(from))?;
    let mut window = Vec::new();
    file.by_ref().take(2 * WINDOW).read_to_end(&mut window)?;
    let skipped = if at == 0 {
        0
    } else {
        match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None => return Ok(None),
        }
    };
    let start = from.saturating_add(skipped as u64);
    if start >= length {
        return Ok(None);
    }
    let digits = window.get(skipped..).and_then(|rest| rest.get(..HASH));
    let hash = digits.and_then(hash_of);
    let broken = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no hash at byte {start}"),
        )
    };
    hash.map(|hash| Some((start, hash))).ok_or_else(broken)
}

fn hash_of(digits: &[u8]) -> Option<[u8; 20]> {
    let mut hash = [0; 20];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(passwords: &[String], end: &str) -> (tempfile::TempDir, PathBuf) {
        let mut lines: Vec<_> = passwords
            .iter()
            .enumerate()
            .map(|(n, password)| {
                let hash = Sha1::digest(password);
                let digits = hash.iter().fold(String::new(), |digits, byte| {
                    digits + &format!("{byte:02X}")
                });
                format!(
                    "{digits}:{}{end}",
                    10_u64.pow(u32::try_from(n % 8).unwrap())
                )
            })
            .collect();
        lines.sort();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hashes.txt");
        std::fs::write(&path, lines.concat()).unwrap();
        (folder, path)
    }

    #[test]
    fn every_password_of_the_file_is_found_and_no_other() {
        for (count, end) in [
            (1, "\n"),
            (2, "\r\n"),
            (3, "\r\n"),
            (1000, "\r\n"),
            (1001, "\n"),
        ] {
            let passwords: Vec<_> = (0..count).map(|n| format!("password {n}")).collect();
            let (_folder, path) = file(&passwords, end);
            let breached = BreachedPasswords::open(&path).unwrap();
            for password in &passwords {
                assert!(breached.has(password).unwrap(), "{count} {password}");
            }
            for other in 0..200 {
                assert!(
                    !breached.has(&format!("other {other}")).unwrap(),
                    "{count} {other}"
                );
            }
        }
    }

    #[test]
    fn the_last_line_may_lack_its_end() {
        let passwords: Vec<_> = (0..9).map(|n| format!("password {n}")).collect();
        let (_folder, path) = file(&passwords, "\n");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.trim_end()).unwrap();
        let breached = BreachedPasswords::open(&path).unwrap();
        assert!(
            passwords
                .iter()
                .all(|password| breached.has(password).unwrap())
        );
    }

    #[test]
    fn another_file_is_refused_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        let sorted_by_count = format!(
            "{}:9\n{}:5\n{}:1\n",
            "F".repeat(40),
            "A".repeat(40),
            "0".repeat(40)
        );
        for content in ["", "password\n123456\n", "\n", &sorted_by_count] {
            std::fs::write(&path, content).unwrap();
            let said = BreachedPasswords::open(&path).unwrap_err();
            assert!(
                said.contains("BREACHED_PASSWORDS_FILE") && said.contains("list.txt"),
                "{said}"
            );
        }
        assert!(BreachedPasswords::open(&folder.path().join("none")).is_err());
        assert!(BreachedPasswords::open(folder.path()).is_err());
    }
}
