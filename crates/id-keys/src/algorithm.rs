//! The two ways to sign (RFC 7518 §3.3 and §3.4).

use std::fmt;
use std::str::FromStr;

/// How a key signs. There is no way to get one that takes a shared secret, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: what every client can verify (`OpenID` Connect Core §15.1).
    Rs256,
    /// ECDSA on P-256 with SHA-256: shorter, and faster to sign.
    Es256,
}

/// A name that is neither "RS256" nor "ES256".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be RS256 or ES256")]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// Both, the one that is the default first.
    pub const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    /// The name in a header's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads the exact name: JOSE's names are case-sensitive (RFC 7515 §4.1.1).
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let named = |algorithm: &Self| algorithm.name() == name;
        Self::ALL.into_iter().find(named).ok_or(UnknownAlgorithm)
    }
}
