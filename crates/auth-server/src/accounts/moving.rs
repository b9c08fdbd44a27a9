//! Moving in, and out: accounts as JSON lines.
//!
//! `{"email", "userName", "roles"?, "emailVerified"?, "createdAt"?, "passwordHash"?}`, one account a line; a first line
//! `{"firebase": {…}}` holds what Firebase's hashes need, and its users have a `passwordSalt` as well. All of a file is
//! taken, or nothing: it is read once to see that it is good, and once more to be written. Faults name the line and the
//! member, never what stands in it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use foreign_hash::FirebaseParameters;
use serde_json::{Map, Value, json};

use super::forms;
use crate::db::{Account, AuditRecord, Caller, DbError, Event, NO_PASSWORD, NewUser, Tx};
use crate::db::{User, UserId, read_in_bulk, write_in_bulk};
use crate::log_in::password::check_stored;
use crate::settings::DatabaseUrl;
use crate::spelling::email_key;

/// Accounts in one statement, and in memory at once.
const BATCH: usize = 500;
/// Faults that are told of; a file that is wrong throughout has as many as lines.
const MOST_FAULTS: usize = 20;
/// Bytes of a line: more than any account has.
const LONGEST_LINE: usize = 64 * 1024;
/// Lines after which the progress is told.
const STEP: usize = 10_000;

const MEMBERS: [&str; 7] = [
    "email",
    "userName",
    "roles",
    "emailVerified",
    "createdAt",
    "passwordHash",
    "passwordSalt",
];

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportFault {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A file whose every line is an account.
#[derive(Clone)]
pub(crate) struct Import {
    path: PathBuf,
    /// Accounts in it.
    pub(crate) accounts: usize,
    now: i64,
}

/// What an import came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Accounts that were added.
    pub(crate) added: usize,
    /// E-mails, with their lines, that were there already and were left alone.
    pub(crate) there: Vec<(usize, String)>,
}

impl Import {
    /// Reads the file and judges each line; tells how many are read now and then.
    ///
    /// # Errors
    /// The first faults, and how many there are in all.
    pub(crate) fn read(
        path: &Path,
        now: i64,
        mut progress: impl FnMut(usize),
    ) -> Result<Self, (Vec<ImportFault>, usize)> {
        let (mut faults, mut count) = (Vec::new(), 0);
        let mut fault = |line, what: String| {
            count += 1;
            if faults.len() < MOST_FAULTS {
                faults.push(ImportFault { line, what });
            }
        };
        let mut emails: HashSet<String> = HashSet::new();
        let mut accounts = 0;
        match Lines::open(path) {
            Err(error) => fault(0, error),
            Ok(lines) => {
                for (line, parsed) in lines.accounts(now) {
                    match parsed {
                        Ok(new) => {
                            accounts += 1;
                            if !emails.insert(email_key(&new.account.email)) {
                                fault(line, "this email is there twice".into());
                            }
                        }
                        Err(what) => fault(line, what),
                    }
                    if line % STEP == 0 {
                        progress(line);
                    }
                }
            }
        }
        if count > 0 {
            return Err((faults, count));
        }
        Ok(Self {
            path: path.to_owned(),
            accounts,
            now,
        })
    }

    fn batches(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<(usize, NewUser)>, DbError>>, DbError> {
        let changed = || DbError::Unusable("the file changed while it was read".into());
        let mut lines = Lines::open(&self.path)
            .map_err(|_| changed())?
            .accounts(self.now);
        Ok(std::iter::from_fn(move || {
            let batch: Result<Vec<_>, DbError> = lines
                .by_ref()
                .take(BATCH)
                .map(|(line, new)| new.map(|new| (line, new)).map_err(|_| changed()))
                .collect();
            match batch {
                Ok(batch) if batch.is_empty() => None,
                batch => Some(batch),
            }
        }))
    }
}

impl Import {
    /// Adds the accounts, all in one unit; those whose e-mail is there are left alone. With `dry_run` it is only said
    /// what would be done. Tells how many are done now and then.
    ///
    /// # Errors
    /// The database's; then nothing was added.
    pub(crate) fn write(
        &self,
        url: &DatabaseUrl,
        dry_run: bool,
        mut progress: impl FnMut(usize),
    ) -> Result<Imported, DbError> {
        let mut done = 0;
        let mut told = move |batch: usize| {
            if (done + batch) / STEP > done / STEP {
                progress(done + batch);
            }
            done += batch;
        };
        if dry_run {
            return read_in_bulk(url, |tx| {
                let mut imported = Imported::default();
                for batch in self.batches()? {
                    let batch = batch?;
                    told(batch.len());
                    imported.added += newcomers(tx, batch, &mut imported.there)?.len();
                }
                Ok(imported)
            });
        }
        write_in_bulk(url, &Caller::cli(), |tx| {
            let mut imported = Imported::default();
            for batch in self.batches()? {
                let batch = batch?;
                told(batch.len());
                let new = newcomers(tx, batch, &mut imported.there)?;
                tx.insert_users(&new)?;
                imported.added += new.len();
            }
            if imported.added + imported.there.len() != self.accounts {
                return Err(DbError::Unusable(
                    "the file changed while it was read".into(),
                ));
            }
            let count = format!("{} accounts", imported.added);
            tx.audit(&AuditRecord::general(Event::UsersImported).detail(count))?;
            Ok(imported)
        })
    }
}

/// Those of a batch whose e-mail is not there.
fn newcomers(
    tx: &mut Tx<'_>,
    batch: Vec<(usize, NewUser)>,
    there: &mut Vec<(usize, String)>,
) -> Result<Vec<NewUser>, DbError> {
    let emails: Vec<&str> = batch
        .iter()
        .map(|(_, new)| new.account.email.as_str())
        .collect();
    let taken = tx.emails_there(&emails)?;
    let mut new = Vec::with_capacity(batch.len());
    for (line, user) in batch {
        if taken.contains(&email_key(&user.account.email)) {
            there.push((line, user.account.email));
        } else {
            new.push(user);
        }
    }
    Ok(new)
}

/// A line's JSON.
type Object = Map<String, Value>;

/// The lines of a file.
struct Lines {
    reader: BufReader<File>,
    line: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let found = file.metadata().map_err(|error| error.to_string())?;
        if !found.is_file() {
            return Err("it is read twice, so it must be a file, no folder and no pipe".into());
        }
        Ok(Self {
            reader: BufReader::new(file),
            line: 0,
        })
    }

