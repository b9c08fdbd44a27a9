//! A form by name: reads fields for it, and names it in every fault.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::fault::Fault;

/// Base64 with or without padding. Bits that no byte takes must be zero: a hash has one spelling.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The name of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form(pub(crate) &'static str);

impl Form {
    pub(crate) fn broken(self, part: &'static str) -> Fault {
        Fault::Broken { form: self.0, part }
    }

    /// A decimal number of at least 1, without sign and leading zero. More than fits is the largest that fits: no
    /// bound is near it.
    pub(crate) fn number(self, part: &'static str, text: &str) -> Result<u64, Fault> {
        if !text.bytes().all(|byte| byte.is_ascii_digit())
            || text.is_empty()
            || text.starts_with('0')
        {
            return Err(self.broken(part));
        }
        Ok(text.parse().unwrap_or(u64::MAX))
    }

    /// Refuses what is over the bound, which no `u32` is.
    pub(crate) fn at_most(
        self,
        parameter: &'static str,
        value: u64,
        bound: u64,
    ) -> Result<u32, Fault> {
        u32::try_from(value)
            .ok()
            .filter(|_| value <= bound)
            .ok_or(Fault::TooCostly {
                form: self.0,
                parameter,
                value,
                bound,
            })
    }

    /// Base64 of so many bytes.
    pub(crate) fn bytes(
        self,
        part: &'static str,
        text: &str,
        lengths: RangeInclusive<usize>,
    ) -> Result<Vec<u8>, Fault> {
        BASE64
            .decode(text)
            .ok()
            .filter(|bytes| lengths.contains(&bytes.len()))
            .ok_or_else(|| self.broken(part))
    }

    /// `name=value,name=value` in any order, in the order of `names`. A value may hold `=`.
    pub(crate) fn parameters<'a, const N: usize>(
        self,
        text: &'a str,
        names: [&str; N],
    ) -> Result<[Option<&'a str>; N], Fault> {
        let mut values = [None; N];
        for pair in text.split(',') {
            let (name, value) = pair.split_once('=').ok_or(self.broken("parameters"))?;
            let slot = names
                .iter()
                .zip(&mut values)
                .find_map(|(known, slot)| (*known == name).then_some(slot))
                .ok_or(self.broken("parameters"))?;
            if slot.replace(value).is_some() {
                return Err(self.broken("parameters"));
            }
        }
        Ok(values)
    }
}
