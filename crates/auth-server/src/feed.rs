//! The revocation feed: what ended lately, kept up with the sessions table, for the services that judge tokens.

mod endings;
mod follow;

pub use endings::{Endings, News, Revocation};
pub use follow::RevocationFeed;
