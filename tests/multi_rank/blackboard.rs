//! What ranks know together: the best, whether to stop, a count; and tickets.

use std::num::NonZeroUsize;

use onesided::claim::{
    Best, Blackboard, MAX_VALUE, Objective, Options, Permutation, Schedule, Tickets,
};
use onesided::rma::Comm;

use crate::harness::{Body, gather_numbers};

pub const BODIES: &[Body] = &[
    Body {
        name: "blackboard::the_best_wins_whoever_offers_when",
        run: best,
    },
    Body {
        name: "blackboard::one_rank_is_the_first_to_stop_all",
        run: stop,
    },
    Body {
        name: "blackboard::tickets_are_drawn_once",
        run: tickets,
    },
];

fn best(comm: &Comm<'_>) {
    let (rank, n_ranks) = (i64::from(comm.rank()), i64::from(comm.size()));
    let n_offers = 300;
    for objective in [Objective::Minimum, Objective::Maximum] {
        for home in [0, comm.size() - 1] {
            let mut blackboard = Blackboard::open(comm, home, objective).unwrap();
            assert_eq!(blackboard.best().unwrap(), None);
            comm.barrier().unwrap();
            // All ranks offer the same values in different orders: the owner is the lowest rank that
            // did, where all ties were decided by one operation.
            for i in 0..n_offers {
                let value = (i * 37 + rank * 11) % n_offers - n_offers / 2;
                let seen = blackboard.offer(value).unwrap();
                let is_better = match objective {
                    Objective::Minimum => seen.value <= value,
                    Objective::Maximum => seen.value >= value,
                };
                assert!(is_better, "what is seen is no worse than what was offered");
                assert_eq!(Some(seen), blackboard.best_known());
            }
            let operations = blackboard.n_operations();
            let worse = match objective {
                Objective::Minimum => MAX_VALUE,
                Objective::Maximum => -MAX_VALUE,
            };
            blackboard.offer(worse).unwrap();
            assert_eq!(blackboard.n_operations(), operations, "better is known");
            comm.barrier().unwrap();
            let expected = Best {
                value: match objective {
                    Objective::Minimum => -(n_offers / 2),
                    Objective::Maximum => n_offers - 1 - n_offers / 2,
                },
                owner: 0,
            };
            let found = blackboard.best().unwrap().expect("values were offered");
            assert_eq!(found.value, expected.value);
            // A rank that knows of the same value by a higher rank offers it all the same.
            assert_eq!(found, expected);
            blackboard.add(1 + rank.unsigned_abs()).unwrap();
            comm.barrier().unwrap();
            let sum = (n_ranks * (n_ranks + 1) / 2).unsigned_abs();
            assert_eq!(blackboard.count().unwrap(), sum);
            blackboard.close().unwrap();
        }
    }
}

fn stop(comm: &Comm<'_>) {
    let mut blackboard = Blackboard::open(comm, 0, Objective::Maximum).unwrap();
    assert!(!blackboard.is_stopped().unwrap() && !blackboard.stop_known());
    comm.barrier().unwrap();
    let own = u64::from(comm.rank().unsigned_abs());
    let was_first = blackboard.stop().unwrap();
    assert!(blackboard.stop_known() && blackboard.is_stopped().unwrap());
    let first = gather_numbers(
        comm,
        if was_first {
            std::slice::from_ref(&own)
        } else {
            &[]
        },
    );
    if let Some(first) = first {
        assert_eq!(first.len(), 1);
    }
    comm.barrier().unwrap();
    blackboard.close().unwrap();
}

fn tickets(comm: &Comm<'_>) {
    for schedule in [
        Schedule::Fixed {
            items: NonZeroUsize::MIN,
        },
        Schedule::default(),
    ] {
        for n_items in [0, 1, 500] {
            let options = Options {
                schedule,
                ..Options::default()
            };
            let mut tickets = Tickets::open(comm, 0, n_items, &options).unwrap();
            let order = Permutation::new(3, n_items);
            for _ in 0..2 {
                let mut drawn = Vec::new();
                while let Some(items) = tickets.draw().unwrap() {
                    drawn.extend(items.map(|item| order.apply(item) as u64));
                }
                assert!(tickets.all_known_drawn());
                comm.barrier().unwrap();
                assert_eq!(tickets.n_handed_out().unwrap(), n_items);
                if let Some(mut all) = gather_numbers(comm, &drawn) {
                    all.sort_unstable();
                    assert_eq!(all, (0..n_items as u64).collect::<Vec<_>>());
                }
                comm.barrier().unwrap();
                tickets.forget();
                if comm.rank() == 0 {
                    tickets.clear().unwrap();
                }
                comm.barrier().unwrap();
            }
            tickets.close().unwrap();
        }
    }
}