    /// The next line that has something in it, and its number.
    fn next(&mut self) -> Option<(usize, Result<Object, String>)> {
        loop {
            let mut bytes = Vec::new();
            let mut limited = std::io::Read::take(&mut self.reader, LONGEST_LINE as u64);
            self.line += 1;
            let read = match limited.read_until(b'\n', &mut bytes) {
                Ok(read) => read,
                Err(error) => return Some((self.line, Err(error.to_string()))),
            };
            if read == 0 {
                return None;
            }
            if read == LONGEST_LINE {
                // What follows would be taken for a line of its own.
                let skipped = self.reader.skip_until(b'\n');
                let why = skipped.map_or_else(
                    |error| error.to_string(),
                    |_| "the line is longer than 64 KiB".into(),
                );
                return Some((self.line, Err(why)));
            }
            // A byte order mark, as some editors put one.
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            if text.trim_ascii().is_empty() {
                continue;
            }
            let object = serde_json::from_slice::<Map<String, Value>>(text);
            // What serde says may quote the line.
            let object = object
                .map_err(|error| format!("column {}: no JSON object in one line", error.column()));
            return Some((self.line, object));
        }
    }

    /// The accounts, each with its line.
    fn accounts(mut self, now: i64) -> impl Iterator<Item = (usize, Result<NewUser, String>)> {
        let mut firebase: Option<FirebaseParameters> = None;
        std::iter::from_fn(move || {
            loop {
                let (line, object) = self.next()?;
                let object = match object {
                    Ok(object) => object,
                    Err(why) => return Some((line, Err(why))),
                };
                if let (None, Some(parameters)) = (&firebase, object.get("firebase")) {
                    let Ok(parameters) = serde_json::from_value(parameters.clone()) else {
                        let what = "firebase wants signerKey, saltSeparator, rounds and memCost";
                        return Some((line, Err(what.into())));
                    };
                    firebase = Some(parameters);
                    continue;
                }
                return Some((line, account(&object, firebase.as_ref(), now)));
            }
        })
    }
}

