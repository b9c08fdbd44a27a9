//! Reading JSON members one by one, without copying and without a second meaning.
//!
//! `serde` decides what an object is and that no member we name comes twice; what type a member
//! has is judged here, later and separately, since the order of judgement is part of the contract.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Keeps a member as it stands, an explicit `null` included: that is a value of the wrong type,
/// not an absent member.
pub(crate) fn present<'de, D>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error>
where
    D: Deserializer<'de>,
{
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether the text can only be an object. `serde` would also fill a struct from an array.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
        .starts_with('{')
}

/// The value of a JSON string, borrowed unless it holds escapes; `None` for any other type.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw.get())
            .ok()
            .map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The items of an array of strings; `None` for any other type, of the array or of an item.
pub(crate) fn strings(raw: &RawValue) -> Option<Vec<String>> {
    serde_json::from_str(raw.get()).ok()
}

/// The last second that a date can be: the end of the year 9999, as in RFC 3339.
const LAST_SECOND: i64 = 253_402_300_799;

/// Characters that a number of seconds has at most, a fraction included. None that means a date has more.
const LONGEST_NUMBER: usize = 32;

/// A point in time (RFC 7519 §2, `NumericDate`): a JSON number that is a date after 1970, rounded up to the whole
/// second; `None` for any other type, and for a number that is no date, which would be "for ever" or "never".
///
/// Rounding up changes no judgement, because `now` is a whole second.
pub(crate) fn seconds(raw: &RawValue) -> Option<i64> {
    let text = raw.get();
    if text.len() > LONGEST_NUMBER || !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let whole = if let Ok(whole) = text.parse() {
        whole
    } else {
        let number: f64 = text.parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and the ends of i64 are no dates"
        )]
        let whole = number.ceil() as i64;
        whole
    };
    (0..=LAST_SECOND).contains(&whole).then_some(whole)
}

/// A whole number of seconds, written as an integer; `None` for anything else.
pub(crate) fn integer(raw: &RawValue) -> Option<i64> {
    serde_json::from_str(raw.get()).ok()
}
