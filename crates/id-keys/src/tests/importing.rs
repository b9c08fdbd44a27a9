//! Keys that were made elsewhere, in every form, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Algorithm, RING, client_accepts, es256_ring, kid, ring};
use crate::{IdKeys, ImportError, KeyFault, RETIRING_SECONDS};
use Algorithm::{Es256, Rs256};

const RSA_PKCS8: &str = include_str!("../../tests/keys/rsa.pkcs8.pem");
const RSA_PKCS1: &str = include_str!("../../tests/keys/rsa.pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("../../tests/keys/rsa.public.pem");
const RSA_ENCRYPTED: &str = include_str!("../../tests/keys/rsa.encrypted.pem");
const RSA_1024: &str = include_str!("../../tests/keys/rsa-1024.pem");
const EC_PKCS8: &str = include_str!("../../tests/keys/ec.pkcs8.pem");
const EC_SEC1: &str = include_str!("../../tests/keys/ec.sec1.pem");
const EC_NO_POINT: &str = include_str!("../../tests/keys/ec.no-point.pem");
const EC_P384: &str = include_str!("../../tests/keys/ec-p384.pem");
const EC_K1: [&str; 2] = [
    include_str!("../../tests/keys/ec-k1.sec1.pem"),
    include_str!("../../tests/keys/ec-k1.pkcs8.pem"),
];
const ED25519: &str = include_str!("../../tests/keys/ed25519.pem");

/// `printf 'signed by another program' | openssl dgst -sha256 -sign rsa.pkcs8.pem`
const BY_OPENSSL_RSA: &str = "hvJ76AnD0pSgw9iul7XPWM9Vyxh0SbJWbHzTBA-pmz6MMxcOP5WVKEDXx1TgdSthNC0O9hjrMQ6_OiVGgQU21LV0X0jaR0ObwSKfsjP7uUQU075CZJ4pDTtbnUt9fXi-he_ZlnQgqvfhCsZK5v5WGHPr74LqW6IKDhLEnCglx6piIZkMtEFfDi01HkhF1IzctVhB-RXdN5MF_2uKRMNb4vSir-MwdR01w_MpMDTVHM4rurcGbx-E_qjSdTlt7k1QvbhNRLx9K1R_O8anNcJ3i2HSkCT-iFq8cW1INRj-OUIRKb61iWyl9vKMqqKYu9TPzQPovDoBpyGh1UU2D2aYbQ";
/// The same with `ec.pkcs8.pem`: the two numbers of the signature.
const BY_OPENSSL_EC: [u128; 4] = [
    0x72BF_C0C3_7496_1CE7_296A_4EF1_3D6F_F37A,
    0xE416_0EAF_ABB1_D8E5_2662_4E56_D899_D36C,
    0xA718_3F83_551B_2749_DB70_5E08_70E3_1893,
    0x87DB_6FE1_8B4C_2BC8_E48A_9C43_BC21_DF0A,
];

fn refused(content: &str) -> ImportError {
    let error = ring().import(content.as_bytes(), 0, 0).unwrap_err();
    // Nothing of the key in it, but for a name.
    assert!(error.to_string().len() < 200, "{error}");
    error
}

fn imported(content: &str, now: i64) -> (IdKeys, String) {
    let changed = ring().import(content.as_bytes(), now, 60).unwrap();
    let kid = changed.added.first().unwrap().clone();
    let written = changed.keys.to_json();
    (IdKeys::parse(written.as_bytes()).unwrap(), kid)
}

/// The private JWK at this place of the test ring, under another name.
fn jwk(at: usize) -> Value {
    let ring: Value = serde_json::from_str(RING).unwrap();
    ring["keys"][at].clone()
}

#[test]
fn every_form_of_a_private_key_is_taken_and_signs_in_its_turn() {
    for (form, algorithm) in [
        (RSA_PKCS8, Rs256),
        (RSA_PKCS1, Rs256),
        (EC_PKCS8, Es256),
        (EC_SEC1, Es256),
    ] {
        let (keys, added) = imported(form, 100);
        let old = kid(&keys, algorithm, 159);
        assert_ne!(old, added);
        assert_eq!(kid(&keys, algorithm, 160), added);
        let until = keys.find(&old).unwrap().verify_until();
        assert_eq!(until, Some(160 + RETIRING_SECONDS));
        let key = keys.find(&added).unwrap();
        let token = key.sign("logout+jwt", &json!({"sid": "s"})).unwrap();
        assert!(client_accepts(&keys.jwks(100), &token));
        assert!(added.starts_with("19700101-"), "{added}");
    }
}

#[test]
fn another_program_signs_alike() {
    let message = b"signed by another program";
    let (keys, rsa) = imported(RSA_PKCS8, 0);
    let signature = keys.find(&rsa).unwrap().material.sign(message).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), BY_OPENSSL_RSA);

    let (keys, ec) = imported(EC_PKCS8, 0);
    let material = &keys.find(&ec).unwrap().material;
    let mut signature = BY_OPENSSL_EC.map(u128::to_be_bytes).concat();
    assert!(material.verifies(message, &signature));
    signature[63] ^= 1;
    assert!(!material.verifies(message, &signature));
}

