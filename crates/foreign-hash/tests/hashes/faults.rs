//! What is refused, and in which words.

use foreign_hash::{Fault, ForeignHash};

#[test]
fn other_forms_are_unknown() {
    for text in [
        "",
        "$",
        "$$$",
        "hunter2",
        "letmein$",
        // Django's faster hashers, and its unsalted MD5
        "md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3",
        "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8",
        "88a434c88cca4e900f7874cd98123f43",
        // crypt(3)
        "$1$5pZSV9va$azfrPr6af3Fc7dLblQXVa0",
        "$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYaA",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
        "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
        "{bcrypt}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        " $2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        // A third version of Identity's base64
        "AgAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
    ] {
        assert_eq!(
            ForeignHash::parse(text).unwrap_err(),
            Fault::Unknown,
            "{text}"
        );
    }
    let long = format!("pbkdf2_sha256$1000${}$", "s".repeat(2100));
    assert_eq!(ForeignHash::parse(&long).unwrap_err(), Fault::Unknown);
}

/// Made with Django 5.2.
#[test]
fn a_mark_of_no_password_is_told_from_a_hash() {
    for text in ["!", "!pweSPavxF0MY0kSmpd0dZCGY29WfvE8gRVeYPEe7"] {
        assert_eq!(ForeignHash::parse(text).unwrap_err(), Fault::Unusable);
    }
}

#[test]
fn what_costs_too_much_is_refused_with_parameter_and_bound() {
    for (text, words) in [
        (
            "$argon2id$v=19$m=262144,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "Argon2id: m in KiB = 262144 costs too much; the bound is 131072",
        ),
        (
            "$argon2id$v=19$m=131072,t=9,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "Argon2id: m·t in KiB = 1179648 costs too much; the bound is 1048576",
        ),
        (
            "$argon2i$m=8,t=4294967296,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "Argon2i: m·t in KiB = 34359738368 costs too much; the bound is 1048576",
        ),
        (
            "argon2$argon2d$m=1024,t=1,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "Django Argon2: p = 17 costs too much; the bound is 16",
        ),
        (
            "$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "bcrypt: cost = 15 costs too much; the bound is 14",
        ),
        (
            "bcrypt_sha256$$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "Django bcrypt (SHA-256): cost = 31 costs too much; the bound is 14",
        ),
        (
            "$scrypt$ln=18,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA",
            "scrypt: 128·N·r in bytes = 268435456 costs too much; the bound is 134217728",
        ),
        (
            "$scrypt$ln=17,r=8,p=2$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA",
            "scrypt: N·r·p = 2097152 costs too much; the bound is 1048576",
        ),
        (
            "$scrypt$ln=4096,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA",
            "scrypt: 128·N·r in bytes = 18446744073709551615 costs too much; the bound is 134217728",
        ),
        (
            "$scrypt$ln=1,r=65536,p=65536$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA",
            "scrypt: r = 65536 costs too much; the bound is 64",
        ),
        (
            "scrypt$9223372036854775808$sel$8$2$ChGlsLxcqaBKSGM2Nehw5A2/iJdNnXslnbG+WEekHRVV0XWikjlVY34g5Zy35q6kjvK8qH0/UkRAhuiLiIHTHw==",
            "Django scrypt: 128·N·r in bytes = 18446744073709551615 costs too much; the bound is 134217728",
        ),
        (
            "$pbkdf2-sha256$i=2000001$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
            "PBKDF2-HMAC-SHA-256: iterations × output blocks = 2000001 costs too much; the bound is 2000000",
        ),
        (
            "pbkdf2_sha256$99999999999999999999$salt$L98mrH4Fjqh5HdutaV8h7dodfBhw/GQwY6LcyKwoxlk=",
            "Django PBKDF2 (SHA-256): iterations × output blocks = 18446744073709551615 costs too much; the bound is 2000000",
        ),
        // 64 bytes are two blocks of SHA-256 and four of SHA-1.
        (
            "$pbkdf2-sha256$i=1000001$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw",
            "PBKDF2-HMAC-SHA-256: iterations × output blocks = 2000002 costs too much; the bound is 2000000",
        ),
        (
            "$pbkdf2$i=1500001$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw",
            "PBKDF2-HMAC-SHA-1: iterations × output blocks = 6000004 costs too much; the bound is 6000000",
        ),
        // SHA-512 and 2³²−1 iterations
        (
            "AQAAAAL/////AAAAEAABAgMEBQYHCAkKCwwNDg+30QFuZBYShcKulMjpwvG263MZAsOhy1rK9keRhuiFzQ==",
            "ASP.NET Core Identity v3: iterations × output blocks = 4294967295 costs too much; the bound is 1000000",
        ),
        (
            "$fbscrypt$v=1,n=20,r=8,p=1,ss=Bw==,sk=AAAAAAAAAAAAAAAAAAAAAA==$AAAA$AAAAAAAAAAAAAAAAAAAAAA==",
            "Firebase scrypt: 128·N·r in bytes = 1073741824 costs too much; the bound is 134217728",
        ),
    ] {
        assert_eq!(
            ForeignHash::parse(text).unwrap_err().to_string(),
            words,
            "{text}"
        );
        assert!(matches!(
            ForeignHash::parse(text).unwrap_err(),
            Fault::TooCostly { .. }
        ));
    }
}

