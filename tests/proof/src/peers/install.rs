//! Installs what a peer needs from its package registry, once; the lock files decide what that is.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::Fault;

/// Where the peers are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/peers")
}

/// Brings `node_modules` beside the peer's lock file up to date.
///
/// # Errors
/// When npm is missing or fails.
pub async fn npm(peer: &Path) -> Result<(), Fault> {
    let written = |path: PathBuf| path.metadata().and_then(|file| file.modified());
    let locked = written(peer.join("package-lock.json"))?;
    if written(peer.join("node_modules/.package-lock.json")).is_ok_and(|done| done >= locked) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(peer);
    run(npm, "npm ci").await
}

/// Brings a virtual environment up to date with the peer's requirements.
///
/// # Errors
/// When Python or pip is missing or fails.
pub async fn pip(peer: &Path, environment: &Path) -> Result<(), Fault> {
    let requirements = std::fs::read_to_string(peer.join("requirements.txt"))?;
    let done = environment.join("installed.txt");
    if std::fs::read_to_string(&done).is_ok_and(|text| text == requirements) {
        return Ok(());
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(environment);
    run(venv, "python3 -m venv").await?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--requirement", "requirements.txt"])
        .current_dir(peer);
    run(pip, "pip install").await?;
    Ok(std::fs::write(done, requirements)?)
}

/// Builds a peer in Rust, always for release, and gives the folder of its programs.
///
/// # Errors
/// When cargo is missing or fails.
pub async fn cargo(peer: &Path) -> Result<PathBuf, Fault> {
    let target = folder().join("../../target/peers/actix");
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(peer);
    run(build, "cargo build").await?;
    Ok(target.join("release"))
}

async fn run(mut command: Command, name: &str) -> Result<(), Fault> {
    eprintln!("peers: {name}, which may take minutes");
    let done = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("{name}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(format!("{name}: {}", last.unwrap_or("it failed without a word")).into())
}
