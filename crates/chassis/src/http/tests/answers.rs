//! Errors, panics, ids and numbers.

use super::*;

#[actix_web::test]
async fn errors_of_the_framework_are_problems_too() {
    let (address, _) = start("*");
    let judge = |answer: Answer| (answer.status, answer.code());
    let expect = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        judge(get(address, "/nowhere", &[]).await),
        expect(404, "not_found")
    );
    assert_eq!(
        judge(get(address, "/api/nowhere", &[]).await),
        expect(404, "not_found")
    );
    assert_eq!(
        judge(get(address, "/api/number/x", &[]).await),
        expect(404, "not_found")
    );
    assert_eq!(
        judge(get(address, "/api/fail", &[]).await),
        expect(500, "internal")
    );
    let bare = get(address, "/bare", &[]).await;
    assert_eq!(
        (bare.status, bare.code().as_str()),
        (401, "invalid_request")
    );
    assert!(
        bare.header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
    let wrong = send(address, request("DELETE /api/only-get", &[], "")).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (405, "method_not_allowed")
    );
    assert_eq!(wrong.header("allow"), Some("GET, HEAD"));
}

#[actix_web::test]
async fn a_panic_is_an_answer_and_the_server_lives() {
    let (address, _) = start("*");
    for _ in 0..2 {
        let answer = get(address, "/api/panics", &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(!answer.body.contains("own fault"));
    }
    assert_eq!(get(address, "/api/whoami", &[]).await.status, 200);
}

#[actix_web::test]
async fn a_sane_request_id_is_taken_and_any_other_replaced() {
    let (address, _) = start("*");
    let id = |answer: Answer| {
        assert_eq!(answer.header("x-request-id"), Some(answer.body.as_str()));
        answer.body
    };
    let taken = get(address, "/api/whoami", &["X-Request-Id: abc_DEF-1.2"]).await;
    assert_eq!(id(taken), "abc_DEF-1.2");
    let fresh = id(get(address, "/api/whoami", &[]).await);
    assert_eq!(fresh.len(), 32);
    assert_ne!(fresh, id(get(address, "/api/whoami", &[]).await));
    let long = format!("X-Request-Id: {}", "x".repeat(65));
    for bad in [
        "X-Request-Id: ",
        "X-Request-Id: a b",
        "X-Request-Id: <script>",
        &long,
    ] {
        assert_eq!(
            id(get(address, "/api/whoami", &[bad]).await).len(),
            32,
            "{bad}"
        );
    }
}

#[actix_web::test]
async fn a_client_s_request_id_is_marked_as_such_where_it_is_recorded() {
    let (address, _) = start("*");
    let own = get(address, "/api/traced", &[]).await;
    assert_eq!(own.header("x-request-id"), Some(own.body.as_str()));
    // Whatever a client calls his request, also what another one was called by us: the record begins with
    // an id that nobody had before.
    for theirs in ["abc_DEF-1.2", own.body.as_str(), "client-x"] {
        let header = format!("X-Request-Id: {theirs}");
        let answer = get(address, "/api/traced", &[&header]).await;
        assert_eq!(answer.header("x-request-id"), Some(theirs));
        let (ours, named) = answer.body.split_once(" client=").unwrap();
        assert_eq!(named, theirs);
        assert_eq!(ours.len(), 32);
        assert!(ours != theirs && ours != own.body);
    }
    for bad in ["a client=b", "a\tb", "a,b"] {
        let header = format!("X-Request-Id: {bad}");
        let answer = get(address, "/api/traced", &[&header]).await;
        assert_eq!(answer.body.len(), 32, "{bad}");
    }
}

#[actix_web::test]
async fn bodies_that_a_service_chose_stay() {
    let (address, _) = start("*");
    let answer = get(address, "/readyz", &[]).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, r#"{"ready":false}"#)
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let (address, metrics) = start("*");
    get(address, "/api/number/1", &[]).await;
    get(address, "/api/number/2", &[]).await;
    get(address, "/made/up", &[]).await;
    get(address, "/api/panics", &[]).await;
    let text = String::from_utf8(metrics.render()).unwrap();
    for line in [
        r#"http_requests_total{method="GET",route="/api/number/{n}",status="200"} 2"#,
        r#"http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"http_requests_total{method="GET",route="none",status="500"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("/made/up"));
}

#[test]
fn every_status_has_a_code() {
    for status in 400..600 {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(!Problem::of_status(status).code().is_empty());
    }
}
