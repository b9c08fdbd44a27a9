//! What a user would pick instead of Keyturn, driven with the same load in the same run.
//!
//! The peers themselves are in `bench/peers`; here they are installed, started, checked, and measured beside Keyturn.

pub mod install;
pub mod kind;
pub mod load;
pub mod picture;
pub mod process;
pub mod table;
pub mod tokens;
