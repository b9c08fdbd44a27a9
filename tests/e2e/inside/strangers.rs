//! The examples of the libraries, run as somebody else would: services that are not ours, guarded by our tokens.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{App, Cli, Options, Pair, Running};

const EXAMPLES: [&str; 2] = ["guard", "axum"];

/// Somebody else's service beside an installation.
struct Stranger {
    process: Running,
    name: &'static str,
}

impl Stranger {
    fn beside(app: &App, name: &'static str) -> Self {
        let ring = app.folder().join("jwt-keys.json");
        let variables = [
            ("JWT_KEYS_FILE", ring.display().to_string()),
            ("JWT_CLOCK_SKEW_SECONDS", "0".to_owned()),
            ("REVOCATION_FEED_URL", app.auth_url.clone()),
            ("LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let process = Running::start_example(name, &variables);
        Self { process, name }
    }

    async fn get(&self, app: &App, path: &str, token: Option<&str>) -> reqwest::Response {
        let mut request = app.client.get(format!("{}{path}", self.process.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    async fn orders(&self, app: &App, token: &str) -> (u16, Option<String>, String) {
        let answer = self.get(app, "/orders", Some(token)).await;
        let status = answer.status().as_u16();
        let act = answer.headers().get("act").cloned();
        let act = act.map(|act| act.to_str().unwrap().to_owned());
        (status, act, answer.text().await.unwrap())
    }

    async fn lets_in(&self, app: &App, pair: &Pair) {
        let (status, _, text) = self.orders(app, &pair.access_token).await;
        assert_eq!(status, 200, "{}: {text}", self.name);
        assert!(text.starts_with("No orders for "), "{}: {text}", self.name);
    }

    async fn refuses(&self, app: &App, token: &str, code: &str, act: Option<&str>) {
        let (status, acted, text) = self.orders(app, token).await;
        assert_eq!(
            (status, acted.as_deref()),
            (401, act),
            "{}: {text}",
            self.name
        );
        assert!(text.contains(code), "{}: {text}", self.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_s_service_opens_to_good_tokens_alone() {
    let app = App::with(Options::new().both("jwt-clock-skew", "0s").with_feed()).await;
    for name in EXAMPLES {
        let stranger = Stranger::beside(&app, name);
        let (_, pair) = app.newcomer().await;
        stranger.lets_in(&app, &pair).await;
        assert_eq!(stranger.get(&app, "/healthz", None).await.status(), 200);
        assert_eq!(stranger.get(&app, "/orders", None).await.status(), 401);

        let now = shared::clock::now();
        let expired = app
            .forge()
            .draft(&pair.claims())
            .claim("exp", now.into())
            .sign();
        stranger
            .refuses(&app, &expired, "token_expired", Some("expired"))
            .await;
        let forged = format!("{}.x", pair.access_token.rsplit_once('.').unwrap().0);
        stranger
            .refuses(&app, &forged, "token_malformed", None)
            .await;

        // A session that ends is refused within a second of its end.
        app.log_out(&pair).await;
        let ended = Instant::now();
        while stranger.orders(&app, &pair.access_token).await.0 == 200 {
            assert!(
                ended.elapsed() < Duration::from_secs(2),
                "{name}: still let in"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stranger
            .refuses(&app, &pair.access_token, "token_revoked", Some("revoked"))
            .await;
    }
}

fn kid(pair: &Pair) -> String {
    let header = pair.access_token.split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_s_service_learns_of_a_rotated_and_of_a_revoked_key() {
    let app = App::with(Options::new().with_feed()).await;
    for name in EXAMPLES {
        let stranger = Stranger::beside(&app, name);
        let (_, mut pair) = app.newcomer().await;
        stranger.lets_in(&app, &pair).await;
        let commands = Cli::new(app.folder(), app.database().url());
        let (old, before) = (kid(&pair), pair.access_token.clone());
        commands.finish(&["keys", "rotate", "--in", "0s"]).await;
        while kid(&pair) == old {
            pair = app.refresh(&pair).await;
        }
        stranger.lets_in(&app, &pair).await;
        let (status, ..) = stranger.orders(&app, &before).await;
        assert_eq!(status, 200, "{name}: the old key verifies on");
        commands.finish(&["keys", "revoke", &old]).await;
        let revoked = Instant::now();
        while stranger.orders(&app, &before).await.0 == 200 {
            assert!(
                revoked.elapsed() < Duration::from_secs(5),
                "{name}: still let in"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stranger
            .refuses(&app, &before, "token_revoked", Some("revoked"))
            .await;
    }
}
