//! The feed of the tests: a real HTTP server that answers as it is told.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, http, web};
use shared::{clock, key_file::KeyFile, token::Validator};
use tokio::time::{Instant, sleep};

use super::{PATH, policy};

/// What the feed of the test knows and how it behaves.
struct Script {
    /// Names the process: a cursor of another one is unknown.
    process: &'static str,
    entries: Mutex<Vec<String>>,
    questions: AtomicUsize,
    /// Every answer is another process's, which does not know the cursor of the one before.
    balanced: AtomicBool,
    /// Answers this status instead, unless it is 200.
    status: Mutex<http::StatusCode>,
    validator: Validator,
}

#[derive(serde::Deserialize)]
struct Question {
    after: Option<String>,
    wait: u64,
}

async fn answer(
    request: actix_web::HttpRequest,
    question: web::Query<Question>,
    script: web::Data<Script>,
) -> HttpResponse {
    script.questions.fetch_add(1, Ordering::SeqCst);
    let status = *script.status.lock().unwrap();
    if status != http::StatusCode::OK {
        return HttpResponse::new(status);
    }
    let bearer = request
        .headers()
        .get(http::header::AUTHORIZATION)
        .unwrap()
        .to_str()
        .unwrap();
    let token = bearer.strip_prefix("Bearer ").unwrap();
    if script.validator.check_service(token, clock::now()).is_err() {
        return HttpResponse::Unauthorized().finish();
    }
    let seen = question
        .after
        .as_deref()
        .and_then(|cursor| cursor.strip_prefix(script.process));
    let seen: Option<usize> = seen.and_then(|seen| seen.parse().ok());
    let end = Instant::now() + Duration::from_secs(question.wait);
    loop {
        let entries = script.entries.lock().unwrap().clone();
        let news = entries.get(seen.unwrap_or(0)..).unwrap();
        if seen.is_none() || !news.is_empty() || Instant::now() >= end {
            let until = clock::now() + 60;
            let balanced = script.balanced.load(Ordering::SeqCst);
            let process = if balanced { "another-" } else { script.process };
            let news: Vec<_> = news
                .iter()
                .map(|sid| serde_json::json!({"sid": sid, "until": until}))
                .collect();
            return HttpResponse::Ok().json(serde_json::json!({
                "cursor": format!("{process}{}", entries.len()),
                "full": seen.is_none(),
                "entries": news,
            }));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// A feed that runs.
pub(super) struct TestFeed {
    script: web::Data<Script>,
    pub(super) address: SocketAddr,
    handle: ServerHandle,
}

impl TestFeed {
    pub(super) fn start(
        process: &'static str,
        at: Option<SocketAddr>,
        keys: &Arc<KeyFile>,
    ) -> Self {
        let script = web::Data::new(Script {
            process,
            entries: Mutex::default(),
            questions: AtomicUsize::new(0),
            balanced: AtomicBool::new(false),
            status: Mutex::new(http::StatusCode::OK),
            validator: Validator::new(Arc::clone(keys), policy()),
        });
        let listener = TcpListener::bind(at.unwrap_or_else(|| ([127, 0, 0, 1], 0).into())).unwrap();
        let address = listener.local_addr().unwrap();
        let data = script.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route(PATH, web::get().to(answer))
        });
        let server = server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self {
            script,
            address,
            handle,
        }
    }

    pub(super) fn end_session(&self, sid: &str) {
        self.script.entries.lock().unwrap().push(sid.to_owned());
    }

    pub(super) fn answer_with(&self, status: u16) {
        *self.script.status.lock().unwrap() = http::StatusCode::from_u16(status).unwrap();
    }

    /// Makes every answer from now on another process's.
    pub(super) fn balance(&self) {
        self.script.balanced.store(true, Ordering::SeqCst);
    }

    pub(super) fn questions(&self) -> usize {
        self.script.questions.load(Ordering::SeqCst)
    }

    pub(super) async fn stop(self) {
        self.handle.stop(false).await;
    }
}
