//! The tables, as `migrations/` makes them.

diesel::table! {
    users (id) {
        id -> Text,
        email -> Text,
        email_key -> Text,
        user_name -> Text,
        password_hash -> Text,
        password_version -> BigInt,
        roles -> Text,
        created_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
        blocked_at -> Nullable<BigInt>,
        email_verified_at -> Nullable<BigInt>,
        self_registered_at -> Nullable<BigInt>,
        pending_email -> Nullable<Text>,
        pending_until -> BigInt,
        mailed_at -> BigInt,
        mails_since -> BigInt,
        mails -> BigInt,
        told_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        nonce -> Text,
        generation -> BigInt,
        created_at -> BigInt,
        rotated_at -> BigInt,
        idle_until -> BigInt,
        absolute_until -> BigInt,
        late_generation -> BigInt,
        late_streak -> BigInt,
        ended_at -> Nullable<BigInt>,
        end_reason -> Nullable<Text>,
        device -> Text,
        address -> Text,
        wrong_passwords -> BigInt,
        agent -> Nullable<Text>,
        seen_at -> BigInt,
        seen_address -> Text,
        sighting_generation -> BigInt,
        sighting_at -> BigInt,
        sighting_address -> Text,
        sighting_device -> Text,
        shown_sighting_at -> BigInt,
        shown_sighting_address -> Text,
        shown_sighting_device -> Text,
        kind -> Text,
        client_id -> Text,
        parent_id -> Nullable<Text>,
        scope -> Text,
        auth_time -> BigInt,
        amr -> Text,
        browser_sid -> Nullable<Text>,
        pending -> Nullable<Text>,
        code_challenge -> Nullable<Text>,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        name -> Text,
        kind -> Text,
        secret_hash -> Nullable<Text>,
        former_secret_hash -> Nullable<Text>,
        former_secret_until -> Nullable<BigInt>,
        redirect_uris -> Text,
        logout_uris -> Text,
        backchannel_uri -> Nullable<Text>,
        scopes -> Text,
        roles -> Text,
        api -> BigInt,
        trusted -> BigInt,
        pkce -> BigInt,
        id_token_alg -> Text,
        created_at -> BigInt,
        changed_at -> BigInt,
        blocked_at -> Nullable<BigInt>,
        backchannel_private -> BigInt,
    }
}

diesel::table! {
    consents (user_id, client_id) {
        user_id -> Text,
        client_id -> Text,
        scope -> Text,
        granted_at -> BigInt,
    }
}

diesel::table! {
    logout_deliveries (id) {
        id -> Text,
        client_id -> Text,
        sid -> Text,
        sub -> Text,
        tries -> BigInt,
        due_at -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    pushed_requests (id) {
        id -> Text,
        client_id -> Text,
        request -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    audit (id) {
        id -> Text,
        at -> BigInt,
        event -> Text,
        user_id -> Nullable<Text>,
        session_id -> Nullable<Text>,
        generation -> Nullable<BigInt>,
        detail -> Nullable<Text>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Nullable<Text>,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(users, sessions);

diesel::table! {
    login_failures (slot) {
        slot -> Text,
        tag -> Text,
        user_id -> Nullable<Text>,
        failures -> BigInt,
        failed_at -> BigInt,
    }
}

diesel::table! {
    login_budgets (slot) {
        slot -> Text,
        tag -> Text,
        user_id -> Nullable<Text>,
        full_at -> BigInt,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        kind -> Text,
        user_id -> Nullable<Text>,
        address -> Text,
        locale -> Text,
        detail -> Text,
        created_at -> BigInt,
        due_at -> BigInt,
        tries -> BigInt,
    }
}
