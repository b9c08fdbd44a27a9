//! Statements on `users`.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::connection::AnyConnection;
use super::schema::users;
use super::{DbError, Tx};
use super::{Id, PasswordVersion, UserId};
use crate::db::{Account, PendingEmail, User};
use crate::spelling::email_key;

/// A user to insert.
#[derive(Clone)]
pub struct NewUser {
    /// Id, name, e-mail and roles.
    pub account: Account,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub email_verified_at: Option<i64>,
    /// Whether a stranger makes it for himself.
    pub self_registered: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct UserRow {
    id: String,
    user_name: String,
    email: String,
    roles: String,
    password_hash: String,
    password_version: i64,
    blocked_at: Option<i64>,
    created_at: i64,
    last_login_at: Option<i64>,
    email_verified_at: Option<i64>,
    pending_email: Option<String>,
    pending_until: i64,
    self_registered_at: Option<i64>,
}

fn user(row: UserRow) -> Result<User, DbError> {
    Ok(User {
        account: account(
            &row.id,
            row.user_name,
            row.email,
            row.email_verified_at,
            &row.roles,
        )?,
        password_hash: row.password_hash,
        password_version: PasswordVersion(row.password_version),
        blocked_at: row.blocked_at,
        created_at: row.created_at,
        last_login_at: row.last_login_at,
        pending: row.pending_email.map(|email| PendingEmail {
            email,
            until: row.pending_until,
        }),
        self_registered: row.self_registered_at.is_some(),
    })
}

pub(super) fn account(
    id: &str,
    user_name: String,
    email: String,
    email_verified_at: Option<i64>,
    roles: &str,
) -> Result<Account, DbError> {
    Ok(Account {
        id: uuid(id)?,
        user_name,
        email,
        email_verified: email_verified_at.is_some(),
        roles: read_roles(roles)?,
    })
}

pub(super) fn uuid<Of>(text: &str) -> Result<Id<Of>, DbError> {
    text.parse().map_err(|_| DbError::Unreadable("id"))
}

fn read_roles(json: &str) -> Result<Vec<String>, DbError> {
    serde_json::from_str(json).map_err(|_| DbError::Unreadable("roles"))
}

pub(super) fn write_roles(roles: &[String]) -> String {
    serde_json::Value::from(roles).to_string()
}

impl Tx<'_> {
    /// Inserts a user.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] if the e-mail is taken.
    pub fn insert_user(&mut self, new: &NewUser) -> Result<(), DbError> {
        diesel::insert_into(users::table)
            .values((
                users::id.eq(new.account.id.to_string()),
                users::email.eq(&new.account.email),
                users::email_key.eq(email_key(&new.account.email)),
                users::user_name.eq(&new.account.user_name),
                users::password_hash.eq(&new.password_hash),
                users::password_version.eq(1),
                users::roles.eq(write_roles(&new.account.roles)),
                users::created_at.eq(new.created_at),
                users::email_verified_at.eq(new.email_verified_at),
                users::self_registered_at.eq(new.self_registered.then_some(new.created_at)),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Inserts a user whose e-mail may be another one's: `false` if it is.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn insert_user_unless_there(&mut self, new: &NewUser) -> Result<bool, DbError> {
        let hit = diesel::sql_query(
            "INSERT INTO users (id, email, email_key, user_name, password_hash, password_version, roles, created_at, \
               self_registered_at) \
             VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8) ON CONFLICT (email_key) DO NOTHING",
        )
        .bind::<Text, _>(new.account.id.to_string())
        .bind::<Text, _>(&new.account.email)
        .bind::<Text, _>(email_key(&new.account.email))
        .bind::<Text, _>(&new.account.user_name)
        .bind::<Text, _>(&new.password_hash)
        .bind::<Text, _>(write_roles(&new.account.roles))
        .bind::<BigInt, _>(new.created_at)
        .bind::<Nullable<BigInt>, _>(new.self_registered.then_some(new.created_at))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Inserts many users at once. Those whose e-mail is there must not be among them.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] if one is.
    pub fn insert_users(&mut self, new: &[NewUser]) -> Result<(), DbError> {
        // SQLite has no multi-row insert with defaults in diesel, and needs none: it runs in this process.
        let AnyConnection::Postgres(conn) = &mut *self.0 else {
            return new.iter().try_for_each(|user| self.insert_user(user));
        };
        let rows: Vec<_> = new
            .iter()
            .map(|new| {
                (
                    users::id.eq(new.account.id.to_string()),
                    users::email.eq(&new.account.email),
                    users::email_key.eq(email_key(&new.account.email)),
                    users::user_name.eq(&new.account.user_name),
                    users::password_hash.eq(&new.password_hash),
                    users::password_version.eq(1),
                    users::roles.eq(write_roles(&new.account.roles)),
                    users::created_at.eq(new.created_at),
                    users::email_verified_at.eq(new.email_verified_at),
                )
            })
            .collect();
        diesel::insert_into(users::table)
            .values(rows)
            .execute(conn)?;
        Ok(())
    }

    /// Puts a hash of ours in the place of the one that a password was found to fit, if it is still there. The
    /// password is the same, so its version is.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn replace_hash(&mut self, id: UserId, old: &str, new: &str) -> Result<(), DbError> {
        diesel::update(
            users::table
                .filter(users::id.eq(id.to_string()))
                .filter(users::password_hash.eq(old)),
        )
        .set(users::password_hash.eq(new))
        .execute(self.0)?;
        Ok(())
    }

    /// The user with this e-mail.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_user_by_email(&mut self, email: &str) -> Result<Option<User>, DbError> {
        // No account has one, and PostgreSQL takes no text with one.
        if email.contains('\0') {
            return Ok(None);
        }
        // The second is an account of an earlier version that stands beside another one of today's spelling.
        let (today, as_sent) = (email_key(email), email.to_ascii_lowercase());
        let mut found = users::table
            .select((users::email_key, UserRow::as_select()))
            .filter(users::email_key.eq_any([&today, &as_sent]))
            .load::<(String, UserRow)>(self.0)?;
        let exact = found.iter().position(|(key, _)| *key == as_sent);
        let (_, row) = match exact {
            Some(at) => found.swap_remove(at),
            None => match found.pop() {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        user(row).map(Some)
    }

    /// Brings the keys of e-mails that an earlier version wrote into today's spelling, one by one. Says how many
    /// are left, since another account has that spelling: its user finds it as he wrote it then.
    ///
    /// # Errors
    /// See [`DbError`].
    pub(super) fn respell_email_keys(&mut self) -> Result<usize, DbError> {
        // What is not ASCII has more bytes than characters.
        let keys: Vec<(String, String)> = users::table
            .select((users::id, users::email_key))
            .filter(sql::<Bool>("octet_length(email_key) <> length(email_key)"))
            .load(self.0)?;
        let mut left = 0;
        for (id, old) in keys {
            let new = email_key(&old);
            if new == old {
                continue;
            }
            let hit = diesel::sql_query(
                "UPDATE users SET email_key = $1 WHERE id = $2 AND email_key = $3 \
                 AND NOT EXISTS (SELECT 1 FROM users AS other WHERE other.email_key = $4)",
            )
            .bind::<Text, _>(&new)
            .bind::<Text, _>(id)
            .bind::<Text, _>(&old)
            .bind::<Text, _>(&new)
            .execute(self.0)?;
            left += usize::from(hit == 0);
        }
        Ok(left)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_user(&mut self, id: UserId) -> Result<Option<User>, DbError> {
        users::table
            .select(UserRow::as_select())
            .filter(users::id.eq(id.to_string()))
            .first::<UserRow>(self.0)
            .optional()?
            .map(user)
            .transpose()
    }

    /// Users and the keys of their e-mails, in the order of these, after the one given, `limit` at most.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn list_users(&mut self, after: &str, limit: i64) -> Result<Vec<(String, User)>, DbError> {
        users::table
            .select((users::email_key, UserRow::as_select()))
            .filter(users::email_key.gt(after))
            .order(users::email_key)
            .limit(limit)
            .load::<(String, UserRow)>(self.0)?
            .into_iter()
            .map(|(key, row)| Ok((key, user(row)?)))
            .collect()
    }

    /// The deciding write of a log-in: `false` if, since the password was checked, it was changed or the
    /// account was blocked or deleted.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn mark_login(
        &mut self,
        id: UserId,
        password_version: PasswordVersion,
        now: i64,
    ) -> Result<bool, DbError> {
        let hit = diesel::sql_query(
            "UPDATE users SET last_login_at = $1 WHERE id = $2 AND password_version = $3 AND blocked_at IS NULL",
        )
        .bind::<BigInt, _>(now)
        .bind::<Text, _>(id.to_string())
        .bind::<BigInt, _>(password_version.0)
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Sets a new password hash; `false` if the password was changed since `password_version`, or the
    /// account was blocked or deleted. `None` does not ask (an operator decides).
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn set_password(
        &mut self,
        id: UserId,
        password_version: Option<PasswordVersion>,
        hash: &str,
    ) -> Result<bool, DbError> {
        let one = users::table.filter(users::id.eq(id.to_string()));
        let change = (
            users::password_hash.eq(hash.to_owned()),
            users::password_version.eq(users::password_version + 1),
            // Whoever asked for it may have been who the new password shuts out.
            users::pending_email.eq(None::<String>),
            users::pending_until.eq(0),
        );
        let hit = match password_version {
            Some(version) => diesel::update(
                one.filter(users::password_version.eq(version.0))
                    .filter(users::blocked_at.is_null()),
            )
            .set(change)
            .execute(self.0)?,
            None => diesel::update(one).set(change).execute(self.0)?,
        };
        Ok(hit == 1)
    }

    /// Changes name, e-mail or both, and nothing that is `None`; the same condition as [`Self::set_password`].
    ///
    /// # Errors
    /// [`DbError::Duplicate`] if the e-mail is taken.
    pub fn set_profile(
        &mut self,
        id: UserId,
        user_name: Option<&str>,
        email: Option<&str>,
        password_version: PasswordVersion,
    ) -> Result<bool, DbError> {
        let hit = diesel::update(
            users::table
                .filter(users::id.eq(id.to_string()))
                .filter(users::password_version.eq(password_version.0))
                .filter(users::blocked_at.is_null()),
        )
        // Columns of `None` are left out: what another change set meanwhile stays.
        .set((
            user_name.map(|name| users::user_name.eq(name)),
            email.map(|email| users::email.eq(email)),
            email.map(|email| users::email_key.eq(email_key(email))),
            // Nobody has proven the new one.
            email.map(|_| users::email_verified_at.eq(None::<i64>)),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Sets the roles.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn set_roles(&mut self, id: UserId, roles: &[String]) -> Result<bool, DbError> {
        let hit = diesel::update(users::table.filter(users::id.eq(id.to_string())))
            .set(users::roles.eq(write_roles(roles)))
            .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Blocks or unblocks; `false` if that changes nothing.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn set_blocked(&mut self, id: UserId, blocked_at: Option<i64>) -> Result<bool, DbError> {
        let one = users::table.filter(users::id.eq(id.to_string()));
        let set = users::blocked_at.eq(blocked_at);
        let hit = if blocked_at.is_some() {
            diesel::update(one.filter(users::blocked_at.is_null()))
                .set(set)
                .execute(self.0)?
        } else {
            diesel::update(one.filter(users::blocked_at.is_not_null()))
                .set(set)
                .execute(self.0)?
        };
        Ok(hit == 1)
    }

    /// Takes hold of the user's row until the unit is over; with a `password_version` only if the password
    /// is still that one and the account not blocked.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn lock_user(
        &mut self,
        id: UserId,
        password_version: Option<PasswordVersion>,
    ) -> Result<bool, DbError> {
        let one = users::table.filter(users::id.eq(id.to_string()));
        // A write that changes nothing: the one lock that both databases know.
        let nothing = users::created_at.eq(users::created_at);
        let hit = match password_version {
            Some(version) => diesel::update(
                one.filter(users::password_version.eq(version.0))
                    .filter(users::blocked_at.is_null()),
            )
            .set(nothing)
            .execute(self.0)?,
            None => diesel::update(one).set(nothing).execute(self.0)?,
        };
        Ok(hit == 1)
    }

    /// Deletes the user's row; its sessions stay, without a user, for the revocation feed.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_user(&mut self, id: UserId) -> Result<(), DbError> {
        diesel::delete(users::table.filter(users::id.eq(id.to_string()))).execute(self.0)?;
        Ok(())
    }
}
