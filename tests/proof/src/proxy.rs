//! A bad network between clients and a service: a proxy that drops, delays, doubles and reorders.
//!
//! One request per connection. A request goes on also when its client has given up, as it would in a network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::faults::{Counts, Fate};
use crate::http::{Message, exchange};

/// The header by which a client says who it is, for [`Fate::Overtaken`].
pub const LANE: &str = "x-lane";

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a request waits to be overtaken.
const OVERTAKEN_WITHIN: Duration = Duration::from_millis(1500);

/// The proxy's listening side. Clones share it.
#[derive(Clone)]
pub struct Proxy {
    upstream: SocketAddr,
    longest_delay: Duration,
    dice: Arc<Mutex<StdRng>>,
    /// How many requests of each client have arrived.
    lanes: Arc<Vec<watch::Sender<u64>>>,
    counts: Arc<Counts>,
}

impl Proxy {
    /// Listens on a free port and passes on to `upstream`, for so many clients.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(
        upstream: SocketAddr,
        clients: usize,
        longest_delay: Duration,
        seed: u64,
        counts: Arc<Counts>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let lanes = (0..clients).map(|_| watch::Sender::new(0)).collect();
        let dice = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        let proxy = Self {
            upstream,
            longest_delay,
            dice,
            lanes: Arc::new(lanes),
            counts,
        };
        tokio::spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    let proxy = proxy.clone();
                    // What breaks here breaks for the client, too; that is the purpose.
                    tokio::spawn(async move { proxy.serve(stream).await });
                }
            }
        });
        Ok(addr)
    }

    async fn serve(self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        let Some(request) = Message::read(&mut stream).await? else {
            return Ok(());
        };
        let fate = {
            let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
            Fate::of(&mut *dice, self.longest_delay)
        };
        let counts = Arc::clone(&self.counts);
        let answer = match fate {
            Fate::Passes => self.pass_on(&request).await?,
            Fate::RequestDropped => {
                counts.dropped_requests.up();
                return Ok(());
            }
            Fate::AnswerDropped => {
                self.pass_on(&request).await?;
                counts.lost_answers.up();
                return Ok(());
            }
            Fate::RequestDelayed(delay) => {
                counts.delayed.up();
                sleep(delay).await;
                self.pass_on(&request).await?
            }
            Fate::AnswerDelayed(delay) => {
                counts.delayed.up();
                let answer = self.pass_on(&request).await?;
                sleep(delay).await;
                answer
            }
            Fate::Doubled(delay) => {
                counts.duplicates.up();
                let (again, copy) = (self.clone(), request.clone());
                tokio::spawn(async move {
                    sleep(delay).await;
                    again.pass_on(&copy).await
                });
                self.pass_on(&request).await?
            }
            Fate::Repeated => {
                counts.duplicates.up();
                // The first may meet a server that is being killed; the second goes its own way.
                let (_, second) = tokio::join!(self.pass_on(&request), self.pass_on(&request));
                second?
            }
            Fate::Overtaken => {
                counts.reordered.up();
                self.wait_to_be_overtaken(&request).await;
                self.pass_on(&request).await?
            }
        };
        stream.write_all(&answer.encode()).await
    }

    async fn pass_on(&self, request: &Message) -> io::Result<Message> {
        self.counts.under_way.notify_waiters();
        let answer = exchange(self.upstream, request, PATIENCE).await;
        if answer
            .as_ref()
            .is_err_and(|error| error.kind() != io::ErrorKind::ConnectionRefused)
        {
            self.counts.cut_off.up();
        }
        if let Some(lane) = self.lane(request) {
            lane.send_modify(|arrived| *arrived += 1);
        }
        answer
    }

    async fn wait_to_be_overtaken(&self, request: &Message) {
        if let Some(lane) = self.lane(request) {
            let mut arrived = lane.subscribe();
            // Nobody came: it goes on alone.
            let _ = timeout(OVERTAKEN_WITHIN, arrived.changed()).await;
        }
    }

    fn lane(&self, request: &Message) -> Option<&watch::Sender<u64>> {
        self.lanes.get(request.header(LANE)?.parse::<usize>().ok()?)
    }
}
