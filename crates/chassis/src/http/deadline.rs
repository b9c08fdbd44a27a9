//! How long a request may take, its body included.

use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::rt::time::timeout;

use gate::Problem;

/// How long a request may take. Put another one into the app's or a scope's data to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Duration);

impl Default for Deadline {
    /// 15 seconds.
    fn default() -> Self {
        Self(Duration::from_secs(15))
    }
}

/// Middleware that ends a request which takes too long, mostly because its body stalls: 408
/// `request_timeout`, and the connection is closed. Wrap the scopes that need it: a long poll does
/// not.
///
/// # Errors
/// The 408, and errors of the services behind it.
pub async fn deadline<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Deadline(limit) = req.app_data::<Deadline>().copied().unwrap_or_default();
    match timeout(limit, next.call(req)).await {
        Ok(outcome) => outcome,
        // An error, since the request went into the future that is dropped now.
        Err(_) => Err(Problem::of_status(StatusCode::REQUEST_TIMEOUT).into()),
    }
}
