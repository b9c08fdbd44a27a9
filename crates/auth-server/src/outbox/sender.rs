//! The task that sends what is in the outbox. Every replica has one; a row is one's that takes it by a conditional write.
//!
//! A mail server that is down, slow or full delays mails and nothing else. A row is removed after the server took the
//! mail: a process that is killed in between sends it once more.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::metrics::{Metrics, prometheus};
use chrono::DateTime;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mail::{Kind, Mail, Mailer, SendError, Texts};
use shared::clock;

use super::Post;
use super::content::{self, Content, Links};
use crate::db::{AuditRecord, Caller, Db, DbError, Event, Letter, LetterKind};
use crate::operations::counters::{Counters, Mailed};
use crate::operations::waiting::{Complaints, Waiting};

/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_millis(500);
/// Mails that are looked at in one go, and sent at the same time.
const BATCH: u32 = 32;
const AT_ONCE: usize = 16;
/// Seconds for which a mail is the one's that took it: longer than a server may take for it.
const TAKEN: i64 = 60;
/// Seconds after which a mail that nobody takes is given up: what it told of is old then.
const GIVE_UP: i64 = 24 * 3600;

/// Sends mails.
pub(crate) struct Sender {
    db: Db,
    mailer: Mailer,
    texts: Texts,
    links: Links,
    /// What the service calls itself.
    service: String,
    counters: Counters,
    waiting: Arc<Waiting>,
    /// What was sent last, where mails go to a folder.
    newest: Option<Arc<Newest>>,
}

/// The newest mails, where they go to a folder for development.
#[derive(Default)]
pub(crate) struct Newest(Mutex<VecDeque<Shown>>);

/// A mail as the demo page shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Shown {
    /// What tells it from others.
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
}

impl Newest {
    const KEPT: usize = 50;

    fn add(&self, shown: Shown) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push_front(shown);
        mails.truncate(Self::KEPT);
    }

    /// The newest to this address.
    pub(crate) fn to(&self, address: &str) -> Option<Shown> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |shown: &&Shown| shown.to.eq_ignore_ascii_case(address);
        mails.iter().find(same).cloned()
    }
}

impl Sender {
    /// Puts the sender together, and its metrics.
    ///
    /// # Errors
    /// Never in practice: if a metric's name were taken.
    pub(crate) fn new(
        db: Db,
        post: Post,
        links: Links,
        counters: Counters,
        metrics: &Metrics,
    ) -> Result<Self, prometheus::Error> {
        let waiting = Waiting::register(
            metrics,
            ("keyturn_outbox_mails", "Mails that wait to be sent"),
            (
                "keyturn_outbox_oldest_seconds",
                "For how long the oldest mail that waits has waited",
            ),
        )?;
        let newest = post.to_folder.then(Arc::default);
        Ok(Self {
            db,
            mailer: post.mailer,
            texts: post.texts,
            links,
            service: post.service,
            counters,
            waiting,
            newest,
        })
    }

    /// The newest mails, where they go to a folder.
    pub(crate) fn newest(&self) -> Option<Arc<Newest>> {
        self.newest.clone()
    }

