//! A peer as a process, or several: started, and ended with all that it started itself.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Fault;
use crate::http::{Message, exchange};

/// How long a peer may take to answer: an interpreter reads its libraries first.
const START: Duration = Duration::from_mins(1);

/// A running peer; dropping it ends it.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Peer {
    /// Starts `command`, which listens on `addr`, and waits until it answers, whatever it answers. What it says
    /// goes to a file in `data`.
    ///
    /// # Errors
    /// When it does not answer; with the last that it said.
    pub async fn start(
        mut command: Command,
        name: &str,
        addr: SocketAddr,
        data: &Path,
    ) -> Result<Self, Fault> {
        let path = data.join(format!("{name}.log"));
        let log = File::create(&path)?;
        command
            .env("PORT", addr.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its workers are in the same group and end with it, however this program ends.
            .process_group(0);
        let child = command.spawn()?;
        let mut peer = Self { child, addr };
        let until = Instant::now() + START;
        let question = Message::request("GET", "/");
        while exchange(addr, &question, Duration::from_secs(1))
            .await
            .is_err()
        {
            let stopped = peer.child.try_wait()?;
            if stopped.is_some() || Instant::now() > until {
                let said = std::fs::read_to_string(&path).unwrap_or_default();
                let last = said.lines().rfind(|line| !line.trim().is_empty());
                let last = last.unwrap_or("it said nothing");
                return Err(format!("does not start: {last}").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(peer)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // It may be gone; then there is nothing to end.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
