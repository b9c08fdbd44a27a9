//! Django's hashes: the hasher's name, a `$`, and what that hasher writes.
//!
//! <https://docs.djangoproject.com/en/stable/topics/auth/passwords/>. The salt is text and is hashed as it is written.

use argon2::Algorithm;

use crate::bounds;
use crate::derivation::{Derivation, Prf, ScryptCosts};
use crate::fault::Fault;
use crate::form::Form;
use crate::{ForeignHash, modular_crypt};

/// Takes the name and the fields after it.
pub(crate) fn read(hasher: &str, fields: &[&str]) -> Result<ForeignHash, Fault> {
    match hasher {
        "pbkdf2_sha256" => pbkdf2(Form("Django PBKDF2 (SHA-256)"), Prf::Sha256, fields),
        "pbkdf2_sha1" => pbkdf2(Form("Django PBKDF2 (SHA-1)"), Prf::Sha1, fields),
        "argon2" => argon2(Form("Django Argon2"), fields),
        "bcrypt" => bcrypt(Form("Django bcrypt"), false, fields),
        "bcrypt_sha256" => bcrypt(Form("Django bcrypt (SHA-256)"), true, fields),
        "scrypt" => scrypt(Form("Django scrypt"), fields),
        _ => Err(Fault::Unknown),
    }
}

fn salt(form: Form, salt: &str) -> Result<Vec<u8>, Fault> {
    if salt.is_empty() {
        return Err(form.broken("salt"));
    }
    Ok(salt.as_bytes().to_vec())
}

fn pbkdf2(form: Form, prf: Prf, fields: &[&str]) -> Result<ForeignHash, Fault> {
    let [iterations, text, hash] = fields else {
        return Err(form.broken("number of fields"));
    };
    let iterations = form.number("iterations", iterations)?;
    let salt = salt(form, text)?;
    let length = prf.block();
    let expected = form.bytes("hash", hash, length..=length)?;
    Ok(ForeignHash {
        form,
        derivation: Derivation::pbkdf2(form, prf, iterations, salt, length)?,
        expected,
    })
}

fn argon2(form: Form, fields: &[&str]) -> Result<ForeignHash, Fault> {
    match fields {
        ["argon2d", rest @ ..] => modular_crypt::argon2(form, Algorithm::Argon2d, rest),
        ["argon2i", rest @ ..] => modular_crypt::argon2(form, Algorithm::Argon2i, rest),
        ["argon2id", rest @ ..] => modular_crypt::argon2(form, Algorithm::Argon2id, rest),
        _ => Err(form.broken("variant")),
    }
}

/// `bcrypt$` and a whole hash of bcrypt, hence the empty field.
fn bcrypt(form: Form, prehashed: bool, fields: &[&str]) -> Result<ForeignHash, Fault> {
    match fields {
        ["", rest @ ..] => modular_crypt::bcrypt(form, prehashed, rest),
        _ => Err(form.broken("number of fields")),
    }
}

/// `N` as such, not its power of two.
fn scrypt(form: Form, fields: &[&str]) -> Result<ForeignHash, Fault> {
    let [n, text, r, p, hash] = fields else {
        return Err(form.broken("number of fields"));
    };
    let n = form.number("N", n)?;
    if n < 2 || !n.is_power_of_two() {
        return Err(form.broken("N"));
    }
    let costs = ScryptCosts {
        log_n: n.ilog2().into(),
        r: form.number("r", r)?,
        p: form.number("p", p)?,
    };
    let salt = salt(form, text)?;
    let longest = *bounds::OUTPUT.end();
    let expected = form.bytes("hash", hash, longest..=longest)?;
    Ok(ForeignHash {
        form,
        derivation: Derivation::scrypt(form, costs, salt)?,
        expected,
    })
}
