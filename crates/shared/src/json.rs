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

/// A point in time (RFC 7519 §2, `NumericDate`): any JSON number, rounded up to the whole second
/// and held at the ends of `i64`; `None` for any other type.
///
/// Rounding up changes no judgement, because `now` is a whole second.
pub(crate) fn seconds(raw: &RawValue) -> Option<i64> {
    let text = raw.get();
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates, as promised"
    )]
    let whole = number.ceil() as i64;
    Some(whole)
}

/// A whole number of seconds, written as an integer; `None` for anything else.
pub(crate) fn integer(raw: &RawValue) -> Option<i64> {
    serde_json::from_str(raw.get()).ok()
}
