//! The hashes themselves.
//!
//! What is marked "made with" was made with that program for the password [`UMLAUTS`], for want of a published hash of
//! a password beyond ASCII.

/// A hash and the password that it was made of.
#[derive(Debug)]
pub(crate) struct Vector {
    /// What [`foreign_hash::ForeignHash::form`] says.
    pub(crate) form: &'static str,
    /// The right one.
    pub(crate) password: &'static str,
    /// As stored.
    pub(crate) hash: &'static str,
}

const fn vector(form: &'static str, password: &'static str, hash: &'static str) -> Vector {
    Vector {
        form,
        password,
        hash,
    }
}

/// Letters of one to four bytes.
pub(crate) const UMLAUTS: &str = "Grüße 王 🔑";

/// The signer key in the sample of <https://github.com/firebase/scrypt>.
pub(crate) const FIREBASE_KEY: &str =
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";

const ARGON2D: &str = "Argon2d";
const ARGON2I: &str = "Argon2i";
const ARGON2ID: &str = "Argon2id";
const BCRYPT: &str = "bcrypt";
const SCRYPT: &str = "scrypt";
const SHA1: &str = "PBKDF2-HMAC-SHA-1";
const SHA256: &str = "PBKDF2-HMAC-SHA-256";
const SHA512: &str = "PBKDF2-HMAC-SHA-512";
const V2: &str = "ASP.NET Core Identity v2";
const V3: &str = "ASP.NET Core Identity v3";
const FIREBASE: &str = "Firebase scrypt";

/// Those that take some milliseconds at most.
pub(crate) fn cheap() -> impl Iterator<Item = &'static Vector> {
    const COSTLY: [&str; 13] = [
        "m=65536",
        "m=102400",
        "$390000$",
        "$16384$",
        "$80000$",
        "i=80000",
        "ln=10",
        "ln=14",
        "$2a$08$",
        "$2a$10$",
        "n=14",
        "AQAAAAEAA9CQ",
        "1000$salt$",
    ];
    ALL.iter()
        .filter(|vector| !COSTLY.iter().any(|costly| vector.hash.contains(costly)))
}

