//! The end-to-end tests: both services over real sockets, one module per concern.
//!
//! [`anywhere`] needs nothing but HTTP and runs against a deployment, too; [`inside`] needs the database, the
//! keys or settings of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests, and what helps them: what cannot be done is a failure"
)]

#[cfg_attr(
    deployment,
    expect(dead_code, reason = "some codes are for those who have the keys")
)]
mod rows;

/// What a client alone can see; also against the deployment of `E2E_AUTH_URL` and `E2E_RESOURCE_URL`.
mod anywhere {
    mod account_changes;
    mod accounts;
    mod cors;
    mod credentials;
    mod hostile_connections;
    mod hostile_requests;
    mod http_manners;
    mod odd_texts;
    mod one_meaning;
    mod refresh;
    mod routes;
    mod sessions;
    mod the_loop;
}

/// What needs services of our own.
#[cfg(not(deployment))]
mod inside {
    mod alerts;
    mod back_channel;
    mod back_channel_alone;
    mod back_channel_trouble;
    mod certificates;
    mod client_commands;
    mod commands;
    mod connection_limits;
    mod connection_states;
    mod crash;
    mod dashboard;
    mod database_url;
    mod doctor;
    mod dotnet;
    mod empty_variables;
    mod endings;
    mod expiry;
    mod feed;
    mod fleet;
    mod growth;
    mod guessing;
    mod guessing_elsewhere;
    mod guessing_signed_in;
    mod hashing_pays;
    mod hostile;
    mod id_key_commands;
    mod key_commands;
    mod key_places;
    mod key_turns;
    mod keys;
    mod lifetimes;
    mod lists;
    mod mail_accounts;
    mod mail_addresses;
    mod mail_invitations;
    mod mail_links;
    mod mail_pages;
    mod mail_sending;
    mod moving_in;
    mod neighbours;
    mod old_access_token;
    mod old_database;
    mod old_spellings;
    mod password_strength;
    mod pipes;
    mod policy;
    mod postgres_tls;
    mod postgres_trouble;
    mod promql;
    mod races;
    mod refreshes_together;
    mod replicas;
    mod request_ids;
    mod revocation;
    mod rotation;
    mod secrets;
    mod sign_on;
    mod sign_on_apps;
    mod sign_on_apps_in_flight;
    mod sign_on_cast;
    mod sign_on_client_auth;
    mod sign_on_codes;
    mod sign_on_entrances;
    mod sign_on_fixation;
    mod sign_on_foundation;
    mod sign_on_foundation_tokens;
    mod sign_on_grants;
    mod sign_on_holdings;
    mod sign_on_hostile_requests;
    mod sign_on_introspection;
    mod sign_on_introspection_ends;
    mod sign_on_introspection_hostile;
    mod sign_on_log_out;
    mod sign_on_log_out_hostile;
    mod sign_on_log_out_sessions;
    mod sign_on_pages;
    mod sign_on_pkce;
    mod sign_on_races;
    mod sign_on_replicas;
    mod sign_on_revocation_hostile;
    mod sign_on_secrets;
    mod sign_on_steps;
    mod sign_on_wrong_doors;
    mod silent_thief;
    mod start;
    mod stopping;
    mod strangers;
    mod tls;
}

#[cfg(deployment)]
#[test]
#[ignore = "the tests of `inside` need the database, the keys or settings of their own: not against a deployment"]
fn inside_is_left_out() {}
