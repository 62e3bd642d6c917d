//! Runs in which operations wait for their target, and runs in which they only seem to.

use proptest::prelude::*;

use super::super::tests::{Script, analyse_records};
use crate::analysis::Findings;
use crate::analysis::findings::Stalls;
use crate::trace::{Clock, Offset, Outcome, Record, RunInfo, Version, run_of_ranks};

/// Rank 0, the target, thinks 100 and is in MPI for 4, again and again.
const CYCLE: u64 = 104;

/// `n` cycles of rank 0, and operations of rank 1: when each begins and ends.
fn run_of(n: u64, operations: impl IntoIterator<Item = (u64, u64)>) -> (RunInfo, Vec<Vec<Record>>) {
    let mut target = Script::starting_at(1000);
    for cycle in 0..n {
        let from = 1000 + cycle * CYCLE;
        target
            .think(from + 100)
            .claim(Outcome::Looked, 0, 0, from + CYCLE);
    }
    let mut other = Script::starting_at(1000);
    for (begin, end) in operations {
        other
            .think(1000 + begin)
            .claim(Outcome::Looked, 0, 0, 1000 + end);
    }
    let mut run = run_of_ranks(Version::Rma, 2);
    run.claim_with = Some("fetch-and-op".into());
    (run, vec![target.finish(), other.finish()])
}

fn stalls(findings: &Findings) -> Stalls {
    findings.stalls.expect("few targets")
}

/// In every cycle an operation begins 40 after rank 0 has left, and ends 2 after it is back.
fn waiting(cycles: u64) -> (RunInfo, Vec<Vec<Record>>) {
    let operation = |cycle| (cycle * CYCLE + 40, cycle * CYCLE + 102);
    run_of(cycles, (0..cycles).map(operation))
}

#[test]
fn operations_that_end_when_their_target_is_back_waited_for_it() {
    let (run, records) = waiting(10);
    let findings = analyse_records(&run, &records);
    let Stalls {
        n_home_away,
        n_stalled,
        stall_ns,
        max_ns,
        error_ns,
        ..
    } = stalls(&findings);
    assert_eq!((n_home_away, n_stalled), (10, 10));
    assert_eq!((stall_ns, max_ns, error_ns), (600, 60, 0));
    let rank = &findings.per_rank[1];
    assert_eq!((rank.wait_ns, rank.operation_ns), (Some(600), Some(20)));
}

/// Claims are distributed, and rank 1 itself holds the slot of digit 2; the ledger lies on rank 0.
#[test]
fn announcements_wait_for_the_rank_where_the_ledger_lies() {
    let (mut run, records) = waiting(10);
    (run.spread, run.claim_with) = (true, Some("compare-and-swap".into()));
    let of_operations = |record: &&mut Record| record.outcome == Outcome::Looked;
    for (outcome, n_stalled) in [(Outcome::Announced, 10), (Outcome::Lost, 0)] {
        let mut records = records.clone();
        for record in records[1].iter_mut().filter(of_operations) {
            (record.outcome, record.item) = (outcome, 2);
        }
        let findings = analyse_records(&run, &records);
        let stalls = stalls(&findings);
        assert_eq!(
            (stalls.n_home_away, stalls.n_stalled),
            (n_stalled, n_stalled),
            "{outcome:?}"
        );
        assert_eq!(findings.per_rank[1].wait_ns, Some(60 * n_stalled));
    }
}

/// One alone is enough where nothing else is known.
#[test]
fn a_single_operation_may_have_waited() {
    let (run, records) = waiting(1);
    assert_eq!(stalls(&analyse_records(&run, &records)).n_stalled, 1);
}

/// As on MPICH 4.0.2, where an operation takes two visits of the target to MPI.
#[test]
fn operations_that_outlast_two_absences_waited_for_both() {
    let operation = |k: u64| (2 * k * CYCLE + 40, 2 * k * CYCLE + CYCLE + 102);
    let (run, records) = run_of(10, (0..5).map(operation));
    let stalls = stalls(&analyse_records(&run, &records));
    assert_eq!((stalls.n_stalled, stalls.stall_ns), (5, 5 * 160));
}

/// They need no target: whatever they meet is chance.
#[test]
fn cpu_atomics_never_wait() {
    let (mut run, records) = waiting(10);
    run.claim_with = Some("shared-memory".into());
    let findings = analyse_records(&run, &records);
    let stalls = stalls(&findings);
    assert_eq!((stalls.n_home_away, stalls.n_stalled), (10, 0));
    assert_eq!(findings.per_rank[1].wait_ns, Some(0));
}

