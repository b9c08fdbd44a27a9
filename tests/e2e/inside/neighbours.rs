//! What stands beside the services in a real installation: proxies that name the client, monitors that look at
//! the page, and the process that ran before this one.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use e2e::{App, Options, services};
use serde_json::json;

#[tokio::test]
async fn every_spelling_in_which_a_proxy_names_the_client_is_read() {
    let app = App::with(Options::new().both("trusted-proxies", "127.0.0.1")).await;
    let user = app.register().await;
    let credentials = json!({"email": user.email, "password": user.password});
    for (forwarded, client) in [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7,", "203.0.113.7"),
        ("6.6.6.6,, 203.0.113.7 ,\t,", "203.0.113.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("6.6.6.6, [2001:db8::2]", "2001:db8::2"),
        ("[2001:db8::3]:443", "2001:db8::3"),
        ("2001:db8::4", "2001:db8::4"),
        (",", "127.0.0.1"),
        ("6.6.6.6, [203.0.113.7]", "127.0.0.1"),
    ] {
        let url = format!("{}/api/account/login", app.auth_url);
        let request = app.client.post(url).json(&credentials);
        let request = request.header("x-forwarded-for", forwarded);
        let pair: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        let bearer = pair["accessToken"].as_str().unwrap();
        let url = format!("{}/api/account/sessions", app.auth_url);
        let listed = app
            .client
            .get(url)
            .bearer_auth(bearer)
            .send()
            .await
            .unwrap();
        let listed: serde_json::Value = listed.json().await.unwrap();
        let own = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["current"] == true);
        assert_eq!(own.unwrap()["address"], client, "{forwarded:?}");
    }
}

#[tokio::test]
async fn the_page_and_its_files_answer_head_as_well() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web");
    let app = App::with(Options::new().auth("web-root", root.display().to_string())).await;
    for path in [
        "/",
        "/style.css",
        "/demo.js",
        "/token-client.js",
        "/config.json",
    ] {
        let url = format!("{}{path}", app.auth_url);
        let get = app.client.get(&url).send().await.unwrap();
        let head = app.client.head(&url).send().await.unwrap();
        assert_eq!(
            (get.status(), head.status()),
            (reqwest::StatusCode::OK, reqwest::StatusCode::OK)
        );
        for name in [
            "content-type",
            "content-length",
            "etag",
            "content-security-policy",
        ] {
            assert_eq!(
                head.headers().get(name),
                get.headers().get(name),
                "{path}: {name}"
            );
        }
        assert_eq!(head.text().await.unwrap(), "");
        let wrong = app.client.post(&url).send().await.unwrap();
        assert_eq!(wrong.headers()["allow"], "GET, HEAD", "{path}");
    }
}

/// A process that was killed may hold its port for a moment after the next one starts.
#[tokio::test]
async fn a_port_that_is_taken_for_a_moment_does_not_end_the_start_of_a_service() {
    let app = App::start().await;
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [auth, resource] = taken
        .each_ref()
        .map(|it| it.local_addr().unwrap().to_string());
    let options = Options::new()
        .auth("listen", auth)
        .resource("listen", resource);
    let start = services(&options, app.folder(), app.database().url());
    let [auth, resource] = taken;
    let leave = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(auth);
        // resource-api starts behind auth-server.
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(resource);
    };
    let (started, ()) = tokio::join!(start, leave);
    started.unwrap();
}
