//! The revocation feed: what ended lately, kept up with the sessions table, for the services that judge tokens.

mod endings;
mod follow;
mod publish;

pub(crate) use endings::Endings;
pub(crate) use follow::RevocationFeed;
