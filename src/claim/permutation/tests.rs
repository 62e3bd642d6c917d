use std::collections::HashMap;

use super::*;
use proptest::prelude::*;

fn is_bijection(order: &Permutation) -> bool {
    let n = order.n_items();
    let mut met = vec![false; n];
    for i in 0..n {
        let item = order.apply(i);
        if order.invert(item) != i || std::mem::replace(&mut met[item], true) {
            return false;
        }
    }
    true // n items, each met once
}

/// Pearson's statistic of `counts` against equal frequencies, as standard deviations from its mean.
/// Beyond 6, the frequencies are not equal: with keys that are fixed, the tests below either always pass
/// or never.
fn deviations(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    assert!(expected >= 50.0, "too few for the statistic: {expected}");
    let squares = counts
        .iter()
        .map(|&count| (count as f64 - expected).powi(2));
    let degrees = counts.len() as f64 - 1.0;
    (squares.sum::<f64>() / expected - degrees) / (2.0 * degrees).sqrt()
}

#[test]
fn up_to_2000_items_each_comes_once() {
    for n in 0..=2000 {
        let order = Permutation::new(n as u64 ^ 0x5eed, n);
        assert!(is_bijection(&order), "{n} items");
    }
}

/// Written down once: an order belongs to its key for ever.
#[test]
fn an_order_is_the_same_on_every_machine_and_in_every_version() {
    let orders: [(u64, usize, &[usize]); 2] = [
        (1, 5, &[4, 1, 3, 0, 2]),
        (17, 13, &[9, 4, 3, 8, 10, 1, 5, 2, 11, 7, 0, 12, 6]),
    ];
    for (key, n, expected) in orders {
        let order = Permutation::new(key, n);
        assert_eq!((0..n).map(|i| order.apply(i)).collect::<Vec<_>>(), expected);
    }
    let places: [(u64, usize, [usize; 3]); 4] = [
        (1, 1023, [134, 95, 113]),
        (2, 1024, [334, 776, 44]),
        (
            u64::MAX,
            1 << 36,
            [19_434_356_335, 7_879_603_876, 46_539_774_187],
        ),
        (
            3,
            1 << 63,
            [
                4_246_342_987_863_655_843,
                5_134_238_311_127_254_883,
                6_700_582_873_083_962_229,
            ],
        ),
    ];
    for (key, n, expected) in places {
        let order = Permutation::new(key, n);
        assert_eq!(
            [0, 1, n - 1].map(|i| order.apply(i)),
            expected,
            "key {key}, {n} items"
        );
    }
}

#[test]
fn the_domain_is_hardly_larger_than_what_is_asked_for() {
    for n in (3..5000).chain([1 << 36, (1 << 36) + 1, 1 << 63, usize::MAX]) {
        let Permutation { a, b, .. } = Permutation::new(0, n);
        let (n, pairs) = (n as u128, u128::from(a) * u128::from(b));
        assert!(n <= pairs && 3 * pairs <= 4 * n, "{n}: {a} · {b}");
        assert!(a <= 1 << 32 && b <= a);
    }
}

proptest! {
    #[test]
    fn inverse_undoes_it(
        key in any::<u64>(),
        n in prop_oneof![1usize..10_000, any::<usize>().prop_map(|n| n.max(1)), usize::MAX - 5..=usize::MAX],
        places in proptest::collection::vec(any::<prop::sample::Index>(), 1..50),
    ) {
        let order = Permutation::new(key, n);
        for place in places {
            let i = place.index(n);
            prop_assert!(order.apply(i) < n);
            prop_assert_eq!(order.invert(order.apply(i)), i);
            prop_assert_eq!(order.apply(order.invert(i)), i);
        }
    }
}

/// Over many keys in a row, each item comes at each place, and each pair of items at each pair of places,
/// equally often.
#[test]
fn few_items_come_at_all_places_equally_often() {
    for n in (2..=12).chain([16, 25]) {
        let n_keys = 60 * (n * n).max(500) as u64;
        let mut at = vec![vec![0u64; n]; n];
        let mut pairs = HashMap::new();
        for key in 0..n_keys {
            let order = Permutation::new(key, n);
            for (i, counts) in at.iter_mut().enumerate() {
                counts[order.apply(i)] += 1;
            }
            *pairs
                .entry((order.apply(0), order.apply(1)))
                .or_insert(0u64) += 1;
        }
        for (i, counts) in at.iter().enumerate() {
            assert!(deviations(counts) < 6.0, "item {i} of {n}: {counts:?}");
        }
        let mut pairs: Vec<u64> = pairs.into_values().collect();
        pairs.resize(n * (n - 1), 0);
        assert!(deviations(&pairs) < 6.0, "pairs of {n} items: {pairs:?}");
    }
}

