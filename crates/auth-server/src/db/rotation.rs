//! The statements of a refresh: a row moves one generation on, if it is what the token says.

use std::collections::HashMap;
use std::sync::LazyLock;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::connection::AnyConnection;
use super::prepared::{self, Prepared};
use super::session_row::write_nonce;
use super::users::{account, uuid};
use super::{DbError, Generation, SessionId, Tx, UserId};
use crate::db::{Account, RefreshToken};

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

/// What becomes of the row; `{…}` is what the rotation brings.
const MOVES: &str = "generation = {next}, rotated_at = {now}, \
    idle_until = CASE WHEN absolute_until < {idle_until} THEN absolute_until ELSE {idle_until} END, {late}, \
    seen_at = CASE WHEN rotated_at < {shown_from} THEN rotated_at ELSE seen_at END, \
    seen_address = CASE WHEN rotated_at < {shown_from} THEN sessions.address ELSE seen_address END, \
    address = {address}, agent = {agent}";

/// What the row must be.
const IF: &str = "sessions.id = {session} AND generation = {found} AND user_id = {user} AND nonce = {nonce} \
    AND ended_at IS NULL AND idle_until > {now} AND absolute_until > {now}";

/// The count of late retries in a row, at a usual rotation.
const LATE: &str =
    "late_streak = CASE WHEN late_generation = generation THEN late_streak ELSE 0 END";

/// What a rotation brings, in the order of the values.
const NAMES: [&str; 10] = [
    "next",
    "now",
    "idle_until",
    "shown_from",
    "address",
    "agent",
    "session",
    "found",
    "user",
    "nonce",
];

/// One row, on either database.
fn one(late: &str) -> prepared::Text {
    let text = format!(
        "UPDATE sessions SET {MOVES} WHERE {IF} RETURNING user_id, absolute_until, \
           (SELECT user_name FROM users WHERE users.id = sessions.user_id) AS user_name, \
           (SELECT email FROM users WHERE users.id = sessions.user_id) AS email, \
           (SELECT email_verified_at FROM users WHERE users.id = sessions.user_id) AS email_verified_at, \
           (SELECT roles FROM users WHERE users.id = sessions.user_id) AS roles"
    );
    let text = NAMES
        .iter()
        .fold(text.replace("{late}", late), |text, name| {
            text.replace(&format!("{{{name}}}"), "?")
        });
    prepared::Text::of(&text)
}

static ROTATE: LazyLock<prepared::Text> = LazyLock::new(|| one(LATE));
static CATCH_UP: LazyLock<prepared::Text> =
    LazyLock::new(|| one("late_generation = 0, late_streak = 0"));

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
    #[diesel(sql_type = Nullable<BigInt>)]
    email_verified_at: Option<i64>,
    #[diesel(sql_type = Text)]
    roles: String,
}

impl Tx<'_> {
    /// The usual refresh, whole in one statement: the row moves one generation on if it is live and the
    /// presented token is its current one; `None` if any of that does not hold.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn rotate_session(&mut self, rotation: &Rotation) -> Result<Option<Rotated>, DbError> {
        self.advance(&ROTATE, rotation, rotation.presented.generation)
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
        self.advance(&CATCH_UP, rotation, found)
    }

    fn advance(
        &mut self,
        text: &'static prepared::Text,
        rotation: &Rotation,
        found: Generation,
    ) -> Result<Option<Rotated>, DbError> {
        let (session, user) = (
            rotation.presented.session.to_string(),
            rotation.user.to_string(),
        );
        let nonce = write_nonce(&rotation.presented.nonce);
        let row = Prepared::new(text)
            .integer(rotation.presented.generation.next().0)
            .integer(rotation.now)
            .integer(rotation.idle_until)
            .integer(rotation.idle_until)
            .integer(rotation.shown_from)
            .integer(rotation.shown_from)
            .text(&rotation.address)
            .text(&rotation.agent)
            .text(&session)
            .integer(found.0)
            .text(&user)
            .text(&nonce)
            .integer(rotation.now)
            .integer(rotation.now)
            .get_result::<RotatedRow>(self.0)
            .optional()?;
        row.map(|row| {
            Ok(Rotated {
                account: account(
                    &row.user_id,
                    row.user_name,
                    row.email,
                    row.email_verified_at,
                    &row.roles,
                )?,
                absolute_until: row.absolute_until,
            })
        })
        .transpose()
    }

    /// [`Self::rotate_session`] for many sessions, each once, in one statement of PostgreSQL; those that are missing
    /// in the answer did not move. The rows change in the order of `rotations`. A row that is locked is waited for no
    /// longer than [`LOCK`], and then nothing has changed.
    ///
    /// # Errors
    /// See [`DbError`].
    pub(super) fn rotate_sessions(
        &mut self,
        rotations: &[&Rotation],
    ) -> Result<HashMap<SessionId, Rotated>, DbError> {
        let AnyConnection::Postgres(conn) = self.0 else {
            return Err(DbError::Unusable("SQLite has its writer".into()));
        };
        RotateMany::of(rotations)
            .load::<ManyRow>(conn)?
            .into_iter()
            .map(
                |(session, absolute_until, user, name, email, verified_at, roles)| {
                    let account = account(&user, name, email, verified_at, &roles)?;
                    let rotated = Rotated {
                        account,
                        absolute_until,
                    };
                    Ok((uuid(&session)?, rotated))
                },
            )
            .collect()
    }
}

