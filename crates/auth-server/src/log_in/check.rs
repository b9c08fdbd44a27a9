//! Judging a password: the same work for nobody as for somebody, and slower for who guesses.

use uuid::Uuid;

use mail::Kind;

use super::attempt::{Place, Who};
use super::bucket::{Paid, Payer, network_of};
use super::delay::{Origin, who_counts};
use super::device_token::DeviceToken;
use super::{Counter, FrontDoor};
use crate::db::AuditRecord;
use crate::db::{Account, Caller, EndReason, Event, User};
use crate::db::{SessionId, UserId};
use crate::error::Error;
use crate::log_in::password::{Password, Verdict};

/// Wrong current passwords after which the session that they came with ends.
const MOST_WRONG: i64 = 10;

/// A user whose password was just checked at log-in.
pub struct Authenticated {
    /// The user.
    pub user: User,
    /// Where failures are counted: to be cleared by the log-in.
    pub counter: Option<Counter>,
    /// The device, if the account knew it.
    pub device: Option<Uuid>,
    /// A hash of ours for the password, if another system's is stored.
    pub rehash: Option<String>,
}

/// A signed-in user whose current password was just checked. Nobody else makes one.
pub struct Confirmed(User);

impl Confirmed {
    /// The user.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn of(user: User) -> Self {
        Self(user)
    }
}

/// A verdict that may be told.
struct Judged {
    user: User,
    counter: Option<Counter>,
    device: Option<Uuid>,
    rehash: Option<String>,
}

impl FrontDoor {
    /// The user with this e-mail and password. A `device_token` that is none of this account counts as none.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], the same and after the same work for an unknown user;
    /// [`Error::AccountBlocked`] and [`Error::EmailNotVerified`] only with the right password;
    /// [`Error::TooManyAttempts`] unchecked.
    pub async fn log_in(
        &self,
        email: String,
        password: Password,
        device_token: Option<&str>,
        caller: &Caller,
    ) -> Result<Authenticated, Error> {
        let device = device_token.and_then(|text| DeviceToken::read(text, &self.keys, caller.now));
        let paid = self.address_pays(device.as_ref().map(|token| token.user), caller)?;
        let who = Who::Email { email, device };
        let judged = self.judge(who, password, paid, caller).await?;
        let account = &judged.user.account;
        let unproven = self.wants_proof && !account.email_verified;
        let refused = match judged.user.blocked_at {
            Some(_) => Error::AccountBlocked,
            None if unproven => Error::EmailNotVerified,
            None => {
                // The log-in's own unit looks at the failures once more, and forgets them.
                return Ok(Authenticated {
                    user: judged.user,
                    counter: judged.counter,
                    device: judged.device,
                    rehash: judged.rehash,
                });
            }
        };
        self.may_be_told(judged.counter, None, caller).await?;
        if matches!(refused, Error::EmailNotVerified) {
            self.send_proof_again(account, caller).await?;
        }
        Err(refused)
    }

    /// The link of the first mail may be over, and who cannot log in cannot ask for another one.
    async fn send_proof_again(&self, account: &Account, caller: &Caller) -> Result<(), Error> {
        let (outbox, id, email) = (self.outbox, account.id, account.email.clone());
        let posted = self.db.write(caller, move |tx| {
            outbox.post_on_request(tx, Kind::Verify, id, &email)
        });
        // Within the limit's time the last mail is still on its way.
        posted.await.map(drop).map_err(Error::from)
    }

    /// The signed-in user, whose current password was given with an access token of `session`.
    ///
    /// # Errors
    /// [`Error::WrongCurrentPassword`]; at the tenth the session ends.
    /// [`Error::TooManyAttempts`] unchecked.
    pub async fn confirm(
        &self,
        user: UserId,
        session: SessionId,
        current: Password,
        caller: &Caller,
    ) -> Result<Confirmed, Error> {
        let paid = self.address_pays(None, caller)?;
        let who = Who::SignedIn { user, session };
        let judged = self.judge(who, current, paid, caller).await?;
        self.may_be_told(judged.counter, Some(session), caller)
            .await?;
        if judged.user.blocked_at.is_some() {
            Err(Error::AccountBlocked)
        } else {
            Ok(Confirmed(judged.user))
        }
    }

    /// Refuses a guess that turned out right while others began a delay, or ended the session: that it was
    /// right stays unsaid. Forgives the failures before it, except a blocked account's.
    async fn may_be_told(
        &self,
        counter: Option<Counter>,
        session: Option<SessionId>,
        caller: &Caller,
    ) -> Result<(), Error> {
        let Some(counter) = counter else {
            return Ok(());
        };
        let (origin, now) = (counter.origin, caller.now);
        let Some(session) = session else {
            let looked = self.db.read(move |tx| counter.wait(tx, now));
            return refuse_within_delay(origin, looked.await?);
        };
        let forgiven = self.db.write(caller, move |tx| {
            if tx.hold_session(session, MOST_WRONG)? {
                counter.forgive(tx, now).map(Some)
            } else {
                Ok(None)
            }
        });
        match forgiven.await? {
            Some(wait) => refuse_within_delay(origin, wait),
            None => Err(Error::SessionEnded),
        }
    }

