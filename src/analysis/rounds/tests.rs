//! Rounds that a hand computes, and properties of any.

use super::*;
use proptest::prelude::*;

fn arrival(rank: u32, think_ns: u64, enter_ns: u64, exit_ns: u64) -> Arrival {
    Arrival {
        rank,
        think_ns,
        enter_ns,
        exit_ns,
        error_ns: 0,
        clock: 0,
    }
}

fn total_wait_ns(rounds: &Rounds) -> u64 {
    rounds.waits.iter().map(|wait| wait.wait_ns).sum()
}

/// The same by another clock than the reference, and how wrong that may be.
fn by_clock(arrival: Arrival, clock: u32, error_ns: u64) -> Arrival {
    Arrival {
        error_ns,
        clock,
        ..arrival
    }
}

fn wait(wait_ns: u64, clock_free_ns: u64) -> RankWait {
    RankWait {
        wait_ns,
        error_ns: 0,
        clock_free_ns,
    }
}

fn blame(last_ns: u64, fair_ns: u64) -> Blame {
    Blame { last_ns, fair_ns }
}

/// Enter at 10, 20, 50; leave at 53, 52, 51. Waits 40, 30, 0. Gap 10..20: one waits for two, 5
/// each. Gap 20..50: two wait for one, 60.
#[test]
fn a_round_is_what_a_hand_computes() {
    let mut rounds = Rounds::new(3);
    let waited = rounds.add(&[
        arrival(0, 10, 10, 53),
        arrival(1, 20, 20, 52),
        arrival(2, 50, 50, 51),
    ]);
    assert_eq!(waited, [40, 30, 0]);
    assert_eq!(rounds.waits, [wait(40, 42), wait(30, 31), wait(0, 0)]);
    let expected = [blame(0, 0), blame(0, 5), blame(70, 65)];
    assert_eq!(rounds.blame, expected);
    assert_eq!((rounds.n_rounds, rounds.critical_think_ns), (1, 50));
    assert_eq!(rounds.waited_for, [0, 0, 40, 0, 0, 30, 0, 0, 0]);
}

#[test]
fn a_clock_that_says_the_impossible_is_counted_and_blame_still_adds_up() {
    // Rank 0 leaves at 30, before rank 2 enters at 50.
    let mut rounds = Rounds::new(3);
    let waited = rounds.add(&[
        arrival(0, 0, 10, 30),
        arrival(1, 0, 20, 52),
        arrival(2, 0, 50, 51),
    ]);
    assert_eq!(waited, [20, 30, 0]);
    assert_eq!(rounds.n_clock_violations, 1);
    // Gap 10..20: 10, shared by two. Gap 20..50: rank 0 waits 10, rank 1 waits 30.
    let expected = [blame(0, 0), blame(0, 5), blame(50, 45)];
    assert_eq!(rounds.blame, expected);

    // Clocks that are known to be off by 20 together say nothing impossible by 20, and by 21 they do.
    for (exit_ns, n_violations) in [(30, 0), (29, 1)] {
        let mut rounds = Rounds::new(2);
        let early = by_clock(arrival(0, 0, 10, exit_ns), 1, 5);
        rounds.add(&[early, by_clock(arrival(1, 0, 50, 51), 2, 15)]);
        assert_eq!(rounds.n_clock_violations, n_violations);
        assert_eq!(
            rounds.waits[0].wait_ns,
            exit_ns - 10,
            "the wait ends with the stay"
        );
    }
}

#[test]
fn what_cannot_be_shared_in_whole_nanoseconds_is_the_last_arrivers() {
    let mut rounds = Rounds::new(3);
    rounds.add(&[
        arrival(0, 0, 0, 9),
        arrival(1, 0, 7, 9),
        arrival(2, 0, 7, 9),
    ]);
    assert_eq!(rounds.blame[1].fair_ns + rounds.blame[2].fair_ns, 7);
    assert_eq!(rounds.blame[2], blame(7, 4), "equal times: the higher rank");
}

