//! The picture of a report that README and docs show: `just picture` takes it.

use std::path::PathBuf;

use super::*;

/// The report to take a picture of, and the PNG to make.
const REPORT: &str = "ONESIDED_PICTURE_OF";
const PICTURE: &str = "ONESIDED_PICTURE";

#[test]
#[ignore = "makes a file, and checks nothing: `just picture`"]
fn picture_of_a_report() {
    let [report, picture] = [REPORT, PICTURE].map(|name| {
        let value = std::env::var(name).unwrap_or_else(|_| panic!("{name} names a file"));
        PathBuf::from(value)
    });
    let Some(browser) = Browser::start(1120, 2300) else {
        return;
    };
    browser.open(&report);
    // Somewhere in the middle of the collective run a fast rank waits.
    let [_, _, width, _] = browser.place("lanes-1");
    browser.hover("lanes-1", 0.55 * width, 12.0);
    browser.settle();
    // From the verdict to the digits claimed.
    let [_, top, _, height] = browser.rect("digits-axis");
    std::fs::write(picture, decoded(&browser.screenshot(top + height + 4.0))).expect("written");
}

/// RFC 4648.
fn decoded(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&digit| digit != b'=').collect();
    let mut bytes = Vec::new();
    for chunk in digits.chunks(4) {
        let word = chunk
            .iter()
            .fold(0u32, |word, &digit| word << 6 | u32::from(value(digit)));
        let word = word << (6 * (4 - chunk.len()));
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    bytes
}
