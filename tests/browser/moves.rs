//! Zoom, drag, keys and pointer, by the browser's own input events.

use onesided::internals::trace::{Kind, Record};
use serde_json::{Value, json};

use super::*;

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// The part of the axis that is shown.
fn shown(browser: &Browser) -> (f64, f64) {
    let view = browser.page("view()");
    (number(&view["x0"]), number(&view["x1"]))
}

/// Pixels of a canvas that are not the same as when it was kept as `window.kept`.
fn pixels_changed(browser: &Browser, canvas: &str) -> f64 {
    number(&browser.script(&format!(
        "const c = document.getElementById('{canvas}'), now = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
         const before = (window.kept = window.kept || {{}})['{canvas}'];
         window.kept['{canvas}'] = now;
         if (!before) return -1;
         let n = 0;
         for (let i = 0; i < now.length; i += 4) n += now[i] !== before[i] || now[i + 1] !== before[i + 1] || now[i + 2] !== before[i + 2] || now[i + 3] !== before[i + 3];
         return n"
    )))
}

const CANVASES: [&str; 4] = ["lanes-0", "lanes-1", "strip-1", "digits"];

fn expect_changed(browser: &Browser, canvases: &[&str]) {
    for canvas in canvases {
        assert!(
            pixels_changed(browser, canvas) > 0.0,
            "{canvas} is drawn as before"
        );
    }
}

#[test]
fn wheel_drag_and_keys_move_all_pictures_together() {
    let Some((browser, _folder, _)) = browse(4, 2) else {
        return;
    };
    for canvas in CANVASES {
        pixels_changed(&browser, canvas);
    }
    let all = shown(&browser);
    assert_eq!(all.0, 0.0);
    let width = browser.place("lanes-0")[2];
    let ns_of_pixel = |(from, to): (f64, f64)| (to - from) / width;

    // The wheel zooms, and what is under the pointer stays there.
    browser.wheel("lanes-0", 300.0, 20.0, -300);
    let zoomed = shown(&browser);
    let factor = (zoomed.1 - zoomed.0) / (all.1 - all.0);
    assert!(
        (factor - (-1f64).exp()).abs() < 0.01,
        "{zoomed:?} of {all:?}"
    );
    let under = |view: (f64, f64)| view.0 + 300.0 * ns_of_pixel(view);
    assert!(
        (under(zoomed) - under(all)).abs() < 2.0 * ns_of_pixel(all),
        "{zoomed:?} of {all:?}"
    );
    expect_changed(&browser, &CANVASES);

    // Over the other timeline it does the same.
    browser.wheel("lanes-1", 300.0, 20.0, -100);
    let closer = shown(&browser);
    assert!(
        closer.1 - closer.0 < 0.8 * (zoomed.1 - zoomed.0),
        "{closer:?}"
    );
    expect_changed(&browser, &CANVASES);

    // Dragging moves by as much as the mouse.
    browser.drag("lanes-1", 600.0, 20.0, -150.0);
    let dragged = shown(&browser);
    let moved = (dragged.0 - closer.0) / ns_of_pixel(closer);
    assert!((moved - 150.0).abs() < 1.5, "{moved} pixels");
    assert_eq!(
        browser.page("view().followed"),
        Value::Null,
        "a drag is no click"
    );
    expect_changed(&browser, &["lanes-0", "lanes-1"]);

    // Keys: WebDriver has codes for arrows and such.
    let (left, right, home, escape) = ("\u{e012}", "\u{e014}", "\u{e011}", "\u{e00c}");
    browser.script("document.getElementById('lanes-0').focus({preventScroll: true})");
    browser.keys(&[right]);
    let right_of = shown(&browser);
    assert!(((right_of.0 - dragged.0) / (dragged.1 - dragged.0) - 0.1).abs() < 1e-6);
    browser.keys(&[left]);
    assert!((shown(&browser).0 - dragged.0).abs() < 1.0);
    browser.keys(&["+"]);
    assert!(shown(&browser).1 - shown(&browser).0 < 0.7 * (dragged.1 - dragged.0));
    browser.keys(&["-", "-"]);
    assert!(shown(&browser).1 - shown(&browser).0 > 1.4 * (dragged.1 - dragged.0));
    browser.keys(&[home]);
    assert_eq!(shown(&browser), all);
    browser.keys(&["+", "0"]);
    assert_eq!(shown(&browser), all);
    let down = "\u{e015}";
    browser.keys(&[down, down]);
    assert_eq!(browser.page("view().followed"), json!(1));
    browser.keys(&[escape]);
    assert_eq!(browser.page("view().followed"), Value::Null);
    browser.expect_silence();
}

