//! The routes: parse, call a rule, reply. One table says them all.

mod account;
mod apps;
mod bodies;
mod caller;
mod feed;
#[expect(
    clippy::result_large_err,
    reason = "an answer is made once for a request"
)]
mod hosted;
mod html;
mod links;
#[expect(
    clippy::result_large_err,
    reason = "an answer is made once for a request"
)]
mod oauth;
mod operations;
mod page;
mod refusal;
mod sessions;
mod signed_in;
mod user_agent;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, delete, get, post, resource};

use gate::guard;

use crate::outbox::Newest;

pub(crate) use html::Hosted;
pub(crate) use oauth::{AnyLiveSession, Metadata, Offers, UserinfoGate, table as oauth_table};
pub(crate) use page::Page;
pub(crate) use signed_in::Rows;

/// The whole route table. What is in no line here is 404, and a method that is not in its line is 405. `sign_on` says
/// whether there are programs.
pub(crate) fn table(config: &mut ServiceConfig, sign_on: bool) {
    let mut account = web::scope("/api/account")
        // Not around the feed, whose questions wait for news.
        .wrap(from_fn(chassis::http::deadline))
        .service(resource("/register").route(post().to(account::register)))
        .service(resource("/login").route(post().to(account::log_in)))
        .service(resource("/refresh-token").route(post().to(account::refresh)))
        .service(resource("/logout").route(post().to(account::log_out)))
        .service(
            resource("/sessions")
                .wrap(from_fn(guard))
                .route(get().to(sessions::list))
                .route(delete().to(sessions::end_all)),
        )
        .service(
            resource("/sessions/{id}")
                .wrap(from_fn(guard))
                .route(delete().to(sessions::end)),
        )
        .service(
            resource("/password")
                .wrap(from_fn(guard))
                .route(post().to(account::change_password)),
        )
        .service(resource("/password/forgot").route(post().to(links::forgot)))
        .service(resource("/password/reset").route(post().to(links::reset)))
        .service(
            resource("/email/verification")
                .wrap(from_fn(guard))
                .route(post().to(links::send_verification)),
        )
        .service(resource("/email/verify").route(post().to(links::verify)))
        .service(
            resource("/invitations")
                .wrap(from_fn(guard))
                .route(post().to(links::invite)),
        )
        .service(resource("/invitations/accept").route(post().to(links::accept)))
        .service(
            resource("/deletion")
                .wrap(from_fn(guard))
                .route(post().to(account::remove)),
        )
        .service(
            resource("")
                .wrap(from_fn(guard))
                .route(get().to(account::show))
                .route(web::patch().to(account::change_profile))
                .route(delete().to(account::remove)),
        );
    if sign_on {
        account = account
            .service(
                resource("/apps")
                    .wrap(from_fn(guard))
                    .route(get().to(apps::list)),
            )
            .service(
                resource("/apps/{clientId}")
                    .wrap(from_fn(guard))
                    .route(delete().to(apps::end)),
            );
    }
    config
        .service(account)
        .configure(hosted::table)
        .service(resource("/internal/revocations").route(get().to(feed::revocations)))
        .service(resource("/healthz").route(get().to(chassis::operations::healthz)))
        .service(resource("/readyz").route(get().to(operations::readyz)))
        .service(resource("/metrics").route(get().to(chassis::operations::metrics)))
        .service(resource("/openapi.json").route(get().to(operations::openapi)));
}

/// The demo page's routes, where `WEB_ROOT` is set; with the mails that it shows in a demonstration.
pub(crate) fn page_table(config: &mut ServiceConfig, page: &Page, newest: Option<Arc<Newest>>) {
    if let Some(newest) = newest.filter(|_| page.is_demonstration()) {
        config
            .app_data(web::Data::from(newest))
            .service(resource("/demo/mail.json").route(get().to(page::mail)));
    }
    config.service(resource("/config.json").route(get().to(page::config)));
    for path in page.paths() {
        config.service(resource(path).route(get().to(page::file)));
    }
}
