//! What statements on sessions answer of the account and of the client's grant: the columns, and what becomes of them.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::DbError;
use super::session_row::grant;
use super::users::account;
use crate::db::{Account, Grant};

/// After `RETURNING`: today's user of the row that was written, and what its client was granted. See [`AccountColumns`]
/// and [`GrantColumns`].
pub(super) const USER_AND_GRANT: &str = "user_id, client_id, scope, auth_time, amr, browser_sid, \
    (SELECT user_name FROM users WHERE users.id = sessions.user_id) AS user_name, \
    (SELECT email FROM users WHERE users.id = sessions.user_id) AS email, \
    (SELECT email_verified_at FROM users WHERE users.id = sessions.user_id) AS email_verified_at, \
    (SELECT roles FROM users WHERE users.id = sessions.user_id) AS roles";

/// The user.
#[derive(QueryableByName)]
pub(super) struct AccountColumns {
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    user_name: String,
    #[diesel(sql_type = Text)]
    email: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    email_verified_at: Option<i64>,
    #[diesel(sql_type = Text)]
    roles: String,
}

impl AccountColumns {
    pub(super) fn account(self) -> Result<Account, DbError> {
        account(
            &self.user_id,
            self.user_name,
            self.email,
            self.email_verified_at,
            &self.roles,
        )
    }
}

/// What a client was granted.
#[derive(QueryableByName)]
pub(super) struct GrantColumns {
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = BigInt)]
    auth_time: i64,
    #[diesel(sql_type = Text)]
    amr: String,
    #[diesel(sql_type = Nullable<Text>)]
    browser_sid: Option<String>,
}

impl GrantColumns {
    pub(super) fn grant(self) -> Result<Option<Grant>, DbError> {
        grant(
            self.client_id,
            self.scope,
            self.auth_time,
            self.amr,
            self.browser_sid.as_deref(),
        )
    }
}
