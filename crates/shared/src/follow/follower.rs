//! The follower of the revocation feed: one task that asks, waits for the answer and asks again.
//!
//! It alone writes to the set of ended sessions. Nothing a server answers or fails to answer ends it or takes an
//! entry back, except a full answer that proves to be auth-server's, which replaces the set.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url, header};
use tokio::time::{Instant, sleep};

use super::{Stale, View};
use crate::clock;
use crate::feed::{Answer, PATH, Question, SIGNATURE, Unproved};
use crate::key_file::KeyFile;
use crate::token::{self, Signer, Validator};
use crate::with_causes;

/// The longest time for which one question waits for news, in seconds.
const WAIT: u64 = 20;

/// How long an answer may take beyond the wait before the connection counts as dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two questions when the last two answers were full, or when one came early without news: behind
/// a load balancer no replica may know the cursor of the other, and asking at once would be asking without end.
const PACE: Duration = Duration::from_millis(250);

/// The first pause after a failure; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause while nobody answers: asking costs nobody anything, and endings must arrive soon after a restart.
const LONGEST_UNREACHABLE: Duration = Duration::from_secs(1);

/// The longest pause while the service refuses.
const LONGEST_REFUSED: Duration = Duration::from_secs(5);

/// A failure that lasts is told again after this many seconds.
const TELL_AGAIN: i64 = 60;

/// The largest answer, in bytes: several times what 100 000 entries need.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answered {0}")]
    Refused(StatusCode),
    #[error("its answer is none of a feed: {0}")]
    Strange(String),
    #[error("its answer counts as none, for it does not prove to be auth-server's: {0}")]
    Unproved(#[from] Unproved),
    #[error("no bearer can be signed: {0}")]
    Unsigned(String),
}

impl Fault {
    fn of(error: &reqwest::Error) -> Self {
        Self::Unreachable(with_causes(error))
    }

    fn longest_pause(&self) -> Duration {
        match self {
            Self::Unreachable(_) => LONGEST_UNREACHABLE,
            Self::Refused(_) | Self::Strange(_) | Self::Unproved(_) | Self::Unsigned(_) => {
                LONGEST_REFUSED
            }
        }
    }
}

/// Reads the value of `REVOCATION_FEED_URL`: the whole address of the feed, or that of its service alone.
///
/// # Errors
/// A text that says what is wrong with it.
pub fn address(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme is {}, not http or https", url.scheme()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must have neither a query nor a fragment".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must hold no credentials; the service signs its own".to_owned());
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url)
}

/// Asks the feed without end and writes what it says into the view.
pub struct Follower {
    client: reqwest::Client,
    url: Url,
    wait: u64,
    signer: Signer,
    validator: Validator,
    view: Arc<View>,
}

impl Follower {
    /// A follower of the feed at `url`, to be spawned, and the view that it fills: stale once the feed was silent for
    /// `max_age`. Its bearers are signed with the ring of `keys`, under `policy`.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots on this machine, for example).
    pub fn new(
        url: Url,
        keys: &Arc<KeyFile>,
        policy: &token::Policy,
        stale: Stale,
        max_age: Duration,
    ) -> Result<(Self, Arc<View>), reqwest::Error> {
        // A view must not grow stale while a question waits for news that does not come.
        let wait = (max_age * 2 / 3).as_secs().clamp(1, WAIT);
        let client = reqwest::Client::builder()
            // The bearer is for this address alone: through no proxy, to no other place.
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(wait) + PATIENCE)
            .build()?;
        let view = Arc::new(View::new(stale, max_age, clock::now()));
        let follower = Self {
            client,
            url,
            wait,
            signer: Signer::new(Arc::clone(keys), policy.clone()),
            validator: Validator::new(Arc::clone(keys), policy.clone()),
            view: Arc::clone(&view),
        };
        Ok((follower, view))
    }

    /// Follows the feed; returns never.
    pub async fn follow(self) {
        let mut cursor: Option<String> = None;
        let mut pause = FIRST_PAUSE;
        let mut told: Option<(String, i64)> = None;
        loop {
            let asked = Instant::now();
            match self.ask(cursor.as_deref()).await {
                Ok(answer) => {
                    let now = clock::now();
                    self.take(&answer, now);
                    if told.take().is_some() {
                        log::info!("revocation feed {}: it answers again", self.url);
                    }
                    pause = FIRST_PAUSE;
                    let early = answer.entries.is_empty() && asked.elapsed() < PACE;
                    let pace = cursor.is_some() && (answer.full || early);
                    cursor = Some(answer.cursor);
                    if pace {
                        sleep(PACE).await;
                    }
                }
                Err(fault) => {
                    let now = clock::now();
                    self.view.failures.fetch_add(1, Ordering::Relaxed);
                    let forged = matches!(fault, Fault::Unproved(_));
                    if forged {
                        self.view.unproved.fetch_add(1, Ordering::Relaxed);
                    }
                    self.view.ended.sweep(now);
                    let text = fault.to_string();
                    let news = told
                        .as_ref()
                        .is_none_or(|(last, at)| *last != text || now - at >= TELL_AGAIN);
                    if news {
                        let level = if forged {
                            log::Level::Error
                        } else {
                            log::Level::Warn
                        };
                        log::log!(level, "revocation feed {}: {text}", self.url);
                        told = Some((text, now));
                    }
                    sleep(jittered(pause.min(fault.longest_pause()))).await;
                    pause = (pause * 2).min(fault.longest_pause());
                }
            }
        }
    }

    fn take(&self, answer: &Answer, now: i64) {
        if answer.full {
            self.view.ended.replace(&answer.entries, now);
        } else {
            self.view.ended.add(&answer.entries, now);
        }
        self.view.ended.sweep(now);
        self.view.answered.store(now, Ordering::Relaxed);
        self.view.answers.fetch_add(1, Ordering::Relaxed);
    }

    async fn ask(&self, cursor: Option<&str>) -> Result<Answer, Fault> {
        let bearer = self
            .signer
            .sign_service("resource-api", clock::now())
            .map_err(|error| Fault::Unsigned(error.to_string()))?;
        // Nobody can have an answer to this one from before.
        let nonce = format!("{:032x}", rand::random::<u128>());
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(cursor) = cursor {
                query.append_pair("after", cursor);
            }
            query.append_pair("wait", &self.wait.to_string());
            query.append_pair("nonce", &nonce);
        }
        let mut response = self
            .client
            .get(url)
            .bearer_auth(bearer)
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| Fault::of(&error.without_url()))?;
        if response.status() != StatusCode::OK {
            return Err(Fault::Refused(response.status()));
        }
        let signature = response.headers().get(SIGNATURE).cloned();
        let mut body = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| Fault::of(&error.without_url()))?
        {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(Fault::Strange(format!(
                    "it has more than {MAX_ANSWER} bytes"
                )));
            }
            body.extend_from_slice(&part);
        }
        let signature = signature.as_ref().and_then(|value| value.to_str().ok());
        let question = Question {
            nonce: &nonce,
            after: cursor.unwrap_or_default(),
        };
        self.validator
            .check_answer(signature, question, &body, clock::now())?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| Fault::Strange(error.to_string()))?;
        if cursor.is_none() && !answer.full {
            return Err(Fault::Strange(
                "it is not full, to a question without a cursor".to_owned(),
            ));
        }
        Ok(answer)
    }
}

/// Between half and all of the pause, so that many followers do not come back at one moment.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests;
