//! The feed of the tests: a real HTTP server that answers as it is told.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, http, web};
use tokio::time::{Instant, sleep};

use super::policy;
use crate::clock;
use crate::feed::{self, PATH, SIGNATURE};
use crate::key_file::KeyFile;
use crate::token::{Signer, Validator};

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
    signer: Signer,
    /// Somebody on the way, who does this to every answer.
    between: Mutex<Between>,
    /// The first answer with entries that passed, as he saw it: body and signature.
    overheard: Mutex<Option<(Vec<u8>, String)>>,
}

/// What somebody on the way does to the feed's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// He only listens.
    Listens,
    /// Answers himself that nobody is revoked.
    Invents,
    /// The same, with the signature of the true answer.
    InventsUnderTheSignature,
    /// Answers what he overheard.
    Replays,
    /// Takes the signature away.
    Strips,
    /// Changes one byte.
    Changes,
    /// Answers with a signature under a key of his own.
    SignsHimself,
    /// Asks in the follower's place with the latest cursor, to which "nothing new" is the true answer.
    MovesTheCursor,
    /// Nobody; the feed itself answers every question as one with news alone.
    FeedNeverFull,
}

#[derive(serde::Deserialize)]
struct Question {
    after: Option<String>,
    wait: u64,
    #[serde(default)]
    nonce: String,
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
    let end = Instant::now() + Duration::from_secs(question.wait);
    loop {
        let entries = script.entries.lock().unwrap().clone();
        let between = *script.between.lock().unwrap();
        let moved = between == Between::MovesTheCursor;
        let after = if moved {
            format!("{}{}", script.process, entries.len())
        } else {
            question.after.clone().unwrap_or_default()
        };
        let seen = after.strip_prefix(script.process);
        let seen: Option<usize> = seen.and_then(|seen| seen.parse().ok());
        let news = entries.get(seen.unwrap_or(0)..).unwrap();
        if moved || seen.is_none() || !news.is_empty() || Instant::now() >= end {
            let until = clock::now() + 60;
            let balanced = script.balanced.load(Ordering::SeqCst);
            let process = if balanced { "another-" } else { script.process };
            let news: Vec<_> = news
                .iter()
                .map(|sid| serde_json::json!({"sid": sid, "until": until}))
                .collect();
            let body = serde_json::json!({
                "cursor": format!("{process}{}", entries.len()),
                "full": seen.is_none() && between != Between::FeedNeverFull,
                "entries": news,
            });
            let asked = feed::Question {
                nonce: &question.nonce,
                after: &after,
            };
            return pass_on(&script, asked, body.to_string().into_bytes());
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// What becomes of a true answer on its way.
fn pass_on(script: &Script, asked: feed::Question, body: Vec<u8>) -> HttpResponse {
    let invented = br#"{"cursor":"x","full":true,"entries":[]}"#.to_vec();
    let sign =
        |signer: &Signer, body: &[u8]| signer.sign_answer(asked, body, clock::now()).unwrap();
    let signature = sign(&script.signer, &body);
    if !script.entries.lock().unwrap().is_empty() {
        let mut overheard = script.overheard.lock().unwrap();
        overheard.get_or_insert_with(|| (body.clone(), signature.clone()));
    }
    let between = *script.between.lock().unwrap();
    let (body, signature) = match between {
        Between::Listens | Between::MovesTheCursor | Between::FeedNeverFull => {
            (body, Some(signature))
        }
        Between::Invents => (invented, None),
        Between::InventsUnderTheSignature => (invented, Some(signature)),
        Between::Replays => {
            let (body, signature) = script.overheard.lock().unwrap().clone().unwrap();
            (body, Some(signature))
        }
        Between::Strips => (body, None),
        Between::Changes => {
            // Still JSON, and still of the right form.
            let text = String::from_utf8(body).unwrap();
            let changed = text.replace("\"full\":true", "\"full\":false");
            let changed = if changed == text {
                text.replace("\"full\":false", "\"full\":true")
            } else {
                changed
            };
            (changed.into_bytes(), Some(signature))
        }
        Between::SignsHimself => {
            let signature = sign(&Signer::new(super::key_file(), policy()), &invented);
            (invented, Some(signature))
        }
    };
    let mut answer = HttpResponse::Ok();
    if let Some(signature) = signature {
        answer.insert_header((SIGNATURE, signature));
    }
    answer.content_type("application/json").body(body)
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
            signer: Signer::new(Arc::clone(keys), policy()),
            between: Mutex::new(Between::Listens),
            overheard: Mutex::default(),
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

    /// Puts somebody on the way.
    pub(super) fn between(&self, between: Between) {
        *self.script.between.lock().unwrap() = between;
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
