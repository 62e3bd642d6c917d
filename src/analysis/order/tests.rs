//! Orders that are right, and each way in which one can be wrong.

use super::*;
use proptest::prelude::*;

fn claim(rank: u32, digit: u32, (begin_ns, end_ns): (u64, u64), word: u64, won: bool) -> Witness {
    Witness {
        rank,
        record: 0,
        digit,
        begin_ns,
        end_ns,
        error_ns: 0,
        word,
        won,
    }
}

fn check(method: Method, n_digits: u32, claims: &[Witness]) -> Order {
    let mut check = OrderCheck::new(method, n_digits);
    for &claim in claims {
        check.add(0, claim);
    }
    check.end_game(0, true);
    check.into_order()
}

fn assert_violated(method: Method, claims: &[Witness], expected: &str) {
    let order = check(method, 9, claims);
    let [violation] = order.violations.as_slice() else {
        panic!("{expected}: {order:?}")
    };
    assert!(violation.what.contains(expected), "{violation:?}");
}

#[test]
fn a_good_game_has_no_violation() {
    let claims = [
        claim(0, 1, (0, 10), 0b001, true),
        claim(1, 2, (5, 20), 0b011, true),
        claim(2, 1, (4, 30), 0b011, false),
        claim(2, 0, (31, 40), 0b111, false),
        claim(1, 3, (25, 35), 0b111, true),
    ];
    let order = check(Method::FetchAndOp, 3, &claims);
    assert_eq!((order.n_claims, order.n_violations), (5, 0), "{order:?}");
}

#[test]
fn tickets_that_follow_each_other_are_in_order_and_others_are_found() {
    let method = Method::Ticket;
    let first = claim(0, 7, (0, 10), 1, true);
    let second = claim(1, 3, (5, 8), 2, true);
    let none_left = claim(1, 0, (40, 50), 10, false);
    let order = check(method, 9, &[second, none_left, first]);
    assert_eq!((order.n_claims, order.n_violations), (3, 0), "{order:?}");

    let late = claim(2, 3, (11, 20), 1, true);
    assert_violated(method, &[first, late], "same ticket");
    let after = claim(1, 3, (1, 4), 3, true);
    assert_violated(
        method,
        &[claim(0, 7, (5, 9), 2, true), after],
        "lower than one",
    );
    assert_violated(
        method,
        &[claim(0, 7, (0, 9), 0, true)],
        "a number that there is not",
    );
    assert_violated(
        method,
        &[claim(0, 7, (0, 9), 10, true)],
        "a number that there is not",
    );
    assert_violated(
        method,
        &[claim(0, 7, (0, 9), 3, false)],
        "a number that there is not",
    );
    let again = claim(1, 7, (5, 20), 2, true);
    assert_violated(method, &[first, again], "two claims won digit 7");
}

#[test]
fn each_impossible_pair_of_fetch_and_ops_is_found() {
    let method = Method::FetchAndOp;
    let first = claim(0, 1, (0, 10), 0b01, true);
    let again = claim(1, 1, (12, 20), 0b01, true);
    assert_violated(method, &[first, again], "two claims won digit 1");
    let other = claim(1, 2, (5, 20), 0b10, true);
    assert_violated(method, &[first, other], "neither holds the other");
    let stale = claim(1, 1, (21, 30), 0b01, false);
    let second = claim(0, 2, (11, 20), 0b11, true);
    assert_violated(method, &[first, second, stale], "saw less");
    let unset = claim(1, 3, (11, 20), 0b01, false);
    assert_violated(method, &[first, unset], "bit is not set");
    let unowned = claim(1, 1, (11, 20), 0b11, false);
    assert_violated(method, &[first, unowned], "nobody won it");
    let no_digit = claim(1, 70, (11, 20), 0b11, false);
    assert_violated(method, &[first, no_digit], "no digit");
}

#[test]
fn each_impossible_pair_of_compare_and_swaps_is_found() {
    let method = Method::CompareAndSwap;
    let won = claim(2, 4, (10, 20), 0, true);
    let lost = claim(0, 4, (5, 30), 3, false);
    let good = check(method, 9, &[lost, won, claim(1, 0, (0, 1), 0, false)]);
    assert_eq!(good.n_violations, 0, "{good:?}");
    assert_violated(
        method,
        &[won, claim(1, 4, (30, 40), 0, true)],
        "two claims won",
    );
    assert_violated(
        method,
        &[won, claim(1, 4, (30, 40), 1, false)],
        "did not win it",
    );
    let early = claim(0, 4, (1, 9), 3, false);
    assert_violated(method, &[won, early, lost], "before anybody claimed it");
    assert_violated(method, &[lost], "nobody won it");
    let disagrees = claim(1, 4, (30, 40), 1, false);
    assert_violated(method, &[won, lost, disagrees], "different owners");
}

