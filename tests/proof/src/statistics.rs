//! Minimum, median, 99th percentile and maximum of some times; the median of some figures.

use std::time::Duration;

/// The figures that are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Shortest.
    pub min: Duration,
    /// Half are no longer.
    pub p50: Duration,
    /// 99 of 100 are no longer; the longest of fewer than 100.
    pub p99: Duration,
    /// Longest.
    pub max: Duration,
}

impl Summary {
    /// Sums up; `None` of nothing.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        // The nearest rank.
        let rank = |percent: usize| {
            times
                .get((times.len() * percent).div_ceil(100).saturating_sub(1))
                .copied()
        };
        Some(Self {
            min: rank(0)?,
            p50: rank(50)?,
            p99: rank(99)?,
            max: rank(100)?,
        })
    }
}

/// The median, the upper one of an even number; 0 of nothing.
#[must_use]
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds with one digit behind the point, right-aligned.
#[must_use]
pub fn milliseconds(time: Duration) -> String {
    format!("{:8.1}", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        let times = (1..=200).map(Duration::from_millis).collect();
        let ms = Duration::from_millis;
        let expected = Summary {
            min: ms(1),
            p50: ms(100),
            p99: ms(198),
            max: ms(200),
        };
        assert_eq!(Summary::of(times), Some(expected));
        assert_eq!(
            Summary::of(vec![ms(3)]).map(|s| (s.min, s.p99)),
            Some((ms(3), ms(3)))
        );
        assert_eq!(Summary::of(vec![]), None);
    }
}
