//! Consents, codes and exchanges in flight against what takes access away: whatever meets, no program is left with
//! something that nobody agrees to any more.
//!
//! Nothing here waits for a certain moment: requests run side by side, many times, and the last state alone counts.

use e2e::{Asking, Pair, Visitor};
use futures_util::future::join_all;

use super::sign_on_cast::{Stage, claims};

const ROUNDS: usize = 12;

/// Live sessions of the forum, codes on their way included, for which no consent is there.
const ORPHANS: &str = "client_id = 'forum' AND ended_at IS NULL AND NOT EXISTS \
    (SELECT 1 FROM consents c WHERE c.user_id = sessions.user_id AND c.client_id = sessions.client_id)";

async fn take_away(s: &Stage, pair: &Pair) -> u16 {
    s.app.delete("/apps/forum", &pair.access_token).await.status
}

/// The browser goes on to the code, if it gets one, and its client fetches it.
async fn authorize(s: &Stage, visitor: &Visitor<'_>, asking: &Asking) -> Option<String> {
    let end = visitor.get(&asking.path()).await;
    if end.status != 302 {
        return None;
    }
    let code = end.redirected_to(s.forum.redirect_uri())["code"].clone();
    let exchanged = s.app.exchange(&s.forum, &code, asking).await;
    if exchanged.status == 200 {
        return Some(exchanged.tokens().access().to_owned());
    }
    assert_eq!(exchanged.error().1, "invalid_grant");
    None
}

#[tokio::test]
async fn no_exchange_in_flight_brings_back_what_was_taken_away() {
    let s = Stage::open().await;
    let pair = s.app.log_in(&s.user).await;
    let visitor = s.browser().await;
    for round in 0..ROUNDS {
        let asking = s.forum.ask("openid");
        let mut codes = Vec::new();
        for _ in 0..3 {
            codes.push(s.code(&visitor, &s.forum, &asking).await);
        }
        let exchanges = codes
            .iter()
            .map(|code| s.app.exchange(&s.forum, code, &asking));
        let (replies, taken) = tokio::join!(join_all(exchanges), take_away(&s, &pair));
        assert_eq!(taken, 204);
        // Nobody has agreed to anything since.
        let live = s.count("sessions", "client_id = 'forum' AND ended_at IS NULL");
        assert_eq!(live, 0, "round {round}");
        for reply in replies.iter().filter(|reply| reply.status == 200) {
            let access = reply.tokens().access().to_owned();
            s.app.userinfo(&access).await.is(401);
            assert_eq!(claims(&access)["client_id"], "forum");
        }
    }
}

#[tokio::test]
async fn no_code_in_flight_brings_back_what_was_taken_away() {
    let s = Stage::open().await;
    let pair = s.app.log_in(&s.user).await;
    let visitor = s.browser().await;
    for round in 0..ROUNDS {
        s.tokens(&visitor, &s.forum, "openid").await;
        let asking = s.forum.ask("openid");
        let visits = (0..4).map(|_| authorize(&s, &visitor, &asking));
        let (given, taken) = tokio::join!(join_all(visits), take_away(&s, &pair));
        assert_eq!(taken, 204);
        let live = s.count("sessions", "client_id = 'forum' AND ended_at IS NULL");
        assert_eq!(live, 0, "round {round}");
        for access in given.into_iter().flatten() {
            s.app.userinfo(&access).await.is(401);
        }
    }
}

#[tokio::test]
async fn of_a_yes_and_taking_it_back_at_once_one_comes_last() {
    let s = Stage::open().await;
    let pair = s.app.log_in(&s.user).await;
    let visitor = s.browser().await;
    for round in 0..ROUNDS {
        let asking = s.forum.ask("openid").with("prompt", "consent");
        let page = visitor.get(&asking.path()).await;
        let say_yes = async {
            let agreed = visitor.submit(&page, &[("decision", "allow")]).await;
            let end = visitor.go_on(&agreed).await;
            if end.status != 302 {
                return;
            }
            let code = end.redirected_to(s.forum.redirect_uri())["code"].clone();
            s.app.exchange(&s.forum, &code, &asking).await;
        };
        let take_back = async {
            for _ in 0..4 {
                take_away(&s, &pair).await;
            }
        };
        tokio::join!(say_yes, take_back);
        assert_eq!(s.count("sessions", ORPHANS), 0, "round {round}");
        take_away(&s, &pair).await;
        let live = s.count("sessions", "client_id = 'forum' AND ended_at IS NULL");
        assert_eq!(live + s.count("consents", "client_id = 'forum'"), 0);
    }
}
