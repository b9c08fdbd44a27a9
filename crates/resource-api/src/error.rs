//! Why the service does not start: one line that names the setting and what to do about it.

use std::{fmt, io, net::SocketAddr};

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting has a value that cannot be used, or that contradicts another.
    #[error("{name} {fault}")]
    Setting {
        /// The variable's name.
        name: &'static str,
        /// What is wrong with it, and what would be right.
        fault: String,
    },
    /// Another part says in its own words, setting included, what it cannot use.
    #[error("{0}")]
    Unusable(String),
    /// The port cannot be listened on.
    #[error("RESOURCE_LISTEN: cannot listen on {address}: {}", Reason(*address, source))]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    /// Takes over a sentence that names its setting.
    pub(crate) fn of(fault: impl fmt::Display) -> Self {
        Self::Unusable(fault.to_string())
    }

    /// Says what is wrong with the setting `name`.
    pub(crate) fn setting(name: &'static str, fault: impl fmt::Display) -> Self {
        Self::Setting {
            name,
            fault: fault.to_string(),
        }
    }
}

/// Why a port cannot be had, with the usual remedy.
struct Reason<'a>(SocketAddr, &'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, source) = self;
        if source.kind() == io::ErrorKind::AddrInUse {
            f.write_str("the port is taken by another program; stop that, or choose another port")?;
            f.write_str(air_play(cfg!(target_os = "macos"), address.port()))
        } else {
            write!(f, "{source}")
        }
    }
}

/// macOS itself listens on :5000, and a user who does not know that searches long.
const fn air_play(on_macos: bool, port: u16) -> &'static str {
    if on_macos && matches!(port, 5000 | 5001) {
        " (on macOS it may be AirPlay's: System Settings, General, AirDrop & Handoff, AirPlay Receiver)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(port: u16) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        StartError::Listen {
            address,
            source: io::ErrorKind::AddrInUse.into(),
        }
        .to_string()
    }

    #[test]
    fn a_taken_port_is_one_line_with_the_setting_and_the_address() {
        let line = taken(5001);
        assert!(
            line.starts_with("RESOURCE_LISTEN: cannot listen on 127.0.0.1:5001: the port is taken")
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn air_play_is_named_on_macos_for_its_ports_alone() {
        assert!(air_play(true, 5000).contains("AirPlay"));
        assert!(air_play(true, 5001).contains("AirPlay"));
        assert_eq!(air_play(true, 8080), "");
        assert_eq!(air_play(false, 5000), "");
    }
}
