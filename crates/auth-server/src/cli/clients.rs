//! `auth-server client …`: the programs that sign their users in here.

mod list;
mod options;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use self::options::Options;
use super::output::say;
use super::{CommandError, open};
use crate::clients::changes::{self, Done, Outcome};
use crate::clients::{ClientKind, Definition, read_file};
use crate::db::{Caller, Db};
use crate::settings::Settings;
use crate::spelling::on_one_line;

/// Bytes of a file that describes clients, at most.
const MOST: u64 = 4 * 1024 * 1024;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register a client. Its secret, if it keeps one, is the last line of the output, shown this once.
    Add {
        /// Its `client_id`: letters, digits, dots, hyphens, underscores.
        id: String,
        /// What it is: web and service keep a secret; browser and native cannot.
        #[arg(long, value_enum)]
        kind: ClientKind,
        #[command(flatten)]
        options: Options,
    },
    /// List the clients: id, kind, state, name, redirect URIs.
    List {
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Show all of a client but its secret.
    Show {
        /// The client's id.
        id: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Change what is given, and leave the rest. An empty value takes away: `--logout-redirect ''`.
    Set {
        /// The client's id.
        id: String,
        /// What it is. One that becomes web or service gets a secret: the last line of the output.
        #[arg(long, value_enum)]
        kind: Option<ClientKind>,
        #[command(flatten)]
        options: Options,
    },
    /// Make a new secret, which is the last line of the output, shown this once. The former one is good for 24 hours more.
    RotateSecret {
        /// The client's id.
        id: String,
    },
    /// Block a client: its sessions end, every API refuses them within a second, and it gets no new ones.
    Block {
        /// The client's id.
        id: String,
    },
    /// Lift a block. The sessions stay ended: users sign in again.
    Unblock {
        /// The client's id.
        id: String,
    },
    /// Remove a client with what users agreed to; its sessions end.
    Remove {
        /// The client's id.
        id: String,
    },
    /// Make the clients as a file describes them, all or none; others are left alone. Doing it again changes nothing.
    Apply {
        /// A JSON array of clients; `-` reads standard input.
        file: PathBuf,
    },
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        // Before the database is opened, which an empty word would make.
        let definitions = match &self {
            Self::Apply { file } => Some(described(file)?),
            _ => None,
        };
        let db = open(settings).await?;
        let caller = Caller::cli();
        match self {
            Self::Add { id, kind, options } => {
                let mut definition = Definition::new(&id, kind);
                options.change(&mut definition);
                let secret = changes::add(&db, &definition, &caller).await?;
                match secret {
                    Some(secret) => {
                        say(format_args!("added {id}; its secret is shown this once:"))?;
                        say(secret)
                    }
                    None => say(format_args!("added {id}; it is public and has no secret")),
                }
            }
            Self::List { json } => list::all(&db, json).await,
            Self::Show { id, json } => list::one(&db, &id, json).await,
            Self::Set { id, kind, options } => set(&db, &id, kind, options, &caller).await,
            Self::RotateSecret { id } => {
                let secret = changes::rotate_secret(&db, &id, &caller).await?;
                say(format_args!(
                    "the secret of {id} until now is good for 24 hours more; the new one is shown this once:"
                ))?;
                say(secret)
            }
            Self::Block { id } => {
                let ended = changes::block(&db, &id, &caller).await?;
                say(format_args!("blocked {id}, {ended} sessions ended"))
            }
            Self::Unblock { id } => {
                changes::unblock(&db, &id, &caller).await?;
                say(format_args!("unblocked {id}; its sessions stay ended"))
            }
            Self::Remove { id } => {
                let ended = changes::remove(&db, &id, &caller).await?;
                say(format_args!("removed {id}, {ended} sessions ended"))
            }
            Self::Apply { file } => {
                let definitions = definitions.unwrap_or_default();
                let applied = changes::apply(&db, &definitions, &caller).await;
                let outcomes = applied.map_err(|error| {
                    CommandError::Failed(format!("{}: {error}", file.display()))
                })?;
                outcomes.iter().try_for_each(tell)
            }
        }
    }
}

async fn set(
    db: &Db,
    id: &str,
    kind: Option<ClientKind>,
    options: Options,
    caller: &Caller,
) -> Result<(), CommandError> {
    let change = move |definition: &mut Definition| {
        definition.kind = kind.unwrap_or(definition.kind);
        options.change(definition);
    };
    let done = changes::set(db, id, change, caller).await?;
    match done.secret {
        Some(secret) => {
            say(format_args!(
                "changed {id}; it keeps a secret now, which is shown this once:"
            ))?;
            say(secret)
        }
        None if done.changed => say(format_args!("changed {id}")),
        None => say(format_args!("{id} is so already")),
    }
}

fn tell(outcome: &Outcome) -> Result<(), CommandError> {
    let what = match outcome.done {
        Done::Added => "added",
        Done::Changed => "changed",
        Done::Unchanged => "unchanged",
    };
    say(format_args!("{what} {}", outcome.id))
}

/// The clients of a file.
fn described(file: &Path) -> Result<Vec<Definition>, CommandError> {
    let name = match file.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => file.display().to_string(),
    };
    let failed = |why: String| CommandError::Failed(on_one_line(&format!("{name}: {why}")));
    let text = if file == Path::new("-") {
        text(io::stdin().lock())
    } else {
        File::open(file).and_then(text)
    };
    let text = text.map_err(|error| failed(error.to_string()))?;
    read_file(&text).map_err(|error| failed(error.to_string()))
}

fn text(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MOST + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|long| long > MOST) {
        return Err(io::Error::other("it is longer than 4 MiB"));
    }
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}
