//! The clients as a file describes them: a JSON array of [`Definition`]s, each fault with its place in it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::changes::ChangeError;
use super::{Definition, Fault};

/// Reads the text of a file.
///
/// # Errors
/// [`ChangeError::File`] if it is no array, [`ChangeError::At`] for the first client that cannot be read.
pub fn read(text: &str) -> Result<Vec<Definition>, ChangeError> {
    let entries: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| ChangeError::File(error.to_string()))?;
    entries
        .into_iter()
        .enumerate()
        .map(|(at, entry)| {
            serde_json::from_str(entry.get()).map_err(|error| ChangeError::At {
                place: at.saturating_add(1),
                fault: fault(entry.get(), &error),
            })
        })
        .collect()
}

fn fault(entry: &str, error: &serde_json::Error) -> Fault {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(entry).unwrap_or_default();
    let id = members.get("id").map(|id| id.get()).unwrap_or_default();
    let id: String = serde_json::from_str(id).unwrap_or_default();
    // What is wrong with a value does not say whose it is; a client that has this member alone does.
    let of_member = members.iter().find_map(|(name, value)| {
        let mut probe = BTreeMap::from([("id", "\"x\""), ("kind", "\"web\"")]);
        probe.insert(name, value.get());
        let members: Vec<String> = probe
            .iter()
            .map(|(name, value)| format!("{}:{value}", serde_json::Value::from(*name)))
            .collect();
        let probe = format!("{{{}}}", members.join(","));
        let error = serde_json::from_str::<Definition>(&probe).err()?;
        Some(format!("{name}: {}", without_place(&error)))
    });
    Fault::new(&id, of_member.unwrap_or_else(|| without_place(error)))
}

/// The sentence without line and column, which are of a part of the file.
fn without_place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(" at line ") {
        Some((said, _)) => said.to_owned(),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_place_client_and_member() {
        for (text, parts) in [
            ("", &["JSON array"][..]),
            ("{\"id\":\"a\"}", &["JSON array"]),
            ("[{\"id\":\"a\",\"kind\":\"web\"},", &["JSON array"]),
            ("[5]", &["entry 1", "expected struct"]),
            ("[{\"kind\":\"web\"}]", &["entry 1", "missing field `id`"]),
            (
                "[{\"id\":\"a\",\"kind\":\"web\"},{\"id\":\"b\"}]",
                &["entry 2", "\"b\"", "missing field `kind`"],
            ),
            (
                "[{\"id\":\"a\",\"kind\":\"spa\"}]",
                &["entry 1", "\"a\"", "kind: unknown variant `spa`"],
            ),
            (
                "[{\"id\":\"a\",\"kind\":\"web\",\"redirectUris\":\"https://x\"}]",
                &["\"a\"", "redirectUris: invalid type"],
            ),
            (
                "[{\"id\":\"a\",\"kind\":\"web\",\"secret\":\"hunter2\"}]",
                &["\"a\"", "secret: unknown field"],
            ),
            (
                "[{\"id\":\"a\",\"kind\":\"web\",\"api\":true,\"api\":false}]",
                &["\"a\"", "duplicate field `api`"],
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{text}: {part}: {error}");
            }
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(read("[]").unwrap().len(), 0);
    }
}
