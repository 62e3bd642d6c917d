//! The page as text: what it is allowed, and that it stays within its budget.

use super::*;
use crate::analysis::analyse_watched;
use crate::report::html::{html, html_within};

/// A page on a run of some allreduces.
fn page(max_bytes: Option<usize>, n_rounds: usize) -> String {
    let run = run_of_ranks(Version::Collective, 3);
    let mut lanes = Lanes::new(&run);
    let records = |rank: u32| {
        let mut now_ns = 1_000;
        let mut state = u64::from(rank);
        let mut records = Vec::new();
        for _ in 0..n_rounds {
            let think_ns = random(&mut state) % 500_000;
            for (kind, outcome, ns) in [
                (Kind::Think, Outcome::None, think_ns),
                (
                    Kind::Allreduce,
                    Outcome::Lost,
                    500_000 - think_ns + 1000 + random(&mut state) % 999,
                ),
            ] {
                let (begin_ns, end_ns) = (now_ns, now_ns + ns);
                records.push(Record {
                    kind,
                    outcome,
                    game: 0,
                    item: 1,
                    begin_ns,
                    end_ns,
                    word: 0,
                });
                now_ns = end_ns;
            }
        }
        records.into_iter()
    };
    let findings = analyse_watched(&run, records, &mut lanes);
    let mut out = Vec::new();
    let written = match max_bytes {
        Some(max_bytes) => html_within(max_bytes, &[findings], vec![Some(lanes)], &mut out),
        None => html(&[findings], vec![Some(lanes)], &mut out),
    };
    written.expect("memory takes it");
    String::from_utf8(out).expect("text")
}

#[test]
fn nothing_is_loaded_and_the_policy_says_so() {
    let page = page(None, 10);
    assert!(
        page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"),
        "a policy"
    );
    for reference in [
        "src=",
        "href=",
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "eval(",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.contains("all records, times to 1 ns."));
}

#[test]
fn a_page_keeps_its_budget_and_says_what_it_cost() {
    let bare = page(Some(0), 20_000);
    assert!(bare.contains("There is no timeline of"), "no room at all");
    let n_bytes = bare.len() + 16_384 + 60_000;
    let page = page(Some(n_bytes), 20_000);
    assert!(page.len() <= n_bytes, "{} of {n_bytes}", page.len());
    assert!(page.contains("more records than fit"), "it says so");
}
