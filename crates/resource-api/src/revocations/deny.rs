//! The deny file: revocation by hand, for the day on which the issuer cannot be asked.
//!
//! One `sid:…`, `sub:…` or `jti:…` a line; `#` opens a comment. The file is looked at every second and read again
//! when it changed. Whatever goes wrong with it, nobody who was denied comes back by accident: an unreadable or
//! vanished file leaves the list as it was, and a line that says nothing keeps the old list beside the new lines.
//! To lift everything, empty the file.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use shared::claims::Claims;
use shared::files::open_regular;
use shared::key_file::Version;
use shared::token_error::Cure;
use uuid::Uuid;

/// The largest file that is read, in bytes; some 400 000 lines.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// What the lines of a deny file say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DenyList {
    sessions: HashSet<Box<str>>,
    subjects: HashSet<Box<str>>,
    tokens: HashSet<Box<str>>,
}

impl DenyList {
    /// Reads the lines; the numbers of those that say nothing come back beside the list, counted from 1.
    fn parse(text: &[u8]) -> (Self, Vec<usize>) {
        let mut list = Self::default();
        let mut broken = Vec::new();
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let understood = std::str::from_utf8(line).is_ok_and(|line| list.take(line));
            if !understood {
                broken.push(index + 1);
            }
        }
        (list, broken)
    }

    /// Takes one line in; says whether it was understood.
    fn take(&mut self, line: &str) -> bool {
        let rule = line.split_once('#').map_or(line, |(rule, _)| rule).trim();
        if rule.is_empty() {
            return true;
        }
        let Some((kind, id)) = rule.split_once(':') else {
            return false;
        };
        let id = id.trim();
        if id.is_empty() || id.contains(char::is_whitespace) {
            return false;
        }
        let id = canonical(id).into();
        match kind.trim_end() {
            "sid" => self.sessions.insert(id),
            "sub" => self.subjects.insert(id),
            "jti" => self.tokens.insert(id),
            _ => return false,
        };
        true
    }

    fn absorb(&mut self, other: &Self) {
        self.sessions.extend(other.sessions.iter().cloned());
        self.subjects.extend(other.subjects.iter().cloned());
        self.tokens.extend(other.tokens.iter().cloned());
    }

    /// A denied account or session is not cured by a refresh, a denied token is.
    fn judge(&self, claims: &Claims) -> Option<Cure> {
        let named = |set: &HashSet<Box<str>>, id: Option<&str>| {
            id.is_some_and(|id| !set.is_empty() && set.contains(&*canonical(id)))
        };
        if named(&self.subjects, Some(&claims.sub)) || named(&self.sessions, claims.sid.as_deref())
        {
            return Some(Cure::None);
        }
        named(&self.tokens, claims.jti.as_deref()).then_some(Cure::Refresh)
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.subjects.len() + self.tokens.len()
    }
}

/// An id as it is compared. A UUID is the same in capitals, in braces or without hyphens, as other programs show it; a
/// rule that was copied from there must deny, not only count. Any other id is what it is, letter by letter.
fn canonical(id: &str) -> Cow<'_, str> {
    match Uuid::try_parse(id) {
        Ok(uuid) => Cow::Owned(uuid.hyphenated().to_string()),
        Err(_) => Cow::Borrowed(id),
    }
}

/// A deny file and the list it holds.
#[derive(Debug)]
pub struct DenyFile {
    path: PathBuf,
    list: ArcSwap<DenyList>,
    /// Only the task that looks takes this lock; `None` until the file was seen, `Err` after a failure was reported.
    seen: Mutex<Option<Result<Version, String>>>,
    broken: AtomicUsize,
}

impl DenyFile {
    /// Reads the file. One that does not exist yet is an empty list, with a warning: it appears in the emergency.
    ///
    /// # Errors
    /// When there is something at `path` that cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = Self {
            path: path.to_path_buf(),
            list: ArcSwap::default(),
            seen: Mutex::new(None),
            broken: AtomicUsize::new(0),
        };
        match file.read() {
            Ok((version, text)) => file.accept(version, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => file.report(&error),
            Err(error) => return Err(error),
        }
        Ok(file)
    }

    /// Says whether and with what cure the token of these claims is denied; waits for nobody.
    #[must_use]
    pub fn judge(&self, claims: &Claims) -> Option<Cure> {
        self.list.load().judge(claims)
    }

    /// How many rules are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.load().len()
    }

    /// Says whether nothing is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many lines of the file say nothing that can be understood.
    #[must_use]
    pub fn broken_lines(&self) -> usize {
        self.broken.load(Ordering::Relaxed)
    }

    /// Looks at the file and reads it again if it changed. Does file I/O: not for an async worker.
    pub fn reload_if_changed(&self) {
        match fs::metadata(&self.path).map(|metadata| Version::of(&self.path, &metadata)) {
            Ok(version) if self.seen().as_ref() == Some(&Ok(version.clone())) => {}
            Ok(_) => match self.read() {
                Ok((version, text)) => self.accept(version, &text),
                Err(error) => self.report(&error),
            },
            Err(error) => self.report(&error),
        }
    }

    fn read(&self) -> io::Result<(Version, Vec<u8>)> {
        let (mut file, metadata) = open_regular(&self.path)?;
        // The version is taken before the contents: a write in between shows as a change at the next look.
        let version = Version::of(&self.path, &metadata);
        if metadata.len() > MAX_SIZE {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it has {} bytes, more than {MAX_SIZE}", metadata.len()),
            ));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok((version, text))
    }

    fn accept(&self, version: Version, text: &[u8]) {
        let (mut list, broken) = DenyList::parse(text);
        let path = self.path.display();
        if let Some(first) = broken.first() {
            log::error!(
                "DENY_FILE {path}: {} line(s) not understood, the first is line {first}; expected sid:…, sub:… or \
                 jti:…; until this is mended everything denied before stays denied",
                broken.len()
            );
            list.absorb(&self.list.load());
        }
        log::info!("DENY_FILE {path}: {} rule(s) in force", list.len());
        self.broken.store(broken.len(), Ordering::Relaxed);
        self.list.store(Arc::new(list));
        *self.seen() = Some(Ok(version));
    }

    /// Reports a failure once, and again only when it becomes another one.
    fn report(&self, error: &io::Error) {
        let text = error.to_string();
        let mut seen = self.seen();
        if seen.as_ref() != Some(&Err(text.clone())) {
            let left = self.list.load().len();
            log::warn!(
                "DENY_FILE {}: {text}; {left} rule(s) stay in force",
                self.path.display()
            );
            *seen = Some(Err(text));
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<Result<Version, String>>> {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
