//! Statements on `outbox`: mails that are to be sent. A row is written in the unit of what it tells of, and says what to
//! send, never with which link: a copy of the database opens nothing.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use mail::{Kind, Locale};
use uuid::Uuid;

use super::schema::outbox;
use super::users::uuid;
use super::{DbError, Tx, Unit, UserId};

/// What a row of the outbox becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    /// Somebody has forgotten the password of the account with this address, if there is one: it is looked up when the
    /// mail is sent, so that the answer before is the same for all.
    Forgot,
    /// This mail.
    Mail(Kind),
}

impl LetterKind {
    /// The word in rows and the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forgot => "forgot",
            Self::Mail(kind) => kind.as_str(),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            "forgot" => Some(Self::Forgot),
            other => Kind::parse(other).map(Self::Mail),
        }
    }
}

/// A mail to put into the outbox.
#[derive(Clone, Debug)]
pub struct NewLetter {
    /// What it is about.
    pub kind: LetterKind,
    /// Whose account; `None` where that is not known yet, or there is none.
    pub user: Option<UserId>,
    /// To whom.
    pub address: String,
    /// In which language.
    pub locale: Locale,
    /// What its text needs beside the account; empty for nothing.
    pub detail: String,
    /// Seconds until it is to be sent.
    pub after: i64,
}

/// A mail in the outbox.
#[derive(Clone)]
pub struct Letter {
    /// Its row, and its name for mail servers.
    pub id: String,
    /// What it is about; `None` for a kind of a later version.
    pub kind: Option<LetterKind>,
    /// Whose account.
    pub user: Option<UserId>,
    /// To whom.
    pub address: String,
    /// In which language.
    pub locale: Locale,
    /// What its text needs.
    pub detail: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub due_at: i64,
    /// How often it was taken to be sent.
    pub tries: i64,
}

#[derive(Queryable)]
struct LetterRow {
    id: String,
    kind: String,
    user_id: Option<String>,
    address: String,
    locale: String,
    detail: String,
    created_at: i64,
    due_at: i64,
    tries: i64,
}

impl TryFrom<LetterRow> for Letter {
    type Error = DbError;

    fn try_from(row: LetterRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id,
            kind: LetterKind::parse(&row.kind),
            user: row.user_id.as_deref().map(uuid).transpose()?,
            address: row.address,
            locale: Locale::parse(&row.locale).unwrap_or_default(),
            detail: row.detail,
            created_at: row.created_at,
            due_at: row.due_at,
            tries: row.tries,
        })
    }
}

impl Unit<'_, '_> {
    /// Puts a mail into the outbox, to be sent once the unit is committed.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn post(&mut self, letter: &NewLetter) -> Result<(), DbError> {
        let now = self.now();
        diesel::insert_into(outbox::table)
            .values((
                outbox::id.eq(Uuid::now_v7().to_string()),
                outbox::kind.eq(letter.kind.as_str()),
                outbox::user_id.eq(letter.user.map(|id| id.to_string())),
                outbox::address.eq(&letter.address),
                outbox::locale.eq(letter.locale.as_str()),
                outbox::detail.eq(&letter.detail),
                outbox::created_at.eq(now),
                outbox::due_at.eq(now.saturating_add(letter.after)),
                outbox::tries.eq(0),
            ))
            .execute(self.0)?;
        Ok(())
    }
}

impl Tx<'_> {
    /// Mails whose time has come, the longest due first, `limit` at most.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn letters_due(&mut self, now: i64, limit: u32) -> Result<Vec<Letter>, DbError> {
        outbox::table
            .filter(outbox::due_at.le(now))
            .order((outbox::due_at, outbox::id))
            .limit(limit.into())
            .load::<LetterRow>(self.0)?
            .into_iter()
            .map(Letter::try_from)
            .collect()
    }

    /// Takes a mail to send it: nobody else does until `until`, Unix seconds. `false` if somebody else has.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn take_letter(&mut self, letter: &Letter, until: i64) -> Result<bool, DbError> {
        let hit = diesel::sql_query(
            "UPDATE outbox SET due_at = $1, tries = tries + 1 WHERE id = $2 AND due_at = $3 AND tries = $4",
        )
        .bind::<BigInt, _>(until)
        .bind::<Text, _>(&letter.id)
        .bind::<BigInt, _>(letter.due_at)
        .bind::<BigInt, _>(letter.tries)
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Says whose mail it is, and of which kind, now that this is known.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn address_letter(
        &mut self,
        id: &str,
        kind: LetterKind,
        user: UserId,
        address: &str,
    ) -> Result<(), DbError> {
        diesel::update(outbox::table.filter(outbox::id.eq(id)))
            .set((
                outbox::kind.eq(kind.as_str()),
                outbox::user_id.eq(Some(user.to_string())),
                outbox::address.eq(address),
                outbox::tries.eq(0),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Puts a mail off until `due_at`, Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn put_off_letter(&mut self, id: &str, due_at: i64) -> Result<(), DbError> {
        diesel::update(outbox::table.filter(outbox::id.eq(id)))
            .set(outbox::due_at.eq(due_at))
            .execute(self.0)?;
        Ok(())
    }

    /// Removes a mail: it was sent, or never will be.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn remove_letter(&mut self, id: &str) -> Result<(), DbError> {
        diesel::delete(outbox::table.filter(outbox::id.eq(id))).execute(self.0)?;
        Ok(())
    }

    /// How many mails wait, and since when the oldest does, in Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn letters_waiting(&mut self) -> Result<(i64, Option<i64>), DbError> {
        use diesel::dsl::{count_star, min};
        Ok(outbox::table
            .select((count_star(), min(outbox::created_at)))
            .first(self.0)?)
    }

    /// Deletes up to `limit` mails from before `before`, Unix seconds: those of a service that sends none any more.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_letters(&mut self, before: i64, limit: u32) -> Result<usize, DbError> {
        Ok(diesel::sql_query(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < $1 LIMIT $2)",
        )
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self.0)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::db::{Caller, Db};
    use crate::settings::DatabaseUrl;

    #[test]
    fn every_kind_is_read_back() {
        let mails = Kind::ALL.into_iter().map(LetterKind::Mail);
        for kind in mails.chain([LetterKind::Forgot]) {
            assert_eq!(LetterKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[tokio::test]
    async fn of_two_replicas_that_see_a_mail_at_once_one_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        let caller = Caller::cli();
        let now = caller.now;
        let letter = NewLetter {
            kind: LetterKind::Forgot,
            user: None,
            address: "a@example.com".into(),
            locale: Locale::Zh,
            detail: String::new(),
            after: 0,
        };
        db.write(&caller, move |tx| tx.post(&letter)).await.unwrap();
        let seen = db.read(move |tx| tx.letters_due(now, 9)).await.unwrap();
        assert_eq!((seen.len(), seen[0].locale), (1, Locale::Zh));
        for (until, first) in [(now + 60, true), (now + 60, false), (now, false)] {
            let letter = seen[0].clone();
            let taken = db.write(&caller, move |tx| tx.take_letter(&letter, until));
            assert_eq!(taken.await.unwrap(), first);
        }
        let due = db
            .read(move |tx| tx.letters_due(now + 59, 9))
            .await
            .unwrap();
        assert!(due.is_empty(), "whoever took it has a minute");
        let due = db
            .read(move |tx| tx.letters_due(now + 60, 9))
            .await
            .unwrap();
        assert_eq!(due[0].tries, 1, "and then it is another one's");
    }
}
