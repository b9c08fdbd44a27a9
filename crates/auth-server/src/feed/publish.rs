//! What followers are sent: the feed's answers, in the bytes that go over the wire.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use shared::feed::{Answer, Entry};

use super::endings::{Endings, News, Revocation};

/// Writes answers. Clones share it.
#[derive(Clone)]
pub(super) struct Publisher {
    endings: Endings,
    /// The last full answer that was written, and which state of the memory it tells. After a restart every follower
    /// asks for it at once, and with many entries it takes longer to write than to send.
    full: Arc<Mutex<Option<(u64, Bytes)>>>,
}

impl Publisher {
    pub(super) fn new(endings: Endings) -> Self {
        Self {
            endings,
            full: Arc::default(),
        }
    }

    /// What is new since `cursor`.
    pub(super) fn answer(&self, cursor: Option<&str>) -> Result<Bytes, serde_json::Error> {
        if self.endings.knows(cursor) {
            return written(self.endings.since(cursor));
        }
        // Held while it is written: who comes meanwhile waits for this one instead of writing his own.
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the answer: what changes in between makes the next one be written anew.
        let state = self.endings.state();
        if let Some((of, answer)) = &*full
            && *of == state
        {
            return Ok(answer.clone());
        }
        let answer = written(self.endings.since(None))?;
        *full = Some((state, answer.clone()));
        Ok(answer)
    }
}

fn written(news: News) -> Result<Bytes, serde_json::Error> {
    let entry = |r: Revocation| Entry {
        sid: r.session.to_string().into(),
        until: r.until,
    };
    let answer = Answer {
        cursor: news.cursor,
        full: news.full,
        entries: news.entries.into_iter().map(entry).collect(),
    };
    serde_json::to_vec(&answer).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{EndReason, Ending, SessionId};

    fn end(endings: &Endings, ended_at: i64) {
        endings.publish(&[Ending {
            session: SessionId::random(),
            ended_at,
            reason: EndReason::Logout,
        }]);
    }

    fn read(body: &Bytes) -> Answer {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn a_full_answer_is_written_once_for_all_and_anew_when_something_changed() {
        let endings = Endings::new(100);
        let publisher = Publisher::new(endings.clone());
        end(&endings, 1000);
        let first = publisher.answer(None).unwrap();
        assert!(read(&first).full && read(&first).entries.len() == 1);
        // The same bytes in memory, for whoever asks without a cursor that is known.
        for cursor in [None, Some(""), Some("another-process"), Some("0-0")] {
            let again = publisher.answer(cursor).unwrap();
            assert_eq!(again.as_ptr(), first.as_ptr(), "{cursor:?}");
        }
        let news = publisher.answer(Some(&read(&first).cursor)).unwrap();
        assert!(!read(&news).full && read(&news).entries.is_empty());
        end(&endings, 1001);
        let second = read(&publisher.answer(None).unwrap());
        assert_eq!((second.full, second.entries.len()), (true, 2));
        let news = read(&publisher.answer(Some(&read(&first).cursor)).unwrap());
        assert_eq!((news.full, news.entries.len()), (false, 1));
        endings.forget(1101);
        assert_eq!(read(&publisher.answer(None).unwrap()).entries.len(), 1);
    }
}
