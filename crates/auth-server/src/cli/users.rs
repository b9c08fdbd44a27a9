//! `auth-server user …`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;
use shared::clock;

use super::output::{complain, say};
use super::table::{Column, Row, Table};
use super::{CommandError, input, open};
use crate::accounts::{Accounts, Import, ImportFault, Imported, NewAccount, exported};
use crate::db::Db;
use crate::db::{Caller, User, UserId};
use crate::log_in::Hasher;
use crate::mac_keys::MacKeyFile;
use crate::outbox::link::Purpose;
use crate::outbox::{Links, Outbox};
use crate::server::strength;
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
    /// Print a link with which its user sets a new password: to be handed on, for 30 minutes, once. Nothing is mailed.
    ResetLink {
        /// E-mail or id.
        user: String,
    },
    /// Invite somebody to an account: by mail, or without `MAIL_URL` by the link that is printed. For seven days, once.
    Invite {
        /// E-mail.
        email: String,
        /// A role; may be given several times.
        #[arg(long = "role")]
        roles: Vec<String>,
    },
    /// Add the accounts of a file of JSON lines, all or none; see docs/MIGRATING.md.
    Import {
        /// The file.
        file: PathBuf,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print all accounts as JSON lines, as `user import` takes them.
    Export {
        /// With the hashes of the passwords.
        #[arg(long)]
        hashes: bool,
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
        match self {
            Self::List { json } => return list(&db, json).await,
            Self::Export { hashes } => return export(&db, hashes).await,
            Self::ResetLink { user } => return reset_link(&db, &user, settings).await,
            Self::Import { file, dry_run } => {
                return import(settings, file, dry_run).await;
            }
            Self::Invite { email, roles } => {
                let accounts = accounts(&db, settings)?;
                return invite(&accounts, &email, roles, settings).await;
            }
            _ => {}
        }
        let accounts = accounts(&db, settings)?;
        match self {
            Self::Add { email, name, roles } => {
                let name =
                    name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
                // Asked for before the caller comes: from then on the time runs.
                let password = input::password()?;
                let new = NewAccount {
                    user_name: name,
                    email,
                    password,
                    roles,
                };
                let account = accounts.add(new, &Caller::cli()).await?;
                say(account.id)
            }
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
            Self::List { .. }
            | Self::Export { .. }
            | Self::ResetLink { .. }
            | Self::Import { .. }
            | Self::Invite { .. } => Ok(()),
        }
    }
}

fn accounts(db: &Db, settings: &Settings) -> Result<Accounts, CommandError> {
    settings.mail.check(settings.registration)?;
    let strength = strength(&settings.passwords).map_err(CommandError::Failed)?;
    let outbox = Outbox::new(settings.mail.mail_url.is_some());
    let keys = mac_keys(settings)?;
    Ok(Accounts::new(
        db.clone(),
        Hasher::start(1, strength)?,
        keys,
        outbox,
        None,
    ))
}

fn mac_keys(settings: &Settings) -> Result<Arc<MacKeyFile>, CommandError> {
    MacKeyFile::open(&settings.store.refresh_keys_file)
        .map_err(|error| CommandError::Failed(error.naming("REFRESH_KEYS_FILE")))
}

fn links(settings: &Settings) -> Result<Links, CommandError> {
    let base = settings.mail.links(&settings.token.policy().issuer);
    Ok(Links::new(&base, mac_keys(settings)?))
}

fn no_key() -> CommandError {
    CommandError::Failed("REFRESH_KEYS_FILE has no key".into())
}

async fn reset_link(db: &Db, user: &str, settings: &Settings) -> Result<(), CommandError> {
    let (user, now) = (find(db, user).await?, clock::now());
    if user.blocked_at.is_some() {
        let said = "the account is blocked, and no link changes that: `user unblock` first";
        return Err(CommandError::Failed(said.into()));
    }
    let purpose = Purpose::HandedReset;
    let until = now.saturating_add(purpose.lives());
    let link = links(settings)?.to_user(purpose, &user, &user.account.email, until, now);
    say(link.ok_or_else(no_key)?)
}

async fn invite(
    accounts: &Accounts,
    email: &str,
    roles: Vec<String>,
    settings: &Settings,
) -> Result<(), CommandError> {
    let links = links(settings)?;
    let caller = Caller::cli();
    match accounts.invite(email, roles, Some(&links), &caller).await? {
        Some(link) => say(link),
        None if settings.mail.mail_url.is_some() => {
            say("the invitation is in the outbox; the running service sends it")
        }
        None => Err(no_key()),
    }
}

async fn import(settings: &Settings, file: PathBuf, dry_run: bool) -> Result<(), CommandError> {
    let url = settings.store.database_url.clone();
    let imported = tokio::task::spawn_blocking(move || {
        let told = |lines: usize| complain(format_args!("{lines} lines read"));
        let import = match Import::read(&file, clock::now(), told) {
            Ok(import) => import,
            Err((faults, count)) => return Err(refused(&file, &faults, count)),
        };
        let told = |accounts: usize| complain(format_args!("{accounts} accounts looked at"));
        Ok((import.accounts, import.write(&url, dry_run, told)?))
    });
    let (all, Imported { added, there }) = imported.await??;
    for (line, email) in &there {
        complain(format_args!(
            "line {line}: {email} is there and is left alone"
        ));
    }
    let verb = if dry_run { "would be added" } else { "added" };
    say(format_args!(
        "{added} of {all} accounts {verb}, {} were there already",
        there.len()
    ))
}

fn refused(file: &Path, faults: &[ImportFault], count: usize) -> CommandError {
    for fault in faults {
        match fault.line {
            0 => complain(&fault.what),
            line => complain(format_args!("line {line}: {}", fault.what)),
        }
    }
    let more = count.saturating_sub(faults.len());
    if more > 0 {
        complain(format_args!("and {more} more"));
    }
    CommandError::Failed(format!(
        "nothing was added: {count} to mend in {}",
        file.display()
    ))
}

async fn export(db: &Db, hashes: bool) -> Result<(), CommandError> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let page = db.read(move |tx| tx.list_users(&from, PAGE)).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after.clone_from(last);
        for (_, user) in &page {
            say(serde_json::Value::Object(exported(user, hashes)))?;
        }
    }
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
    email_verified: bool,
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
            email_verified: user.account.email_verified,
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
