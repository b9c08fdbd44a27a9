//! Exchanges, refreshes, consents and log-ins in flight against what ends them: once that has answered, nothing lives.
//!
//! As in `races`: requests run without a pause while the ending happens, and only the last state is judged.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::{Member, Options, Tokens, User, Visitor};
use futures_util::future::join_all;

use super::back_channel::{Guest, Hall};
use super::sign_on_cast::cookie;

const ROUNDS: usize = 4;

/// A browser that is signed in, whose programs fetch tokens without a pause.
struct Busy<'a> {
    hall: &'a Hall,
    user: &'a User,
    cookies: BTreeMap<String, String>,
    stop: AtomicBool,
    /// Everything that anyone was ever given.
    given: Mutex<Vec<(&'a Member, Tokens)>>,
}

impl<'a> Busy<'a> {
    fn new(hall: &'a Hall, guest: &'a Guest<'_>) -> Self {
        Self {
            hall,
            user: &guest.user,
            cookies: guest.visitor.cookies.lock().unwrap().clone(),
            stop: AtomicBool::new(false),
            given: Mutex::default(),
        }
    }

    fn visitor(&self) -> Visitor<'_> {
        let visitor = self.hall.app.visitor();
        *visitor.cookies.lock().unwrap() = self.cookies.clone();
        visitor
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Codes, their exchange and a refresh, again and again in the browser as it was.
    async fn programs(&self, client: &'a Member, scope: &str) {
        while self.goes_on() {
            let (visitor, asking) = (self.visitor(), client.ask(scope));
            let page = visitor.get(&asking.path()).await;
            self.fetch(&visitor, page, client, &asking).await;
        }
    }

    /// The same after a log-in with the password, in browsers of their own.
    async fn log_ins(&self, client: &'a Member) {
        while self.goes_on() {
            let (visitor, asking) = (self.hall.app.visitor(), client.ask("openid"));
            let page = visitor.get(&asking.path()).await;
            let entered = visitor.enter(&page, self.user).await;
            if entered.status == 200 && !cookie(&visitor, "keyturn").is_empty() {
                self.fetch(&visitor, entered, client, &asking).await;
            }
        }
    }

    async fn fetch(
        &self,
        visitor: &Visitor<'_>,
        page: e2e::Reply,
        client: &'a Member,
        asking: &e2e::Asking,
    ) {
        let end = visitor.through(page).await;
        if end.status != 302 {
            // The page to log in, or that the client is blocked: over by now.
            assert!([200, 400].contains(&end.status), "{end:?}");
            return;
        }
        let code = &end.redirected_to(client.redirect_uri())["code"];
        let exchanged = self.hall.app.exchange(client, code, asking).await;
        if exchanged.status != 200 {
            let refused = exchanged.error().1;
            assert!(
                ["invalid_grant", "invalid_client"].contains(&refused.as_str()),
                "{exchanged:?}"
            );
            return;
        }
        let tokens = exchanged.tokens();
        let next = self.hall.app.refresh_as(client, tokens.refresh()).await;
        let mut given = self.given.lock().unwrap();
        given.push((client, tokens));
        if next.status == 200 {
            given.push((client, next.tokens()));
        }
    }

    /// Runs `ending` in the middle of it all.
    async fn while_busy(&self, log_ins: bool, ending: impl Future<Output = ()>) {
        let ending = async {
            while self.given.lock().unwrap().len() < 4 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            ending.await;
            // Whoever was under way meanwhile, and whoever comes just after.
            tokio::time::sleep(Duration::from_millis(40)).await;
            self.stop.store(true, Ordering::SeqCst);
        };
        let log_ins = (0..2)
            .filter(|_| log_ins)
            .map(|_| self.log_ins(&self.hall.shop));
        tokio::join!(
            ending,
            self.programs(&self.hall.shop, "openid"),
            self.programs(&self.hall.wiki, "openid"),
            self.programs(&self.hall.asking, "openid email"),
            join_all(log_ins),
        );
    }

