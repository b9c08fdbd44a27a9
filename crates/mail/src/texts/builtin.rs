//! The templates that are compiled in.

use super::LAYOUT;

/// Each template's name and text.
pub(super) fn all() -> impl Iterator<Item = (String, &'static str)> {
    let layout = (LAYOUT, include_str!("../../templates/layout.html"));
    std::iter::once(layout)
        .chain(TEXTS)
        .map(|(name, text)| (name.to_owned(), text))
}

/// The texts in every language.
const TEXTS: [(&str, &str); 22] = [
    ("en/reset.txt", include_str!("../../templates/en/reset.txt")),
    (
        "en/verify.txt",
        include_str!("../../templates/en/verify.txt"),
    ),
    (
        "en/change.txt",
        include_str!("../../templates/en/change.txt"),
    ),
    (
        "en/change_note.txt",
        include_str!("../../templates/en/change_note.txt"),
    ),
    (
        "en/address_changed.txt",
        include_str!("../../templates/en/address_changed.txt"),
    ),
    (
        "en/password_changed.txt",
        include_str!("../../templates/en/password_changed.txt"),
    ),
    (
        "en/account_exists.txt",
        include_str!("../../templates/en/account_exists.txt"),
    ),
    (
        "en/invitation.txt",
        include_str!("../../templates/en/invitation.txt"),
    ),
    (
        "en/blocked.txt",
        include_str!("../../templates/en/blocked.txt"),
    ),
    (
        "en/new_device.txt",
        include_str!("../../templates/en/new_device.txt"),
    ),
    ("en/test.txt", include_str!("../../templates/en/test.txt")),
    ("zh/reset.txt", include_str!("../../templates/zh/reset.txt")),
    (
        "zh/verify.txt",
        include_str!("../../templates/zh/verify.txt"),
    ),
    (
        "zh/change.txt",
        include_str!("../../templates/zh/change.txt"),
    ),
    (
        "zh/change_note.txt",
        include_str!("../../templates/zh/change_note.txt"),
    ),
    (
        "zh/address_changed.txt",
        include_str!("../../templates/zh/address_changed.txt"),
    ),
    (
        "zh/password_changed.txt",
        include_str!("../../templates/zh/password_changed.txt"),
    ),
    (
        "zh/account_exists.txt",
        include_str!("../../templates/zh/account_exists.txt"),
    ),
    (
        "zh/invitation.txt",
        include_str!("../../templates/zh/invitation.txt"),
    ),
    (
        "zh/blocked.txt",
        include_str!("../../templates/zh/blocked.txt"),
    ),
    (
        "zh/new_device.txt",
        include_str!("../../templates/zh/new_device.txt"),
    ),
    ("zh/test.txt", include_str!("../../templates/zh/test.txt")),
];
