//! What verifying a hash may cost at most: about a second on one slow core, and [`MEMORY`].
//!
//! Every bound is above what frameworks write by default and what OWASP's Password Storage Cheat Sheet recommends, so
//! that a refused hash is one that somebody made costly on purpose.
//!
//! At its bound, on a server's core of 2023, Argon2 took 0.8 s, bcrypt 1.2 s, scrypt 0.4 to 0.6 s, PBKDF2 0.9 s with
//! SHA-1, 0.3 s with SHA-256 and 0.8 s with SHA-512. Without the processor's SHA instructions, it was 1.7 s with SHA-1
//! and 1.1 s with SHA-256.

use std::ops::RangeInclusive;

/// Bytes of memory that a hash takes at most, beside some KiB: 128 MiB. Django's Argon2 takes 100 MiB, OWASP's first
/// choice for scrypt 128 MiB. Each thread that verifies needs as much.
pub const MEMORY: u64 = 128 * 1024 * 1024;

/// KiB that Argon2 goes over in all its passes, `m·t`: 1 GiB. PHP goes over 256 MiB, Django over 200 MiB.
pub const ARGON2_WORK: u64 = 1024 * 1024;

/// Lanes of Argon2, and `p` of scrypt. They are computed one after the other.
pub const LANES: u64 = 16;

/// Cost of bcrypt, as a power of two. Frameworks use 10 to 12.
pub const BCRYPT_COST: u64 = 14;

/// Iterations of PBKDF2-HMAC-SHA-1, times the blocks of 20 bytes in its output. Keycloak does 1 300 000 for each of
/// four blocks.
pub const PBKDF2_SHA1_WORK: u64 = 6_000_000;

/// Iterations of PBKDF2-HMAC-SHA-256, times the blocks of 32 bytes in its output. Django does 1 200 000.
pub const PBKDF2_SHA256_WORK: u64 = 2_000_000;

/// Iterations of PBKDF2-HMAC-SHA-512, of which an output is one block. Keycloak does 210 000.
pub const PBKDF2_SHA512_WORK: u64 = 1_000_000;

/// `N·r·p` of scrypt: what OWASP's parameters come to.
pub const SCRYPT_WORK: u64 = 1024 * 1024;

/// `r` of scrypt. It is 8 almost everywhere.
pub const SCRYPT_BLOCK: u64 = 64;

/// Bytes of a hash. From less than 16 another password could be found, and an empty one is fitted by all.
pub const OUTPUT: RangeInclusive<usize> = 16..=64;

/// Bytes of the whole text.
pub const TEXT: usize = 2048;
