//! Mutations of JSON that stay JSON most of the time, and a look at JSON that is not ours.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::Dice;

/// Values of every type, and at the edges of types.
fn values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1_700_000_000.9),
        json!(""),
        json!(" "),
        json!("x".repeat(5_000)),
        json!("a\u{0}b"),
        json!("none"),
        json!("HS256"),
        json!("hs256"),
        json!("HS512"),
        json!("JWT"),
        json!("application/at+jwt"),
        json!("service+jwt"),
        json!([]),
        json!(["exp"]),
        json!({}),
        json!({"a": [{"b": null}]}),
        json!([1, "http://localhost:5001", null]),
        nested(200),
    ]
}

const NAMES: [&str; 30] = [
    "alg",
    "typ",
    "kid",
    "crit",
    "b64",
    "jwk",
    "jku",
    "x5c",
    "zip",
    "enc",
    "iss",
    "aud",
    "sub",
    "sid",
    "jti",
    "iat",
    "nbf",
    "exp",
    "name",
    "email",
    "roles",
    "unique_name",
    "kty",
    "k",
    "sign_from",
    "verify_until",
    "state",
    "since",
    "keys",
    "former",
];

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

/// Changes members of a JSON text in up to three places. Text that is no JSON is left as it is.
pub(crate) fn mutate(text: &mut Vec<u8>, dice: &mut Dice) {
    let Ok(mut value) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    for _ in 0..=dice.below(3) {
        change(&mut value, dice);
    }
    *text = value.to_string().into_bytes();
    if dice.one_in(6) {
        double(text, dice);
    }
}

fn change(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(members) if !members.is_empty() && !dice.one_in(12) => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = dice.pick(&names).clone();
            match dice.below(5) {
                0 => drop(members.remove(&name)),
                1 => rename(members, &name, dice),
                2 => drop(members.insert((*dice.pick(&NAMES)).to_owned(), any(dice))),
                _ => {
                    if let Some(inner) = members.get_mut(&name) {
                        change(inner, dice);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() && !dice.one_in(8) => {
            let at = dice.below(items.len());
            match dice.below(4) {
                0 => drop(items.remove(at)),
                1 => items.extend(items.get(at).cloned()),
                _ => {
                    if let Some(inner) = items.get_mut(at) {
                        change(inner, dice);
                    }
                }
            }
        }
        Value::Number(number) if !dice.one_in(3) => {
            let by = *dice.pick(&[1, -1, 300, -300, 5_400, -5_400, 1_000_000]);
            if let Some(moved) = number.as_i64().and_then(|number| number.checked_add(by)) {
                *value = json!(moved);
            }
        }
        Value::String(text) if !dice.one_in(3) => {
            let mut bytes = std::mem::take(text).into_bytes();
            crate::bytes::mutate(&mut bytes, &[], dice);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => *value = any(dice),
    }
}

fn any(dice: &mut Dice) -> Value {
    dice.pick(&values()).clone()
}

fn rename(members: &mut Map<String, Value>, name: &str, dice: &mut Dice) {
    if let Some(value) = members.remove(name) {
        members.insert((*dice.pick(&NAMES)).to_owned(), value);
    }
}

/// Writes a member of the outermost object a second time, sometimes with its name in escapes.
fn double(text: &mut Vec<u8>, dice: &mut Dice) {
    let name = *dice.pick(&NAMES);
    let spelled = if dice.one_in(2) {
        name.to_owned()
    } else {
        let escape = |c: char| format!("\\u{:04x}", u32::from(c));
        name.chars().map(escape).collect::<Vec<_>>().concat()
    };
    let member = format!("\"{spelled}\":{},", any(dice));
    if text.first() == Some(&b'{') && text.len() > 2 {
        text.splice(1..1, member.into_bytes());
    }
}

/// The members of an object in order, doubled ones included, which serde's maps hide; values unread, since
/// those of foreign members may be nested as deep as they like.
pub(crate) struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl Members {
    /// The one value of a name.
    ///
    /// # Panics
    /// If the name is there twice.
    pub(crate) fn one(&self, name: &str) -> Option<Value> {
        let mut found = self.0.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| value);
        assert!(
            found.next().is_none(),
            "{name} is there twice and was accepted"
        );
        let text = value?.get();
        let far = if text.starts_with('-') {
            f64::MIN
        } else {
            f64::MAX
        };
        // A number beyond all floats is JSON, too.
        let beyond = || text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        match serde_json::from_str(text) {
            Ok(value) => Some(value),
            Err(_) if beyond() => Some(json!(far)),
            Err(error) => panic!("{name}: {error}: {text}"),
        }
    }
}
