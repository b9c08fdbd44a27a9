//! Numbers that follow from a seed: splitmix64.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The choices of one case.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of a target's case.
    #[must_use]
    pub fn new(seed: u64, target: &str, case: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, target, case).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        match u64::try_from(end) {
            Ok(end @ 1..) => usize::try_from(self.bits() % end).unwrap_or_default(),
            _ => 0,
        }
    }

    /// One in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len());
        from.get(at).expect("something to pick from")
    }

    /// A place between the bytes of a text, its end included.
    pub fn place(&mut self, bytes: &[u8]) -> usize {
        self.below(bytes.len() + 1)
    }
}
