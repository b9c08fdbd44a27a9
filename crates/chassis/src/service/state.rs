//! What a connection is doing, and until when it may go on doing it.
//!
//! The HTTP library bounds the first head of a connection and nothing else. So stream, requests and
//! answers note here what happens, and [`State::deadline`] is the one place that says when each state
//! ends. All of it belongs to one task: cells, no atomics, and one look at the clock each time the task
//! runs.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::connection_limits::ConnectionLimits;

/// How much later than the library a first head is given up, so that its 408 goes out first.
const ANSWER: Duration = Duration::from_secs(1);

/// The state of one connection.
#[derive(Debug)]
pub(super) struct State {
    /// The time, as of the last [`State::tick`].
    now: Cell<Instant>,
    /// When the last answer was complete; before the first one, when the connection began.
    rested: Cell<Instant>,
    /// Whether there was any answer.
    answered: Cell<bool>,
    /// The first byte since then, if any has come: a head, or the rest of a body that nobody wants.
    touched: Cell<Option<Instant>>,
    /// When the request that is being answered arrived.
    begun: Cell<Option<Instant>>,
    /// Whether that may end in anything but an empty line.
    counted_body: Cell<bool>,
    /// The last bytes that were read, the latest lowest.
    tail: Cell<u32>,
    /// The last byte in either direction, and the last that was sent.
    moved: Cell<Instant>,
    sent: Cell<Instant>,
    /// Since when something waits to be sent that the other side does not take.
    blocked: Cell<Option<Instant>>,
    /// A limit was reached: the library is told that nothing more will come.
    closing: Cell<bool>,
}

impl State {
    /// A connection that begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: Cell::new(now),
            rested: Cell::new(now),
            answered: Cell::new(false),
            touched: Cell::new(None),
            begun: Cell::new(None),
            counted_body: Cell::new(false),
            tail: Cell::new(0),
            moved: Cell::new(now),
            sent: Cell::new(now),
            blocked: Cell::new(None),
            closing: Cell::new(false),
        }
    }

    /// Tells the time for everything that is noted until the next call.
    pub(super) fn tick(&self, now: Instant) {
        self.now.set(now);
    }

    /// The TLS handshake is over, and what came before is forgotten.
    pub(super) fn greeted(&self) {
        self.rested.set(self.now.get());
        self.touched.set(None);
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        self.moved.set(self.now.get());
        if self.touched.get().is_none() {
            self.touched.set(Some(self.now.get()));
        }
    }

    /// What they were, decrypted.
    pub(super) fn read(&self, bytes: &[u8]) {
        let latest = bytes.iter().skip(bytes.len().saturating_sub(4));
        let tail = latest.fold(self.tail.get(), |tail, byte| tail << 8 | u32::from(*byte));
        self.tail.set(tail);
    }

    /// The other side took bytes.
    pub(super) fn wrote(&self) {
        self.moved.set(self.now.get());
        self.sent.set(self.now.get());
    }

    /// The other side takes no more for now.
    pub(super) fn blocked(&self) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some(self.now.get()));
            self.sent.set(self.now.get());
        }
    }

    /// Everything was sent. Only now the other side may be expected to go on.
    pub(super) fn flushed(&self) {
        if self.blocked.take().is_some() {
            self.rested.set(self.now.get());
            self.touched.set(self.touched.get().map(|_| self.now.get()));
        }
    }

    /// A whole head has come. A body of a counted length may end in any bytes, all else ends in an empty
    /// line.
    pub(super) fn begin(&self, counted_body: bool) {
        self.begun.set(Some(self.now.get()));
        self.moved.set(self.now.get());
        self.counted_body.set(counted_body);
    }

    /// The answer is complete.
    pub(super) fn end(&self) {
        self.begun.set(None);
        self.rested.set(self.now.get());
        self.answered.set(true);
        // The library reads all that is there: behind the request the next one may have begun.
        let more = !self.counted_body.get() && !ends_in_an_empty_line(self.tail.get());
        self.touched.set(more.then(|| self.now.get()));
    }

    /// Ends the connection in an orderly way.
    pub(super) fn close(&self) {
        self.closing.set(true);
    }

    /// Whether it is ending.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether a request is being answered, and since when that is so or is not.
    pub(super) fn occupation(&self) -> (bool, Instant) {
        match self.begun.get().or(self.blocked.get()) {
            Some(since) => (true, since),
            None => (false, self.rested.get()),
        }
    }

    /// When what the connection is doing now must be over. `idle` is how long this one may be silent.
    pub(super) fn deadline(&self, limits: &ConnectionLimits, idle: Duration) -> Instant {
        if let Some(since) = self.blocked.get() {
            return (self.sent.get() + limits.unread).min(since + limits.request);
        }
        match (self.begun.get(), self.touched.get()) {
            (Some(begun), _) => (begun + limits.request).min(self.moved.get() + limits.stalled),
            (None, Some(first)) if self.answered.get() => first + limits.head,
            (None, None) if self.answered.get() => self.rested.get() + idle,
            // The library answers a slow first head by itself, and is given the time for it.
            (None, _) => self.rested.get() + limits.head + ANSWER,
        }
    }
}

