//! `auth-server keys …`

use clap::Subcommand;
use shared::clock;

use super::CommandError;
use crate::key_files::{self, Made};
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make the files of JWT_KEYS_FILE and REFRESH_KEYS_FILE where they are missing; overwrites neither.
    Init,
}

impl Command {
    #[expect(clippy::unused_async, reason = "every command runs alike")]
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        match self {
            Self::Init => {
                for made in key_files::init(settings, clock::now())? {
                    match made {
                        Made::New(path) => println!("made {}", path.display()),
                        Made::Kept(path) => println!("{} is there already, left as it is", path.display()),
                    }
                }
                Ok(())
            }
        }
    }
}
