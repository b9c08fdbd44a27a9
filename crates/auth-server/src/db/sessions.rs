//! Statements on `sessions`. Each that changes a row says in its condition what it found the row to be.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::schema::{sessions, users};
use super::session_row::{SessionRow, write_nonce};
use super::users::account;
use super::{DbError, Generation, Tx};
use super::{SessionId, UserId};
use crate::db::{Account, RefreshToken, Session, Sighting};

/// A session to insert.
#[derive(Clone)]
pub struct NewSession {
    /// Its id, generation 1, nonce and absolute end.
    pub token: RefreshToken,
    /// Whose it is.
    pub user: UserId,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub idle_until: i64,
    /// User agent.
    pub device: String,
    /// Client address.
    pub address: String,
}

/// What a rotation moves.
#[derive(Clone)]
pub struct Rotation {
    /// The token that was presented.
    pub presented: RefreshToken,
    /// The user its access token names.
    pub user: UserId,
    /// Unix seconds.
    pub now: i64,
    /// Unix seconds to which the idle end slides, if the absolute end allows.
    pub idle_until: i64,
    /// Client address.
    pub address: String,
    /// User agent.
    pub agent: String,
    /// Unix second from which on uses are too fresh for the user's list; one before it is kept for that.
    pub shown_from: i64,
}

/// What a rotation found.
#[derive(Clone)]
pub struct Rotated {
    /// The user as of now: tokens carry today's name, e-mail and roles.
    pub account: Account,
    /// Unix seconds.
    pub absolute_until: i64,
}

/// A session with its user, who is `None` once deleted.
#[derive(Clone)]
pub struct SessionWithAccount {
    /// The row.
    pub session: Session,
    /// The user.
    pub account: Option<Account>,
}

#[derive(QueryableByName)]
struct RotatedRow {
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = BigInt)]
    absolute_until: i64,
    #[diesel(sql_type = Text)]
    user_name: String,
    #[diesel(sql_type = Text)]
    email: String,
    #[diesel(sql_type = Text)]
    roles: String,
}