    /// The user if the password fits, blocked or not: the same work for nobody as for somebody.
    async fn judge(
        &self,
        who: Who,
        password: Password,
        paid: Paid,
        caller: &Caller,
    ) -> Result<Judged, Error> {
        let (user, place) = self.look(&who, caller).await?;
        let paid = match &place {
            Some(place) => {
                refuse_within_delay(place.counter.origin, place.wait)?;
                self.account_pays(&who, user.as_ref(), place, paid, caller)?
            }
            None => paid,
        };
        let (counter, device) = (
            place.map(|place| place.counter),
            who.device_of(user.as_ref()),
        );
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let verdict = self
            .hasher
            .verify(password.clone(), stored, paid.clone())
            .await?;
        let Some(user) = user.filter(|_| verdict != Verdict::Wrong) else {
            if let Some(counter) = counter {
                self.count_failure(counter, who.session(), caller).await?;
            }
            return Err(who.wrong());
        };
        let rehash = match verdict {
            // Where there is no room for that now, there will be at the next log-in.
            Verdict::FitsForeign => self.hasher.hash(password, paid).await.ok(),
            Verdict::Fits | Verdict::Wrong => None,
        };
        Ok(Judged {
            user,
            counter,
            device,
            rehash,
        })
    }

    /// Who it is, and where a failure would be counted.
    async fn look(
        &self,
        who: &Who,
        caller: &Caller,
    ) -> Result<(Option<User>, Option<Place>), Error> {
        let keys = self.buckets.as_ref().map(|_| self.keys.ring());
        let (who, from, now) = (who.clone(), caller.address.clone(), caller.now);
        let looked = self.db.read(move |tx| {
            let user = match &who {
                Who::Email { email, .. } => tx.find_user_by_email(email)?,
                Who::SignedIn { user, .. } => tx.find_user(*user)?,
            };
            let Some(keys) = &keys else {
                return Ok((user, None));
            };
            let id = user.as_ref().map(|user| user.account.id);
            let device = who.device_of(user.as_ref());
            let device = id
                .zip(device)
                .map(|(id, device)| Counter::of_device(id, device, keys));
            let network = Counter::of_network(who.email(), id, &from, keys);
            let (origin, wait) = who_counts(device.as_ref(), &network, now, |counter| {
                tx.tally(&counter.rows)
            })?;
            let counter = match origin {
                Origin::Device => device.unwrap_or(network),
                Origin::Network => network,
            };
            Ok((user, Some(Place { counter, wait })))
        });
        Ok(looked.await?)
    }

    /// The account pays as the one that is asked: for its known devices, for strangers, or for a session of it.
    /// After the look at the delay, so that a refused guess with a stolen token leaves the owner's session what
    /// it has. Who came with a device's token of another account pays as the stranger that he is.
    fn account_pays(
        &self,
        who: &Who,
        user: Option<&User>,
        place: &Place,
        paid: Paid,
        caller: &Caller,
    ) -> Result<Paid, Error> {
        let (email, device) = match who {
            Who::Email { email, device } => (email, device),
            Who::SignedIn { user, session } => return self.session_pays(*user, *session, paid),
        };
        let id = user.map(|user| user.account.id);
        match place.counter.origin {
            Origin::Device => self.pays(paid, |buckets| [Payer::Devices(buckets.whose(id, email))]),
            Origin::Network => {
                let paid = match device {
                    Some(_) => self.address_pays(None, caller)?,
                    None => paid,
                };
                let from = network_of(&caller.address);
                self.pays(paid, |buckets| {
                    let whose = buckets.whose(id, email);
                    [
                        Payer::Strangers(whose),
                        Payer::StrangersFrom(whose, from),
                        Payer::AllStrangers,
                    ]
                })
            }
        }
    }

    /// Counts a failure. Of many guesses at once only the first few are answered as such: once they have
    /// begun a delay, the others are told of it, and not whether they were right.
    async fn count_failure(
        &self,
        counter: Counter,
        session: Option<(UserId, SessionId)>,
        caller: &Caller,
    ) -> Result<(), Error> {
        let origin = counter.origin;
        let outcome = self.db.write(caller, move |tx| {
            let now = tx.now();
            // The session's row first, then the counters: the order in which a deletion of the account takes them.
            if let Some((_, session)) = session
                && !tx.hold_session(session, MOST_WRONG)?
            {
                return Ok(Counted::SessionOver);
            }
            let Some(failures) = counter.count(tx, now)? else {
                let wait = counter.wait(tx, now)?;
                return Ok(Counted::Delayed(wait));
            };
            if let Some(user) = counter.rows.user.filter(|_| failures.is_first_delay()) {
                tx.audit(&AuditRecord::of(Event::LoginDelayed, user))?;
            }
            let Some((_, session)) = session else {
                return Ok(Counted::Wrong(0));
            };
            Ok(match tx.count_wrong_password(session)? {
                Some(count) => Counted::Wrong(count),
                None => Counted::SessionOver,
            })
        });
        let told = match outcome.await? {
            Counted::Delayed(wait) => {
                return Err(Error::TooManyAttempts(origin.retry_after(wait)));
            }
            Counted::Wrong(..MOST_WRONG) => return Ok(()),
            Counted::Wrong(_) => Ok(()),
            // Of several at once only the tenth is told that it was wrong.
            Counted::SessionOver => Err(Error::SessionEnded),
        };
        if let Some((user, session)) = session {
            let reason = EndReason::Guessing;
            self.sessions.end(user, session, reason, caller).await?;
        }
        told
    }
}

/// What became of a failure.
enum Counted {
    /// It may be told; so many came with the session.
    Wrong(i64),
    /// A delay of so many seconds is on.
    Delayed(i64),
    /// The session that it came with is over, or had its wrong passwords.
    SessionOver,
}

/// Answers an attempt within a delay.
fn refuse_within_delay(origin: Origin, wait: i64) -> Result<(), Error> {
    if wait > 0 {
        Err(Error::TooManyAttempts(origin.retry_after(wait)))
    } else {
        Ok(())
    }
}
