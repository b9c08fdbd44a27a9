//! The command `copy`: everything of one database into another, empty one.

use clap::Args;

use super::CommandError;
use super::output::say;
use crate::db;
use crate::settings::DatabaseUrl;

#[derive(Args)]
pub(super) struct Copy {
    /// The database to read; the service on it should be stopped.
    #[arg(long)]
    from: DatabaseUrl,

    /// The database to fill; its tables are made, and must hold nothing.
    #[arg(long)]
    to: DatabaseUrl,
}

impl Copy {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let Self { from, to } = self;
        let said = format!("from {from:?} to {to:?}");
        let copied = tokio::task::spawn_blocking(move || db::copy(&from, &to)).await??;
        say(format_args!(
            "copied {said}: {} users, {} sessions, {} clients, {} consents, {} counters of failed log-ins, {} mails, \
             {} audit records",
            copied.users,
            copied.sessions,
            copied.clients,
            copied.consents,
            copied.login_failures,
            copied.outbox,
            copied.audit
        ))?;
        say("start the service on the target with the same key files; every session goes on")
    }
}
