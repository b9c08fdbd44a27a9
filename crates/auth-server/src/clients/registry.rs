//! The clients as they were last read.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::Client;
use crate::db::{ClientsVersion, Db, DbError};

/// How often it is looked whether a client changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The clients of this installation. Clones share them.
#[derive(Clone)]
pub struct Clients {
    db: Db,
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    version: ClientsVersion,
    clients: HashMap<String, Arc<Client>>,
}

impl Clients {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(db: Db) -> Result<Self, DbError> {
        let clients = Self {
            db,
            known: Arc::default(),
        };
        clients.look().await?;
        Ok(clients)
    }

    /// The client of this id, blocked or not.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Client>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clients.get(id).cloned()
    }

    /// Looks every second, for ever.
    pub async fn follow(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.look().await {
                log::debug!("clients: not looked at: {error}");
            }
        }
    }

    /// Reads them if one changed, came or went.
    ///
    /// # Errors
    /// The database's; what was known stays.
    pub async fn look(&self) -> Result<(), DbError> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method itself is not general enough over the lifetime of a Tx"
        )]
        let version = self.db.read(|tx| tx.clients_version()).await?;
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .version;
        if version == known {
            return Ok(());
        }
        let (version, rows) = self
            .db
            .read(|tx| Ok((tx.clients_version()?, tx.list_clients()?)))
            .await?;
        let mut clients = HashMap::new();
        for row in rows {
            let id = row.id.clone();
            match Client::try_from(row) {
                Ok(client) => {
                    clients.insert(id, Arc::new(client));
                }
                // One that cannot be read is none; the others are not to blame.
                Err(error) => log::error!("client {id}: {error}"),
            }
        }
        log::debug!("clients: {} read", clients.len());
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { version, clients };
        Ok(())
    }
}