fn account(
    object: &Object,
    firebase: Option<&FirebaseParameters>,
    now: i64,
) -> Result<NewUser, String> {
    if let Some(unknown) = object.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        let known = unknown.chars().take(40).collect::<String>();
        return Err(format!("{known:?} is no member of an account"));
    }
    // null is as good as not there.
    let member = |name: &str| object.get(name).filter(|value| !value.is_null());
    let text = |name: &str| match member(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("{name} is no text")),
    };
    let email = text("email")?.ok_or("email is missing")?;
    let email = forms::email(email).map_err(|error| format!("email: {error}"))?;
    let user_name = text("userName")?.ok_or("userName is missing")?;
    let user_name = forms::user_name(user_name).map_err(|error| format!("userName: {error}"))?;
    let roles = match member("roles") {
        None => Vec::new(),
        Some(roles) => serde_json::from_value::<Vec<String>>(roles.clone())
            .map_err(|_| "roles is no list of texts")?,
    };
    forms::check_roles(&roles).map_err(|error| format!("roles: {error}"))?;
    let email_verified = match member("emailVerified") {
        None => false,
        Some(Value::Bool(verified)) => *verified,
        Some(_) => return Err("emailVerified is neither true nor false".into()),
    };
    let created_at = match member("createdAt") {
        None => now,
        Some(at) => at
            .as_i64()
            .filter(|at| (0..=now).contains(at))
            .ok_or("createdAt is no time in Unix seconds that has passed")?,
    };
    let password_hash = match (text("passwordHash")?, text("passwordSalt")?, firebase) {
        (None, None, _) => NO_PASSWORD.to_owned(),
        (None, Some(_), _) => return Err("passwordSalt is there without passwordHash".into()),
        (Some(hash), Some(salt), Some(firebase)) => firebase
            .stored(hash, salt)
            .map_err(|fault| format!("passwordHash: {fault}"))?,
        (Some(_), Some(_), None) => {
            return Err("passwordSalt is there, but the first line holds no firebase".into());
        }
        (Some(hash), None, _) => hash.to_owned(),
    };
    if password_hash != NO_PASSWORD {
        check_stored(&password_hash).map_err(|fault| format!("passwordHash: {fault}"))?;
    }
    Ok(NewUser {
        account: Account {
            id: UserId::random(),
            user_name,
            email,
            email_verified,
            roles,
        },
        password_hash,
        created_at,
        email_verified_at: email_verified.then_some(now),
        self_registered: false,
    })
}

/// An account as a line of the same form; with its hash if that is wanted.
pub(crate) fn exported(user: &User, hashes: bool) -> Map<String, Value> {
    let account = &user.account;
    let hash = Some(&user.password_hash).filter(|hash| hashes && *hash != NO_PASSWORD);
    let whole = json!({
        "email": account.email,
        "userName": account.user_name,
        "roles": account.roles,
        "emailVerified": account.email_verified,
        "createdAt": user.created_at,
        "passwordHash": hash,
    });
    let members = whole.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn read(content: &str) -> Result<usize, Vec<(usize, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.jsonl");
        std::fs::write(&path, content).unwrap();
        Import::read(&path, NOW, |_| ())
            .map(|import| import.accounts)
            .map_err(|(faults, _)| faults.into_iter().map(|it| (it.line, it.what)).collect())
    }

    fn line(more: &str) -> String {
        format!(r#"{{"email":"a@b.c","userName":"A"{more}}}"#)
    }

    #[test]
    fn lines_are_accounts_blank_ones_and_a_mark_aside() {
        let content = format!(
            "\u{feff}{}\r\n\n  \n{}",
            line(""),
            line("").replace("a@b", "d@e")
        );
        assert_eq!(read(&content), Ok(2));
    }

    #[test]
    fn each_fault_is_told_with_its_line_and_without_what_stands_there() {
        for (bad, told) in [
            (line(r#","passwordhash":"SECRET""#), "\"passwordhash\""),
            (line(r#","passwordHash":"SECRET""#), "passwordHash: "),
            (line(r#","passwordHash":17"#), "passwordHash is no text"),
            (
                line(r#","passwordHash":"U0VDUkVU","passwordSalt":"U0VD""#),
                "firebase",
            ),
            (line(r#","roles":"SECRET""#), "roles"),
            (line(r#","roles":[""]"#), "roles: "),
            (line(r#","emailVerified":"yes""#), "emailVerified"),
            (line(r#","createdAt":1800000001"#), "createdAt"),
            (line(r#","createdAt":"SECRET""#), "createdAt"),
            (r#"{"userName":"A"}"#.into(), "email is missing"),
            (r#"{"email":"SECRET","userName":"A"}"#.into(), "email: "),
            (r#"{"email":"a@b"}"#.into(), "userName is missing"),
            (r#"{"email":"SECRET"#.into(), "column"),
            ("[\"SECRET\"]".into(), "no JSON object"),
            (line(""), "twice"),
        ] {
            let faults = read(&format!("{}\n{bad}\n", line(""))).unwrap_err();
            let [(at, what)] = faults.as_slice() else {
                panic!("{bad}: {faults:?}");
            };
            assert_eq!(*at, 2, "{bad}");
            assert!(what.contains(told), "{bad}: {what}");
            assert!(!what.contains("SECRET"), "{what}");
        }
    }

    #[test]
    fn of_a_file_that_is_wrong_throughout_the_first_faults_are_told_and_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.jsonl");
        std::fs::write(&path, "x\n".repeat(1000)).unwrap();
        let (faults, count) = Import::read(&path, NOW, |_| ()).err().unwrap();
        assert_eq!((faults.len(), count), (MOST_FAULTS, 1000));
    }

    #[test]
    fn what_cannot_be_read_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/null")] {
            let (faults, _) = Import::read(path, NOW, |_| ()).err().unwrap();
            assert!(faults[0].what.contains("read twice"), "{faults:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_fills_no_memory() {
        let faults = read(&format!("{}\n{}", "x".repeat(200_000), line(""))).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].1.contains("64 KiB"));
    }
}