/// Each takes as long as any: those that straddle the target's return do so by chance.
#[test]
fn operations_that_straddle_a_return_and_take_as_long_as_others_do_not_wait() {
    let operation = |k: u64| (k * 17, k * 17 + 8);
    let (run, records) = run_of(20, (0..120).map(operation));
    let stalls = stalls(&analyse_records(&run, &records));
    assert!(stalls.n_home_away > 100, "{stalls:?}");
    assert_eq!(stalls.n_stalled, 0, "{stalls:?}");
}

/// One in fifty has to wait for a core while the target is away; the others get through.
#[test]
fn a_few_long_ones_among_many_that_get_through_do_not_wait() {
    let operation = |cycle: u64| match cycle % 50 {
        7 => (cycle * CYCLE + 40, cycle * CYCLE + 102),
        _ => (cycle * CYCLE + 40, cycle * CYCLE + 43),
    };
    let (run, records) = run_of(200, (0..200).map(operation));
    let stalls = stalls(&analyse_records(&run, &records));
    assert_eq!((stalls.n_home_away, stalls.n_stalled), (200, 0));
}

/// Had one in five to wait, that would be no chance.
#[test]
fn more_than_chance_are_told_among_those_that_get_through() {
    let operation = |cycle: u64| match cycle % 5 {
        3 => (cycle * CYCLE + 40, cycle * CYCLE + 102),
        _ => (cycle * CYCLE + 40, cycle * CYCLE + 43),
    };
    let (run, records) = run_of(200, (0..200).map(operation));
    let stalls = stalls(&analyse_records(&run, &records));
    assert_eq!((stalls.n_home_away, stalls.n_stalled), (200, 40));
}

/// Rank 1 on another clock, 500 ahead and known to ±4 (and what it drifts meanwhile).
#[test]
fn stalls_across_two_clocks_carry_their_error() {
    let (mut run, mut records) = waiting(10);
    let offset = |at_ns| {
        Some(Offset {
            at_ns,
            offset_ns: 500,
            error_ns: 4,
        })
    };
    run.clocks.clocks.push(Clock {
        host: "b".into(),
        before: offset(900),
        after: offset(3000),
    });
    run.clocks.of_rank[1] = 1;
    for record in &mut records[1] {
        (record.begin_ns, record.end_ns) = (record.begin_ns + 500, record.end_ns + 500);
    }
    let findings = analyse_records(&run, &records);
    let stalls = stalls(&findings);
    assert_eq!(
        (stalls.stall_ns, stalls.error_ns),
        (600, 10 * 5),
        "the target's clock is the reference"
    );
    let errors: Vec<_> = findings
        .per_rank
        .iter()
        .map(|rank| rank.wait_error_ns)
        .collect();
    assert_eq!(errors, [Some(0), Some(50)]);

    // Both on that clock: what is compared has no error.
    run.clocks.of_rank[0] = 1;
    for record in &mut records[0] {
        (record.begin_ns, record.end_ns) = (record.begin_ns + 500, record.end_ns + 500);
    }
    let stalls = super::super::analyse(&run, |rank| records[rank as usize].clone().into_iter())
        .stalls
        .expect("few targets");
    assert_eq!((stalls.stall_ns, stalls.error_ns), (600, 0));
}

proptest! {
    /// Whatever the operations are: none waits for longer than the target was outside MPI during it, nor
    /// does one that ended before the target was back.
    #[test]
    fn nothing_waits_for_longer_than_it_can_have(
        gaps in proptest::collection::vec((0u64..200, 1u64..400), 1..60),
    ) {
        let mut now = 0;
        let operations: Vec<_> = gaps
            .iter()
            .map(|&(gap, took)| {
                let begin = now + gap;
                now = begin + took;
                (begin, now)
            })
            .collect();
        let cycles = now / CYCLE + 1;
        let (run, records) = run_of(cycles, operations.iter().copied());
        let findings = analyse_records(&run, &records);
        let stalls = stalls(&findings);
        // The oracle goes nanosecond by nanosecond.
        let away = |at: u64| at % CYCLE < 100;
        let could_wait = |&(begin, end): &(u64, u64)| {
            let back = (begin..=end).rev().find(|&at| at % CYCLE == 100);
            back.map_or(0, |back| (begin..back).filter(|&at| away(at)).count() as u64)
        };
        let most_ns = operations.iter().map(could_wait).sum::<u64>();
        prop_assert!(stalls.stall_ns <= most_ns, "{stalls:?}, and {most_ns} at most");
        prop_assert!(stalls.n_stalled <= stalls.n_home_away);
        prop_assert_eq!(findings.per_rank[1].wait_ns, Some(stalls.stall_ns));
    }
}
