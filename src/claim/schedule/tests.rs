use super::*;
use proptest::prelude::*;

/// The literature's formulas, word for word and chunk by chunk, in numbers that cannot overflow.
fn naive(schedule: Schedule, n_items: usize, n_ranks: usize) -> Vec<Range<usize>> {
    let (n, p) = (n_items as u128, n_ranks as u128);
    let mut all = Vec::new();
    let mut given = 0u128;
    let mut batch = 0;
    while given < n {
        let rest = n - given;
        let size = match schedule {
            Schedule::Fixed { items } => items.get() as u128,
            Schedule::Guided { at_least } => rest.div_ceil(p).max(at_least.get() as u128),
            Schedule::Factoring { at_least } => {
                if all.len().is_multiple_of(n_ranks) {
                    batch = rest.div_ceil(2 * p).max(at_least.get() as u128);
                }
                batch
            }
        };
        let end = (given + size).min(n);
        all.push(given as usize..end as usize);
        given = end;
    }
    all
}

fn sizes(schedule: &str, n_items: usize, n_ranks: usize) -> Vec<usize> {
    let mut chunks = schedule
        .parse::<Schedule>()
        .unwrap()
        .chunks(n_items, n_ranks);
    (0..)
        .map_while(|step| chunks.at(step))
        .map(|chunk| chunk.len())
        .collect()
}

/// Any schedule that cuts `n_items` into some thousand chunks at most.
fn any_schedule(n_items: usize) -> impl Strategy<Value = Schedule> {
    let positive = |number: usize| NonZeroUsize::new(number).unwrap();
    let smallest = (n_items / 4000).max(1);
    prop_oneof![
        (smallest..=2 * n_items.max(smallest))
            .prop_map(move |n| Schedule::Fixed { items: positive(n) }),
        prop_oneof![Just(1), 1usize..50, 1..=n_items.max(1)].prop_map(move |n| Schedule::Guided {
            at_least: positive(n)
        }),
        prop_oneof![Just(1), 1usize..50, 1..=n_items.max(1)].prop_map(move |n| {
            Schedule::Factoring {
                at_least: positive(n),
            }
        }),
    ]
}

fn any_loop() -> impl Strategy<Value = (Schedule, usize, usize)> {
    (prop_oneof![0usize..200, 0usize..100_000], 1usize..300)
        .prop_flat_map(|(n_items, n_ranks)| (any_schedule(n_items), Just(n_items), Just(n_ranks)))
}

/// No more than so many chunks, where each has one item at least. Guided: the rest is multiplied by
/// (1 − 1/P) or less, so after P·ln(N/P) chunks it is P or less, and single items follow. Factoring: a
/// batch halves the rest, so after log2(N/P) batches it is P or less, and one batch follows.
fn most_chunks(schedule: Schedule, n_items: usize, n_ranks: usize) -> f64 {
    let p = n_ranks as f64;
    let halvings_e = (n_items as f64 / p).max(1.0);
    match schedule {
        Schedule::Fixed { items } => n_items.div_ceil(items.get()) as f64,
        Schedule::Guided { .. } => p * (halvings_e.ln() + 1.0) + 1.0,
        Schedule::Factoring { .. } => p * (halvings_e.log2().ceil() + 1.0),
    }
}

proptest! {
    #[test]
    fn chunks_are_those_of_the_formulas_one_behind_the_other((schedule, n_items, n_ranks) in any_loop()) {
        let expected = naive(schedule, n_items, n_ranks);
        let mut chunks = schedule.chunks(n_items, n_ranks);
        let mut next = 0;
        for (step, expected) in expected.iter().enumerate() {
            let chunk = chunks.at(step as u64).unwrap();
            prop_assert_eq!(&chunk, expected);
            prop_assert_eq!(chunk.start, next, "contiguous, and so disjoint");
            prop_assert!(!chunk.is_empty());
            next = chunk.end;
        }
        prop_assert_eq!(next, n_items, "all items");
        prop_assert_eq!(chunks.n_items(), n_items);
        for beyond in [0, 1, 1000, u64::MAX - expected.len() as u64] {
            prop_assert_eq!(chunks.at(expected.len() as u64 + beyond), None);
        }
        prop_assert!(expected.len() as f64 <= most_chunks(schedule, n_items, n_ranks));
    }

    #[test]
    fn steps_give_the_same_chunks_in_any_order_and_with_gaps(
        (schedule, n_items, n_ranks) in any_loop(),
        steps in proptest::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let expected = naive(schedule, n_items, n_ranks);
        let mut steps: Vec<usize> = steps.iter().map(|index| index.index(expected.len() + 3)).collect();
        let mut chunks = schedule.chunks(n_items, n_ranks);
        for round in 0..2 {
            for &step in &steps {
                prop_assert_eq!(chunks.at(step as u64), expected.get(step).cloned());
            }
            prop_assert!(round < 2);
            steps.sort_unstable(); // as one rank draws them
            chunks = schedule.chunks(n_items, n_ranks);
        }
    }

    /// The first chunks of loops of any size, up to the largest.
    #[test]
    fn no_number_of_items_or_ranks_overflows(
        n_items in prop_oneof![any::<usize>(), usize::MAX - 10..=usize::MAX],
        n_ranks in prop_oneof![1usize..=1 << 31, Just(1 << 31), Just(1)],
        at_least in prop_oneof![Just(usize::MAX), Just(1), any::<usize>().prop_map(|n| n.max(1))],
    ) {
        let at_least = NonZeroUsize::new(at_least).unwrap();
        let all = [Schedule::Fixed { items: at_least }, Schedule::Guided { at_least }, Schedule::Factoring { at_least }];
        for schedule in all {
            let mut chunks = schedule.chunks(n_items, n_ranks);
            let (mut given, mut batch) = (0u128, 0u128);
            for step in 0..100u64 {
                let rest = n_items as u128 - given;
                let p = n_ranks as u128;
                if step.is_multiple_of(n_ranks as u64) {
                    batch = rest.div_ceil(2 * p).max(at_least.get() as u128);
                }
                let size = match schedule {
                    Schedule::Fixed { items } => items.get() as u128,
                    Schedule::Guided { .. } => rest.div_ceil(p).max(at_least.get() as u128),
                    Schedule::Factoring { .. } => batch,
                };
                let end = (given + size).min(n_items as u128);
                let expected = (rest > 0).then_some(given as usize..end as usize);
                prop_assert_eq!(chunks.at(step), expected);
                given = end;
            }
        }
    }

    #[test]
    fn text_says_which_schedule((schedule, _, _) in any_loop()) {
        prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }
}