fn ends_in_an_empty_line(tail: u32) -> bool {
    tail & 0x00ff_ffff == u32::from_be_bytes(*b"\0\n\r\n")
        || tail & 0xffff == u32::from_be_bytes(*b"\0\0\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(75);

    /// A connection, and a clock that the test moves.
    struct Story {
        state: State,
        start: Instant,
    }

    impl Story {
        fn new() -> Self {
            let start = Instant::now();
            let state = State::new(start);
            Self { state, start }
        }

        fn at(&self, seconds: u64) -> &State {
            self.state.tick(self.start + Duration::from_secs(seconds));
            &self.state
        }

        fn reads(&self, seconds: u64, bytes: &[u8]) {
            self.at(seconds).received();
            self.state.read(bytes);
        }

        fn answers(&self, from: u64, to: u64, counted_body: bool) {
            self.at(from).begin(counted_body);
            self.at(to).end();
        }

        /// Seconds from the beginning to the end of the present state.
        fn ends(&self) -> u64 {
            let limits = ConnectionLimits::default();
            (self.state.deadline(&limits, IDLE) - self.start).as_secs()
        }
    }

    #[test]
    fn the_first_head_counts_from_the_beginning_however_it_drips() {
        let story = Story::new();
        // A second more than the library gives it.
        assert_eq!(story.ends(), 11);
        story.reads(4, b"GET / HT");
        story.reads(9, b"T");
        assert_eq!(story.ends(), 11);
    }

    #[test]
    fn a_later_head_counts_from_its_first_byte() {
        let story = Story::new();
        story.reads(0, b"GET / HTTP/1.1\r\n\r\n");
        story.answers(0, 1, false);
        assert_eq!(story.ends(), 1 + 75);
        story.reads(30, b"G");
        story.reads(38, b"E");
        assert_eq!(story.ends(), 40);
    }

    #[test]
    fn what_came_behind_a_request_is_the_next_head() {
        for (sent, counted_body, ends) in [
            (&b"GET / HTTP/1.1\r\n\r\nG"[..], false, 12),
            (b"GET / HTTP/1.1\n\n", false, 77),
            (b"POST / HTTP/1.1\r\n\r\n5\r\nab", false, 12),
            (b"POST / HTTP/1.1\r\n\r\n1\r\na\r\n0\r\n\r\n", false, 77),
            (b"POST / HTTP/1.1\r\n\r\n{}", true, 77),
        ] {
            let story = Story::new();
            story.reads(0, sent);
            story.answers(0, 2, counted_body);
            assert_eq!(story.ends(), ends, "{}", String::from_utf8_lossy(sent));
        }
        // Byte by byte it is the same.
        let story = Story::new();
        for byte in b"GET / HTTP/1.1\r\n\r\n" {
            story.reads(0, &[*byte]);
        }
        story.answers(0, 2, false);
        assert_eq!(story.ends(), 77);
    }

    #[test]
    fn what_is_half_asked_is_silence_and_what_is_half_answered_is_not() {
        let story = Story::new();
        let doing = |seconds| {
            let (busy, since) = story.at(seconds).occupation();
            (busy, (since - story.start).as_secs())
        };
        story.reads(1, b"GET / HT");
        assert_eq!(doing(2), (false, 0));
        story.at(3).begin(false);
        assert_eq!(doing(4), (true, 3));
        story.at(5).blocked();
        story.at(6).end();
        assert_eq!(doing(7), (true, 5));
        story.at(8).flushed();
        assert_eq!(doing(9), (false, 8));
    }

    /// The system takes the next piece once it is rid of a third of what it has.
    #[test]
    fn an_answer_that_is_read_slowly_has_half_a_minute_for_each_piece_that_the_system_takes() {
        for (every, ends) in [(29_u64, 123), (31, 33)] {
            let story = Story::new();
            story.answers(0, 3, false);
            story.at(3).blocked();
            for second in (3 + every..123).step_by(usize::try_from(every).unwrap()) {
                if second < story.ends() {
                    story.at(second).wrote();
                    story.state.blocked();
                }
            }
            assert_eq!(story.ends(), ends);
        }
    }

    #[test]
    fn a_request_is_bounded_without_progress_and_in_all() {
        let story = Story::new();
        story.at(5).begin(true);
        assert_eq!(story.ends(), 45);
        for second in 6..110 {
            story.reads(second, b"x");
        }
        assert_eq!(story.ends(), 125);
    }

    #[test]
    fn an_answer_that_nobody_reads_is_bounded_and_so_is_one_that_trickles() {
        let story = Story::new();
        story.answers(0, 3, false);
        story.at(3).blocked();
        assert_eq!(story.ends(), 33);
        // Sending more requests takes no answer.
        story.reads(20, b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(story.ends(), 33);
        for second in 4..110 {
            story.at(second).wrote();
            story.at(second).blocked();
        }
        assert_eq!(story.ends(), 123);
        // The requests that came meanwhile were no whole ones: they have their time from here on.
        story.at(110).flushed();
        assert_eq!(story.ends(), 120);
    }
}
