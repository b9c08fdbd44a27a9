//! The rules of accounts: registration, links, invitations, changes, deletion. No HTTP, no SQL.

mod changes;
mod forms;
mod invitations;
mod links;
mod moving;
mod registration;

pub(crate) use changes::ProfileChange;
pub(crate) use forms::check_password;
pub(crate) use moving::{Import, ImportFault, Imported, exported};
pub(crate) use registration::NewAccount;

use std::sync::Arc;

use crate::db::Db;
use crate::db::{DbError, Ending};
use crate::error::Error;
use crate::log_in::Hasher;
use crate::mac_keys::MacKeyFile;
use crate::outbox::Outbox;
use crate::sessions::Announcer;

/// The rules, with what they need. Shared by all workers.
pub(crate) struct Accounts {
    db: Db,
    hasher: Hasher,
    /// The keys of links.
    keys: Arc<MacKeyFile>,
    outbox: Outbox,
    /// `None` on the command line: the running services learn of endings from the table.
    announcer: Option<Announcer>,
}

impl Accounts {
    /// Puts the rules together.
    #[must_use]
    pub(crate) fn new(
        db: Db,
        hasher: Hasher,
        keys: Arc<MacKeyFile>,
        outbox: Outbox,
        announcer: Option<Announcer>,
    ) -> Self {
        Self {
            db,
            hasher,
            keys,
            outbox,
            announcer,
        }
    }

    fn announce(&self, ended: &[Ending]) {
        if let Some(announcer) = &self.announcer {
            announcer.announce(ended);
        }
    }
}

fn taken(error: DbError) -> Error {
    match error {
        DbError::Duplicate => Error::AccountExists,
        other => other.into(),
    }
}
