//! `/internal/revocations`: what ended, for the services that judge tokens.

use std::time::Duration;

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use shared::bearer;
use shared::http::RequestInfo;
use shared::token::Validator;
use uuid::Uuid;

use crate::endings::{News, Revocation};
use crate::error::Error;
use crate::revocation_feed::RevocationFeed;

/// Seconds that a question may wait for news, at most; what it waits when it does not say.
const LONGEST_WAIT: u64 = 30;
const USUAL_WAIT: u64 = 20;

#[derive(Deserialize)]
pub(super) struct Question {
    after: Option<String>,
    wait: Option<u64>,
}

#[derive(Serialize)]
struct Answer {
    cursor: String,
    full: bool,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    sid: Uuid,
    until: i64,
}

impl From<News> for Answer {
    fn from(news: News) -> Self {
        let entry = |r: Revocation| Entry {
            sid: r.session,
            until: r.until,
        };
        Self {
            cursor: news.cursor,
            full: news.full,
            entries: news.entries.into_iter().map(entry).collect(),
        }
    }
}

pub(super) async fn revocations(
    request: HttpRequest,
    feed: Data<RevocationFeed>,
    validator: Data<Validator>,
    question: Query<Question>,
) -> Result<HttpResponse, Error> {
    validator.check_service(
        bearer::credential(request.headers())?,
        RequestInfo::of_request(&request).now,
    )?;
    let Question { after, wait } = question.into_inner();
    let after = after.filter(|cursor| !cursor.is_empty());
    let wait = Duration::from_secs(wait.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT));
    let news = feed.news(after.as_deref(), wait).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(Answer::from(news)))
}
