//! A home rank that thinks long, on another host than those that wait for it.

use std::time::Duration;

use crate::Test;
use crate::games::record;
use crate::hosts::Hosts;
use crate::launchers::Within;
use crate::support::{is_campaign, scratch};

pub const TESTS: &[Test] = &[
    ("home_away::claims_wait_where_nothing_is_done", claims_wait),
    ("home_away::claims_move_where_a_way_was_found", claims_move),
];

/// Think time of the home rank.
const AWAY: Duration = Duration::from_millis(400);

/// Guesses of another rank for one of the home rank's where claims move: half of the ten or so that it takes to
/// find nine digits; where they wait, it is one or two.
const MOVES: f64 = 4.0;

/// Plays with a home rank that thinks long. Guesses of each of the others for one of the home rank's, and the
/// longest claim.
fn play(progress: &str) -> (f64, Duration) {
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
    let guesses: Vec<u64> = run.per_rank.iter().map(|rank| rank.guesses).collect();
    println!(
        "--progress {progress}: guesses {guesses:?}, longest claim {longest_ns} ns, {}",
        summary["progress"]
    );
    let of_others = guesses[1].min(guesses[2]) as f64 / guesses[0] as f64;
    (of_others, Duration::from_nanos(longest_ns))
}

/// Each claim waits until the home rank has thought, so all guess about as often.
fn claims_wait() {
    let (guesses, longest) = play("none");
    assert!(longest > AWAY / 2, "{longest:?}");
    assert!(guesses < MOVES, "{guesses}");
}

/// The others find nearly all digits while the home rank thinks of its first.
fn claims_move() {
    let (guesses, longest) = play("auto");
    assert!(guesses >= MOVES, "{guesses}");
    assert!(!is_campaign() || longest < AWAY / 2, "{longest:?}");
}