impl Tx<'_> {
    /// Inserts a session at generation 1.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn insert_session(&mut self, new: &NewSession) -> Result<(), DbError> {
        diesel::insert_into(sessions::table)
            .values((
                sessions::id.eq(new.token.session.to_string()),
                sessions::user_id.eq(new.user.to_string()),
                sessions::nonce.eq(write_nonce(&new.token.nonce)),
                sessions::generation.eq(new.token.generation.0),
                sessions::created_at.eq(new.created_at),
                sessions::rotated_at.eq(new.created_at),
                sessions::idle_until.eq(new.idle_until),
                sessions::absolute_until.eq(new.token.absolute_until),
                sessions::late_generation.eq(0),
                sessions::late_streak.eq(0),
                sessions::device.eq(&new.device),
                sessions::address.eq(&new.address),
                sessions::agent.eq(Some(&new.device)),
                sessions::seen_at.eq(new.created_at),
                sessions::seen_address.eq(&new.address),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// The usual refresh, whole in one statement: the row moves one generation on if it is live and the
    /// presented token is its current one; `None` if any of that does not hold.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn rotate_session(&mut self, rotation: &Rotation) -> Result<Option<Rotated>, DbError> {
        let late =
            "late_streak = CASE WHEN late_generation = generation THEN late_streak ELSE 0 END";
        self.advance(
            "generation + 1",
            late,
            rotation,
            rotation.presented.generation,
        )
    }

    /// A genuine token newer than the row, whose database was set back: the row catches up with it and
    /// moves on, provided it still stands at `found`.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn catch_up_session(
        &mut self,
        rotation: &Rotation,
        found: Generation,
    ) -> Result<Option<Rotated>, DbError> {
        let next = rotation.presented.generation.next().to_string();
        let late = "late_generation = 0, late_streak = 0";
        self.advance(&next, late, rotation, found)
    }

    /// Moves the row from the generation `found` to `next`, which is an expression of SQL as `late` is.
    fn advance(
        &mut self,
        next: &str,
        late: &str,
        rotation: &Rotation,
        found: Generation,
    ) -> Result<Option<Rotated>, DbError> {
        let sql = format!(
            "UPDATE sessions SET generation = {next}, rotated_at = $1, \
               idle_until = CASE WHEN absolute_until < $2 THEN absolute_until ELSE $3 END, {late}, \
               seen_at = CASE WHEN rotated_at < $4 THEN rotated_at ELSE seen_at END, \
               seen_address = CASE WHEN rotated_at < $5 THEN address ELSE seen_address END, \
               address = $6, agent = $7 \
             WHERE id = $8 AND generation = $9 AND user_id = $10 AND nonce = $11 \
               AND ended_at IS NULL AND idle_until > $12 AND absolute_until > $13 \
             RETURNING user_id, absolute_until, \
               (SELECT user_name FROM users WHERE users.id = sessions.user_id) AS user_name, \
               (SELECT email FROM users WHERE users.id = sessions.user_id) AS email, \
               (SELECT roles FROM users WHERE users.id = sessions.user_id) AS roles"
        );
        // Each $n is bound once, in ascending order: what both databases number alike.
        let row = diesel::sql_query(sql)
            .bind::<BigInt, _>(rotation.now)
            .bind::<BigInt, _>(rotation.idle_until)
            .bind::<BigInt, _>(rotation.idle_until)
            .bind::<BigInt, _>(rotation.shown_from)
            .bind::<BigInt, _>(rotation.shown_from)
            .bind::<Text, _>(&rotation.address)
            .bind::<Text, _>(&rotation.agent)
            .bind::<Text, _>(rotation.presented.session.to_string())
            .bind::<BigInt, _>(found.0)
            .bind::<Text, _>(rotation.user.to_string())
            .bind::<Text, _>(write_nonce(&rotation.presented.nonce))
            .bind::<BigInt, _>(rotation.now)
            .bind::<BigInt, _>(rotation.now)
            .get_result::<RotatedRow>(self.0)
            .optional()?;
        row.map(|row| {
            Ok(Rotated {
                account: account(&row.user_id, row.user_name, row.email, &row.roles)?,
                absolute_until: row.absolute_until,
            })
        })
        .transpose()
    }

    /// Notes that the row's current generation was handed out late, if nothing moved since it was read;
    /// `false` if something did.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn mark_late(&mut self, session: &Session) -> Result<bool, DbError> {
        let hit = diesel::update(
            sessions::table
                .filter(sessions::id.eq(session.id.to_string()))
                .filter(sessions::generation.eq(session.generation.0))
                .filter(sessions::late_generation.eq(session.late_generation.0))
                .filter(sessions::late_streak.eq(session.late_streak))
                .filter(sessions::ended_at.is_null()),
        )
        .set((
            sessions::late_generation.eq(session.generation.0),
            sessions::late_streak.eq(sessions::late_streak + 1),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Notes that the row's current generation was handed out again to somebody elsewhere, if that is not
    /// noted yet; `false` if it is, or the row moved on. The mark before it is kept for the user's list if it is
    /// from before `shown_from`, Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn mark_elsewhere(
        &mut self,
        session: SessionId,
        seen: &Sighting,
        shown_from: i64,
    ) -> Result<bool, DbError> {
        let older = |column: &str| {
            format!(
                "shown_sighting_{column} = CASE WHEN sighting_generation > 0 AND sighting_at < {shown_from} \
                 THEN sighting_{column} ELSE shown_sighting_{column} END"
            )
        };
        let hit = diesel::sql_query(format!(
            "UPDATE sessions SET {}, {}, {}, sighting_generation = $1, sighting_at = $2, \
               sighting_address = $3, sighting_device = $4 \
             WHERE id = $5 AND generation = $6 AND sighting_generation <> $7 AND ended_at IS NULL",
            older("at"),
            older("address"),
            older("device"),
        ))
        .bind::<BigInt, _>(seen.generation.0)
        .bind::<BigInt, _>(seen.at)
        .bind::<Text, _>(&seen.address)
        .bind::<Text, _>(&seen.device)
        .bind::<Text, _>(session.to_string())
        .bind::<BigInt, _>(seen.generation.0)
        .bind::<BigInt, _>(seen.generation.0)
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// A session and its user.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_session(&mut self, id: SessionId) -> Result<Option<SessionWithAccount>, DbError> {
        let found = sessions::table
            .left_join(users::table)
            .filter(sessions::id.eq(id.to_string()))
            .select((
                sessions::all_columns,
                (users::id, users::user_name, users::email, users::roles).nullable(),
            ))
            .first::<(SessionRow, Option<(String, String, String, String)>)>(self.0)
            .optional()?;
        let Some((row, user)) = found else {
            return Ok(None);
        };
        Ok(Some(SessionWithAccount {
            session: row.try_into()?,
            account: user
                .map(|(id, name, email, roles)| account(&id, name, email, &roles))
                .transpose()?,
        }))
    }

    /// The longest lives that sessions were given, in seconds: unless refreshed, and in all. 0 where there are none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn longest_lives(&mut self) -> Result<(i64, i64), DbError> {
        #[derive(QueryableByName)]
        struct Lives {
            #[diesel(sql_type = BigInt)]
            idle: i64,
            #[diesel(sql_type = BigInt)]
            absolute: i64,
        }
        let lives: Lives = diesel::sql_query(
            "SELECT COALESCE(MAX(idle_until - rotated_at), 0) AS idle, \
             COALESCE(MAX(absolute_until - created_at), 0) AS absolute \
             FROM sessions WHERE ended_at IS NULL",
        )
        .get_result(self.0)?;
        Ok((lives.idle, lives.absolute))
    }

    /// The live sessions of a user, newest first.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn list_sessions(&mut self, user: UserId, now: i64) -> Result<Vec<Session>, DbError> {
        sessions::table
            .filter(sessions::user_id.eq(user.to_string()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::idle_until.gt(now))
            .filter(sessions::absolute_until.gt(now))
            .order((sessions::created_at.desc(), sessions::id))
            .load::<SessionRow>(self.0)?
            .into_iter()
            .map(Session::try_from)
            .collect()
    }
}