#[test]
fn what_others_write_by_default_is_within_the_bounds() {
    let (hash20, hash32) = ("A".repeat(27), "A".repeat(43));
    let hash64 = "A".repeat(86);
    for text in [
        // PHP, argon2-cffi, libsodium (interactive), Keycloak, Keyturn
        format!("$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ${hash32}"),
        format!("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ${hash32}"),
        format!("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ${hash32}"),
        format!("$argon2id$v=19$m=7168,t=5,p=1$c29tZXNhbHQ${hash32}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ${hash32}"),
        // Keycloak, from the newest to what it was before
        format!("$pbkdf2-sha512$i=210000$c2FsdA${hash64}"),
        format!("$pbkdf2-sha256$i=600000$c2FsdA${hash64}"),
        format!("$pbkdf2$i=1300000$c2FsdA${hash64}"),
        // Django 4.2, 5.2 and 6.0
        format!("pbkdf2_sha256$600000$salt${hash32}"),
        format!("pbkdf2_sha256$1000000$salt${hash32}"),
        format!("pbkdf2_sha256$1200000$salt${hash32}"),
        format!("pbkdf2_sha1$1200000$salt${hash20}"),
        format!("scrypt$16384$salt$8$5${hash64}"),
        format!("argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ${hash32}"),
        // OWASP's choices for scrypt
        format!("$scrypt$ln=17,r=8,p=1$c29tZXNhbHQ${hash32}"),
        format!("$scrypt$ln=16,r=8,p=2$c29tZXNhbHQ${hash32}"),
        format!("$scrypt$ln=15,r=8,p=3$c29tZXNhbHQ${hash32}"),
        format!("$scrypt$ln=14,r=8,p=5$c29tZXNhbHQ${hash32}"),
        format!("$scrypt$ln=13,r=8,p=10$c29tZXNhbHQ${hash32}"),
        "$2y$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
    ] {
        assert!(ForeignHash::parse(&text).is_ok(), "{text}");
    }
}

/// The part that is broken, if it is that.
fn broken_part(text: &str) -> Option<&'static str> {
    match ForeignHash::parse(text) {
        Err(Fault::Broken { part, .. }) => Some(part),
        _ => None,
    }
}