#[test]
fn hovering_shows_the_record_both_runs_and_who_waited() {
    let Some((browser, _folder, _)) = browse(4, 1) else {
        return;
    };
    // The first round, as it was made up: when rank 0 came, and who came last.
    let made_up = Synthetic::new(Version::Collective, 4, 1, 1).records;
    let origin_ns = made_up
        .iter()
        .map(|records| records[0].begin_ns)
        .min()
        .expect("ranks");
    let came_ns = |rank: usize| {
        let is_allreduce = |record: &&Record| record.kind == Kind::Allreduce;
        made_up[rank]
            .iter()
            .find(is_allreduce)
            .expect("a round")
            .begin_ns
            - origin_ns
    };
    let last = (0..4).max_by_key(|&rank| came_ns(rank)).expect("ranks");
    let time_ns = (came_ns(0) + came_ns(last)) / 2;
    let at = browser.page(&format!("place(1, 0, {time_ns})"));
    let (x, y) = (number(&at[0]), number(&at[1]));
    browser.hover("lanes-1", x, y);
    browser.settle();
    let tip = browser
        .script("const t = document.getElementById('tip'); return t.hidden ? null : t.textContent");
    let tip = tip.as_str().expect("a tip");
    assert!(tip.starts_with("rank 0, guess 1: allreduce of "), "{tip}");
    assert!(tip.contains(&format!("waiting for rank {last}")), "{tip}");
    assert_eq!(browser.page(&format!("at(1, {x}, {y}).text")), json!(tip));
    // All who wait, each for the last to come.
    let waits = browser.page("view().waits");
    let waits = waits.as_array().expect("waits");
    assert_eq!(waits.len(), 3, "{waits:?}");
    assert!(
        waits.iter().all(|wait| wait["whom"] == json!(last)),
        "{waits:?}"
    );
    let status = browser.script("return document.getElementById('status').textContent");
    let status = status.as_str().expect("text");
    let waiting = format!("collective: rank 0 waiting for rank {last}, 0 digits claimed");
    for part in ["one-sided: rank 0 ", &waiting] {
        assert!(status.contains(part), "{status}");
    }
    // The crosshair and the lines are drawn on top of both.
    let drawn = browser.script(
        "return [...document.querySelectorAll('[id^=lanes] + .overlay')].map((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 0).length)",
    );
    let (lines, height) = (
        drawn.as_array().expect("counts"),
        browser.place("lanes-0")[3],
    );
    assert!(
        lines.len() == 2 && lines.iter().all(|n| number(n) >= 0.9 * height),
        "{drawn}"
    );
    browser.hover("lanes-0", x, y);
    let tip = browser.script("return document.getElementById('tip').textContent");
    assert!(tip.as_str().expect("text").starts_with("rank 0, "), "{tip}");
    browser.expect_silence();
}

#[test]
fn a_click_follows_a_rank_in_both() {
    let Some((browser, _folder, report)) = browse(4, 1) else {
        return;
    };
    let at = browser.page("place(0, 2, 1000)");
    browser.click("lanes-0", 200.0, number(&at[1]));
    assert_eq!(browser.page("view().followed"), json!(2));
    let panel = browser.script("return document.getElementById('followed').innerText");
    let panel = panel.as_str().expect("text");
    assert!(panel.starts_with("rank 2"), "{panel}");
    for run in report.document["runs"].as_array().expect("runs") {
        let line = format!(
            "{} on node0: {} guesses",
            run["label"].as_str().expect("text"),
            run["per_rank"][2]["guesses"]
        );
        assert!(panel.contains(&line), "{panel} lacks {line}");
    }
    let outlined = browser.script(
        "return [...document.querySelectorAll('.overlay')].filter((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)).length",
    );
    assert!(number(&outlined) >= 2.0, "{outlined}");
    browser.click("lanes-0", 200.0, number(&at[1]));
    assert_eq!(browser.page("view().followed"), Value::Null);
}

#[test]
fn the_axis_can_be_guesses_or_digits() {
    let Some((browser, _folder, report)) = browse(3, 2) else {
        return;
    };
    for canvas in CANVASES {
        pixels_changed(&browser, canvas);
    }
    let press = |name: &str| {
        browser.script(&format!(
            "document.querySelector('[data-axis={name}]').id = 'button-{name}'"
        ));
        browser.click(&format!("button-{name}"), 10.0, 8.0);
        browser.settle();
        assert_eq!(browser.page("view().axis"), json!(name));
        browser.expect_silence();
    };
    press("guess");
    let guesses = report.document["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .flat_map(|run| {
            run["per_rank"]
                .as_array()
                .expect("ranks")
                .iter()
                .map(|rank| number(&rank["guesses"]))
        });
    assert_eq!(shown(&browser), (0.0, guesses.fold(0.0, f64::max)));
    expect_changed(&browser, &["lanes-0", "lanes-1"]);
    // Each rank has the second half of its third guess there; what is under it says so.
    for rank in 0..3 {
        let y = browser.page(&format!("place(1, {rank}, 0)[1]"));
        let width = browser.place("lanes-1")[2];
        let x = 2.5 / shown(&browser).1 * width;
        let text = browser.page(&format!("at(1, {x}, {y}).text"));
        assert!(
            text.as_str().is_some_and(|text| text.contains("guess 3:")),
            "{text}"
        );
    }
    press("digits");
    assert_eq!(
        shown(&browser),
        (0.0, 19.0),
        "18 digits, and what came after"
    );
    expect_changed(&browser, &["lanes-0", "lanes-1", "digits"]);
    press("time");
    assert!(shown(&browser).1 > 1e6);
}

#[test]
fn ranks_can_be_zoomed_too() {
    let Some((browser, _folder, _)) = browse(40, 1) else {
        return;
    };
    let ranks = || {
        let view = browser.page("view()");
        (
            view["r0"].as_u64().expect("a rank"),
            view["r1"].as_u64().expect("a rank"),
        )
    };
    assert_eq!(ranks(), (0, 40));
    for canvas in ["lanes-0", "lanes-1"] {
        pixels_changed(&browser, canvas);
    }
    browser.place("lanes-0");
    browser.script("document.getElementById('lanes-0').focus({preventScroll: true})");
    browser.keys(&["]", "]"]);
    let (from, to) = ranks();
    assert!(from > 0 && to < 40 && to - from == 18, "{from} to {to}");
    expect_changed(&browser, &["lanes-0", "lanes-1"]);
    let page_down = "\u{e00f}";
    browser.keys(&[page_down]);
    assert_eq!(ranks(), (22, 40));
    // What is under the pointer is of those ranks.
    let top = browser.page("at(1, 100, 3).rank");
    assert_eq!(top, json!(22));
    browser.keys(&["0"]);
    assert_eq!(ranks(), (0, 40));
}
