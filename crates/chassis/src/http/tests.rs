//! A whole app, over a real socket where the framework's own answers count.

mod answers;
mod bodies;
mod browsers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::Value;

use gate::RequestInfo;

use super::*;
use crate::metrics::Metrics;

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

async fn login(login: Json<Login>) -> String {
    format!("{} {}", login.0.email, login.0.password.len())
}

async fn fail() -> Result<String, Problem> {
    Err(Problem::internal("the password of the database is hunter2"))
}

async fn panics() -> String {
    panic!("a handler's own fault")
}

async fn stall() -> &'static str {
    actix_web::rt::time::sleep(Duration::from_secs(30)).await;
    "late"
}

async fn unready() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(serde_json::json!({"ready": false}))
}

async fn whoami(info: RequestInfo) -> String {
    info.id.to_string()
}

async fn traced(info: RequestInfo) -> String {
    info.trace.to_string()
}

/// Starts an app with everything of this module; the server ends with the test's runtime.
fn start(origins: &str) -> (SocketAddr, Metrics) {
    let origins: CorsOrigins = origins.parse().unwrap();
    let metrics = Metrics::new("test", "0").unwrap();
    let data = web::Data::new(metrics.clone());
    let app = move || {
        let api = web::scope("/api")
            .wrap(from_fn(deadline))
            .route("/login", web::post().to(login))
            .route("/fail", web::get().to(fail))
            .route("/panics", web::get().to(panics))
            .route("/stall", web::get().to(stall))
            .route("/whoami", web::get().to(whoami))
            .route("/traced", web::get().to(traced))
            .service(web::resource("/only-get").route(web::get().to(whoami)))
            .route(
                "/number/{n}",
                web::get().to(|n: web::Path<u8>| async move { n.to_string() }),
            );
        App::new()
            .app_data(Deadline(Duration::from_millis(300)))
            .app_data(data.clone())
            .service(api)
            .route("/readyz", web::get().to(unready))
            .route("/internal/feed", web::get().to(whoami))
            .route("/bare", web::get().to(HttpResponse::Unauthorized))
            .default_service(web::to(not_found))
            .wrap(from_fn(bounds))
            .wrap(cors(&origins))
            .wrap(from_fn(finish))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .bind(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (address, metrics)
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The code of the problem, whose form is judged on the way.
    fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["status"], self.status);
        assert!(body["title"].is_string());
        assert_eq!(
            body["requestId"].as_str(),
            self.header("x-request-id"),
            "{self:?}"
        );
        body["code"].as_str().unwrap().to_owned()
    }
}

/// Sends bytes as they are and reads until the other side closes.
async fn send(address: SocketAddr, request: String) -> Answer {
    let exchange = move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // An error here is a connection that was reset after the answer.
        let _ = socket.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    let text = web::block(exchange).await.unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn request(line: &str, headers: &[&str], body: &str) -> String {
    let mut request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    if !body.is_empty()
        && !headers
            .iter()
            .any(|header| header.starts_with("Content-Length"))
    {
        return format!("{request}Content-Length: {}\r\n\r\n{body}", body.len());
    }
    request + "\r\n" + body
}

async fn get(address: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    send(address, request(&format!("GET {path}"), headers, "")).await
}

async fn post(address: SocketAddr, headers: &[&str], body: &str) -> Answer {
    send(address, request("POST /api/login", headers, body)).await
}
