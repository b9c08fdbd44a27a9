//! Which password fits, and which no more when a hash was changed or cut.

use crate::known::{self, ALL, FIREBASE_KEY, Vector};
use foreign_hash::{Fault, FirebaseParameters, ForeignHash};

#[test]
fn the_right_password_fits_and_no_other() {
    for Vector {
        form,
        password,
        hash,
    } in ALL
    {
        let parsed = ForeignHash::parse(hash).unwrap_or_else(|fault| panic!("{hash}: {fault}"));
        assert_eq!(parsed.form(), *form, "{hash}");
        assert!(parsed.verify(password), "{hash}");
        assert!(!parsed.verify(&format!("x{password}")), "{hash}");
        assert!(!parsed.verify(&password.to_uppercase()) || password.to_uppercase() == *password);
        assert!(!parsed.verify("") || password.is_empty(), "{hash}");
    }
}

#[test]
fn a_changed_salt_or_hash_fits_no_more() {
    for Vector { password, hash, .. } in known::cheap() {
        let last = hash.trim_end_matches('=').len() - 1;
        let start = hash.rfind('$').map_or(last / 3, |at| at + 1);
        // Within the field before, which is the salt mostly.
        let before = hash[..start.saturating_sub(1)]
            .rfind('$')
            .map_or(start, |at| start.midpoint(at));
        // The last character may stand for bits that must be zero, so the last but one as well.
        for at in [before, start, last.midpoint(start), last - 1, last] {
            let mut changed = hash.as_bytes().to_vec();
            changed[at] = if changed[at] == b'e' { b'u' } else { b'e' };
            let changed = String::from_utf8(changed).unwrap();
            let fits = ForeignHash::parse(&changed).is_ok_and(|parsed| parsed.verify(password));
            assert!(!fits, "{changed}");
        }
    }
}

#[test]
fn what_is_left_of_a_hash_that_was_cut_fits_no_other_password() {
    for Vector { password, hash, .. } in known::cheap() {
        for length in (0..hash.len()).filter(|at| hash.is_char_boundary(*at)) {
            let cut = &hash[..length];
            if let Ok(parsed) = ForeignHash::parse(cut) {
                assert!(!parsed.verify(&format!("x{password}")), "{cut}");
            }
        }
    }
}

/// Base64 of up to 15 bytes, behind all that comes before it.
#[test]
fn a_hash_shorter_than_16_bytes_is_broken() {
    for before in [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
        "$scrypt$ln=8,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$",
        "$pbkdf2-sha256$i=1212$4vjV83LKPjQzk31VI4E0Vw$",
        "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$",
        "pbkdf2_sha256$1000$Nacl4Django$",
        "scrypt$256$sel$8$2$",
        "argon2$argon2id$v=19$m=256,t=1,p=8$c2FsdHNhbHRzYWx0c2FsdA$",
    ] {
        for hash in ["", "AA", "AAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA"] {
            let fault = ForeignHash::parse(&format!("{before}{hash}")).unwrap_err();
            assert!(
                matches!(fault, Fault::Broken { part: "hash", .. }),
                "{before}{hash}: {fault}"
            );
        }
    }
}

/// The sample of <https://github.com/firebase/scrypt>.
#[test]
fn a_firebase_user_is_stored_in_one_text() {
    let parameters: FirebaseParameters = serde_json::from_str(&format!(
        r#"{{"signerKey": "{FIREBASE_KEY}", "saltSeparator": "Bw==", "rounds": 8, "memCost": 14}}"#
    ))
    .unwrap();
    let hash =
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
    let salt = "42xEC+ixf3L2lw==";
    let stored = parameters.stored(hash, salt).unwrap();
    assert_eq!(
        stored,
        format!("$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={FIREBASE_KEY}${salt}${hash}")
    );
    let parsed = ForeignHash::parse(&stored).unwrap();
    assert_eq!(parsed.form(), "Firebase scrypt");
    assert!(parsed.verify("user1password"));
    assert!(!parsed.verify("user2password"));
    // As the Admin SDK writes it.
    let for_urls = |text: &str| text.replace('+', "-").replace('/', "_");
    assert_eq!(
        parameters.stored(&for_urls(hash), &for_urls(salt)).unwrap(),
        stored
    );
    assert!(!format!("{parameters:?}").contains(&FIREBASE_KEY[..8]));

    let broken = |part| {
        Err(Fault::Broken {
            form: "Firebase scrypt",
            part,
        })
    };
    assert_eq!(parameters.stored(&hash[..40], salt), broken("hash"));
    assert_eq!(parameters.stored("", salt), broken("hash"));
    assert_eq!(parameters.stored(hash, ""), broken("salt"));
    assert_eq!(parameters.stored(hash, "§"), broken("salt"));
}

#[test]
fn parameters_of_firebase_are_judged_when_they_are_read() {
    let key = FIREBASE_KEY;
    let fault = |key, separator, rounds, cost| {
        FirebaseParameters::new(key, separator, rounds, cost)
            .unwrap_err()
            .to_string()
    };
    for (fault, expected) in [
        (fault("", "Bw==", 8, 14), "Firebase scrypt: bad signerKey"),
        (fault(key, "?", 8, 14), "Firebase scrypt: bad saltSeparator"),
        (fault(key, "", 0, 14), "Firebase scrypt: bad N, r or p"),
        (fault(key, "", 8, 0), "Firebase scrypt: bad N, r or p"),
        (
            fault(key, "", 8, 18),
            "Firebase scrypt: 128·N·r in bytes = 268435456 costs too much; the bound is 134217728",
        ),
    ] {
        assert_eq!(fault, expected);
    }
    let error = serde_json::from_str::<FirebaseParameters>(
        r#"{"signerKey": "c2hvcnQ=", "saltSeparator": "Bw==", "rounds": 8, "memCost": 14}"#,
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("bad signerKey") && !error.contains("c2hvcnQ"),
        "{error}"
    );
}
