//! Mutations of bytes, whatever they mean.

use crate::Dice;

/// Pieces that parsers trip over.
const PIECES: [&[u8]; 40] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b".",
    b"..",
    b"=",
    b"==",
    b"-",
    b"_",
    b"+",
    b"/",
    b" ",
    b"\t",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"\\ud800",
    b"\\u0061",
    b"null",
    b"true",
    b"1e999",
    b"-1",
    b"9223372036854775807",
    b"18446744073709551616",
    b"0.5",
    b"#",
    b"sid:",
    b"Bearer ",
    b"bearer",
    b"\xe2\x80\x8b",
];

/// Changes bytes in up to four ways; `others` lends pieces.
pub(crate) fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        once(bytes, others, dice);
    }
}

fn once(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.place(bytes);
    let end = (at + 1 + dice.below(8)).min(bytes.len());
    match dice.below(9) {
        0 => {
            let bit = 1 << dice.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = dice.bits().to_le_bytes()[0];
            }
        }
        2 => drop(bytes.splice(at..at, dice.pick(&PIECES).iter().copied())),
        3 => drop(bytes.drain(at.min(end)..end)),
        4 => {
            let copy = bytes.get(at..end).unwrap_or_default().to_vec();
            let to = dice.place(bytes);
            bytes.splice(to..to, copy);
        }
        5 => bytes.truncate(at),
        6 => {
            let Some(other) = (!others.is_empty()).then(|| dice.pick(others)) else {
                return;
            };
            let from = dice.place(other);
            bytes.truncate(at);
            bytes.extend(other.iter().skip(from));
        }
        7 => {
            let to = dice.place(bytes);
            if at < bytes.len() && to < bytes.len() {
                bytes.swap(at, to);
            }
        }
        _ => {
            // Long runs: limits of length and depth.
            let piece = *dice.pick(&PIECES);
            let times = 1 << dice.below(13);
            bytes.splice(at..at, piece.repeat(times).into_iter().take(20_000));
        }
    }
}
