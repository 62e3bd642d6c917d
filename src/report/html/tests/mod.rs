//! What is written into a page is read back by a decoder that shares no code with the encoder.

mod decode;
mod model;
mod page;

use proptest::prelude::*;

use super::encode::encode;
use super::fit::fit;
use super::lanes::{Lane, Lanes, NOBODY, Step, Sum, What};
use crate::trace::{Kind, Outcome, Record, Version, run_of_ranks};
use decode::{Decoded, decode};
use model::{Rounds, collective, no_lanes, one_sided};

prop_compose! {
    fn any_rounds()(n_ranks in 1usize..6)(
        rounds in proptest::collection::vec(
            (proptest::collection::vec((0u64..1_000_000, 0u64..50_000), n_ranks), prop_oneof![3 => Just(0u64), 1 => 0u64..60_000]),
            1..30,
        ),
    ) -> Rounds {
        rounds
    }
}

/// Every boundary is off by at most half a quantum, and all else as it was.
fn agrees(lanes: &Lanes, decoded: &Decoded, quantum_ns: u64) {
    let half_ns = quantum_ns / 2;
    assert_eq!(decoded.lanes.len(), lanes.lanes.len());
    for (lane, read) in lanes.lanes.iter().zip(&decoded.lanes) {
        assert_eq!(lane.steps.len(), read.len());
        for (step, read) in lane.steps.iter().zip(read) {
            assert_eq!(read.what, step.what as u8);
            assert_eq!(read.claimed, step.claimed);
            let off_ns = |read: u64, ns: u64| (read * quantum_ns).abs_diff(ns);
            assert!(
                off_ns(read.begin, step.begin_ns) <= half_ns,
                "{step:?} {read:?}"
            );
            assert!(
                off_ns(read.end, step.end_ns) <= half_ns,
                "{step:?} {read:?}"
            );
            // Both ends of it are rounded.
            assert!(
                off_ns(read.wait, step.wait_ns) <= 2 * half_ns,
                "{step:?} {read:?}"
            );
            if step.wait_ns > quantum_ns {
                assert_eq!(read.whom, step.whom, "{step:?} {read:?}");
            }
            match step.what {
                What::Several => assert_eq!(read.counts, counts(&lane.sums[step.item as usize])),
                _ => assert_eq!(read.item, step.item),
            }
        }
        // Sums over a lane are off by half a quantum, however many parts they have.
        if lanes.cell_ns > 0 {
            let of_sums = |of: fn(&Sum) -> u64| {
                lane.steps
                    .iter()
                    .filter(|step| step.what == What::Several)
                    .map(|step| of(&lane.sums[step.item as usize]))
                    .sum::<u64>()
            };
            for (part, of) in [
                |sum: &Sum| sum.thinking_ns,
                |sum: &Sum| sum.operation_ns,
                |sum: &Sum| sum.other_ns,
            ]
            .into_iter()
            .enumerate()
            {
                let read_ns: u64 =
                    read.iter().map(|step| step.times[part]).sum::<u64>() * quantum_ns;
                assert!(read_ns.abs_diff(of_sums(of)) <= half_ns);
            }
        }
    }
}

fn counts(sum: &Sum) -> [u64; 5] {
    [
        sum.n_records,
        sum.n_thinks,
        sum.n_operations,
        sum.n_guesses,
        sum.n_claimed,
    ]
    .map(u64::from)
}

