//! The library from outside.
//!
//! - `known`: hashes that others computed, each with where it is from;
//! - `verdicts`: which password fits;
//! - `faults`: what is refused, and in which words;
//! - `any_text`: whatever is read, no panic, and no fault that tells the hash.

mod any_text;
mod faults;
mod known;
mod verdicts;