#[test]
fn each_impossible_pair_on_two_tiers_is_found() {
    let method = Method::TwoTier;
    let won = claim(0, 1, (5, 20), 0b01, true);
    let on_node = claim(1, 1, (0, 10), 0, false); // while the other asks
    let lost = claim(2, 1, (30, 40), 0b01, false);
    let second = claim(1, 2, (30, 40), 0b11, true);
    let looked = claim(1, 0, (0, 1), 0, false);
    let good = [on_node, won, lost, second, looked];
    let order = check(method, 9, &good);
    assert_eq!((order.n_claims, order.n_violations), (5, 0), "{order:?}");

    assert_violated(
        method,
        &[won, claim(1, 1, (7, 9), 0b01, true)],
        "two claims won",
    );
    let unasked = claim(1, 2, (7, 9), 0, true);
    assert_violated(method, &[won, unasked], "did not ask the home rank");
    let early = claim(1, 1, (0, 4), 0, false);
    assert_violated(method, &[won, on_node, early], "before anybody claimed it");
    let never = claim(1, 2, (30, 40), 0, false);
    assert_violated(method, &[won, never], "nobody asked for it");
    let no_digit = claim(1, 70, (11, 20), 0, false);
    assert_violated(method, &[won, no_digit], "no digit");
    // Those that asked are held to what fetch-and-op is.
    let stale = claim(2, 1, (41, 50), 0b01, false);
    assert_violated(method, &[won, second, stale], "saw less");
    let apart = claim(1, 2, (30, 40), 0b10, true);
    assert_violated(method, &[won, apart], "neither holds the other");

    // A part of a game proves less; and games are apart.
    let mut part = OrderCheck::new(method, 9);
    part.add(0, never);
    part.end_game(0, false);
    part.add(1, won);
    part.end_game(1, true);
    part.add(2, on_node);
    part.end_game(2, true);
    assert_eq!(part.into_order().n_violations, 1);
}

#[test]
fn clocks_that_may_be_off_by_more_prove_nothing() {
    let first = claim(0, 1, (0, 10), 0b01, true);
    let second = claim(0, 2, (11, 20), 0b11, true);
    let mut stale = claim(1, 1, (21, 30), 0b01, false);
    stale.error_ns = 5;
    let order = check(Method::FetchAndOp, 9, &[first, second, stale]);
    assert_eq!(order.n_violations, 0);
}

#[test]
fn a_part_of_a_game_may_lack_winners_but_not_order() {
    let mut check = OrderCheck::new(Method::FetchAndOp, 9);
    check.add(7, claim(1, 1, (11, 20), 0b11, false));
    check.end_game(7, false);
    check.add(8, claim(1, 1, (31, 40), 0b01, true));
    check.end_game(8, true);
    assert_eq!(check.into_order().n_violations, 0, "and games are apart");
}

proptest! {
    /// Whatever a sequential memory answers, with intervals around the moments, is an order; and
    /// one digit taken out of one answer is not.
    #[test]
    fn what_a_memory_answers_is_an_order_and_a_forged_answer_is_none(
        steps in proptest::collection::vec((0u32..100, 0u32..4, 0u64..50, 0u64..50), 1..200),
        forged in any::<prop::sample::Index>(),
    ) {
        let mut words = [0u64; 2];
        let mut claims = Vec::new();
        for (now, (digit, rank, before, after)) in (0u64..).zip(steps) {
            if digit == 0 { continue; }
            let (word, bit) = (((digit - 1) / 64) as usize, 1u64 << ((digit - 1) % 64));
            let won = words[word] & bit == 0;
            words[word] |= bit;
            let moment = 1000 + 10 * now;
            claims.push(claim(rank, digit, (moment - before, moment + after), words[word], won));
        }
        prop_assert_eq!(check(Method::FetchAndOp, 100, &claims).n_violations, 0);
        if claims.is_empty() { return Ok(()); }
        let index = forged.index(claims.len());
        let own = 1u64 << ((claims[index].digit - 1) % 64);
        claims[index].word &= !own;
        prop_assert!(check(Method::FetchAndOp, 100, &claims).n_violations > 0);
    }
}
