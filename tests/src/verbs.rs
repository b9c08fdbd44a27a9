//! What a user does, as methods of [`App`]: `try_…` returns whatever came, the others expect a success.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::payload;
use crate::{Answer, App};

/// A registered user who remembers the password.
#[derive(Clone, Debug)]
pub struct User {
    /// The `sub` of the user's tokens.
    pub id: String,
    /// Shown.
    pub name: String,
    /// To log in with.
    pub email: String,
    /// To log in with.
    pub password: String,
}

/// What log-in and refresh answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pair {
    /// The JWT.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds.
    pub refresh_expires_in: i64,
    /// By what the account knows the device again; a log-in's answer alone has it.
    #[serde(default)]
    pub device_token: Option<String>,
}

impl Pair {
    /// The claims of the access token.
    #[must_use]
    pub fn claims(&self) -> Value {
        payload(&self.access_token)
    }

    /// The refresh token's generation, from 1: how often the session has turned over, and one.
    #[must_use]
    pub fn generation(&self) -> i64 {
        let bytes = URL_SAFE_NO_PAD
            .decode(&self.refresh_token)
            .expect("base64url");
        let number = bytes.get(20..28).and_then(|part| part.try_into().ok());
        i64::from_be_bytes(number.expect("a generation"))
    }

    /// The session's id.
    #[must_use]
    pub fn sid(&self) -> String {
        self.claims()
            .get("sid")
            .and_then(Value::as_str)
            .expect("a sid")
            .to_owned()
    }
}

