//! What the audit trail says of a request's id: which part is ours, and which the client's own word.

use e2e::{App, Cli};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

#[tokio::test]
async fn nobody_chooses_the_id_that_the_audit_trail_begins_with() {
    let app = App::start().await;
    let user = app.register().await;
    let log_in = async |theirs: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(theirs) = theirs {
            headers.insert("x-request-id", theirs.parse().unwrap());
        }
        let answer = app
            .client
            .post(format!("{}/api/account/login", app.auth_url))
            .headers(headers)
            .json(&json!({"email": user.email, "password": user.password}))
            .send()
            .await
            .unwrap();
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = answer.json().await.unwrap();
        let pair: e2e::Pair = serde_json::from_value(body).unwrap();
        (id, pair.sid())
    };
    let record = |sid: &str| {
        let sql = format!("SELECT request_id AS value FROM audit WHERE session_id = '{sid}'");
        app.database().words(&sql).pop().unwrap().unwrap()
    };
    let (plain, sid) = log_in(None).await;
    assert_eq!(record(&sid), plain);
    // The support that is told an id finds it; the forger who takes another one's is seen to.
    for theirs in ["ticket-4711", plain.as_str()] {
        let (answered, sid) = log_in(Some(theirs)).await;
        assert_eq!(answered, theirs);
        let recorded = record(&sid);
        let (ours, named) = recorded.split_once(" client=").unwrap();
        assert_eq!(named, theirs);
        assert_ne!(ours, plain);
        let story =
            Cli::new(app.folder(), app.database().url()).done(&["sessions", "explain", &sid]);
        assert!(story.contains(&format!("request {recorded}")), "{story}");
    }
}
