//! The manners of the HTTP layer that both services share.
//!
//! From the outside in: [`finish`] gives every request an id and every answer its final form,
//! [`cors`] lets browsers in, [`bounds`] and [`deadline`] hold a request to its size and time.
//!
//! ```
//! use actix_web::{App, middleware::from_fn, web};
//! use chassis::http;
//!
//! let app = App::new()
//!     .service(web::scope("/api").wrap(from_fn(http::deadline)))
//!     .default_service(web::to(http::not_found))
//!     .wrap(from_fn(http::bounds))
//!     .wrap(http::cors(&http::CorsOrigins::Any))
//!     // Wrapped last, so it comes first.
//!     .wrap(from_fn(http::finish));
//! ```

use std::future::{Ready, ready};

use actix_web::http::StatusCode;

mod body;
mod cors;
mod deadline;
mod finish;

pub use body::{Form, Json, LARGEST_BODY, bounds};
pub use cors::{Cors, cors};
pub use deadline::{Deadline, deadline};
pub use finish::{OnlyHead, finish};

pub use crate::origins::CorsOrigins;
use gate::Problem;

/// Answers what no route answers: 404 `not_found`.
pub fn not_found() -> Ready<Problem> {
    ready(Problem::of_status(StatusCode::NOT_FOUND))
}

#[cfg(test)]
mod tests;
