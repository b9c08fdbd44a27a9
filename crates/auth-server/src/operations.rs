//! What operators watch: counters, what waits, and whether the clocks agree.

pub(crate) mod clock_check;
pub(crate) mod counters;
pub(crate) mod waiting;