#[test]
fn a_broken_part_of_argon2_or_bcrypt_is_named() {
    let argon2 = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let bcrypt = "E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let salt = "CCCCCCCCCCCCCCCCCCCCC.";
    for (text, part) in [
        ("$argon2id".to_owned(), "number of fields"),
        (format!("$argon2id$v=19{argon2}"), "parameters"),
        (format!("$argon2id$v=18$m=256,t=2,p=1{argon2}"), "version"),
        (format!("$argon2id$v=19$m=256,t=2{argon2}"), "parameters"),
        (
            format!("$argon2id$v=19$m=256,t=2,p=1,p=1{argon2}"),
            "parameters",
        ),
        (
            format!("$argon2id$v=19$m=256,t=2,p=1,data=AAAA{argon2}"),
            "parameters",
        ),
        (
            format!("$argon2id$v=19$m=256,t=2,p=1,{argon2}"),
            "parameters",
        ),
        (format!("$argon2id$v=19$m=256,t=0,p=1{argon2}"), "t"),
        (format!("$argon2id$v=19$m=256,t=02,p=1{argon2}"), "t"),
        (format!("$argon2id$v=19$m=+256,t=2,p=1{argon2}"), "m"),
        (format!("$argon2id$v=19$m=256,t=2,p=0{argon2}"), "p"),
        // A lane has 8 KiB at least.
        (format!("$argon2id$v=19$m=127,t=2,p=16{argon2}"), "m"),
        (
            format!("$argon2id$v=19$m=256,t=2,p=1$AAAA{argon2}"),
            "number of fields",
        ),
        (
            "$argon2id$v=19$m=256,t=2,p=1$AAAA$nf65EOgLrQMR/uIPnA4rEg".to_owned(),
            "salt",
        ),
        (
            "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEg".to_owned(),
            "salt",
        ),
        // Bits beyond the last byte
        (
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEh".to_owned(),
            "hash",
        ),
        (
            format!(
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ${}",
                "A".repeat(88)
            ),
            "hash",
        ),
        (
            format!("$2x$05${salt}{bcrypt}"),
            "variant: only 2a, 2b and 2y are known",
        ),
        (
            format!("$2$05${salt}{bcrypt}"),
            "variant: only 2a, 2b and 2y are known",
        ),
        (format!("$2b$5${salt}{bcrypt}"), "cost"),
        (format!("$2b$+5${salt}{bcrypt}"), "cost"),
        (format!("$2b$00${salt}{bcrypt}"), "cost"),
        (format!("$2b$03${salt}{bcrypt}"), "cost"),
        (format!("$2b$005${salt}{bcrypt}"), "cost"),
        ("$2b$05$".to_owned(), "salt"),
        ("$2b$05".to_owned(), "number of fields"),
        (format!("$2b$05${salt}"), "hash"),
        (format!("$2b$05${salt}{bcrypt}."), "hash"),
        (format!("$2b$05${salt}${bcrypt}"), "number of fields"),
        // The 22nd byte is within a character.
        (
            format!("$2b$05${}", "é".repeat(11).replacen('é', "e", 1) + bcrypt),
            "salt",
        ),
        (format!("bcrypt$2b$05${salt}{bcrypt}"), "number of fields"),
        ("bcrypt_sha256".to_owned() + "$", "number of fields"),
    ] {
        assert_eq!(broken_part(&text), Some(part), "{text}");
    }
}

#[test]
fn a_broken_part_of_another_is_named() {
    let scrypt = "$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA";
    let pbkdf2 = "$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ";
    let django = "$salt$L98mrH4Fjqh5HdutaV8h7dodfBhw/GQwY6LcyKwoxlk=";
    for (text, part) in [
        (format!("$scrypt$ln=0,r=8,p=1{scrypt}"), "ln"),
        (format!("$scrypt$ln=8,r=0,p=1{scrypt}"), "r"),
        (format!("$scrypt$ln=8,r=8,p=0{scrypt}"), "p"),
        (format!("$scrypt$ln=8,r=A,p=1{scrypt}"), "r"),
        (format!("$scrypt$ln=8,r=8{scrypt}"), "parameters"),
        (format!("$scrypt{scrypt}"), "number of fields"),
        (
            "$scrypt$ln=8,r=8,p=1$$mTpvG8lzuuDk+DWz8HZIBw".to_owned(),
            "salt",
        ),
        (format!("$pbkdf2-sha256$0{pbkdf2}"), "iterations"),
        (format!("$pbkdf2-sha256{pbkdf2}"), "number of fields"),
        (format!("$pbkdf2-sha256$-1{pbkdf2}"), "iterations"),
        (format!("$pbkdf2-sha256$i=1000,l=31{pbkdf2}"), "hash"),
        (format!("$pbkdf2-sha256$l=32{pbkdf2}"), "parameters"),
        // passlib's hashes have the length of the hash function's.
        (format!("$pbkdf2-sha512$1000{pbkdf2}"), "hash"),
        (
            "$pbkdf2-sha256$i=1000$$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            "salt",
        ),
        (format!("pbkdf2_sha256$0{django}"), "iterations"),
        (format!("pbkdf2_sha256$1e3{django}"), "iterations"),
        (format!("pbkdf2_sha1$1000{django}"), "hash"),
        (
            "pbkdf2_sha256$1000$$L98mrH4Fjqh5HdutaV8h7dodfBhw/GQwY6LcyKwoxlk=".to_owned(),
            "salt",
        ),
        (
            "argon2$argon2x$m=8,t=1,p=1$c29tZXNhbHQ$gwQO".to_owned(),
            "variant",
        ),
        ("scrypt$1000$sel$8$2$AAAA".to_owned(), "N"),
        ("scrypt$1$sel$8$2$AAAA".to_owned(), "N"),
        ("scrypt$256$sel$8$2$AAAA".to_owned(), "hash"),
        ("scrypt$256$$8$2$AAAA".to_owned(), "salt"),
        (
            "$fbscrypt$v=2,n=14,r=8,p=1,ss=Bw==,sk=AAAA$AAAA$AAAA".to_owned(),
            "parameters",
        ),
        (
            "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=AAAA$AAAA$AAAA".to_owned(),
            "signer key",
        ),
        (
            "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=AAAAAAAAAAAAAAAAAAAAAA==$AAAA$AAAA".to_owned(),
            "hash",
        ),
    ] {
        assert_eq!(broken_part(&text), Some(part), "{text}");
    }
}