    async fn nothing_lives(&self) {
        let live = format!(
            "SELECT COUNT(*) AS value FROM sessions WHERE user_id = '{}' AND ended_at IS NULL AND generation > 0",
            self.user.id
        );
        assert_eq!(self.hall.app.database().number(&live), Some(0));
        let given: Vec<_> = self.given.lock().unwrap().clone();
        assert!(given.len() >= 4);
        for (client, tokens) in given {
            let refused = self
                .hall
                .app
                .refresh_as(client, tokens.refresh())
                .await
                .error();
            assert!(
                refused.0 == 400
                    && ["session_revoked", "session_expired"].contains(&refused.2.as_str()),
                "{refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_in_flight_survives_a_log_out() {
    let hall = Hall::open(Options::new()).await;
    for round in 0..ROUNDS {
        let guest = hall.guest().await;
        let busy = Busy::new(&hall, &guest);
        let heard = (hall.at_shop.got().len(), hall.at_wiki.got().len());
        let leave = async {
            let visitor = busy.visitor();
            if round % 2 == 0 {
                let path = format!(
                    "/oauth/logout?id_token_hint={}",
                    guest.wiki.text("id_token")
                );
                visitor.get(&path).await.is(200);
            } else {
                let page = visitor.get("/oauth/logout").await.is(200);
                visitor
                    .submit(&page, &[("decision", "allow")])
                    .await
                    .is(200);
            }
        };
        busy.while_busy(false, leave).await;
        busy.nothing_lives().await;
        // Once each, however many sessions they had there.
        let (shop, wiki) = (
            hall.at_shop.settled(&hall.app).await.len(),
            hall.at_wiki.settled(&hall.app).await.len(),
        );
        assert_eq!((shop, wiki), (heard.0 + 1, heard.1 + 1));
    }
}

#[tokio::test]
async fn nothing_in_flight_survives_a_block_an_end_of_all_sessions_or_a_new_password() {
    let hall = Hall::open(Options::new()).await;
    let cli = hall.cli();
    for round in 0..2 * ROUNDS {
        let guest = hall.guest().await;
        let busy = Busy::new(&hall, &guest);
        let email = guest.user.email.as_str();
        let end = async {
            match round % 4 {
                0 => return drop(cli.finish(&["user", "block", email]).await),
                1 => return drop(cli.finish(&["sessions", "revoke", "--user", email]).await),
                2 => {
                    let pair = hall.app.log_in(&guest.user).await;
                    hall.app
                        .delete("/sessions", &pair.access_token)
                        .await
                        .is(204);
                    return;
                }
                _ => {}
            }
            let (cli, email) = (cli.clone(), email.to_owned());
            let set = move || {
                cli.run_with(
                    &["user", "set-password", &email],
                    "another long passphrase\n",
                )
            };
            let ran = tokio::task::spawn_blocking(set).await.unwrap();
            assert!(ran.ok, "{ran:?}");
        };
        // Whoever logs in with the password after everything was ended is there rightly.
        busy.while_busy([0, 3].contains(&(round % 4)), end).await;
        busy.nothing_lives().await;
    }
}

#[tokio::test]
async fn nothing_in_flight_survives_a_block_of_its_client() {
    let hall = Hall::open(Options::new()).await;
    let cli = hall.cli();
    for _ in 0..ROUNDS {
        let guest = hall.guest().await;
        let busy = Busy::new(&hall, &guest);
        let block = async { drop(cli.finish(&["client", "block", "asking"]).await) };
        busy.while_busy(false, block).await;
        let live = "SELECT COUNT(*) AS value FROM sessions WHERE client_id = 'asking' AND ended_at IS NULL AND generation > 0";
        assert_eq!(hall.app.database().number(live), Some(0));
        cli.finish(&["client", "unblock", "asking"]).await;
        // The server reads its clients every second.
        let known = async || {
            let asking = hall.asking.ask("openid email");
            guest.visitor.get(&asking.path()).await.status != 400
        };
        let patience = Instant::now() + Duration::from_secs(20);
        while !known().await {
            assert!(Instant::now() < patience, "it stays blocked");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn whatever_ends_a_session_waits_for_the_exchange_that_is_under_way() {
    let hall = Hall::open(Options::new()).await;
    let database = hall.app.database();
    if database.url().starts_with("sqlite") {
        // One writer: nothing is beside anything.
        return;
    }
    let cli = hall.cli();
    for way in ["one", "all", "operator", "page", "program"] {
        let guest = hall.guest().await;
        let pair = hall.app.log_in(&guest.user).await;
        let (email, access) = (guest.user.email.as_str(), pair.access_token.as_str());
        let end = async {
            match way {
                "one" => drop(
                    hall.app
                        .delete(&format!("/sessions/{}", guest.sid()), access)
                        .await
                        .is(204),
                ),
                "all" => drop(hall.app.delete("/sessions", access).await.is(204)),
                "operator" => drop(cli.finish(&["sessions", "revoke", "--user", email]).await),
                "program" => drop(hall.app.delete("/apps/shop", access).await.is(204)),
                _ => {
                    let path = format!(
                        "/oauth/logout?id_token_hint={}",
                        guest.shop.text("id_token")
                    );
                    guest.visitor.get(&path).await.is(200);
                }
            }
        };
        // As the unit of an exchange begins.
        database.script(&format!(
            "BEGIN; UPDATE users SET created_at = created_at WHERE id = '{}'",
            guest.user.id
        ));
        let waits = async {
            let waiting = "SELECT COUNT(*) AS value FROM pg_stat_activity \
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            while database.number(waiting) == Some(0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
                // Within a transaction it is looked at once.
                database.script("SELECT pg_stat_clear_snapshot()");
            }
        };
        let mut end = std::pin::pin!(end);
        tokio::select! {
            () = waits => {}
            () = &mut end => panic!("{way}: it did not wait"),
        }
        database.script("COMMIT");
        end.await;
    }
}
