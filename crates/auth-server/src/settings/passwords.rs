//! The settings of passwords.

use std::path::PathBuf;

use chassis::settings::{Maybe, path_or_none};
use clap::{Args, ValueEnum};

/// What a new password must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PasswordPolicy {
    /// Hard to guess, by zxcvbn's estimate.
    Strong,
    /// Of 8 to 256 characters, whatever they are.
    Length,
}

/// What a new password must be.
#[derive(Args, Clone, Debug)]
pub struct PasswordSettings {
    /// What a new password must be: hard to guess, or only long enough.
    #[arg(long, env = "PASSWORD_POLICY", default_value = "strong", global = true)]
    pub password_policy: PasswordPolicy,

    /// File of SHA-1 hashes of passwords that are known to have leaked, sorted, as Have I Been Pwned hands it out. No
    /// password in it is taken. It is searched on the disk, never loaded.
    #[arg(long, env = "BREACHED_PASSWORDS_FILE", default_value = "", hide_default_value = true, value_parser = path_or_none(), global = true)]
    pub breached_passwords_file: Maybe<PathBuf>,
}
