//! What commands read: secrets, unseen from the terminal or from standard input; never from an argument,
//! which every user of the machine could read.
//!
//! Some programs write a byte order mark before text. It belongs to the encoding and not to the secret,
//! and nobody would find out why the password is wrong.

use std::io::{self, IsTerminal, Read, stdin};

use zeroize::Zeroizing;

use super::CommandError;
use crate::log_in::password::Password;

/// Bytes that are read at most: more is not a secret, but some other file.
const MOST: u64 = 64 * 1024;

/// A new password: asked for where there is a terminal, or the first line of standard input.
pub(super) fn password() -> Result<Password, CommandError> {
    let line = if stdin().is_terminal() {
        Zeroizing::new(rpassword::prompt_password("Password: ")?)
    } else {
        let text = text(stdin().lock())?;
        Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
    };
    let line = line.trim_end_matches('\r');
    if line.is_empty() {
        Err(CommandError::Failed("no password was given".into()))
    } else {
        Ok(Password::new(line.to_owned()))
    }
}

/// A secret: all of standard input but the last line's end, which belongs to the terminal.
pub(super) fn secret() -> Result<Zeroizing<String>, CommandError> {
    let text = text(stdin().lock())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Zeroizing::new(line.to_owned()))
}

fn text(input: impl Read) -> Result<Zeroizing<String>, CommandError> {
    // Room for all of it, since what a buffer leaves behind when it grows is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(MOST).unwrap_or_default() + 1,
    ));
    input.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() > usize::try_from(MOST).unwrap_or_default() {
        return Err(CommandError::Failed(
            "standard input is longer than 64 KiB: that is no secret".into(),
        ));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "standard input is no UTF-8 text (Windows programs often write UTF-16)",
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_secret() {
        let read = |bytes: &[u8]| text(bytes).map(|text| text.to_string()).ok();
        assert_eq!(read(b"\xef\xbb\xbfhunter2\n").as_deref(), Some("hunter2\n"));
        assert_eq!(read(b"hunter2").as_deref(), Some("hunter2"));
        // Once, and at the beginning.
        assert_eq!(
            read("\u{feff}\u{feff}a\u{feff}".as_bytes()).as_deref(),
            Some("\u{feff}a\u{feff}")
        );
        assert_eq!(read(b"\xef\xbb\xbf").as_deref(), Some(""));
        assert_eq!(read(b"\xff\xfeh\0u\0"), None, "UTF-16");
    }

    #[test]
    fn what_is_too_long_for_a_secret_is_not_cut_off() {
        let most = vec![b'a'; usize::try_from(MOST).unwrap()];
        assert!(text(most.as_slice()).is_ok());
        assert!(text([most.as_slice(), b"a"].concat().as_slice()).is_err());
    }
}