/// Time of a lane in each state, waiting first, and how many records, guesses and claimed digits.
fn totals(lane: &Lane) -> ([u64; 4], [u64; 3]) {
    let (mut times, mut numbers) = ([0; 4], [0; 3]);
    for step in &lane.steps {
        let sum = match step.what {
            What::Several => lane.sums[step.item as usize],
            _ => step.sum(),
        };
        let parts = [
            step.wait_ns,
            sum.thinking_ns,
            sum.operation_ns,
            sum.other_ns,
        ];
        times
            .iter_mut()
            .zip(parts)
            .for_each(|(time, ns)| *time += ns);
        let counted = [sum.n_records, sum.n_guesses, sum.n_claimed];
        numbers
            .iter_mut()
            .zip(counted)
            .for_each(|(number, n)| *number += u64::from(n));
    }
    (times, numbers)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_within_half_a_quantum(
        rounds in any_rounds(),
        quantum_ns in prop_oneof![Just(1u64), Just(10), Just(1000), Just(100_000)],
    ) {
        for lanes in [collective(rounds[0].0.len(), &rounds, usize::MAX), one_sided(rounds[0].0.len(), &rounds)] {
            let columns = encode(&lanes, quantum_ns, 1);
            agrees(&lanes, &decode(&columns.all().concat(), &columns.all().map(<[u8]>::len), false), quantum_ns);
        }
    }

    #[test]
    fn merging_loses_no_time_and_moves_none(rounds in any_rounds(), cells in 0u32..4) {
        for mut lanes in [collective(rounds[0].0.len(), &rounds, usize::MAX), one_sided(rounds[0].0.len(), &rounds)] {
            let before: Vec<_> = lanes.lanes.iter().map(totals).collect();
            let n_rounds: u32 = lanes.rounds.iter().map(|round| round.n).sum();
            for cell in 0..=cells {
                let cell_ns = 100_000 << (2 * cell);
                lanes.merge(cell_ns);
                let after: Vec<_> = lanes.lanes.iter().map(totals).collect();
                prop_assert_eq!(&after, &before);
                prop_assert_eq!(lanes.rounds.iter().map(|round| round.n).sum::<u32>(), n_rounds);
                for step in lanes.lanes.iter().flat_map(|lane| &lane.steps).filter(|step| step.what == What::Several) {
                    prop_assert_eq!(step.begin_ns / cell_ns, step.end_ns.saturating_sub(1).max(step.begin_ns) / cell_ns);
                    prop_assert!(step.wait_ns > 0 || step.whom == NOBODY);
                }
                let columns = encode(&lanes, 10, 1);
                agrees(&lanes, &decode(&columns.all().concat(), &columns.all().map(<[u8]>::len), true), 10);
            }
        }
    }

    /// With little room, records are merged as they come: memory is bounded, and nothing is lost.
    #[test]
    fn gathering_has_bounded_memory(rounds in any_rounds()) {
        let n_ranks = rounds[0].0.len();
        let all = collective(n_ranks, &rounds, usize::MAX);
        let few = collective(n_ranks, &rounds, 10 * n_ranks);
        prop_assert!(few.n_steps <= 10 * n_ranks + 1);
        prop_assert_eq!(few.n_records, all.n_records);
        prop_assert_eq!(&few.matrix, &all.matrix);
        let rounds_of = |lanes: &Lanes| lanes.rounds.iter().map(|round| round.n).sum::<u32>();
        prop_assert_eq!(rounds_of(&few), rounds_of(&all));
        for (few, all) in few.lanes.iter().zip(&all.lanes) {
            prop_assert_eq!(totals(few), totals(all));
        }
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn noisy(n_ranks: usize, n_rounds: usize, max_steps: usize) -> Lanes {
    let mut state = 1;
    let mut rank = || {
        (
            random(&mut state) % 1_000_000,
            20_000 + random(&mut state) % 5_000,
        )
    };
    let rounds: Rounds = (0..n_rounds)
        .map(|_| ((0..n_ranks).map(|_| rank()).collect(), 0))
        .collect();
    collective(n_ranks, &rounds, max_steps)
}

/// A twentieth of 4 million and of 40 million records, in a twentieth of the room that there is for them.
#[test]
fn a_budget_is_kept_whatever_comes() {
    let budget_bytes = super::MAX_BYTES / 20;
    for (n_rounds, all_there) in [(2_000, true), (20_000, false)] {
        let mut lanes = noisy(50, n_rounds, 300_000);
        let before: Vec<_> = lanes.lanes.iter().map(totals).collect();
        let payload = fit(&mut lanes, budget_bytes).expect("it fits");
        assert!(payload.text.len() <= budget_bytes, "{}", payload.text.len());
        // Not most of the room is left unused: pieces of time double.
        assert!(
            payload.text.len() > budget_bytes / 8,
            "{} of {budget_bytes}",
            payload.text.len()
        );
        assert_eq!(payload.cell_ns == 0, all_there);
        let coarsest_ns = (payload.cell_ns / 200).max(10_000);
        assert!(payload.quantum_ns <= coarsest_ns, "{}", payload.quantum_ns);
        let decoded = Decoded::of(&payload);
        agrees(&lanes, &decoded, payload.quantum_ns);
        let after: Vec<_> = lanes.lanes.iter().map(totals).collect();
        assert_eq!(before, after);
    }
}

#[test]
fn what_fits_is_there_to_the_nanosecond() {
    let mut lanes = noisy(4, 50, usize::MAX);
    let payload = fit(&mut lanes, 100_000).unwrap();
    assert_eq!((payload.quantum_ns, payload.cell_ns), (1, 0));
    agrees(&lanes, &Decoded::of(&payload), 1);
}

#[test]
fn what_never_fits_is_left_out() {
    let mut lanes = noisy(1000, 1, usize::MAX);
    assert!(fit(&mut lanes, 1000).is_none());
    assert!(
        fit(&mut no_lanes(Version::Rma, 1), 1000).is_some(),
        "no records at all"
    );
}

#[test]
fn a_round_has_its_last_arriver_and_waiting_its_cell() {
    let rounds = vec![
        (vec![(100, 10), (300, 20), (200, 30)], 0),
        (vec![(500, 10), (100, 20), (100, 30)], 0),
    ];
    let lanes = collective(3, &rounds, usize::MAX);
    let lasts: Vec<u32> = lanes.rounds.iter().map(|round| round.last).collect();
    assert_eq!(lasts, [1, 0]);
    let waited: Vec<u64> = lanes.rounds.iter().map(|round| round.wait_ns).collect();
    assert_eq!(lanes.matrix.iter().sum::<u64>(), waited.iter().sum::<u64>());
    // Rank 0 came at 100 + 1, rank 1 at 300 + 2.
    assert_eq!(lanes.matrix[1], 201);
    let Step { wait_ns, whom, .. } = lanes.lanes[0].steps[1];
    assert_eq!((wait_ns, whom), (201, 1));
}
