//! The bearer token of a request, found in its headers.

use crate::jws::LONGEST_TOKEN;
use crate::token_error::TokenError;

/// The bearer token (RFC 6750 §2.1) among the values of a request's `Authorization` headers: exactly one, the scheme
/// in any case.
///
/// # Errors
/// [`TokenError::Missing`] if there is no header, an empty one or one of another scheme;
/// [`TokenError::Malformed`] if there are several, or one that holds no token or is too long.
pub fn bearer<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, TokenError> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(TokenError::Missing)?;
    // Which of two counts is a question that others than we have answered differently before us.
    if values.next().is_some() {
        return Err(TokenError::Malformed(
            "more than one credential came with the request",
        ));
    }
    if value.len() > LONGEST_TOKEN {
        return Err(TokenError::Malformed("the credential is longer than 8 KiB"));
    }
    let (scheme, token) = match value.iter().position(|byte| *byte == b' ') {
        Some(end) => value.split_at(end),
        None => (value, [].as_slice()),
    };
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(TokenError::Missing);
    }
    let token = std::str::from_utf8(token)
        .unwrap_or_default()
        .trim_start_matches(' ');
    if token.is_empty() {
        return Err(TokenError::Malformed(
            "there is no token after the word Bearer",
        ));
    }
    Ok(token)
}