/// Two ranks of one host, and one of another whose clock is known to ±8.
#[test]
fn times_of_one_clock_are_compared_without_error() {
    let of_b = |arrival| by_clock(arrival, 1, 8);
    // The last two are of host b: they differ by no error, and from rank 0 by 8.
    let mut rounds = Rounds::new(3);
    let arrivals = [
        arrival(0, 0, 10, 53),
        of_b(arrival(1, 0, 46, 52)),
        of_b(arrival(2, 0, 50, 51)),
    ];
    assert_eq!(rounds.last_to_come(&arrivals).map(|a| a.rank), Some(2));
    rounds.add(&arrivals);
    let errors: Vec<_> = rounds.waits.iter().map(|wait| wait.error_ns).collect();
    // Rank 0 left at 53: it cannot have waited for longer than 43.
    assert_eq!(errors, [8, 0, 0]);
    assert_eq!(
        (rounds.blame[2].last_ns, rounds.unattributed_ns),
        (40 + 4, 0)
    );
}

#[test]
fn who_came_last_is_not_said_where_the_clocks_do_not_tell() {
    for (enter_ns, is_known) in [(42, false), (58, false), (41, true), (59, true)] {
        let mut rounds = Rounds::new(3);
        let arrivals = [
            arrival(0, 0, 10, 70),
            arrival(1, 0, 50, 70),
            by_clock(arrival(2, 0, enter_ns, 70), 1, 8),
        ];
        rounds.add(&arrivals);
        assert_eq!(rounds.last_to_come(&arrivals).is_some(), is_known);
        let last_ns: u64 = rounds.blame.iter().map(|blame| blame.last_ns).sum();
        let matrix_ns: u64 = rounds.waited_for.iter().sum();
        assert_eq!((last_ns > 0, matrix_ns > 0), (is_known, is_known));
        assert_eq!(last_ns + rounds.unattributed_ns, total_wait_ns(&rounds));
    }
}

#[test]
fn who_came_last_is_not_said_where_an_arrival_is_missing() {
    let mut rounds = Rounds::new(3);
    let arrivals = [arrival(0, 0, 10, 70), arrival(1, 0, 50, 70)];
    rounds.add(&arrivals);
    assert_eq!(rounds.last_to_come(&arrivals), None);
    assert_eq!(rounds.unattributed_ns, total_wait_ns(&rounds));
}

#[test]
fn one_rank_waits_for_nobody() {
    let mut rounds = Rounds::new(1);
    assert_eq!(rounds.add(&[arrival(0, 5, 5, 9)]), [0]);
    assert_eq!(rounds.blame, [Blame::default()]);
}

prop_compose! {
    /// A round of several ranks: entering times, and how long each takes after the last arrival.
    fn round(n: usize)(
        enter in proptest::collection::vec(0u64..1_000_000, n),
        after in proptest::collection::vec(0u64..1000, n),
        think in proptest::collection::vec(0u64..1000, n),
    ) -> Vec<Arrival> {
        let last = enter.iter().copied().max().unwrap_or(0);
        (0..n).map(|i| arrival(i as u32, think[i], enter[i], last + after[i])).collect()
    }
}

