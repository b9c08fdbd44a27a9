//! The command `backup`: a copy of the live SQLite database in one file.

use std::path::PathBuf;

use clap::Args;

use super::CommandError;
use super::output::say;
use crate::db;
use crate::settings::Settings;

#[derive(Args)]
pub(super) struct Backup {
    /// The file to write; it must not be there yet.
    file: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        let (url, file) = (settings.store.database_url.clone(), self.file.clone());
        tokio::task::spawn_blocking(move || db::backup(&url, &file)).await??;
        say(format_args!(
            "{} holds the database; the key files are not in it, and it is of no use without them",
            self.file.display()
        ))
    }
}
