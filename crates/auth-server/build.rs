//! Rebuilds the crate when a migration is added, since the macro that embeds them does not notice; and
//! passes on which versions of C and assembly libraries get into the program, for `auth-server doctor`.

use std::fs;

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    // The versions that count are the ones that cargo has fixed. Behind the + stands the library's own.
    let lock = fs::read_to_string("../../Cargo.lock").unwrap_or_default();
    for (variable, package) in [
        ("BUNDLED_LIBPQ", "pq-src"),
        ("BUNDLED_OPENSSL", "openssl-src"),
        ("BUNDLED_RING", "ring"),
    ] {
        let version = version(&lock, package).unwrap_or("unknown");
        let own = version.split_once('+').map_or(version, |(_, own)| own);
        let own = own.strip_prefix("libpq-").unwrap_or(own);
        println!("cargo:rustc-env={variable}={own}");
    }
}

fn version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}
