//! What is wrong with a certificate, in words that an operator can act on.

use chrono::DateTime;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

/// What clients will say of a certificate at `now` (Unix seconds) when they come to `host`: that it is over, not
/// valid yet, or another host's. Who issued it is not judged here: each client trusts others.
#[must_use]
pub fn fault_of(chain: &[CertificateDer<'_>], host: &str, now: i64) -> Option<String> {
    let (own, chain) = chain.split_first()?;
    let judge = || {
        let parsed = ParsedCertificate::try_from(own)?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            now.try_into().unwrap_or_default(),
        ));
        let algorithms = ring::default_provider().signature_verification_algorithms;
        // Its time is judged before the issuer is looked for, and none is known here.
        let signed = verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &RootCertStore::empty(),
            chain,
            now,
            algorithms.all,
        );
        match signed {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        // A host that is no name cannot be asked for over TLS at all.
        let name = ServerName::try_from(host)
            .map_err(|_| Error::InvalidCertificate(CertificateError::NotValidForName))?;
        verify_server_name(&parsed, &name)
    };
    let error = judge().err()?;
    Some(in_words(&error).unwrap_or_else(|| error.to_string()))
}

/// What a refusal of a certificate means; `None` if the error is about something else.
#[must_use]
pub fn in_words(error: &Error) -> Option<String> {
    let Error::InvalidCertificate(fault) = error else {
        return None;
    };
    Some(match fault {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate has expired, on {}", day(*not_after))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidForName => "the certificate is for another host".to_owned(),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let host = expected.to_str();
            format!(
                "the certificate is not for {host}, but for {}",
                presented.join(", ")
            )
        }
        CertificateError::UnknownIssuer => {
            "the certificate's issuer is not one that this machine trusts".to_owned()
        }
        other => format!("the certificate is refused: {other}"),
    })
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).map_or_else(String::new, |time| {
        time.format("%Y-%m-%d %H:%M UTC").to_string()
    })
}
