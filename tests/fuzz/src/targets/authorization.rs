//! The `Authorization` header: one credential or none, and only the genuine one gets in.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use futures_util::FutureExt;
use gate::{Gate, bearer_of};

use super::{Target, seeds, token};
use crate::{Dice, bytes};

pub(super) struct Authorization {
    samples: Vec<Vec<u8>>,
    genuine: String,
    gate: Gate,
}

impl Authorization {
    pub(super) fn new() -> Self {
        let (header, payload) = token::samples().swap_remove(0);
        let genuine = token::sign(&header, &payload, 0);
        let place = |sample: Vec<u8>| {
            let text = String::from_utf8_lossy(&sample).replace("TOKEN", &genuine);
            text.trim_end_matches('\n').as_bytes().to_vec()
        };
        Self {
            samples: seeds("authorization").into_iter().map(place).collect(),
            gate: Gate::new(token::shared_validator(), Arc::new(())),
            genuine,
        }
    }
}

impl Target for Authorization {
    fn name(&self) -> &'static str {
        "authorization"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let mut headers = HeaderMap::new();
        let mut values = Vec::new();
        for _ in 0..=usize::from(dice.one_in(10)) {
            let mut value = dice.pick(&self.samples).clone();
            if !dice.one_in(5) {
                bytes::mutate(&mut value, &self.samples, dice);
            }
            let Ok(value) = HeaderValue::from_bytes(&value) else {
                return "no header".into();
            };
            values.push(value.clone());
            headers.append(AUTHORIZATION, value);
        }
        match bearer_of(&headers) {
            Ok(found) => {
                assert_eq!(values.len(), 1, "one of two was taken");
                let value = values
                    .first()
                    .map(HeaderValue::as_bytes)
                    .unwrap_or_default();
                assert!(value.len() <= 8 * 1024, "longer than 8 KiB");
                let scheme = value.get(..7).unwrap_or_default();
                assert!(scheme.eq_ignore_ascii_case(b"Bearer "), "another scheme");
                assert!(value.ends_with(found.as_bytes()), "not as it stands");
                assert!(!found.is_empty() && !found.starts_with(' '), "{found:?}");
            }
            Err(error) => assert!(error.act().is_none(), "{error:?}"),
        }
        // Nothing is looked up, so there is nothing to wait for.
        let admitted = self.gate.admit(&headers, 1_800_000_000).now_or_never();
        match admitted.expect("an answer at once") {
            Ok(_) => {
                let value = values
                    .first()
                    .map(HeaderValue::as_bytes)
                    .unwrap_or_default();
                assert!(
                    value.ends_with(self.genuine.as_bytes()),
                    "another token got in"
                );
                "ok".into()
            }
            Err(error) => error.code().to_owned(),
        }
    }
}
