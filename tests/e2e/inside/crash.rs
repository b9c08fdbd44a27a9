//! The real program, killed as by a power cut between and within refreshes: the session lives on.

use std::time::Duration;

use e2e::{Answer, App, Cli, Database, Pair, Running};
use serde_json::json;

/// auth-server on a folder and a database that outlive it.
struct Place {
    database: Database,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path());
        let place = Self { database, folder };
        place.cli().done(&["keys", "init"]);
        place
    }

    fn cli(&self) -> Cli {
        Cli::new(self.folder.path(), self.database.url())
    }

    fn start(&self) -> Running {
        let mut arguments = self.cli().arguments().to_vec();
        arguments.extend(
            [
                "--listen=127.0.0.1:0",
                "--registration=open",
                "--login-limits=off",
            ]
            .map(str::to_owned),
        );
        Running::start("auth-server", &arguments)
    }
}

#[tokio::test]
async fn a_pair_survives_sigkill_at_any_moment() {
    let place = Place::new();
    let mut running = place.start();
    let mut app = App::at(&running.url, "");
    let (user, mut pair) = app.newcomer().await;
    for moment in [0, 1, 2, 3, 5, 8, 13, 30] {
        let body = json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token});
        let url = format!("{}/api/account/refresh-token", app.auth_url);
        let request = app.client.post(url).json(&body).send();
        let kill = async {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            running.kill();
        };
        let (answer, ()) = tokio::join!(request, kill);
        // Whether the answer came, and whether the row moved: the client asks again with what it has.
        let heard: Option<Pair> = match answer {
            Ok(answer) if answer.status() == 200 => answer.json().await.ok(),
            _ => None,
        };
        running = place.start();
        app = App::at(&running.url, "");
        let next = app.refresh(&pair).await;
        if let Some(heard) = heard {
            assert_eq!(
                heard.refresh_token, next.refresh_token,
                "an answered rotation is never undone"
            );
        }
        pair = next;
    }
    assert_eq!(app.sessions(&pair.access_token).await.len(), 1);
    // What has answered is never undone: a log-out.
    app.log_out(&pair).await;
    running.kill();
    running = place.start();
    let app = App::at(&running.url, "");
    app.try_refresh(&pair).await.refused(401, "session_revoked");
    app.log_in(&user).await;
}

#[tokio::test]
async fn sigterm_finishes_what_was_begun() {
    let place = Place::new();
    let running = place.start();
    let app = App::at(&running.url, "");
    let user = app.register().await;
    let id = running.id();
    let log_in = app.try_log_in(&user.email, &user.password);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(3)).await;
        e2e::signal(id, "TERM");
    };
    let (answer, ()): (Answer, ()) = tokio::join!(log_in, stop);
    answer.is(200);
    assert!(running.wait().success());
}
