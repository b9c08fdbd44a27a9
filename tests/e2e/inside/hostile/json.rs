//! Texts that are not the JSON they should be, and signed spellings that are not base64url.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use super::Workshop;
use crate::rows::*;

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn header_and_payload_are_each_one_json_object() {
    let w = Workshop::open().await;
    let header = |text: &[u8]| w.draft().raw_header(text).sign();
    let payload = |text: &[u8]| w.draft().raw_payload(text).sign();
    let change = |f: &dyn Fn(String) -> String| w.draft().payload_text(f).sign();
    let twice = |member: &str| change(&|p| p.replacen('{', &format!("{{{member},"), 1));
    judge(&w.app, vec![
        token("header an array", header(br#"["HS256"]"#), MALFORMED),
        token("header a string", header(br#""HS256""#), MALFORMED),
        token("header a number", header(b"256"), MALFORMED),
        token("header null", header(b"null"), MALFORMED),
        token("header empty", header(b"{}"), MALFORMED),
        token("header white", header(b" "), MALFORMED),
        token("header cut", header(br#"{"alg":"HS256","typ":"JWT""#), MALFORMED),
        token("header with something behind", header(br#"{"alg":"HS256"}x"#), MALFORMED),
        token("two headers", header(br#"{"alg":"HS256"}{"alg":"HS256"}"#), MALFORMED),
        token("header with a mark before", header("\u{feff}{\"alg\":\"HS256\"}".as_bytes()), MALFORMED),
        token("header in other quotes", header(b"{'alg':'HS256'}"), MALFORMED),
        token("header with a comma behind", header(br#"{"alg":"HS256",}"#), MALFORMED),
        token("header with a comment", header(br#"{"alg":"HS256"/**/}"#), MALFORMED),
        token("header no UTF-8", header(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}"), MALFORMED),
        token("header in UTF-16", header(&utf16(r#"{"alg":"HS256"}"#)), MALFORMED),
        token("header with white space", header(b" \n\t{ \"alg\" : \"HS256\" }\r\n"), OK),
        token("payload an array", payload(br#"["a",1]"#), MALFORMED),
        token("payload a string", payload(br#""claims""#), MALFORMED),
        token("payload a number", payload(b"1"), MALFORMED),
        token("payload null", payload(b"null"), MALFORMED),
        token("payload an empty object", payload(b"{}"), ISSUER),
        token("payload white", payload(b" "), MALFORMED),
        token("payload cut", change(&|p| p[..p.len() - 1].to_owned()), MALFORMED),
        token("payload with something behind", change(&|p| p + "x"), MALFORMED),
        token("two payloads", change(&|p| format!("{p}{p}")), MALFORMED),
        token("payload with a mark before", change(&|p| format!("\u{feff}{p}")), MALFORMED),
        token("payload with a comma behind", change(&|p| p.replace('}', ",}")), MALFORMED),
        token("payload with white space", change(&|p| format!("\n {p}\t")), OK),
        token("payload no UTF-8", payload(b"{\"iss\":\"\xff\xfe\"}"), MALFORMED),
        token("payload no UTF-8 beside the claims", broken_text(&w), MALFORMED),
        token("half a surrogate as name", twice(r#""unique_name":"\ud800""#), MALFORMED),
        token("a control character in a string", twice("\"unique_name\":\"a\u{1}b\""), MALFORMED),
        token("NaN somewhere", twice(r#""x":NaN"#), MALFORMED),
        token("sub twice", twice(r#""sub":"root""#), MALFORMED),
        token("sub twice, once escaped", twice(r#""\u0073ub":"root""#), MALFORMED),
        token("iss twice", twice(r#""iss":"http://localhost:5000""#), MALFORMED),
        token("aud twice", twice(r#""aud":"http://localhost:5001""#), MALFORMED),
        token("exp twice", twice(r#""exp":9999999999"#), MALFORMED),
        token("nbf twice", twice(r#""nbf":1"#), MALFORMED),
        token("sid twice", twice(r#""sid":"x""#), MALFORMED),
        token("roles twice", twice(r#""roles":["admin"]"#), MALFORMED),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn other_alphabets_are_refused_even_when_they_are_signed() {
    let w = Workshop::open().await;
    // Three question marks at every offset make the characters in which the alphabets differ.
    let header = json!({"alg": "HS256", "typ": "JWT", "x": "???~~~???>>>"}).to_string();
    let claims = w.draft().claim("x", json!("???~~~???>>>ÿÿÿ")).payload_text(|p| p);
    let unsigned = claims.raw_header(&header).unsigned();
    let (h, p) = unsigned.split_once('.').unwrap();
    let payload = URL_SAFE_NO_PAD.decode(p).unwrap();
    let sign = |h: &str, p: &str| w.draft().sign_text(&format!("{h}.{p}"));
    let standard = STANDARD_NO_PAD.encode(&payload);
    assert!(standard.contains(['+', '/']), "the case is none: {standard}");
    judge(&w.app, vec![
        token("as it should be", sign(h, p), OK),
        token("payload in the standard alphabet", sign(h, &standard), MALFORMED),
        token("header in the standard alphabet", sign(&STANDARD_NO_PAD.encode(&header), p), header_code(h, &header)),
        token("payload padded", sign(h, &format!("{p}{}", "=".repeat(1 + p.len() % 2))), MALFORMED),
        token("header padded", sign(&format!("{h}="), p), MALFORMED),
        token("payload standard and padded", sign(h, &STANDARD.encode(&payload)), MALFORMED),
        token("a line break in the payload", sign(h, &format!("{}%0A{}", &p[..8], &p[8..])), MALFORMED),
        token("payload not encoded", w.draft().sign_text(&format!("{h}.{{}}")), MALFORMED),
        token("header encoded twice", sign(&URL_SAFE_NO_PAD.encode(h), p), MALFORMED),
        token("payload encoded twice", sign(h, &URL_SAFE_NO_PAD.encode(p)), MALFORMED),
        token("a header of one character", sign("e", p), MALFORMED),
        token("a payload of one character", sign(h, "e"), MALFORMED),
    ])
    .await;
    assert_eq!(URL_SAFE.encode("x"), "eA==");
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn large_tokens_are_judged_up_to_8_kib() {
    let w = Workshop::open().await;
    let sized = |claim: usize| w.draft().claim("x", json!("y".repeat(claim))).sign();
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    judge(&w.app, vec![
        token("seven thousand characters", sized(4_700), OK),
        token("nine thousand characters", sized(6_300), MALFORMED),
        token("sixty thousand characters", sized(45_000), MALFORMED),
        token("a thousand roles", w.draft().claim("roles", json!(vec!["r"; 1_000])).sign(), OK),
        token("a payload of brackets", w.draft().raw_payload(deep(2_500)).sign(), MALFORMED),
        token("a header of brackets", w.draft().raw_header(deep(2_500)).sign(), MALFORMED),
        token("a payload of braces", w.draft().raw_payload(r#"{"a":"#.repeat(900)).sign(), MALFORMED),
        token("roles of brackets", w.draft().payload_text(|p| p.replacen("\"roles\":[]", &format!("\"roles\":{}", deep(1_500)), 1)).sign(), MALFORMED),
    ])
    .await;
}

/// The standard alphabet is no fault where the text happens to need none of its characters.
fn header_code(encoded: &str, header: &str) -> &'static str {
    if STANDARD_NO_PAD.encode(header) == encoded {
        OK
    } else {
        MALFORMED
    }
}

fn broken_text(w: &Workshop) -> String {
    let claims = w.pair.claims().to_string();
    let mut bytes = claims.replace("\"name\":\"", "\"name\":\"?").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    w.draft().raw_payload(bytes).sign()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