/// Every form, each with several hashes.
pub(crate) const ALL: &[Vector] = &[
    // src/test.c of the reference implementation, https://github.com/P-H-C/phc-winner-argon2
    vector(
        ARGON2I,
        "password",
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
    ),
    vector(
        ARGON2I,
        "password",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ),
    vector(
        ARGON2I,
        "password",
        "$argon2i$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs",
    ),
    vector(
        ARGON2I,
        "password",
        "$argon2i$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$0WgHXE2YXhPr6uVgz4uUw7XYoWxRkWtvSsLaOsEbvs8",
    ),
    vector(
        ARGON2I,
        "password",
        "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E",
    ),
    vector(
        ARGON2ID,
        "password",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ),
    vector(
        ARGON2ID,
        "password",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ),
    vector(
        ARGON2ID,
        "password",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ),
    vector(
        ARGON2ID,
        "differentpassword",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94",
    ),
    // passlib/tests/test_handlers_argon2.py of passlib 1.7.4
    vector(
        ARGON2I,
        "password",
        "$argon2i$v=19$m=380,t=2,p=2$c29tZXNhbHQ$SrssP8n7m/12VWPM8dvNrw",
    ),
    vector(
        ARGON2I,
        "táБℓə",
        "$argon2i$v=19$m=512,t=2,p=2$1sV0O4PWLtc12Ypv1f7oGw$z+yqzlKtrq3SaNfXDfIDnQ",
    ),
    vector(
        ARGON2I,
        "password\0",
        "$argon2i$v=19$m=512,t=2,p=2$c29tZXNhbHQ$Fb5+nPuLzZvtqKRwqUEtUQ",
    ),
    vector(
        ARGON2D,
        "password",
        "$argon2d$v=19$m=102400,t=2,p=8$g2RodLh8j8WbSdCp+lUy/A$zzAJqL/HSjm809PYQu6qkA",
    ),
    // internal/crypto/password_test.go of Supabase Auth, https://github.com/supabase/auth
    vector(
        ARGON2I,
        "test",
        "$argon2i$v=19$m=16,t=2,p=1$bGJRWThNOHJJTVBSdHl2dQ$NfEnUOuUpb7F2fQkgFUG4g",
    ),
    vector(
        ARGON2ID,
        "test",
        "$argon2id$v=19$m=32,t=3,p=2$SFVpOWJ0eXhjRzVkdGN1RQ$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
    ),
    // Made with argon2-cffi 25.1.0, which binds the reference implementation.
    vector(
        ARGON2D,
        UMLAUTS,
        "$argon2d$v=16$m=64,t=2,p=2$c2FsdGQQEBAQEBAQEBAQ$LV/LluHGlC7PTnnxcjp3bLNfv6U9LzRs",
    ),
    vector(
        ARGON2D,
        UMLAUTS,
        "$argon2d$v=19$m=64,t=2,p=2$c2FsdGQTExMTExMTExMT$OJXq0SztRbtNMrqJNa2p2FUk35kL+goK",
    ),
    vector(
        ARGON2I,
        UMLAUTS,
        "$argon2i$v=16$m=64,t=2,p=2$c2FsdGkQEBAQEBAQEBAQ$+ZzeLg6FoSJeGhCEG/K+hV8p4gG7Kw6Z",
    ),
    vector(
        ARGON2I,
        UMLAUTS,
        "$argon2i$v=19$m=64,t=2,p=2$c2FsdGkTExMTExMTExMT$VkfCqO2A75trlsVEN6AwuXaBmvxXAaWc",
    ),
    vector(
        ARGON2ID,
        UMLAUTS,
        "$argon2id$v=16$m=64,t=2,p=2$c2FsdGlkEBAQEBAQEBAQEA$a046d2a7XLV7K9hSbH7+zjtVhgJx0Mfj",
    ),
    vector(
        ARGON2ID,
        UMLAUTS,
        "$argon2id$v=19$m=64,t=2,p=2$c2FsdGlkExMTExMTExMTEw$+3JLFOYinvezzMDTn2SkHI2c32r/SPXp",
    ),
    vector(
        ARGON2ID,
        UMLAUTS,
        "$argon2id$v=19$m=128,t=1,p=4$OCBieXRlcyE$1Td3fHxLYeo59dkqp+KPLt1u27czVHwMuiL0HHNojq07BsdkOBfLlhbVBG5D+UK+9CVBsjxfvnCalw9QGEgMjA",
    ),
    // wrapper.c of Openwall's crypt_blowfish 1.3, https://www.openwall.com/crypt/
    vector(
        BCRYPT,
        "U*U",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ),
    vector(
        BCRYPT,
        "U*U*",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
    ),
    vector(
        BCRYPT,
        "U*U*U",
        "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
    ),
    vector(
        BCRYPT,
        "",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy",
    ),
    vector(
        BCRYPT,
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
    // TestBCrypt.java of jBCrypt, https://github.com/djmdjm/jBCrypt
    vector(
        BCRYPT,
        "",
        "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
    ),
    vector(
        BCRYPT,
        "a",
        "$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V.",
    ),
    vector(
        BCRYPT,
        "abc",
        "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
    ),
    vector(
        BCRYPT,
        "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
        "$2a$10$LgfYWkbzEvQ4JakH7rOvHe0y8pHKF9OaFgwUZ2q7W2FFZmZzJYlfS",
    ),
    // spec/bcrypt/engine_spec.rb of bcrypt-ruby, https://github.com/bcrypt-ruby/bcrypt-ruby
    vector(
        BCRYPT,
        "a",
        "$2b$06$ehKGYiS4wt2HAr7KQXS5z.OaRjB4jHO7rBHJKlGXbqEH3QVJfO7iO",
    ),
    vector(
        BCRYPT,
        "a",
        "$2y$06$LUdD6/aD0e/UbnxVAVbvGuUmIoJ3l/OK94ThhadpMWwKC34LrGEey",
    ),
    // passlib/tests/test_handlers_bcrypt.py of passlib 1.7.4
    vector(
        BCRYPT,
        "U*U***U",
        "$2a$05$WY62Xk2TXZ7EvVDQ5fmjNu7b0GEzSzUXUh2cllxJwhtOeMtWV3Ujq",
    ),
    vector(
        BCRYPT,
        "táБℓə",
        "$2a$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG",
    ),
    vector(
        BCRYPT,
        "táБℓə",
        "$2b$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG",
    ),
    // Made with bcrypt 5.0.0 of Python; the second has a NUL within it, the third is 72 bytes long.
    vector(
        BCRYPT,
        UMLAUTS,
        "$2a$04$hvQqkJjF99O/nK/TfbrXjeBfrjFdqBrVCMY8O54TdQEL5JTUZOh2m",
    ),
    vector(
        BCRYPT,
        "ab\0cd",
        "$2b$04$fSi.T3LIm.aSwLejR9jjqOmi7rDPGie1zqElcGznH2dA87d25/btO",
    ),
    vector(
        BCRYPT,
        "éééééééééééééééééééééééééééééééééééé",
        "$2b$04$/NcTswfac.GAyZHrsXuoGeXVJ51VofkAii/4hAbDLfTRHczwJSaPC",
    ),
    // RFC 7914 §12, the first two in the spelling of passlib/tests/test_handlers_scrypt.py of passlib 1.7.4, which cuts
    // them to 32 bytes
    vector(
        SCRYPT,
        "password",
        "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI",
    ),
    vector(
        SCRYPT,
        "pleaseletmein",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI",
    ),
    vector(
        SCRYPT,
        "pleaseletmein",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
    ),
    // The same file
    vector(
        SCRYPT,
        "test",
        "$scrypt$ln=8,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA",
    ),
    vector(
        SCRYPT,
        "password",
        "$scrypt$ln=8,r=2,p=1$dO6d0xoDoLT2PofQGoNQag$g/Wf2A0vhHhaJM+addK61QPBthSmYB6uVTtQzh8CM3o",
    ),
    vector(
        SCRYPT,
        "táБℓə",
        "$scrypt$ln=7,r=8,p=1$jjGmtDamdA4BQAjBeA9BSA$OiWRHhQtpDx7M/793x6UXK14AD512jg/qNm/hkWZG4M",
    ),
    vector(
        SCRYPT,
        "nacl",
        "$scrypt$ln=1,r=4,p=2$yhnD+J+Tci4lZCwFgHCuVQ$fAsEWmxSHuC0cHKMwKVFPzrQukgvK09Sj+NueTSxKds",
    ),
    // Made with passlib 1.7.4.
    vector(
        SCRYPT,
        UMLAUTS,
        "$scrypt$ln=7,r=8,p=1$CuEcY2wNgfB+D0HovffeWw$orqRZhL03gD/mScKouBU5NRspVE3yvIHAjnUDbzB0c8",
    ),
    // RFC 6070 §2, whose outputs are at most 25 bytes long
    vector(
        SHA1,
        "password",
        "$pbkdf2$i=1,l=20$c2FsdA$DGDID5YfDnHzqbUkr2ASBi/gN6Y",
    ),
    vector(
        SHA1,
        "password",
        "$pbkdf2-sha1$i=2$c2FsdA==$6mwBTcctb4zNHtkqzh1B8NjeiVc=",
    ),
    vector(
        SHA1,
        "password",
        "$pbkdf2$4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE",
    ),
    vector(
        SHA1,
        "passwordPASSWORDpassword",
        "$pbkdf2$i=4096,l=25$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$PS7sT+QchJuAyNg2YsDkSospGpZM8vBwOA",
    ),
    // RFC 7914 §11
    vector(
        SHA256,
        "passwd",
        "$pbkdf2-sha256$i=1,l=64$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw",
    ),
    vector(
        SHA256,
        "Password",
        "$pbkdf2-sha256$i=80000$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1ah1CWhIlgzVJrbhBtRybMXaicr3ruh0HhHj2Kzl/M8jQ",
    ),
    // passlib/tests/test_handlers_pbkdf2.py of passlib 1.7.4
    vector(
        SHA1,
        "password",
        "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI",
    ),
    vector(
        SHA1,
        "Ιωαννης",
        "$pbkdf2$1212$THDqatpidANpadlLeTeOEg$HV3oi1k5C5LQCgG1BMOL.BX4YZc",
    ),
    vector(
        SHA256,
        "password",
        "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ",
    ),
    vector(
        SHA256,
        "Ιωαννης",
        "$pbkdf2-sha256$1212$3SABFJGDtyhrQMVt1uABPw$WyaUoqCLgvz97s523nF4iuOqZNbp5Nt8do/cuaa7AiI",
    ),
    vector(
        SHA512,
        "password",
        "$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww",
    ),
    vector(
        SHA512,
        "Ιωαννης",
        "$pbkdf2-sha512$1212$KkbvoKGsAIcF8IslDR6skQ$8be/PRmd88Ps8fmPowCJttH9G3vgxpG.Krjt3KT.NP6cKJ0V4Prarqf.HBwz0dCkJ6xgWnSj2ynXSV7MlvMa8Q",
    ),
    // As docs/MIGRATING.md writes Keycloak's: padded, and of 64 bytes. Made with hashlib of Python 3.11.
    vector(
        SHA256,
        UMLAUTS,
        "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg==$evCvtCSSUA3ToAHgxrR3beDgXrjzOYzz1pl8CfQ1r8vHqXBCsJ1tvcybvTssnYer47RPgArvbD6qaDyzSOntfw==",
    ),
    // tests/auth_tests/test_hashers.py of Django 4.1
    vector(
        "Django PBKDF2 (SHA-256)",
        "lètmein",
        "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    ),
    vector(
        "Django PBKDF2 (SHA-1)",
        "lètmein",
        "pbkdf2_sha1$390000$seasalt2$aDapRanzW8aHTz97v2TcfHzWD+I=",
    ),
    vector(
        "Django Argon2",
        "secret",
        "argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf0nOEXXMocVrsJAtNSsKyfg",
    ),
    vector(
        "Django Argon2",
        "secret",
        "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q",
    ),
    vector(
        "Django Argon2",
        "secret",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw",
    ),
    vector(
        "Django scrypt",
        "lètmein",
        "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
    ),
    // Made with Django 5.2; a password longer than bcrypt takes is among them.
    vector(
        "Django PBKDF2 (SHA-256)",
        UMLAUTS,
        "pbkdf2_sha256$1000$Nacl4Django$L98mrH4Fjqh5HdutaV8h7dodfBhw/GQwY6LcyKwoxlk=",
    ),
    vector(
        "Django PBKDF2 (SHA-1)",
        UMLAUTS,
        "pbkdf2_sha1$1000$Nacl4Django$mMKOl7Zs4eOT+BUKG27PUc7aQ7Y=",
    ),
    vector(
        "Django Argon2",
        UMLAUTS,
        "argon2$argon2id$v=19$m=256,t=1,p=8$c2FsdHNhbHRzYWx0c2FsdA$9MiwwIlEj+U7gXIft5JdXjzTjAmau2JuDOg5Kaakmis",
    ),
    vector(
        "Django bcrypt",
        UMLAUTS,
        "bcrypt$$2b$04$QJYNy37OayBQ/u/zpuzuZ.FwamOtMR4j2Dgd5TR.KmLbDjZGXtpzi",
    ),
    vector(
        "Django bcrypt (SHA-256)",
        UMLAUTS,
        "bcrypt_sha256$$2b$04$VU1FKB9deBkWE4egeEEBqOk19kKmE7ZfOLFUhwGaQToPiAzgUxUjy",
    ),
    vector(
        "Django bcrypt (SHA-256)",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "bcrypt_sha256$$2b$04$u6AWgl9smHM/nqFXzlh8n.Brokzlurga89T4/hVTn3isSYUMKlvvW",
    ),
    vector(
        "Django scrypt",
        UMLAUTS,
        "scrypt$256$sel$8$2$ChGlsLxcqaBKSGM2Nehw5A2/iJdNnXslnbG+WEekHRVV0XWikjlVY34g5Zy35q6kjvK8qH0/UkRAhuiLiIHTHw==",
    ),
    // PasswordHasherTest.cs of ASP.NET Core, https://github.com/dotnet/aspnetcore
    vector(
        V2,
        "my password",
        "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg==",
    ),
    vector(
        V2,
        "my password",
        "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A==",
    ),
    vector(
        V3,
        "my password",
        "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
    ),
    vector(
        V3,
        "my password",
        "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
    ),
    vector(
        V3,
        "my password",
        "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==",
    ),
    vector(
        V3,
        "my password",
        "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
    ),
    vector(
        V3,
        "my password",
        "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=",
    ),
    // Made with hashlib of Python 3.11, by a script that gives the first and the third of the above, too.
    vector(
        V2,
        UMLAUTS,
        "AAABAgMEBQYHCAkKCwwNDg/zXam6EteY6uvy/7EVJWdG0g5P3mF6Vj8Tw6FFLQf2OA==",
    ),
    vector(
        V3,
        UMLAUTS,
        "AQAAAAIAAAPoAAAAEAABAgMEBQYHCAkKCwwNDg+30QFuZBYShcKulMjpwvG263MZAsOhy1rK9keRhuiFzQ==",
    ),
    // internal/crypto/password_test.go of Supabase Auth
    vector(
        FIREBASE,
        "mytestpassword",
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0/c41v8xZnO1n14J3MjKj1b2g6AUCAlFwMw==$C0sHCg9ek77hsg==$zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM5tQaJP84+hfTw==",
    ),
    // Made with hashlib.scrypt and AES of Python's cryptography 50, by a script that gives Firebase's sample, too.
    vector(
        FIREBASE,
        UMLAUTS,
        "$fbscrypt$v=1,n=8,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$Lfm/6RUaQD0nZtCG/vqvmy4y1vQX7cZLx9wuK7TmT3FkwbOSOCUNZ02FMZOfpt0GOitqxNyOv5Agz4KVIBU/WQ==",
    ),
];
