//! Decides whether the suite runs against a deployment: tests that need more than HTTP are then left out
//! of the binary, and one ignored test says so.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(deployment)");
    println!("cargo::rerun-if-env-changed=E2E_AUTH_URL");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("E2E_AUTH_URL").is_some() {
        println!("cargo::rustc-cfg=deployment");
    }
}
