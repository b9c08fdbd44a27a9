//! `auth-server user …`

use clap::Subcommand;
use serde::Serialize;

use super::output::say;
use super::table::{Column, Row, Table};
use super::{CommandError, input, open};
use crate::accounts::Accounts;
use crate::db::Db;
use crate::db::{Caller, User, UserId};
use crate::log_in::{Hasher, Paid};
use crate::settings::Settings;

/// Users in one page of `user list`: what is in memory at once.
const PAGE: i64 = 500;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add an account. The password is asked for, or read as the first line of standard input.
    Add {
        /// E-mail to log in with.
        email: String,
        /// Name to show; by default what stands before the @.
        #[arg(long)]
        name: Option<String>,
        /// A role; may be given several times.
        #[arg(long = "role")]
        roles: Vec<String>,
    },
    /// List the accounts: id, e-mail, name, roles, state.
    List {
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Set a new password; every session of the account ends.
    SetPassword {
        /// E-mail or id.
        user: String,
    },
    /// Set the roles (none: take all away). They hold from the next refresh on.
    SetRoles {
        /// E-mail or id.
        user: String,
        /// The roles.
        roles: Vec<String>,
        /// End the account's sessions as well, so that no old token keeps the old roles.
        #[arg(long)]
        now: bool,
    },
    /// Block an account: every session ends, and nobody can log in to it.
    Block {
        /// E-mail or id.
        user: String,
    },
    /// Lift a block.
    Unblock {
        /// E-mail or id.
        user: String,
    },
    /// Delete an account; of it only ids stay, in the audit trail.
    Delete {
        /// E-mail or id.
        user: String,
    },
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        let db = open(settings).await?;
        let accounts = accounts(&db)?;
        match self {
            Self::Add { email, name, roles } => {
                let name =
                    name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
                // Asked for before the caller comes: from then on the time runs.
                let password = input::password()?;
                let account = accounts
                    .register(
                        name,
                        email,
                        password,
                        roles,
                        Paid::by_operator(),
                        &Caller::cli(),
                    )
                    .await?;
                say(account.id)
            }
            Self::List { json } => list(&db, json).await,
            Self::SetPassword { user } => {
                let user = find(&db, &user).await?;
                let password = input::password()?;
                let done = accounts
                    .set_password(user.account.id, password, &Caller::cli())
                    .await?;
                report(
                    done,
                    "the password is set, every session of the account has ended",
                    "the account is gone",
                )
            }
            Self::SetRoles { user, roles, now } => {
                let user = find(&db, &user).await?;
                let done = accounts
                    .set_roles(user.account.id, roles, now, &Caller::cli())
                    .await?;
                let how = if now {
                    "the roles are set, every session has ended"
                } else {
                    "the roles hold from the next refresh on"
                };
                report(done, how, "the account is gone")
            }
            Self::Block { user } => {
                let user = find(&db, &user).await?;
                let done = accounts.block(user.account.id, &Caller::cli()).await?;
                report(
                    done,
                    "blocked, every session of the account has ended",
                    "the account is blocked already",
                )
            }
            Self::Unblock { user } => {
                let user = find(&db, &user).await?;
                report(
                    accounts.unblock(user.account.id, &Caller::cli()).await?,
                    "unblocked",
                    "the account is not blocked",
                )
            }
            Self::Delete { user } => {
                let id = find(&db, &user).await?.account.id;
                let done = accounts
                    .remove(id, None, crate::db::EndReason::Admin, &Caller::cli())
                    .await?;
                report(done, "deleted", "the account is gone already")
            }
        }
    }
}

fn accounts(db: &Db) -> Result<Accounts, CommandError> {
    Ok(Accounts::new(db.clone(), Hasher::start(1)?, None))
}

fn report(done: bool, yes: &str, no: &str) -> Result<(), CommandError> {
    if done {
        say(yes)
    } else {
        Err(CommandError::Failed(no.to_owned()))
    }
}

pub(super) async fn find(db: &Db, name: &str) -> Result<User, CommandError> {
    let wanted = name.to_owned();
    let found = db
        .read(move |tx| match wanted.parse() {
            Ok(id) => tx.find_user(id),
            Err(_) => tx.find_user_by_email(&wanted),
        })
        .await?;
    found.ok_or_else(|| CommandError::Failed(format!("there is no account {name:?}")))
}

const COLUMNS: &[Column] = &[
    Column::whole("ID"),
    Column::text("E-MAIL"),
    Column::text("NAME"),
    Column::text("ROLES"),
    Column::whole("STATE"),
];

/// An account as it is listed. Times are Unix seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: UserId,
    user_name: String,
    email: String,
    roles: Vec<String>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_at: Option<i64>,
}

impl From<User> for Listed {
    fn from(user: User) -> Self {
        Self {
            id: user.account.id,
            user_name: user.account.user_name,
            email: user.account.email,
            roles: user.account.roles,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
            blocked_at: user.blocked_at,
        }
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<String> {
        let blocked = self.blocked_at.is_some();
        vec![
            self.id.to_string(),
            self.email.clone(),
            self.user_name.clone(),
            self.roles.join(","),
            if blocked { "blocked" } else { "active" }.to_owned(),
        ]
    }
}

async fn list(db: &Db, json: bool) -> Result<(), CommandError> {
    let mut table = Table::new(COLUMNS, json);
    let mut after = String::new();
    loop {
        let from = after.clone();
        let page = db.read(move |tx| tx.list_users(&from, PAGE)).await?;
        let Some((last, _)) = page.last() else {
            return table.end();
        };
        after.clone_from(last);
        let page: Vec<Listed> = page.into_iter().map(|(_, user)| user.into()).collect();
        table.rows(&page)?;
    }
}