#[test]
fn a_jwk_keeps_its_name_and_needs_none() {
    let without = IdKeys {
        keys: es256_ring().keys,
        former: Vec::new(),
    };
    let mut rsa = jwk(0);
    let taken = without.import(rsa.to_string().as_bytes(), 0, 0).unwrap();
    assert_eq!(taken.added, ["test-rs256"]);
    rsa.as_object_mut().unwrap().remove("kid");
    let taken = without.import(rsa.to_string().as_bytes(), 0, 0).unwrap();
    assert!(taken.added[0].starts_with("19700101-"));
    // The first of its algorithm: nobody's end.
    assert_eq!(kid(&taken.keys, Rs256, 0), taken.added[0]);
    let ec = taken.keys.active(Es256, 0).unwrap();
    assert_eq!(ec.verify_until(), None);
}

#[test]
fn what_cannot_sign_here_is_refused_with_its_fault() {
    let openssh = RSA_PKCS8.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY");
    let legacy = RSA_PKCS1.replace(
        "RSA PRIVATE KEY-----\n",
        "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n",
    );
    let cut = EC_PKCS8.replacen("MIGH", "MIGG", 1);
    assert_ne!(cut, EC_PKCS8);
    for (content, fault) in [
        ("", ImportError::NotAKey),
        ("just text", ImportError::NotAKey),
        (RSA_PUBLIC, ImportError::NothingPrivate),
        (RSA_ENCRYPTED, ImportError::Encrypted),
        (&legacy, ImportError::Encrypted),
        (&openssh, ImportError::OpenSsh),
        (&format!("{RSA_PKCS8}{EC_PKCS8}"), ImportError::Several(2)),
        (&cut, ImportError::Damaged),
        (RSA_1024, KeyFault::RsaBits(1024).into()),
        (EC_NO_POINT, ImportError::NoPoint),
        (EC_P384, ImportError::OtherCurve),
        (EC_K1[0], ImportError::OtherCurve),
        (EC_K1[1], ImportError::OtherCurve),
        (ED25519, ImportError::OtherAlgorithm),
    ] {
        assert_eq!(refused(content), fault, "{content}");
    }
}

#[test]
fn the_same_key_or_name_is_refused_the_second_time() {
    let (keys, added) = imported(EC_PKCS8, 0);
    let again = keys.import(EC_SEC1.as_bytes(), 0, 0).unwrap_err();
    assert_eq!(again, ImportError::SameKey(added.clone()));
    // A withdrawn key cannot come back under another name.
    let revoked = keys.revoke(&added, 0).unwrap().keys;
    let again = revoked.import(EC_SEC1.as_bytes(), 0, 0).unwrap_err();
    assert_eq!(again, ImportError::SameKey(added));

    let mut same_key = jwk(0);
    same_key["kid"] = "another".into();
    let same = ImportError::SameKey("test-rs256".into());
    assert_eq!(refused(&same_key.to_string()), same);
    let taken = ImportError::TakenKid("test-rs256".into());
    assert_eq!(refused(&jwk(0).to_string()), taken);
}

#[test]
fn jwks_that_cannot_sign_here_are_refused_with_their_fault() {
    let with = |at, name: &str, value: Value| {
        let mut key = jwk(at);
        key[name] = value;
        key.to_string()
    };
    let without = |at, name: &str| {
        let mut key = jwk(at);
        key.as_object_mut().unwrap().remove(name);
        key.to_string()
    };
    for (content, says) in [
        (without(0, "d"), "public key"),
        (without(1, "d"), "public key"),
        (without(0, "qi"), "`p`, `q`, `dp`, `dq` and `qi`"),
        (without(0, "kty"), "`kty`"),
        (without(1, "crv"), "`crv`"),
        (with(1, "crv", "P-384".into()), "`crv`"),
        (with(1, "x", "AAAA".into()), "32 bytes"),
        (with(0, "alg", "PS256".into()), "`alg`"),
        (with(1, "alg", "RS256".into()), "`alg`"),
        (with(0, "use", "enc".into()), "`use`"),
        (with(0, "n", Value::Null), "`n`"),
        (with(0, "kid", "with blanks".into()), "`kid`"),
        (with(0, "e", "Aw".into()), "public exponent"),
        (with(0, "n", "AQAB".into()), "17 bits"),
        (with(1, "d", jwk(1)["x"].clone()), "does not fit"),
        (with(0, "dp", jwk(0)["dq"].clone()), "does not fit"),
        (RING.to_owned(), "`kty`"),
        (r#"{"kty":"RSA","kty":"EC"}"#.to_owned(), "at most once"),
    ] {
        let text = refused(&content).to_string();
        assert!(text.contains(says), "{text} instead of {says}");
    }
}
