//! The harness of the end-to-end tests: both services over real sockets, and verbs that read like what a
//! user does.
//!
//! [`App`] is a pair of services with a folder and a database of their own, or the deployment that
//! `E2E_AUTH_URL` and `E2E_RESOURCE_URL` name. Every answer passes through [`Answer`], which checks what the
//! contract says of all answers each time. Knows nothing of the services' insides but their settings,
//! their key files and, to move time, their tables.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "a harness: what cannot be done fails the test that asked for it"
)]

mod answer;
mod app;
mod cluster;
mod database;
mod forge;
mod options;
mod process;
mod raw;
mod receiver;
mod remint;
#[expect(
    clippy::indexing_slicing,
    reason = "a member that is missing is a failure, or null"
)]
mod sign_on;
mod verbs;

pub use answer::{Answer, Problem};
pub use app::{App, services};
pub use cluster::{Cluster, Stop, signal};
pub use database::Database;
pub use forge::{Draft, Forge};
pub use options::Options;
pub use process::{Cli, Ran, Running, program};
pub use raw::{RawAnswer, exchange, open, open_from};
pub use receiver::{Answering, Receiver};
pub use sign_on::{
    Asking, ISSUER, Member, Reply, Tokens, Visitor, challenge, member, put_clients, put_id_keys,
};
pub use smtp_sink as smtp;
pub use verbs::{Pair, User, random};
