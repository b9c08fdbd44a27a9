//! What is fuzzed, and what must hold.

mod authorization;
mod deny;
mod device_token;
mod key_files;
mod refresh_token;
mod token;

use std::collections::BTreeMap;
use std::path::Path;

use crate::Dice;

/// What came out of the cases, and how often; what begins with `ok` was accepted.
pub type Outcomes = BTreeMap<String, u64>;

/// Something that parses, and the properties that every case of it is held against.
pub trait Target {
    /// The name on the command line; its samples are in the folder of the same name.
    fn name(&self) -> &'static str;

    /// Runs one case and says in a word or two what came out. Panics if a property does not hold.
    fn case(&mut self, dice: &mut Dice) -> String;
}

/// Every target.
#[must_use]
pub fn all() -> Vec<Box<dyn Target>> {
    vec![
        Box::new(token::Token::new()),
        Box::new(refresh_token::Refresh::new()),
        Box::new(device_token::Device::new()),
        Box::new(key_files::Ring::new()),
        Box::new(key_files::MacKeyring::new()),
        Box::new(deny::Deny::new()),
        Box::new(authorization::Authorization::new()),
    ]
}

/// The samples of a target, in the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let listed = std::fs::read_dir(&folder).expect("the folder of the samples");
    let mut paths: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a sample"))
        .collect();
    assert!(!seeds.is_empty(), "no samples in {}", folder.display());
    seeds
}