/// How long a statement for many waits for a row that somebody else is changing. As long as that takes as a rule, and
/// little beside a deadline: the others wait with it.
const LOCK: &str = "20ms";

/// What a rotation among many answers.
type ManyRow = (String, i64, String, String, String, Option<i64>, String);

static ROTATE_MANY: LazyLock<prepared::Text> = LazyLock::new(|| {
    let text = format!("UPDATE sessions SET {MOVES} FROM ").replace("{late}", LATE);
    // The bound holds for this statement, which is a transaction; set by a statement of its own it would hold for
    // whoever gets the connection from a pooler next.
    let condition = format!(
        "(SELECT set_config('lock_timeout', '{LOCK}', true) OFFSET 0) AS bound, \
         unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AS asked ({}) \
         JOIN users ON users.id = asked.to_user \
         WHERE {IF} \
         RETURNING sessions.id, absolute_until, users.id, user_name, email, email_verified_at, roles",
        NAMES.map(|name| format!("to_{name}")).join(", ")
    );
    let text = NAMES.iter().fold(text + &condition, |text, name| {
        text.replace(&format!("{{{name}}}"), &format!("asked.to_{name}"))
    });
    prepared::Text::of(&text)
});

/// The values of many rotations, a list for each column.
#[derive(Default)]
struct RotateMany<'a> {
    next: Vec<i64>,
    now: Vec<i64>,
    idle_until: Vec<i64>,
    shown_from: Vec<i64>,
    address: Vec<&'a str>,
    agent: Vec<&'a str>,
    session: Vec<String>,
    found: Vec<i64>,
    user: Vec<String>,
    nonce: Vec<String>,
}

impl<'a> RotateMany<'a> {
    fn of(rotations: &[&'a Rotation]) -> Self {
        let mut all = Self::default();
        for rotation in rotations {
            let presented = &rotation.presented;
            all.next.push(presented.generation.next().0);
            all.now.push(rotation.now);
            all.idle_until.push(rotation.idle_until);
            all.shown_from.push(rotation.shown_from);
            all.address.push(&rotation.address);
            all.agent.push(&rotation.agent);
            all.session.push(presented.session.to_string());
            all.found.push(presented.generation.0);
            all.user.push(rotation.user.to_string());
            all.nonce.push(write_nonce(&presented.nonce));
        }
        all
    }
}

impl QueryFragment<Pg> for RotateMany<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut pieces = ROTATE_MANY.pieces();
        let mut text = || pieces.next().unwrap_or_default();
        out.push_sql(text());
        for numbers in [&self.next, &self.now, &self.idle_until, &self.shown_from] {
            out.push_bind_param::<Array<BigInt>, _>(numbers)?;
            out.push_sql(text());
        }
        for texts in [&self.address, &self.agent] {
            out.push_bind_param::<Array<Text>, _>(texts)?;
            out.push_sql(text());
        }
        out.push_bind_param::<Array<Text>, _>(&self.session)?;
        out.push_sql(text());
        out.push_bind_param::<Array<BigInt>, _>(&self.found)?;
        out.push_sql(text());
        for texts in [&self.user, &self.nonce] {
            out.push_bind_param::<Array<Text>, _>(texts)?;
            out.push_sql(text());
        }
        Ok(())
    }
}

impl QueryId for RotateMany<'_> {
    type QueryId = RotateMany<'static>;
    /// There is one text.
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for RotateMany<'_> {
    type SqlType = (Text, BigInt, Text, Text, Text, Nullable<BigInt>, Text);
}

impl<C> RunQueryDsl<C> for RotateMany<'_> {}