/// The first two of each are from `PasswordHasherTest.cs` of ASP.NET Core.
#[test]
fn identity_hashes_of_wrong_lengths_are_broken() {
    for (text, words) in [
        (
            "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggE=",
            "ASP.NET Core Identity v2: bad length",
        ),
        (
            "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJgAAAAAAAAAAAAA=",
            "ASP.NET Core Identity v2: bad length",
        ),
        ("AAAA", "ASP.NET Core Identity v2: bad length"),
        (
            "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A=",
            "ASP.NET Core Identity v3: bad hash",
        ),
        ("AQAAAA", "ASP.NET Core Identity v3: bad header"),
        (
            "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A==A",
            "ASP.NET Core Identity v3: bad base64",
        ),
        // Hash function 3
        (
            "AQAAAAMAAAPoAAAAEAABAgMEBQYHCAkKCwwNDg+30QFuZBYShcKulMjpwvG263MZAsOhy1rK9keRhuiFzQ==",
            "ASP.NET Core Identity v3: bad hash function",
        ),
        // No iterations
        (
            "AQAAAAIAAAAAAAAAEAABAgMEBQYHCAkKCwwNDg+30QFuZBYShcKulMjpwvG263MZAsOhy1rK9keRhuiFzQ==",
            "ASP.NET Core Identity v3: bad iterations",
        ),
        // A salt of 2³²−1 bytes, and one of none
        (
            "AQAAAAIAAAPo/////wABAgMEBQYHCAkKCwwNDg+30QFuZBYShcKulMjpwvG263MZAsOhy1rK9keRhuiFzQ==",
            "ASP.NET Core Identity v3: bad length of the salt",
        ),
        (
            "AQAAAAIAAAPoAAAAAAABAgMEBQYHCAkKCwwNDg+30QFuZBYShcKulMjpwvG263MZAsOhy1rK9keRhuiFzQ==",
            "ASP.NET Core Identity v3: bad length of the salt",
        ),
    ] {
        assert_eq!(
            ForeignHash::parse(text).unwrap_err().to_string(),
            words,
            "{text}"
        );
    }
    // The same test's "extra data at end": a longer hash, which no password fits.
    let longer = "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHwAAAAAAAAAAAA";
    assert!(!ForeignHash::parse(longer).unwrap().verify("my password"));
}

/// From `test_handlers_bcrypt.py` of passlib 1.7.4, which wrote such salts once. bcrypt's implementations
/// ignore the bits.
#[test]
fn bits_beyond_the_salt_of_bcrypt_do_not_matter() {
    for hash in [
        "$2a$04$oaQbBqq8JnSM1NHRPQGXORY4Vw3bdHKLIXTecPDRAcJ98cz1ilveO",
        "$2a$04$oaQbBqq8JnSM1NHRPQGXOOY4Vw3bdHKLIXTecPDRAcJ98cz1ilveO",
        "$2a$04$yjDgE74RJkeqC0/1NheSScrvKeu9IbKDpcQf/Ox3qsrRS/Kw42qIS",
        "$2a$04$yjDgE74RJkeqC0/1NheSSOrvKeu9IbKDpcQf/Ox3qsrRS/Kw42qIS",
    ] {
        assert!(ForeignHash::parse(hash).unwrap().verify("test"), "{hash}");
    }
}