    /// Sends what is due, again and again. A mail that takes its time holds up no other: its place alone is taken.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut under_way = FuturesUnordered::new();
        let mut complaints = Complaints::about("the outbox cannot be read or written, mails wait");
        loop {
            let looked = self.look().await;
            let (due, pause) = match looked {
                Ok(looked) => looked,
                Err(error) => {
                    complaints.of(&error);
                    (Vec::new(), LOOK)
                }
            };
            let mut full = false;
            for letter in due {
                full = under_way.len() >= AT_ONCE;
                if full {
                    break;
                }
                under_way.push(self.handle(letter));
            }
            let mut pause = std::pin::pin!(tokio::time::sleep(pause));
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    Some(handled) = under_way.next(), if !under_way.is_empty() => {
                        if let Err(error) = handled {
                            // It is due again when the time for which it was taken is over.
                            complaints.of(&error);
                        } else if full {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// What is due to be sent, and how long until it makes sense to look again. Whoever has forgotten a password is looked
    /// up here.
    async fn look(&self) -> Result<(Vec<Letter>, Duration), DbError> {
        let now = clock::now();
        let (due, waiting) = self
            .db
            .read(move |tx| Ok((tx.letters_due(now, BATCH)?, tx.letters_waiting()?)))
            .await?;
        self.waiting.set(waiting);
        let (forgotten, due): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|letter| letter.kind == Some(LetterKind::Forgot));
        if forgotten.is_empty() {
            return Ok((due, LOOK));
        }
        match self.look_up(forgotten).await {
            // What is somebody's is due now, and there may be more.
            Ok(()) => Ok((due, Duration::ZERO)),
            // The others are not kept back by it.
            Err(error) if due.is_empty() => Err(error),
            Err(_) => Ok((due, LOOK)),
        }
    }

    /// Looks up who has forgotten the password, all in one unit: whoever invents addresses makes one commit for many. What
    /// is somebody's is a usual letter from then on, and due.
    async fn look_up(&self, letters: Vec<Letter>) -> Result<(), DbError> {
        let caller = Caller::housekeeping();
        let dropped = self.db.write(&caller, move |tx| {
            let (now, mut dropped) = (tx.now(), 0);
            for letter in &letters {
                if !tx.take_letter(letter, now)? {
                    continue;
                }
                let found = tx.find_user_by_email(&letter.address)?;
                let found = found.filter(|user| user.blocked_at.is_none());
                let account = found.map(|user| user.account);
                let paid = match &account {
                    Some(account) => tx.pay_for_letter(account.id, now)?.is_none(),
                    None => false,
                };
                if let Some(account) = account.filter(|_| paid) {
                    let (id, email) = (account.id, &account.email);
                    tx.address_letter(&letter.id, LetterKind::Mail(Kind::Reset), id, email)?;
                } else {
                    dropped += 1;
                    tx.remove_letter(&letter.id)?;
                }
            }
            Ok(dropped)
        });
        (0..dropped.await?).for_each(|_| self.counters.mail(Mailed::Dropped));
        Ok(())
    }

    async fn handle(&self, letter: Letter) -> Result<(), DbError> {
        let caller = Caller::housekeeping();
        let until = caller.now.saturating_add(TAKEN);
        let (taken, row) = (letter.clone(), letter.id.clone());
        if !self
            .db
            .write(&caller, move |tx| tx.take_letter(&taken, until))
            .await?
        {
            return Ok(());
        }
        if caller.now.saturating_sub(letter.created_at) > GIVE_UP {
            return self.give_up(letter, "nobody took it for a day").await;
        }
        if letter.kind.is_none() {
            // A later version wrote it, and its replicas will send it.
            return Ok(());
        }
        let content = content::of(&letter, &self.db, &self.links, caller.now).await?;
        let Some(content) = content else {
            self.counters.mail(Mailed::Dropped);
            return self.remove(row).await;
        };
        match self.send(&letter, content).await {
            Ok(()) => {
                self.counters.mail(Mailed::Sent);
                self.remove(row).await
            }
            Err(SendError::Never(why)) => self.give_up(letter, &why).await,
            Err(SendError::Later(why)) => {
                self.counters.mail(Mailed::Delayed);
                let pause = pause_after(letter.tries.saturating_add(1));
                log::warn!("mail {row} is tried again in {pause} s: {why}");
                let caller = Caller::housekeeping();
                let due = caller.now.saturating_add(pause);
                self.db
                    .write(&caller, move |tx| tx.put_off_letter(&row, due))
                    .await
            }
        }
    }

    async fn send(&self, letter: &Letter, content: Content) -> Result<(), SendError> {
        let values = content.values(&self.service);
        let rendered = self
            .texts
            .render(content.kind, letter.locale, &values)
            .map_err(SendError::Later)?;
        let shown = self.newest.as_ref().map(|newest| {
            let shown = Shown {
                id: letter.id.clone(),
                to: content.to.clone(),
                subject: rendered.subject.clone(),
                text: rendered.text.clone(),
                link: content.link.as_ref().map(|(_, link)| link.clone()),
            };
            (newest, shown)
        });
        self.mailer
            .send(&Mail {
                id: letter.id.clone(),
                to: content.to.clone(),
                subject: rendered.subject,
                text: rendered.text,
                html: rendered.html,
                written: DateTime::from_timestamp(letter.created_at, 0).unwrap_or_default(),
            })
            .await?;
        if let Some((newest, shown)) = shown {
            show(&shown);
            newest.add(shown);
        }
        Ok(())
    }

    async fn remove(&self, row: String) -> Result<(), DbError> {
        let caller = Caller::housekeeping();
        self.db
            .write(&caller, move |tx| tx.remove_letter(&row))
            .await
    }

    async fn give_up(&self, letter: Letter, why: &str) -> Result<(), DbError> {
        log::error!("mail {} is given up: {why}", letter.id);
        self.counters.mail(Mailed::GivenUp);
        let caller = Caller::housekeeping();
        self.db
            .write(&caller, move |tx| {
                let word = letter.kind.map_or("unknown", LetterKind::as_str);
                tx.audit(&AuditRecord {
                    user: letter.user,
                    ..AuditRecord::general(Event::MailGivenUp).detail(word)
                })?;
                tx.remove_letter(&letter.id)
            })
            .await
    }
}

/// Seconds until a mail is tried again after so many tries: 15, then 1, 2, 4 … 60 minutes.
fn pause_after(tries: i64) -> i64 {
    match u32::try_from(tries.saturating_sub(2)) {
        Err(_) => 15,
        Ok(doublings) => 60_i64.saturating_mul(1 << doublings.min(6)).min(3600),
    }
}

/// Where mails go to a folder, the newest link is shown on the terminal as well, so that the way can be tried. Not by the
/// log: links never are in it.
fn show(shown: &Shown) {
    let Some(link) = &shown.link else { return };
    let mut out = std::io::stdout().lock();
    // Where nobody reads the terminal, nobody misses it.
    let _ = writeln!(out, "mail to {}: {}\n  {link}", shown.to, shown.subject)
        .and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_again_after_15_s_and_then_from_a_minute_to_an_hour() {
        let pauses: Vec<_> = (1..=10).map(pause_after).collect();
        assert_eq!(pauses, [15, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    }
}
