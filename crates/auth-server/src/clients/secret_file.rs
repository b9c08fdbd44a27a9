//! The secret of a client in a file, as compose and Kubernetes mount it: the first line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::Secret;

/// Characters that a secret has at least. A plain hash keeps it, so it must be random.
const LEAST: usize = 32;
/// Bytes that are looked at.
const MOST: u64 = 4096;

/// Why a file has no secret for a client.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSecret {
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    #[error(
        "its first line is shorter than {LEAST} characters; `openssl rand -base64 32` makes a good secret"
    )]
    Short,
    #[error("its first line is longer than {MOST} bytes: that is no secret")]
    Long,
    #[error("its first line has a character that no secret has (RFC 6749, appendix A.2)")]
    Character,
}

/// Reads it; what is kept of it.
pub(super) fn read(path: &Path) -> Result<Secret, NoSecret> {
    // Room for all of it: growing would leave copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(
        usize::try_from(MOST).unwrap_or_default(),
    ));
    File::open(path)?.take(MOST).read_to_end(&mut content)?;
    of_content(&content)
}

fn of_content(content: &[u8]) -> Result<Secret, NoSecret> {
    let cut_off = u64::try_from(content.len()).is_ok_and(|long| long >= MOST);
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let line = content.split(|c| *c == b'\n').next().unwrap_or_default();
    if cut_off && line.len() == content.len() {
        return Err(NoSecret::Long);
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.iter().all(|c| matches!(c, b' '..=b'~')) {
        return Err(NoSecret::Character);
    }
    let text = std::str::from_utf8(line).map_err(|_| NoSecret::Character)?;
    if text.trim_matches(' ').len() < LEAST {
        return Err(NoSecret::Short);
    }
    Ok(Secret::of(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_secret() {
        let good = "0123456789abcdef0123456789abcdef";
        for content in [
            good.to_owned(),
            format!("{good}\n"),
            format!("{good}\r\nanything\n"),
            format!("\u{feff}{good}\n"),
        ] {
            assert!(
                of_content(content.as_bytes()).unwrap().is(good),
                "{content:?}"
            );
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        let long = "x".repeat(5000);
        for content in [
            "",
            "\n0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcde",
            "                                        ",
            "0123456789abcdef\t0123456789abcdef",
            "0123456789abcdef0123456789abcdéf",
            &long[..4096],
        ] {
            let error = of_content(content.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("0123"), "{error}");
        }
    }
}
