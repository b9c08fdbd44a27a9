//! Log-ins and refreshes in flight against what ends sessions: once that has answered, no session lives.
//!
//! Requests run without a pause while the ending happens, so that it meets them at every stage; nothing here
//! waits for a certain moment, and no outcome but the last state is expected of a single request.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::{App, Cli, Pair, User};
use futures_util::future::join_all;

const ROUNDS: usize = 6;

/// A user whose devices log in and refresh without a pause.
struct Busy<'a> {
    app: &'a App,
    user: &'a User,
    stop: AtomicBool,
    /// Every pair that anyone was ever given.
    given: Mutex<Vec<Pair>>,
}

impl<'a> Busy<'a> {
    fn new(app: &'a App, user: &'a User) -> Self {
        Self {
            app,
            user,
            stop: AtomicBool::new(false),
            given: Mutex::default(),
        }
    }

    async fn log_ins(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let answer = self
                .app
                .try_log_in(&self.user.email, &self.user.password)
                .await;
            match answer.status {
                200 => self.given.lock().unwrap().push(answer.json()),
                401 => drop(answer.refused(401, "invalid_credentials")),
                _ => drop(answer.refused(403, "account_blocked")),
            }
        }
    }

    async fn refreshes(&self, mut pair: Pair) {
        while !self.stop.load(Ordering::SeqCst) {
            let answer = self.app.try_refresh(&pair).await;
            if answer.status != 200 {
                assert!(
                    ["session_revoked", "session_expired"].contains(&answer.code().as_str()),
                    "{answer:?}"
                );
                return;
            }
            pair = answer.json();
            self.given.lock().unwrap().push(pair.clone());
        }
    }

    /// Runs `ending` in the middle of it all.
    async fn while_busy<T>(&self, ending: impl Future<Output = T>) -> T {
        // Before anything can refuse it.
        let pair = self.app.log_in(self.user).await;
        let ending = async {
            while self.given.lock().unwrap().len() < 5 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let ended = ending.await;
            // Whoever was under way meanwhile, and whoever comes just after.
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
            self.stop.store(true, Ordering::SeqCst);
            ended
        };
        let (ended, _, ()) = tokio::join!(
            ending,
            join_all((0..3).map(|_| self.log_ins())),
            self.refreshes(pair),
        );
        ended
    }

    /// Asserts that none of the pairs is good for anything, but those of one session.
    async fn nothing_lives(&self, but: Option<&str>) {
        let given = self.given.lock().unwrap().clone();
        assert!(given.len() >= 5);
        for pair in given.iter().filter(|pair| Some(pair.sid().as_str()) != but) {
            let answer = self.app.try_refresh(pair).await;
            assert_eq!(answer.status, 401, "{answer:?}");
            assert!(
                ["session_revoked", "session_expired"].contains(&answer.code().as_str()),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn no_log_in_survives_a_block() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    for _ in 0..ROUNDS {
        let user = app.register().await;
        let busy = Busy::new(&app, &user);
        busy.while_busy(in_background(&cli, &["user", "block", &user.email], ""))
            .await;
        assert_eq!(app.database().live_sessions(&user.id), 0);
        busy.nothing_lives(None).await;
        app.try_log_in(&user.email, &user.password)
            .await
            .refused(403, "account_blocked");
    }
}

#[tokio::test]
async fn no_log_in_with_the_old_password_survives_its_change() {
    let app = App::start().await;
    for _ in 0..ROUNDS {
        let (user, mine) = app.newcomer().await;
        let busy = Busy::new(&app, &user);
        let change = async {
            let answer = app
                .try_change_password(&mine.access_token, &user.password, "the new password")
                .await;
            answer.is(200).json::<Pair>()
        };
        let fresh = busy.while_busy(change).await;
        assert_eq!(
            app.database().live_sessions(&user.id),
            1,
            "only the one of the answer"
        );
        busy.nothing_lives(Some(&fresh.sid())).await;
        app.refresh(&fresh).await;
        app.try_log_in(&user.email, &user.password)
            .await
            .refused(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn no_log_in_survives_the_operator_s_new_password() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    for _ in 0..ROUNDS {
        let user = app.register().await;
        let busy = Busy::new(&app, &user);
        let arguments = ["user", "set-password", &user.email];
        busy.while_busy(in_background(&cli, &arguments, "the new password\n"))
            .await;
        assert_eq!(app.database().live_sessions(&user.id), 0);
        busy.nothing_lives(None).await;
        app.try_log_in(&user.email, "the new password")
            .await
            .is(200);
    }
}

#[tokio::test]
async fn no_log_in_survives_the_deletion_of_the_account() {
    let app = App::start().await;
    for _ in 0..ROUNDS {
        let (user, mine) = app.newcomer().await;
        let busy = Busy::new(&app, &user);
        let deletion = async {
            app.try_delete_account(&mine.access_token, &user.password)
                .await
                .is(204);
        };
        busy.while_busy(deletion).await;
        busy.nothing_lives(None).await;
        let orphans =
            "SELECT COUNT(*) AS value FROM sessions WHERE user_id IS NULL AND ended_at IS NULL";
        assert_eq!(app.database().number(orphans), Some(0));
    }
}

#[tokio::test]
async fn no_refresh_survives_the_end_of_all_sessions() {
    let app = App::start().await;
    for _ in 0..ROUNDS {
        let (user, mine) = app.newcomer().await;
        let mut pairs = vec![mine.clone()];
        for _ in 0..3 {
            pairs.push(app.log_in(&user).await);
        }
        let (answers, ended) = tokio::join!(
            join_all(pairs.iter().chain(&pairs).map(|pair| app.try_refresh(pair))),
            app.delete("/sessions", &mine.access_token),
        );
        ended.is(204);
        assert_eq!(app.database().live_sessions(&user.id), 0);
        for answer in answers {
            if answer.status == 200 {
                app.try_refresh(&answer.json())
                    .await
                    .refused(401, "session_revoked");
            } else {
                answer.refused(401, "session_revoked");
            }
        }
    }
}

/// Runs a command that reads `input`, while the test goes on.
async fn in_background(cli: &Cli, words: &[&str], input: &str) {
    let (done, answer) = tokio::sync::oneshot::channel();
    let cli = Cli::clone(cli);
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let input = input.to_owned();
    std::thread::spawn(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        drop(done.send(cli.run_with(&words, &input)));
    });
    let ran = answer.await.unwrap();
    assert!(ran.ok, "{ran:?}");
}
