//! What commands say: answers on standard output, complaints on standard error.
//!
//! The reader may have gone (`… | head -1`). He has read enough then: the command ends quietly, and nothing
//! that it has to do may stand after what it says.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use super::CommandError;

/// Writes a line to standard output.
///
/// # Errors
/// [`CommandError::Unheard`] if nobody reads it, [`CommandError::Failed`] if it cannot be written.
pub(super) fn say(line: impl Display) -> Result<(), CommandError> {
    write_line(io::stdout().lock(), line)
}

/// Writes a line to standard error; where that goes nowhere, there is nobody to tell.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "auth-server: {line}");
}

fn write_line(mut out: impl Write, line: impl Display) -> Result<(), CommandError> {
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(CommandError::Unheard),
        Err(error) => Err(CommandError::Failed(format!(
            "cannot write to standard output: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_has_gone_is_told_from_a_disk_that_is_full() {
        let said = write_line(Broken(ErrorKind::BrokenPipe), "x");
        assert!(matches!(said, Err(CommandError::Unheard)), "{said:?}");
        let said = write_line(Broken(ErrorKind::StorageFull), "x");
        assert!(matches!(said, Err(CommandError::Failed(_))), "{said:?}");
        let mut out = Vec::new();
        write_line(&mut out, "a line").unwrap();
        assert_eq!(out, b"a line\n");
    }
}