/// Some hex digits that nobody else has.
#[must_use]
pub fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl App {
    /// Sends a request to auth-server.
    pub async fn ask_auth(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.auth_url));
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::read(request.send().await.expect("auth-server answers")).await
    }

    /// Sends a body to an endpoint below `/api/account`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask_auth(
            Method::POST,
            &format!("/api/account{path}"),
            None,
            Some(body),
        )
        .await
    }

    /// Registers.
    pub async fn try_register(&self, name: &str, email: &str, password: &str) -> Answer {
        self.post(
            "/register",
            json!({"userName": name, "email": email, "password": password}),
        )
        .await
    }

    /// Asks for a mail with a link to a new password.
    pub async fn forgot(&self, email: &str) -> Answer {
        self.post("/password/forgot", json!({"email": email})).await
    }

    /// Sets a password by a link's token.
    pub async fn try_reset(&self, token: &str, password: &str) -> Answer {
        let body = json!({"token": token, "newPassword": password});
        self.post("/password/reset", body).await
    }

    /// Proves an address by a link's token.
    pub async fn try_verify(&self, token: &str) -> Answer {
        self.post("/email/verify", json!({"token": token})).await
    }

    /// Accepts an invitation by a link's token.
    pub async fn try_accept(&self, token: &str, name: &str, password: &str) -> Answer {
        let body = json!({"token": token, "userName": name, "password": password});
        self.post("/invitations/accept", body).await
    }

    /// Registers somebody new.
    pub async fn register(&self) -> User {
        let name = format!("user-{}", random());
        let (email, password) = (
            format!("{name}@example.com"),
            format!("correct horse {name}"),
        );
        let answer = self.try_register(&name, &email, &password).await.is(201);
        let id = answer
            .json::<Value>()
            .get("id")
            .and_then(Value::as_str)
            .expect("an id")
            .to_owned();
        User {
            id,
            name,
            email,
            password,
        }
    }

    /// Logs in with any e-mail and password.
    pub async fn try_log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/login", json!({"email": email, "password": password}))
            .await
    }

    /// Logs in as a proxy forwards it for this address, with a device's token if there is one.
    pub async fn try_log_in_from(
        &self,
        address: &str,
        email: &str,
        password: &str,
        device_token: Option<&str>,
    ) -> Answer {
        let mut body = json!({"email": email, "password": password});
        if let (Some(token), Some(members)) = (device_token, body.as_object_mut()) {
            members.insert("deviceToken".into(), token.into());
        }
        let request = self
            .client
            .post(format!("{}/api/account/login", self.auth_url))
            .header("x-forwarded-for", address)
            .json(&body);
        Answer::read(request.send().await.expect("auth-server answers")).await
    }

    /// Logs a user in.
    pub async fn log_in(&self, user: &User) -> Pair {
        self.try_log_in(&user.email, &user.password)
            .await
            .is(200)
            .json()
    }

    /// Registers somebody and logs in.
    pub async fn newcomer(&self) -> (User, Pair) {
        let user = self.register().await;
        let pair = self.log_in(&user).await;
        (user, pair)
    }

    /// Asks for the next pair with any two tokens.
    pub async fn try_refresh_with(&self, access: &str, refresh: &str) -> Answer {
        self.post(
            "/refresh-token",
            json!({"accessToken": access, "refreshToken": refresh}),
        )
        .await
    }

    /// Asks for the next pair.
    pub async fn try_refresh(&self, pair: &Pair) -> Answer {
        self.try_refresh_with(&pair.access_token, &pair.refresh_token)
            .await
    }

    /// Exchanges a pair for the next one.
    pub async fn refresh(&self, pair: &Pair) -> Pair {
        let next: Pair = self.try_refresh(pair).await.is(200).json();
        assert_ne!(
            next.access_token, pair.access_token,
            "the access token is a fresh one"
        );
        next
    }

    /// Logs out with any two tokens.
    pub async fn try_log_out_with(&self, access: &str, refresh: &str) -> Answer {
        self.post(
            "/logout",
            json!({"accessToken": access, "refreshToken": refresh}),
        )
        .await
    }

    /// Logs out.
    pub async fn log_out(&self, pair: &Pair) {
        let answer = self
            .try_log_out_with(&pair.access_token, &pair.refresh_token)
            .await
            .is(204);
        assert!(answer.body.is_empty(), "{answer:?}");
    }

    /// `GET` of a path of resource-api.
    pub async fn call(&self, path: &str, access: &str) -> Answer {
        let request = self
            .client
            .get(format!("{}{path}", self.resource_url))
            .bearer_auth(access);
        Answer::read(request.send().await.expect("resource-api answers")).await
    }

    /// Asks for the date.
    pub async fn call_home(&self, access: &str) -> Answer {
        self.call("/api/home", access).await
    }

    /// `GET` of a path of auth-server that wants a bearer.
    pub async fn get(&self, path: &str, access: &str) -> Answer {
        self.ask_auth(Method::GET, path, Some(access), None).await
    }

    /// The caller's sessions.
    pub async fn sessions(&self, access: &str) -> Vec<Value> {
        self.get("/api/account/sessions", access)
            .await
            .is(200)
            .json()
    }

    /// `DELETE` of a path below `/api/account`.
    pub async fn delete(&self, path: &str, access: &str) -> Answer {
        self.ask_auth(
            Method::DELETE,
            &format!("/api/account{path}"),
            Some(access),
            None,
        )
        .await
    }

    /// Changes the password.
    pub async fn try_change_password(&self, access: &str, current: &str, new: &str) -> Answer {
        let body = json!({"currentPassword": current, "newPassword": new});
        self.ask_auth(
            Method::POST,
            "/api/account/password",
            Some(access),
            Some(body),
        )
        .await
    }

    /// Changes the account.
    pub async fn try_change_account(&self, access: &str, body: Value) -> Answer {
        self.ask_auth(Method::PATCH, "/api/account", Some(access), Some(body))
            .await
    }

    /// Deletes the account.
    pub async fn try_delete_account(&self, access: &str, password: &str) -> Answer {
        let body = json!({"currentPassword": password});
        self.ask_auth(Method::DELETE, "/api/account", Some(access), Some(body))
            .await
    }

    /// Asserts that both services still serve a newcomer.
    pub async fn is_alive(&self) {
        for url in [&self.auth_url, &self.resource_url] {
            let answer = self
                .client
                .get(format!("{url}/healthz"))
                .send()
                .await
                .expect("it answers");
            Answer::read(answer).await.is(200).json::<Value>();
        }
    }
}
