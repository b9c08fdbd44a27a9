//! What operators watch: counters, and whether the clocks agree.

pub(crate) mod clock_check;
pub(crate) mod counters;