#[test]
fn all_orders_of_few_items_are_equally_frequent() {
    for (n, n_orders) in [(3, 6), (4, 24), (5, 120), (6, 720), (7, 5040)] {
        let mut counts = HashMap::new();
        for key in 0..(60 * n_orders as u64).max(20_000) {
            let order = Permutation::new(key, n);
            let order: Vec<usize> = (0..n).map(|i| order.apply(i)).collect();
            *counts.entry(order).or_insert(0u64) += 1;
        }
        let mut counts: Vec<u64> = counts.into_values().collect();
        assert!(counts.len() <= n_orders);
        counts.resize(n_orders, 0);
        assert!(deviations(&counts) < 6.0, "orders of {n} items: {counts:?}");
    }
}

/// Half of all orders are even; a network of even rounds alone would make no others.
#[test]
fn even_and_odd_orders_are_equally_frequent() {
    for n in 2..=40 {
        let mut counts = [0u64; 2];
        for key in 0..1000 {
            let order = Permutation::new(key, n);
            let places: Vec<usize> = (0..n).map(|i| order.apply(i)).collect();
            let inversions = (0..n).map(|i| (i..n).filter(|&j| places[j] < places[i]).count());
            counts[inversions.sum::<usize>() % 2] += 1;
        }
        assert!(deviations(&counts) < 12.0, "{n} items: {counts:?}");
    }
}

/// What a bad round function or too few rounds would leave of the neighbourhood of items.
#[test]
fn neighbours_of_many_items_come_at_places_that_have_nothing_to_do_with_each_other() {
    const N_CELLS: usize = 32;
    for (key, n) in [(0, 1_000_000), (2, 999_983)] {
        let order = Permutation::new(key, n);
        let places: Vec<usize> = (0..n).map(|i| order.apply(i)).collect();
        let mean = (n - 1) as f64 / 2.0;
        let variance = (n as f64).mul_add(n as f64, -1.0) / 12.0;
        for distance in [1, order.b as usize] {
            let products = places.iter().zip(&places[distance..]);
            let covariance = products
                .map(|(&x, &y)| (x as f64 - mean) * (y as f64 - mean))
                .sum::<f64>()
                / n as f64;
            let correlation = covariance / variance;
            assert!(
                correlation.abs() < 5.0 / (n as f64).sqrt(),
                "{n} items, {distance} apart: {correlation}"
            );
            let mut cells = vec![0u64; N_CELLS * N_CELLS];
            for (x, y) in places.iter().zip(&places[distance..]) {
                cells[x * N_CELLS / n * N_CELLS + y * N_CELLS / n] += 1;
            }
            assert!(
                deviations(&cells).abs() < 6.0,
                "{n} items, {distance} apart"
            );
        }
    }
}

#[test]
fn orders_of_other_keys_and_other_numbers_of_items_are_others() {
    // Of two unrelated orders about one place has the same item, whatever their length.
    let same = |one: &Permutation, other: &Permutation| {
        (0..10_000)
            .filter(|&i| one.apply(i) == other.apply(i))
            .count()
    };
    let one = Permutation::new(1, 10_000);
    for key in [
        0,
        2,
        3,
        1 ^ (1 << 63),
        1u64.wrapping_add(GOLDEN_GAMMA),
        1u64.wrapping_sub(GOLDEN_GAMMA),
    ] {
        assert!(same(&one, &Permutation::new(key, 10_000)) < 10, "key {key}");
    }
    assert!(same(&one, &Permutation::new(1, 10_001)) < 10);
    assert_eq!(same(&one, &one.clone()), 10_000);
}

#[test]
#[should_panic(expected = "place 3 of a permutation of 3 items")]
fn a_place_beyond_the_items_panics() {
    Permutation::new(0, 3).apply(3);
}

#[test]
#[should_panic(expected = "place 0 of a permutation of 0 items")]
fn no_items_have_no_place() {
    Permutation::new(0, 0).invert(0);
}
