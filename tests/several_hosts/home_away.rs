//! A home rank that thinks long, on another host than those that wait for it.

use std::time::Duration;

use crate::Test;
use crate::games::record;
use crate::hosts::Hosts;
use crate::launchers::Within;
use crate::support::scratch;

pub const TESTS: &[Test] = &[
    ("home_away::claims_wait_where_nothing_is_done", claims_wait),
    ("home_away::claims_move_where_a_way_was_found", claims_move),
];

/// Think time of the home rank.
const AWAY: Duration = Duration::from_millis(400);

/// Plays with a home rank that thinks long; the longest claim of the others.
fn longest_claim(progress: &str) -> Duration {
    let hosts = Hosts::up(3);
    let folder = scratch();
    let args = format!(
        "rma --claim-with compare-and-swap --progress {progress} --think 1ms --straggler 0={}ms --games 2 --seed 9",
        AWAY.as_millis()
    );
    let folder = folder.path().join("run");
    let (summary, run) = record(&hosts, 1, Within::SharedMemory, &args, &folder);
    let context = format!("{summary:#} {run:#?}");
    let scores = (&summary["points_total"], &summary["double_scores"]);
    assert_eq!(scores, (&18.into(), &0.into()), "{context}");
    let violations = run.order.as_ref().map(|order| order.n_violations);
    assert_eq!(violations, Some(0), "{context}");
    let longest_ns = run.latency.expect("claims were recorded").max_ns;
    println!(
        "--progress {progress}: longest claim {longest_ns} ns, {}",
        summary["progress"]
    );
    Duration::from_nanos(longest_ns)
}

fn claims_wait() {
    let longest = longest_claim("none");
    assert!(longest > AWAY / 2, "{longest:?}");
}

fn claims_move() {
    let longest = longest_claim("auto");
    assert!(longest < AWAY / 2, "{longest:?}");
}