proptest! {
    #[test]
    fn both_blames_sum_to_all_waiting_exactly(
        rounds_seen in (1usize..9).prop_flat_map(|n| proptest::collection::vec(round(n), 1..20)),
        early in any::<u64>(),
    ) {
        let n = rounds_seen[0].len();
        let mut rounds = Rounds::new(n);
        for (k, mut round) in rounds_seen.into_iter().enumerate() {
            if early >> (k % 64) & 1 == 1 {
                round[k % n].exit_ns = round[k % n].enter_ns + 7; // a clock violation
            }
            rounds.add(&round);
        }
        let sum = |of: fn(&Blame) -> u64| rounds.blame.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|b| b.last_ns), total_wait_ns(&rounds));
        prop_assert_eq!(sum(|b| b.fair_ns), total_wait_ns(&rounds));
        prop_assert_eq!(rounds.waited_for.iter().sum::<u64>(), total_wait_ns(&rounds));
    }

    /// Clocks of several hosts, each off by no more than it may be: every wait is right within its error, and
    /// whoever is said to have come last has.
    #[test]
    fn waits_are_right_within_their_errors(
        right in round(6),
        clocks in proptest::collection::vec(0u32..4, 6),
        off in proptest::collection::vec((0u64..100_000, -1.0..=1.0), 4),
    ) {
        const LATER_NS: u64 = 1_000_000; // so that no time is negative
        let read = |a: &Arrival, clock: u32| {
            let (error_ns, part) = if clock == 0 { (0, 0.0) } else { off[clock as usize] };
            let by = (error_ns as f64 * part) as i64;
            let (enter_ns, exit_ns) = (a.enter_ns + LATER_NS, a.exit_ns + LATER_NS);
            let (enter_ns, exit_ns) =
                (enter_ns.strict_add_signed(by), exit_ns.strict_add_signed(by));
            Arrival { enter_ns, exit_ns, error_ns, clock, ..*a }
        };
        let seen: Vec<_> = right.iter().zip(&clocks).map(|(a, &clock)| read(a, clock)).collect();
        let (mut truth, mut rounds) = (Rounds::new(6), Rounds::new(6));
        truth.add(&right);
        rounds.add(&seen);
        for (wait, true_wait) in rounds.waits.iter().zip(&truth.waits) {
            prop_assert!(
                wait.wait_ns.abs_diff(true_wait.wait_ns) <= wait.error_ns,
                "{wait:?}, and it was {true_wait:?}"
            );
        }
        if let Some(last) = rounds.last_to_come(&seen) {
            let latest = right.iter().map(|a| a.enter_ns).max();
            prop_assert_eq!(Some(right[last.rank as usize].enter_ns), latest);
        }
        let last_ns: u64 = rounds.blame.iter().map(|blame| blame.last_ns).sum();
        prop_assert_eq!(last_ns + rounds.unattributed_ns, total_wait_ns(&rounds));
        prop_assert_eq!(rounds.n_clock_violations, 0);
    }

    /// With clocks that agree, both estimates differ by no more than the allreduce itself takes.
    #[test]
    fn the_clock_free_estimate_is_right_within_its_bound(round in round(5)) {
        let last = round.iter().map(|a| a.enter_ns).max().unwrap();
        let bound = round.iter().map(|a| a.exit_ns - last).max().unwrap();
        let mut rounds = Rounds::new(5);
        rounds.add(&round);
        for wait in &rounds.waits {
            prop_assert!(wait.wait_ns.abs_diff(wait.clock_free_ns) <= bound);
        }
    }

    /// A clock that is off by a constant changes the synchronised estimate and not the other.
    #[test]
    fn the_clock_free_estimate_needs_no_clock(round in round(4), shift in 0u64..1000) {
        let (mut right, mut wrong) = (Rounds::new(4), Rounds::new(4));
        right.add(&round);
        let mut shifted = round;
        (shifted[1].enter_ns, shifted[1].exit_ns) =
            (shifted[1].enter_ns + shift, shifted[1].exit_ns + shift);
        wrong.add(&shifted);
        for (a, b) in right.waits.iter().zip(&wrong.waits) {
            prop_assert_eq!(a.clock_free_ns, b.clock_free_ns);
        }
    }

    /// The oracle of `fair`: nanosecond by nanosecond.
    #[test]
    fn fair_blame_is_what_counting_each_nanosecond_gives(
        enter in proptest::collection::vec(0u64..60, 2..6),
    ) {
        let n = enter.len();
        let last = *enter.iter().max().unwrap();
        let round: Vec<Arrival> =
            (0..n).map(|i| arrival(i as u32, 0, enter[i], last)).collect();
        let mut rounds = Rounds::new(n);
        rounds.add(&round);
        let mut exact = vec![0.0; n];
        for t in 0..last {
            let absent: Vec<usize> = (0..n).filter(|&i| enter[i] > t).collect();
            for &i in &absent {
                exact[i] += (n - absent.len()) as f64 / absent.len() as f64;
            }
        }
        for (blame, exact) in rounds.blame.iter().zip(exact) {
            prop_assert!((blame.fair_ns as f64 - exact).abs() <= n as f64);
        }
    }
}
