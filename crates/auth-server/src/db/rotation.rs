//! The statements of a refresh: a row moves one generation on, if it is what the token says.

use std::collections::HashMap;
use std::sync::LazyLock;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::answers::{AccountColumns, GrantColumns, USER_AND_GRANT};
use super::connection::AnyConnection;
use super::prepared::{self, Prepared};
use super::schema::sessions;
use super::session_row::{grant, write_nonce};
use super::users::{account, uuid};
use super::{DbError, Generation, SessionId, Tx, UserId};
use crate::db::{Account, Grant, RefreshToken, Session};

/// What a rotation moves.
#[derive(Clone)]
pub struct Rotation {
    /// The token that was presented.
    pub presented: RefreshToken,
    /// Who asks.
    pub owner: Owner,
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

/// Who may turn a session over: the account's own goes by its user, a client's by the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The user that the access token which came along names.
    User(UserId),
    /// The client, which has shown that it is this one, or is public; its id is not empty.
    Client(String),
}

impl Owner {
    /// User and client as the statement compares them: one of the two is empty.
    fn words(&self) -> (String, &str) {
        match self {
            Self::User(user) => (user.to_string(), ""),
            Self::Client(client) => (String::new(), client),
        }
    }

    /// Whether the session is this one's.
    #[must_use]
    pub fn owns(&self, session: &Session) -> bool {
        match self {
            // One of a deleted account is nobody's any more, and is over.
            Self::User(user) => {
                session.grant.is_none() && session.user.is_none_or(|owner| owner == *user)
            }
            Self::Client(client) => session
                .grant
                .as_ref()
                .is_some_and(|grant| grant.client == *client),
        }
    }
}

/// What a rotation found.
#[derive(Clone)]
pub struct Rotated {
    /// The user as of now: tokens carry today's name, e-mail and roles.
    pub account: Account,
    /// Unix seconds.
    pub absolute_until: i64,
    /// What the client was granted, if it is a client's.
    pub grant: Option<Grant>,
}

/// What becomes of the row; `{…}` is what the rotation brings.
const MOVES: &str = "generation = {next}, rotated_at = {now}, \
    idle_until = CASE WHEN absolute_until < {idle_until} THEN absolute_until ELSE {idle_until} END, {late}, \
    seen_at = CASE WHEN rotated_at < {shown_from} THEN rotated_at ELSE seen_at END, \
    seen_address = CASE WHEN rotated_at < {shown_from} THEN sessions.address ELSE seen_address END, \
    address = {address}, agent = {agent}";

/// What the row must be.
const IF: &str = "sessions.id = {session} AND generation = {found} \
    AND client_id = {client} AND (client_id <> '' OR user_id = {user}) AND nonce = {nonce} \
    AND ended_at IS NULL AND idle_until > {now} AND absolute_until > {now}";

/// The count of late retries in a row, at a usual rotation.
const LATE: &str =
    "late_streak = CASE WHEN late_generation = generation THEN late_streak ELSE 0 END";

/// What a rotation brings, in the order of the values.
const NAMES: [&str; 11] = [
    "next",
    "now",
    "idle_until",
    "shown_from",
    "address",
    "agent",
    "session",
    "found",
    "client",
    "user",
    "nonce",
];

/// One row, on either database.
fn one(late: &str) -> prepared::Text {
    let text = format!(
        "UPDATE sessions SET {MOVES} WHERE {IF} RETURNING absolute_until, {USER_AND_GRANT}"
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
    LazyLock::new(|| one("late_generation = 0, late_streak = 0, pending = NULL"));

#[derive(QueryableByName)]
struct RotatedRow {
    #[diesel(sql_type = BigInt)]
    absolute_until: i64,
    #[diesel(embed)]
    account: AccountColumns,
    #[diesel(embed)]
    grant: GrantColumns,
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
        if found == Generation(0) {
            // Back before its code was fetched: the ends that stand in the row are the code's, and the token knows
            // the session's.
            let until = rotation.presented.absolute_until;
            diesel::update(
                sessions::table
                    .filter(sessions::id.eq(rotation.presented.session.to_string()))
                    .filter(sessions::nonce.eq(write_nonce(&rotation.presented.nonce)))
                    .filter(sessions::generation.eq(0)),
            )
            .set((
                sessions::absolute_until.eq(until),
                sessions::idle_until.eq(until),
            ))
            .execute(self.0)?;
        }
        self.advance(&CATCH_UP, rotation, found)
    }

    fn advance(
        &mut self,
        text: &'static prepared::Text,
        rotation: &Rotation,
        found: Generation,
    ) -> Result<Option<Rotated>, DbError> {
        let session = rotation.presented.session.to_string();
        let (user, client) = rotation.owner.words();
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
            .text(client)
            .text(&user)
            .text(&nonce)
            .integer(rotation.now)
            .integer(rotation.now)
            .get_result::<RotatedRow>(self.0)
            .optional()?;
        row.map(|row| {
            Ok(Rotated {
                account: row.account.account()?,
                absolute_until: row.absolute_until,
                grant: row.grant.grant()?,
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
                |((session, absolute_until), (user, name, email, verified_at, roles), granted)| {
                    let account = account(&user, name, email, verified_at, &roles)?;
                    let (client, scope, auth_time, amr, browser) = granted;
                    let rotated = Rotated {
                        account,
                        absolute_until,
                        grant: grant(client, scope, auth_time, amr, browser.as_deref())?,
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
type ManyRow = (
    (String, i64),
    (String, String, String, Option<i64>, String),
    (String, String, i64, String, Option<String>),
);

static ROTATE_MANY: LazyLock<prepared::Text> = LazyLock::new(|| {
    let text = format!("UPDATE sessions SET {MOVES} FROM ").replace("{late}", LATE);
    // The bound holds for this statement, which is a transaction; set by a statement of its own it would hold for
    // whoever gets the connection from a pooler next.
    let condition = format!(
        "(SELECT set_config('lock_timeout', '{LOCK}', true) OFFSET 0) AS bound, \
         unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AS asked ({}), users \
         WHERE users.id = sessions.user_id AND {IF} \
         RETURNING sessions.id, absolute_until, users.id, user_name, email, email_verified_at, roles, \
           client_id, scope, auth_time, amr, browser_sid",
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
    client: Vec<&'a str>,
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
            let (user, client) = rotation.owner.words();
            all.client.push(client);
            all.user.push(user);
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
        out.push_bind_param::<Array<Text>, _>(&self.client)?;
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
    type SqlType = (
        (Text, BigInt),
        (Text, Text, Text, Nullable<BigInt>, Text),
        (Text, Text, BigInt, Text, Nullable<Text>),
    );
}

impl<C> RunQueryDsl<C> for RotateMany<'_> {}
