//! What is drawn, read back from pixels.

use onesided::internals::trace::{Kind, Outcome, Record};
use serde_json::{Value, json};

use super::*;

/// How many pixels of a colour each column of a canvas has.
fn pixels(browser: &Browser, canvas: &str, colour: [u8; 3]) -> Vec<u64> {
    let [r, g, b] = colour;
    let counts = browser.script(&format!(
        "const c = document.getElementById('{canvas}'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
         const n = new Array(c.width).fill(0);
         for (let i = 0; i < d.length; i += 4) if (d[i] === {r} && d[i + 1] === {g} && d[i + 2] === {b}) n[(i / 4) % c.width]++;
         return n"
    ));
    counts
        .as_array()
        .expect("counts")
        .iter()
        .map(|n| n.as_u64().expect("a number"))
        .collect()
}

const THINKING: [u8; 3] = [0x56, 0xb4, 0xe9];
const WAITING: [u8; 3] = [0xd5, 0x5e, 0x00];

/// A one-sided run of 40 ranks and a second, in which a single claim waits, for 3 us: a thirty-thousandth of
/// a pixel's time would be its share.
fn lone_stall() -> Synthetic {
    let mut run = Synthetic::new(Version::Rma, 40, 1, 1);
    let record = |kind, outcome, begin_ns, end_ns| Record {
        kind,
        outcome,
        game: 0,
        item: u32::from(kind == Kind::Claim),
        begin_ns,
        end_ns,
        word: 0,
    };
    let (think, claim) = (
        |begin_ns, end_ns| record(Kind::Think, Outcome::None, begin_ns, end_ns),
        |begin_ns, end_ns| record(Kind::Claim, Outcome::Lost, begin_ns, end_ns),
    );
    run.records.fill(vec![
        record(Kind::Start, Outcome::None, 0, 1000),
        think(1000, 1_000_000_000),
    ]);
    run.records[0] = vec![
        record(Kind::Start, Outcome::None, 0, 1000),
        think(600_000_000, 700_003_000),
        claim(700_003_000, 700_004_000),
    ];
    run.records[17].truncate(1);
    run.records[17].extend([
        think(1000, 700_000_000),
        claim(700_000_000, 700_005_000),
        think(700_005_000, 1_000_000_000),
    ]);
    run
}

#[test]
fn a_lone_short_stall_is_drawn() {
    let Some(browser) = Browser::start(1300, 1000) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    lone_stall().write(&folder.path().join("rma"));
    let report = report(folder.path(), &["rma"]);
    assert_eq!(
        report.document["runs"][0]["per_rank"][17]["wait_ns"],
        json!(3000)
    );
    browser.open(&report.page);
    // The matrix: rank 17 waited for the home rank, and else nobody for anybody.
    let matrix = browser.page("runs()[0].matrix");
    let cells = matrix.as_array().expect("cells").iter().enumerate();
    let waited: Vec<_> = cells.filter(|(_, ns)| **ns != json!(0)).collect();
    assert_eq!(waited, [(17 * 40, &json!(3000))]);
    let waiting = pixels(&browser, "lanes-0", WAITING);
    let columns: Vec<usize> = (0..waiting.len())
        .filter(|&column| waiting[column] > 0)
        .collect();
    let expected = (0.7 * waiting.len() as f64) as usize;
    assert_eq!(columns, [expected], "of {}", waiting.len());
    assert!(waiting[expected] >= 1);
    assert!(pixels(&browser, "lanes-0", THINKING).iter().all(|&n| n > 0));
}

#[test]
fn shares_are_seen() {
    let Some((browser, _folder, report)) = browse(4, 1) else {
        return;
    };
    // One-sided nobody waits; in lockstep all but the last do, most of the time.
    assert_eq!(pixels(&browser, "lanes-0", WAITING).iter().sum::<u64>(), 0);
    let (waiting, thinking) = (
        pixels(&browser, "lanes-1", WAITING).iter().sum::<u64>() as f64,
        pixels(&browser, "lanes-1", THINKING).iter().sum::<u64>() as f64,
    );
    let sum = |what: &str| {
        let ranks = report.document["runs"][1]["per_rank"]
            .as_array()
            .expect("ranks");
        ranks
            .iter()
            .map(|rank| rank[what].as_f64().expect("a time"))
            .sum::<f64>()
    };
    // But for a green mark of each claim.
    let (drawn, expected) = (waiting / thinking, sum("wait_ns") / sum("useful_ns"));
    assert!((drawn / expected - 1.0).abs() < 0.1, "{drawn} {expected}");
}

#[test]
fn the_ground_is_dark_for_who_asks_for_it_and_tables_open_on_paper() {
    let Some((browser, _folder, _)) = browse(4, 1) else {
        return;
    };
    let ground = || browser.script("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground(), json!("rgb(255, 255, 255)"));
    browser.emulate(
        json!({"media": "", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}),
    );
    assert_eq!(ground(), json!("rgb(22, 24, 27)"));
    browser.emulate(json!({"media": "print", "features": []}));
    assert_eq!(
        browser.script("return getComputedStyle(document.getElementById('controls')).display"),
        json!("none")
    );
    browser.script("dispatchEvent(new Event('beforeprint'))");
    let shut = "return document.querySelectorAll('details:not([open])').length";
    assert_eq!(browser.script(shut), json!(0));
    browser.script("dispatchEvent(new Event('afterprint'))");
    assert_ne!(browser.script(shut), json!(0));
    browser.expect_silence();
}

#[test]
fn who_cannot_see_the_pictures_is_told_what_they_are() {
    let Some((browser, _folder, _)) = browse(4, 1) else {
        return;
    };
    let pictures = browser.script(
        "return [...document.querySelectorAll('canvas:not([aria-hidden])')].map((c) => [c.getAttribute('role'), c.getAttribute('aria-label').length])",
    );
    for picture in pictures.as_array().expect("pictures") {
        assert_eq!(picture[0], json!("img"));
        assert!(picture[1].as_u64().is_some_and(|n| n > 10), "{picture}");
    }
    let reachable: Value = browser.script("return document.getElementById('lanes-0').tabIndex");
    assert_eq!(reachable, json!(0));
}
