//! The span of one request on its connection: from its head to the last byte of its answer.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::Request;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

use super::state::State;

/// A request that is being answered. Dropping it notes the end.
#[derive(Debug)]
pub(super) struct Begun(Option<Rc<State>>);

impl Begun {
    /// Notes the beginning.
    pub(super) fn of(request: &Request) -> Self {
        let state = request.conn_data::<Rc<State>>().cloned();
        if let Some(state) = &state {
            state.begin(
                request
                    .head()
                    .headers()
                    .contains_key(header::CONTENT_LENGTH),
            );
        }
        Self(state)
    }

    /// Notes the end when the body has been handed over.
    pub(super) fn with<B>(self, body: B) -> Answer<B> {
        Answer { body, _begun: self }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.end();
        }
    }
}

pin_project! {
    /// The body of an answer.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        _begun: Begun,
    }
}

impl<B: MessageBody> MessageBody for Answer<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(cx)
    }
}
