//! The front door: the one place where a password is judged, and where it is paid for.
//!
//! Whoever makes us hash pays first, from the bucket of the address and from that of the account. Wrong passwords
//! are counted where they come from, and slow their origin down; the owner's devices are known by a token and
//! stand apart. No HTTP, no SQL.

mod attempt;
pub(crate) mod bucket;
mod check;
pub(crate) mod counter;
pub(crate) mod delay;
mod device_token;
mod hash_queue;
pub mod password;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod statements;

use std::sync::Arc;

use uuid::Uuid;

pub use bucket::Paid;
pub use check::{Authenticated, Confirmed};
pub use counter::Counter;
pub use device_token::DeviceToken;
pub use hash_queue::Hasher;

use bucket::{Buckets, Payer, Whose};

use crate::db::Db;
use crate::db::{Account, Caller};
use crate::db::{SessionId, UserId};
use crate::error::Error;
use crate::log_in::password::Password;
use crate::mac_keys::MacKeyFile;
use crate::outbox::Outbox;
use crate::sessions::Sessions;
use crate::settings::Switch;

/// The rules, with what they need. Shared by all workers.
pub struct FrontDoor {
    db: Db,
    hasher: Hasher,
    keys: Arc<MacKeyFile>,
    sessions: Arc<Sessions>,
    outbox: Outbox,
    /// Whether who has proven no address stays outside.
    wants_proof: bool,
    /// `None` where nothing is limited.
    buckets: Option<Buckets>,
}

impl FrontDoor {
    /// Puts the rules together. With `spare_private`, private and loopback addresses have no bucket, since
    /// they may be a proxy's.
    #[must_use]
    pub fn new(
        db: Db,
        hasher: Hasher,
        keys: Arc<MacKeyFile>,
        sessions: Arc<Sessions>,
        (outbox, wants_proof): (Outbox, bool),
        limits: Switch,
        spare_private: bool,
    ) -> Self {
        Self {
            db,
            hasher,
            keys,
            sessions,
            outbox,
            wants_proof,
            buckets: (limits == Switch::On).then(|| Buckets::new(spare_private)),
        }
    }

    /// Passwords that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.hasher.waiting()
    }

    /// Lets a registration pay for its hash: the address, and the e-mail that is to be registered.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`].
    pub fn pay_for_registration(&self, email: &str, caller: &Caller) -> Result<Paid, Error> {
        let paid = self.address_pays(None, caller)?;
        self.pay_for_mailbox(email)?;
        let whose = |buckets: &Buckets| buckets.whose(None, email);
        self.pays(paid, |buckets| {
            [Payer::Registration(whose(buckets)), Payer::AllStrangers]
        })
    }

    /// Lets whoever has a mail sent to an address of his choice pay for that: the same for known and unknown ones.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`].
    pub fn pay_for_mailbox(&self, email: &str) -> Result<(), Error> {
        if !self.outbox.is_on() {
            return Ok(());
        }
        let nobody = Paid::by_operator();
        self.pays(nobody, |buckets| {
            [Payer::Mailbox(buckets.whose(None, email))]
        })
        .map(drop)
    }

    /// Lets whoever asks for a mail pay with the address.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`].
    pub fn pay_for_mail(&self, caller: &Caller) -> Result<(), Error> {
        self.address_pays(None, caller).map(drop)
    }

    /// Lets whoever has a request kept for him pay with the address.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`].
    pub fn pay_for_push(&self, caller: &Caller) -> Result<(), Error> {
        self.address_pays(None, caller).map(drop)
    }

    /// Lets whoever came with a link to this account pay for the hash of a password.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`].
    pub fn pay_for_link(&self, user: UserId, caller: &Caller) -> Result<Paid, Error> {
        let paid = self.address_pays(None, caller)?;
        self.pays(paid, |_| {
            [Payer::Registration(Whose::User(user)), Payer::AllStrangers]
        })
    }

    /// The hash of a new password of somebody who is signed in, paid for by his session.
    ///
    /// # Errors
    /// [`Error::WeakPassword`]; [`Error::TooManyAttempts`]; [`Error::Busy`].
    pub async fn hash_new(
        &self,
        session: SessionId,
        account: &Account,
        password: Password,
        caller: &Caller,
    ) -> Result<String, Error> {
        let paid = self.address_pays(None, caller)?;
        let paid = self.session_pays(account.id, session, paid)?;
        let words = account.words();
        Ok(self.hasher.hash_new(password, words, paid).await?)
    }

    /// The token by which an account will know a device again; the same device goes on.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no key.
    pub fn device_token(
        &self,
        account: &Account,
        device: Option<Uuid>,
        now: i64,
    ) -> Result<String, Error> {
        let token = DeviceToken {
            user: account.id,
            device: device.unwrap_or_else(Uuid::new_v4),
            issued_at: now,
        };
        token
            .encode(&self.keys.ring(), now)
            .ok_or_else(|| Error::Internal("no MAC key".into()))
    }

    fn address_pays(&self, device_of: Option<UserId>, caller: &Caller) -> Result<Paid, Error> {
        match &self.buckets {
            Some(buckets) => buckets
                .address_pays(&caller.address, device_of)
                .map_err(Error::TooManyAttempts),
            None => Ok(Paid::by_operator()),
        }
    }

    /// A session has a bucket of its own, so that another one's tries leave the owner's full.
    fn session_pays(&self, user: UserId, session: SessionId, paid: Paid) -> Result<Paid, Error> {
        let whose = Whose::User(user);
        self.pays(paid, |_| [Payer::Session(session), Payer::SignedIn(whose)])
    }

    fn pays<const N: usize>(
        &self,
        paid: Paid,
        payers: impl FnOnce(&Buckets) -> [Payer; N],
    ) -> Result<Paid, Error> {
        let Some(buckets) = &self.buckets else {
            return Ok(paid);
        };
        payers(buckets)
            .into_iter()
            .try_fold(paid, |paid, payer| buckets.pays(paid, payer))
            .map_err(Error::TooManyAttempts)
    }
}
