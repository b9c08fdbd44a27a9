//! The follower against a small feed of its own, over a real socket.

mod script;

use script::{Between, TestFeed};
use tokio::time::timeout;

use super::*;
use crate::follow::FeedState;
use crate::keys::KeyRing;
use crate::token::Policy;

const SOON: Duration = Duration::from_secs(10);

fn policy() -> Policy {
    Policy {
        issuer: "http://issuer".into(),
        audiences: vec!["http://api".into()],
        skew: 0,
    }
}

fn key_file() -> Arc<KeyFile> {
    KeyFile::fixed(KeyRing::generate(clock::now()))
}

struct Following {
    view: Arc<View>,
    task: tokio::task::JoinHandle<()>,
}

impl Following {
    fn start(feed: &TestFeed, keys: &Arc<KeyFile>) -> Self {
        let url = address(&format!("http://{}", feed.address)).unwrap();
        let (follower, view) =
            Follower::new(url, keys, &policy(), Stale::Closed, Duration::from_secs(30)).unwrap();
        Self {
            view,
            task: tokio::spawn(follower.follow()),
        }
    }

    fn knows(&self, sid: &str) -> bool {
        self.view.ended().contains(sid, clock::now())
    }

    fn failures(&self) -> u64 {
        self.view.failures()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(
            timeout(SOON, wait).await.is_ok(),
            "not within {SOON:?}: {what}"
        );
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn with_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[actix_web::test]
async fn news_arrive_at_once_and_an_idle_feed_is_asked_once() {
    with_provider();
    let keys = key_file();
    let feed = TestFeed::start("a-", None, &keys);
    feed.end_session("before");
    let following = Following::start(&feed, &keys);
    following
        .until("the first answer is full", |view| view.knows("before"))
        .await;
    assert_eq!(following.view.state(clock::now()), FeedState::Fresh);
    following
        .until("the next question waits", |_| feed.questions() == 2)
        .await;
    sleep(Duration::from_millis(600)).await;
    assert_eq!(
        feed.questions(),
        2,
        "it waits for the answer instead of asking on"
    );
    let ended = Instant::now();
    feed.end_session("now");
    following
        .until("news arrive", |view| view.knows("now"))
        .await;
    assert!(
        ended.elapsed() < Duration::from_secs(1),
        "within a second: {:?}",
        ended.elapsed()
    );
    assert!(following.knows("before"), "news add to what is known");
    feed.stop().await;
}

#[actix_web::test]
async fn a_restarted_feed_is_followed_again_from_its_full_answer() {
    with_provider();
    let keys = key_file();
    let feed = TestFeed::start("a-", None, &keys);
    feed.end_session("old");
    let following = Following::start(&feed, &keys);
    following
        .until("the first answer", |view| view.knows("old"))
        .await;
    let address = feed.address;
    feed.stop().await;
    following
        .until("the loss is noticed", |view| view.failures() > 0)
        .await;
    assert!(
        following.knows("old"),
        "nothing is forgotten while nobody answers"
    );
    let feed = TestFeed::start("b-", Some(address), &keys);
    feed.end_session("new");
    following
        .until("the new process", |view| view.knows("new"))
        .await;
    following
        .until("the set is replaced", |view| !view.knows("old"))
        .await;
    feed.stop().await;
}

#[actix_web::test]
async fn behind_a_load_balancer_every_answer_is_full_and_the_pace_is_kept() {
    with_provider();
    let feed_keys = key_file();
    let feed = TestFeed::start("a-", None, &feed_keys);
    feed.balance();
    let following = Following::start(&feed, &feed_keys);
    sleep(Duration::from_millis(1500)).await;
    let asked = feed.questions();
    assert!((2..=8).contains(&asked), "{asked} questions in 1.5 s");
    let ended = Instant::now();
    feed.end_session("now");
    following
        .until("news arrive", |view| view.knows("now"))
        .await;
    assert!(
        ended.elapsed() < Duration::from_secs(1),
        "within a second: {:?}",
        ended.elapsed()
    );
    feed.stop().await;
}

#[actix_web::test]
async fn a_refusing_feed_is_asked_ever_more_slowly_and_keeps_nothing_from_being_known() {
    with_provider();
    let keys = key_file();
    let feed = TestFeed::start("a-", None, &keys);
    feed.answer_with(503);
    let following = Following::start(&feed, &keys);
    following
        .until("it asks again", |view| view.failures() >= 2)
        .await;
    assert_eq!(following.view.state(clock::now()), FeedState::Waiting);
    let before = feed.questions();
    sleep(Duration::from_millis(1500)).await;
    assert!(
        feed.questions() - before <= 4,
        "{} questions",
        feed.questions() - before
    );
    feed.end_session("s1");
    feed.answer_with(200);
    following
        .until("it answers again", |view| view.knows("s1"))
        .await;
    feed.stop().await;
}

#[actix_web::test]
async fn an_answer_that_is_none_changes_nothing() {
    with_provider();
    let keys = key_file();
    let feed = TestFeed::start("a-", None, &keys);
    feed.answer_with(204);
    let following = Following::start(&feed, &keys);
    following
        .until("it is a failure", |view| view.failures() >= 1)
        .await;
    assert_eq!(following.view.age(clock::now()), None);
    feed.stop().await;
}

#[actix_web::test]
async fn a_bearer_of_other_keys_is_refused_by_the_feed() {
    with_provider();
    let feed = TestFeed::start("a-", None, &key_file());
    let following = Following::start(&feed, &key_file());
    following
        .until("it is refused", |view| view.failures() >= 1)
        .await;
    assert_eq!(following.view.age(clock::now()), None);
    feed.stop().await;
}

#[test]
fn the_address_is_the_service_or_the_feed_itself() {
    let full = |text| address(text).map(String::from);
    assert_eq!(
        full("http://auth:5000").unwrap(),
        "http://auth:5000/internal/revocations"
    );
    assert_eq!(
        full("https://auth/").unwrap(),
        "https://auth/internal/revocations"
    );
    assert_eq!(
        full("http://lb/keyturn/feed").unwrap(),
        "http://lb/keyturn/feed"
    );
    for wrong in [
        "",
        "auth:5000",
        "ftp://auth/",
        "http://",
        "http://a:b@auth/",
        "http://auth/?x=1",
    ] {
        assert!(full(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_pause_is_never_longer_than_said_and_never_less_than_half() {
    for _ in 0..1000 {
        let pause = jittered(FIRST_PAUSE);
        assert!(pause >= FIRST_PAUSE / 2 && pause <= FIRST_PAUSE);
    }
}

#[actix_web::test]
async fn a_question_waits_less_than_the_view_may_age() {
    with_provider();
    let keys = key_file();
    let wait = |seconds| {
        let url = address("http://auth").unwrap();
        let max_age = Duration::from_secs(seconds);
        let (follower, _) = Follower::new(url, &keys, &policy(), Stale::Open, max_age).unwrap();
        follower.wait
    };
    assert_eq!((wait(30), wait(600), wait(6), wait(1)), (20, 20, 4, 1));
}

#[actix_web::test]
async fn whoever_stands_between_lifts_no_revocation() {
    with_provider();
    for between in [
        Between::Invents,
        Between::InventsUnderTheSignature,
        Between::Replays,
        Between::Strips,
        Between::Changes,
        Between::SignsHimself,
        Between::MovesTheCursor,
    ] {
        let keys = key_file();
        let feed = TestFeed::start("a-", None, &keys);
        feed.end_session("first");
        let following = Following::start(&feed, &keys);
        following
            .until("the true answer", |view| view.knows("first"))
            .await;
        let answers = following.view.answers();
        feed.between(between);
        // The question that waits is answered now, and so are those after it.
        feed.end_session("second");
        following
            .until("several false answers", |view| view.view.unproved() >= 3)
            .await;
        assert!(following.knows("first"), "{between:?}: it was lifted");
        assert!(!following.knows("second"), "{between:?}: it was believed");
        let (later, failures) = (following.view.answers(), following.failures());
        assert_eq!(later, answers, "{between:?}: the view seems fresh");
        assert!(failures >= 3, "{between:?}");
        // He goes, and what he held back arrives.
        feed.between(Between::Listens);
        following
            .until("the true answers again", |view| view.knows("second"))
            .await;
        assert!(following.knows("first"), "{between:?}");
        feed.stop().await;
    }
}

#[actix_web::test]
async fn a_first_question_is_answered_in_full_or_not_at_all() {
    with_provider();
    for between in [Between::MovesTheCursor, Between::FeedNeverFull] {
        let keys = key_file();
        let feed = TestFeed::start("a-", None, &keys);
        feed.end_session("first");
        feed.between(between);
        let following = Following::start(&feed, &keys);
        following
            .until("failures", |view| view.failures() >= 3)
            .await;
        let age = following.view.age(clock::now());
        assert_eq!(age, None, "{between:?}: it was believed");
        feed.between(Between::Listens);
        following
            .until("the true answer", |view| view.knows("first"))
            .await;
        feed.stop().await;
    }
}
