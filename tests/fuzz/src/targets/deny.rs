//! The deny file: whoever is named in a plain line is denied, whatever stands around that line.

use resource_api::revocations::DenyFile;
use shared::token::Validator;
use tempfile::TempDir;

use super::{Target, seeds, token};
use crate::{Dice, bytes};

/// Who the sample token names.
const NAMES: [&str; 3] = ["sid:session-1", "sub:user-1", "jti:token-1"];

pub(super) struct Deny {
    samples: Vec<Vec<u8>>,
    folder: TempDir,
    validator: Validator,
    token: String,
}

impl Deny {
    pub(super) fn new() -> Self {
        let (header, payload) = token::samples().swap_remove(0);
        Self {
            samples: seeds("deny"),
            folder: tempfile::tempdir().expect("a folder"),
            validator: token::validator(),
            token: token::sign(&header, &payload, 0),
        }
    }
}

impl Target for Deny {
    fn name(&self) -> &'static str {
        "deny"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let mut text = dice.pick(&self.samples).clone();
        if !dice.one_in(6) {
            bytes::mutate(&mut text, &self.samples, dice);
        }
        let path = self.folder.path().join("deny");
        // A file that is written over would be flushed to the disk by some file systems.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &text).expect("written");
        let file = DenyFile::open(&path).expect("whatever is in it");
        let lines = text.split(|byte| *byte == b'\n').count();
        assert!(
            file.broken_lines() + file.len() <= lines,
            "more than there is"
        );

        let checked = self
            .validator
            .check(&self.token, 1_800_000_000)
            .expect("a good token");
        let denied = file.judge(checked.claims()).is_some();
        let plain = text.split(|byte| *byte == b'\n').any(|line| {
            NAMES
                .iter()
                .any(|name| line.trim_ascii() == name.as_bytes())
        });
        assert!(denied || !plain, "named, and not denied");
        // It takes the letters of a name to deny it.
        let named = NAMES
            .iter()
            .filter_map(|name| name.split_once(':'))
            .any(|(_, id)| text.windows(id.len()).any(|part| part == id.as_bytes()));
        assert!(named || !denied, "denied, and not named");
        match (denied, file.broken_lines()) {
            (true, 0) => "ok: denied".into(),
            (false, 0) => "ok".into(),
            (true, _) => "broken lines, denied".into(),
            (false, _) => "broken lines".into(),
        }
    }
}