/// Far beyond what one could go through: the last chunks of 2^36 items and 10^5 ranks.
#[test]
fn the_end_of_a_large_loop_is_found() {
    const N_ITEMS: usize = 1 << 36;
    for text in [
        "fixed:1",
        "guided",
        "guided:1000",
        "factoring",
        "factoring:1000",
    ] {
        let mut chunks = text.parse::<Schedule>().unwrap().chunks(N_ITEMS, 100_000);
        // Binary search for the last step: each probe that goes back begins at the front again.
        let (mut there, mut beyond) = (0, N_ITEMS as u64);
        while beyond - there > 1 {
            let middle = there + (beyond - there) / 2;
            match chunks.at(middle) {
                Some(_) => there = middle,
                None => beyond = middle,
            }
        }
        assert_eq!(chunks.at(there).unwrap().end, N_ITEMS, "{text}");
        assert_eq!(
            chunks.at(there - 1).unwrap().end,
            chunks.at(there).unwrap().start,
            "{text}"
        );
    }
    let mut largest = "fixed:1".parse::<Schedule>().unwrap().chunks(usize::MAX, 1);
    assert_eq!(largest.at(u64::MAX - 1), Some(usize::MAX - 1..usize::MAX));
    assert_eq!(largest.at(u64::MAX), None);
}

/// Known from the literature: N = 100 on 5 processors in the paper on GSS; N = 100 on 4 in the paper on
/// factoring; N = 1000 on 4 with GSS(10) in the user's guide of Sun Studio's C compiler, §3.6.3.
#[test]
fn published_examples() {
    assert_eq!(
        sizes("guided", 100, 5),
        [20, 16, 13, 11, 8, 7, 5, 4, 4, 3, 2, 2, 1, 1, 1, 1, 1]
    );
    assert_eq!(
        sizes("factoring", 100, 4),
        [
            13, 13, 13, 13, 6, 6, 6, 6, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1
        ]
    );
    assert_eq!(
        sizes("guided:10", 1000, 4),
        [
            250, 188, 141, 106, 79, 59, 45, 33, 25, 19, 14, 11, 10, 10, 10
        ]
    );
    assert_eq!(sizes("fixed:3", 10, 7), [3, 3, 3, 1]);
}

#[test]
fn what_is_no_schedule_is_told_what_one_is() {
    assert_eq!("factoring".parse(), Ok(Schedule::default()));
    assert_eq!("factoring:1".parse(), Ok(Schedule::default()));
    let cases = [
        (
            "fixed",
            "fixed needs the number of items of a chunk: fixed:100",
        ),
        (
            "fixed:0",
            "'0' is no number of items: expected 1 or more, as in fixed:8",
        ),
        (
            "guided:",
            "'' is no number of items: expected 1 or more, as in guided:8",
        ),
        ("guided:-2", "'-2' is no number of items"),
        ("factoring:99999999999999999999999", "is no number of items"),
        (
            "dynamic",
            "'dynamic' is no schedule: expected fixed:ITEMS, guided,",
        ),
        ("", "'' is no schedule"),
    ];
    for (text, message) in cases {
        let error = text.parse::<Schedule>().unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
#[should_panic(expected = "at least one rank")]
fn a_loop_without_ranks_panics() {
    let _ = Schedule::default().chunks(10, 0);
}
