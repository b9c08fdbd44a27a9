//! English.

use super::{LinkWords, MistakeWords, ScopeWords, Text, Words};

pub(super) static WORDS: Words = Words {
    lang: "en",

    email: "E-mail",
    user_name: "Your name",
    password: "Password",
    new_password: "New password",
    password_hint: "At least 8 characters. A few uncommon words are good.",
    show: ["Show", " the password"],
    token: "Code of the link",
    token_hint: "What stands behind “#token=” in the link of the mail.",

    sign_in: "Sign in",
    to_go_on: ["to go on to ", ""],
    keep: "Keep me signed in on this device",
    forgot_link: "Forgot your password?",
    register_link: "Make an account",

    register: "Make an account",
    register_button: "Make the account",
    has_account: "You have an account? Sign in",

    forgot: "Forgot your password?",
    forgot_lead: "Give the e-mail address of your account. A mail goes to it, with a link to choose a new password.",
    forgot_button: "Send the mail",
    back_to_sign_in: "Back to signing in",
    go_on_to_sign_in: "Go on to sign in",

    consent: "May this program sign you in?",
    wants: ["", " wants to sign you in"],
    will_be_able: "It will be able to",
    allow: "Allow",
    deny: "Deny",
    scopes: ScopeWords {
        openid: "know that it is you",
        profile: "see your name",
        email: "see your e-mail address",
        roles: "see your roles",
        offline_access: "act for you while you are away, even after you sign out in this browser",
        account: "manage your account",
    },
    other_scope: ["use ", ""],
    to_site: ["You will go to ", "."],
    to_device: "You will go back to a program on this device.",
    to_app: ["You will go back to the app ", " on this device."],
    signed_in_as: "Signed in as",
    another: "Not you? Use another account",

    continue_title: "Continue?",
    continue_as: ["Continue as ", " to ", "?"],
    continue_lead: "Continue only if you opened it yourself just now.",
    continue_button: "Continue",
    cancel: "Cancel",

    signed_in: "You are signed in",
    go_on: "Go on",
    one_moment: "One moment",
    press_go_on: "If nothing happens, press the button.",

    sign_out: "Sign out of everything in this browser?",
    sign_out_of: "You will be signed out of",
    sign_out_button: "Sign out",
    stay: "Stay signed in",

    for_developers: "For the people who run the program:",
    request_id: "Request",

    not_done: "That did not work",
    reset_mail_sent: Text {
        title: "Look into your mail",
        text: "If there is an account with this address, a mail with a link to choose a new password is on its way. It can take a few minutes; it may be in the spam folder.",
    },
    registration_mail_sent: Text {
        title: "Look into your mail",
        text: "A mail is on its way to the address that you gave. Do what it says, then sign in. It can take a few minutes; it may be in the spam folder.",
    },
    signed_out: Text {
        title: "You are signed out",
        text: "Nobody is signed in here in this browser.",
    },
    reset: LinkWords {
        title: "Choose a new password",
        lead: "Every device that is signed in to the account will be signed out.",
        button: "Set the password",
        done: Text {
            title: "The password is set",
            text: "All devices are signed out. Sign in with the new password.",
        },
    },
    verify: LinkWords {
        title: "Confirm your address",
        lead: "Confirm that you registered with the address to which the mail went, or want it for your account.",
        button: "Confirm",
        done: Text {
            title: "The address is confirmed",
            text: "Thank you. You can close this page.",
        },
    },
    invitation: LinkWords {
        title: "Make your account",
        lead: "You were invited. Choose a name and a password.",
        button: "Make the account",
        done: Text {
            title: "Your account is made",
            text: "Sign in with the address to which the mail went, and your password.",
        },
    },
    mistakes: MistakeWords {
        unknown_client: Text {
            title: "This program is not known here",
            text: "The program that sent you here has to be registered first. Please tell the people who run it. Nothing happened to your account.",
        },
        blocked_client: Text {
            title: "This program is blocked",
            text: "The program that sent you here may not sign anybody in at the moment. Please ask the people who run this service.",
        },
        redirect_uri: Text {
            title: "This address is not known here",
            text: "The program that sent you here wants you to go to an address that is not registered for it. To be safe, you are not sent there. Please tell the people who run the program.",
        },
        malformed: Text {
            title: "This request is not complete",
            text: "Go back to the program that you came from, and try again. If that does not help, please tell the people who run it.",
        },
        stale_form: Text {
            title: "This page was open for too long",
            text: "Go back to the program that you came from, and try again. If that does not help, let the browser keep cookies for this site.",
        },
        unavailable: Text {
            title: "This does not work just now",
            text: "Wait a moment, then load the page again.",
        },
        other: Text {
            title: "Something went wrong",
            text: "Try again later. If that does not help, please ask the people who run this service.",
        },
    },
};
