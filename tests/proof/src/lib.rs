//! Keyturn's promises, put to the test on its real processes, by programs that anyone can run:
//!
//! - `soak`: nobody is logged out by accident, and a thief is found, while the network fails and the server dies;
//! - `latency`: a revoked session is refused everywhere within a second;
//! - `login-timing`: a failed log-in does not tell whether the account exists;
//! - `bench`: what a protected request and a refresh cost;
//! - `refreshes`: how many a second there can be, on SQLite and PostgreSQL;
//! - `flood`: what a flood of log-ins does to refreshes;
//! - `peers`: what they cost with Keyturn, and with what one would take instead;
//! - `growth`: a million refreshes leave the database as large as it was, and a large one does not slow them;
//! - `footprint`: memory, time to start and size of the programs;
//! - `steady`: ten minutes near capacity change neither memory nor latency.
//!
//! Nothing here is part of the product.

pub mod client;
mod connection;
pub mod database;
pub mod door;
pub mod faults;
pub mod filling;
pub mod http;
pub mod load;
pub mod machine;
pub mod mixed;
pub mod pair;
pub mod peers;
pub mod postgres;
pub mod processes;
pub mod proxy;
pub mod report;
pub mod stage;
pub mod statistics;
pub mod thief;

/// Why a program cannot go on: a sentence.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
