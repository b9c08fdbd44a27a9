//! What operators watch: counters, and whether the clocks agree.

pub mod clock_check;
pub mod counters;
