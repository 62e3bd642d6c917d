//! Each kind of impossible history, and the sentence that tells of it.

use super::*;

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

/// Four ranks on one clock, two on each node.
fn setup(method: Method, n_digits: u32) -> ClaimSetup {
    ClaimSetup {
        method,
        n_digits,
        clocks: vec![0; 4],
        nodes: vec![0, 0, 1, 1],
        target: 0,
        resumed: None,
    }
}

fn check_in(setup: ClaimSetup, complete: bool, claims: &[Witness]) -> Order {
    let numbered = claims.iter().enumerate().map(|(index, &claim)| {
        let earlier = claims[..index]
            .iter()
            .filter(|other| other.rank == claim.rank);
        let record = earlier.count() as u64;
        let claim = Witness { record, ..claim };
        Op {
            claim,
            is_skip: false,
        }
    });
    let ops = numbered.collect();
    let history = History {
        setup,
        complete,
        ops,
        error_ns: 0,
    };
    let order = history.check();
    assert_eq!(
        order.n_violations == 0,
        is_linearizable(&history),
        "{order:#?}"
    );
    order
}

fn assert_right_order(method: Method, n_digits: u32, claims: &[Witness]) {
    let order = check_in(setup(method, n_digits), true, claims);
    let expected = (claims.len() as u64, 0, Some(0));
    assert_eq!(
        (order.n_claims, order.n_violations, order.known_violations()),
        expected,
        "{order:#?}"
    );
}

/// The first violation found is this sentence.
fn assert_violated(method: Method, n_digits: u32, claims: &[Witness], expected: &str) {
    let order = check_in(setup(method, n_digits), true, claims);
    assert_eq!(
        order
            .violations
            .first()
            .map(|violation| violation.what.as_str()),
        Some(expected),
        "{order:#?}"
    );
    let named = &order.violations[0].claims;
    assert!(
        named.iter().all(|claim| expected.contains(&claim.name())),
        "{named:?}"
    );
}

#[test]
fn a_claim_that_lost_before_its_digit_was_won_is_impossible() {
    let lost = claim(0, 1, (100, 110), 0b1, false);
    let won = claim(1, 1, (200, 210), 0b1, true);
    assert_violated(
        Method::FetchAndOp,
        1,
        &[lost, won],
        "rank 0's claim of digit 1 (record 0) comes after rank 1's claim of digit 1 (record 0), by the \
         words that they saw, and had ended before that began",
    );
    let first = claim(0, 1, (0, 10), 0b01, true);
    let lost = claim(1, 2, (12, 15), 0b11, false);
    let second = claim(2, 2, (20, 30), 0b11, true);
    assert_violated(
        Method::FetchAndOp,
        2,
        &[first, lost, second],
        "rank 1's claim of digit 2 (record 0) comes after rank 2's claim of digit 2 (record 0), by the \
         words that they saw, and had ended before that began",
    );
    let meanwhile = claim(2, 2, (15, 30), 0b11, true);
    assert_right_order(Method::FetchAndOp, 2, &[first, lost, meanwhile]);
}

#[test]
fn a_state_that_two_claims_brought_about_is_impossible() {
    let both = [
        claim(0, 1, (0, 10), 0b11, true),
        claim(1, 2, (0, 10), 0b11, true),
    ];
    let expected = "rank 1's claim of digit 2 (record 0) and rank 0's claim of digit 1 (record 0) both won, and saw the same word";
    assert_violated(Method::FetchAndOp, 2, &both, expected);
    let mut part = OrderCheck::new(setup(Method::FetchAndOp, 9));
    both.into_iter().for_each(|claim| part.add(0, claim));
    part.end_game(0, false);
    assert_eq!(part.into_order().n_violations, 1, "whatever is missing");
}

#[test]
fn each_impossible_history_of_words_is_told_in_a_sentence() {
    let method = Method::FetchAndOp;
    let first = claim(0, 1, (0, 10), 0b01, true);
    let second = claim(0, 2, (11, 20), 0b11, true);
    let look = |rank, word| claim(rank, 0, (31, 40), word, false);
    assert_right_order(
        method,
        2,
        &[
            first,
            second,
            claim(1, 1, (4, 30), 0b11, false),
            look(2, 0b11),
        ],
    );
    let both =
        "rank 1's claim of digit 1 (record 0) and rank 0's claim of digit 1 (record 0) both won";
    assert_violated(method, 1, &[first, claim(1, 1, (12, 20), 0b01, true)], both);
    let neither = "rank 1's claim of digit 2 (record 0) and rank 0's claim of digit 1 (record 0) saw words of which neither holds the other";
    assert_violated(
        method,
        2,
        &[first, claim(1, 2, (5, 20), 0b10, true)],
        neither,
    );
    let less = "rank 0's claim of digit 2 (record 1) comes after rank 1's claim of digit 1 (record 0), by the words that they saw, and had ended before that began";
    assert_violated(
        method,
        2,
        &[first, second, claim(1, 1, (21, 30), 0b01, false)],
        less,
    );
    let unset = "rank 1's claim of digit 2 (record 0) saw its own digit as not claimed, after it had claimed it";
    assert_violated(
        method,
        2,
        &[first, claim(1, 2, (11, 20), 0b01, false)],
        unset,
    );
    let beyond = "rank 1's look (record 0) saw a bit that is no digit's";
    assert_violated(method, 2, &[first, second, look(1, 0b111)], beyond);
    let no_digit = "rank 1's claim of digit 3 (record 0) is of no digit: they are 1 to 2";
    assert_violated(
        method,
        2,
        &[first, second, claim(1, 3, (11, 20), 0b11, false)],
        no_digit,
    );
    let unowned = "rank 1's look (record 0) saw digit 2 claimed, and nobody won it";
    assert_violated(method, 2, &[first, look(1, 0b11)], unowned);
    assert_violated(
        method,
        2,
        &[first],
        "nobody won digit 2, and all ranks ended the game",
    );
    let known =
        "rank 1's claim of digit 2 (record 1) won, and its rank had seen its digit claimed before";
    let seen = claim(1, 1, (11, 15), 0b11, false);
    let again = claim(1, 2, (15, 20), 0b11, true); // in the nanosecond in which the other ended
    assert_violated(method, 2, &[first, seen, again], known);
}

#[test]
fn each_impossible_history_of_slots_is_told_in_a_sentence() {
    let method = Method::CompareAndSwap;
    let won = claim(2, 1, (10, 20), 0, true);
    let lost = claim(0, 1, (5, 30), 3, false);
    assert_right_order(method, 1, &[lost, won, claim(1, 0, (0, 1), 0, false)]);
    let both =
        "rank 3's claim of digit 1 (record 0) and rank 2's claim of digit 1 (record 0) both won";
    assert_violated(method, 1, &[won, claim(3, 1, (30, 40), 0, true)], both);
    let other = "rank 2's claim of digit 1 (record 0) and rank 1's claim of digit 1 (record 0) name different owners of one digit";
    assert_violated(method, 1, &[won, claim(1, 1, (30, 40), 1, false)], other);
    let early = "rank 0's claim of digit 1 (record 0) lost, and had ended before rank 2's claim of digit 1 (record 0), which won, began";
    assert_violated(method, 1, &[claim(0, 1, (1, 9), 3, false), won], early);
    let unowned = "rank 0's claim of digit 1 (record 0) lost, and nobody won digit 1";
    assert_violated(method, 1, &[lost], unowned);
    let free = "rank 0's claim of digit 1 (record 0) lost, and found its digit free";
    assert_violated(method, 1, &[won, claim(0, 1, (30, 40), 0, false)], free);
    let nobody = "rank 0's claim of digit 1 (record 0) lost to a rank that there is not";
    assert_violated(method, 1, &[won, claim(0, 1, (30, 40), 5, false)], nobody);
    let owned = "rank 2's claim of digit 1 (record 0) won, and found that its digit had an owner";
    assert_violated(method, 1, &[claim(2, 1, (10, 20), 3, true)], owned);
}

#[test]
fn each_impossible_history_of_tickets_is_told_in_a_sentence() {
    let method = Method::Ticket;
    let first = claim(0, 2, (0, 10), 1, true);
    let second = claim(1, 1, (5, 8), 2, true);
    assert_right_order(method, 2, &[second, first, claim(1, 0, (40, 50), 3, false)]);
    let same = "rank 2's claim of digit 1 (record 0) and rank 0's claim of digit 2 (record 0) have the same ticket";
    assert_violated(method, 2, &[first, claim(2, 1, (11, 20), 1, true)], same);
    let late = "rank 1's claim of digit 1 (record 0) has a higher ticket than rank 0's claim of digit 2 (record 0), and had ended before that began";
    let after = claim(0, 2, (9, 10), 1, true);
    assert_violated(method, 2, &[after, second], late);
    let digit = "rank 1's claim of digit 2 (record 0) and rank 0's claim of digit 2 (record 0) have one digit by two tickets";
    assert_violated(method, 2, &[first, claim(1, 2, (5, 20), 2, true)], digit);
    let gap = "rank 1's look (record 0) has ticket 3, and nobody drew ticket 2";
    assert_violated(method, 2, &[first, claim(1, 0, (40, 50), 3, false)], gap);
    assert_violated(
        method,
        2,
        &[first],
        "nobody drew ticket 2, and all ranks ended the game",
    );
    let no_number = "rank 1's claim of digit 1 (record 0) has a number that no draw can have";
    assert_violated(method, 2, &[first, claim(1, 1, (0, 9), 0, true)], no_number);
    let beyond = "rank 1's claim of digit 1 (record 0) has a digit beyond the last ticket, or none for a ticket before it";
    assert_violated(method, 2, &[first, claim(1, 1, (0, 9), 3, true)], beyond);
    let own = "rank 1's claim of digit 1 (record 0) lost the digit of its own ticket";
    assert_violated(method, 2, &[first, claim(1, 1, (0, 9), 2, false)], own);
}

#[test]
fn each_impossible_history_of_two_tiers_is_told_in_a_sentence() {
    let method = Method::TwoTier;
    let won = claim(0, 1, (5, 20), 0b01, true);
    let on_node = claim(1, 1, (0, 10), 0, false); // while the other asks
    let lost = claim(2, 1, (30, 40), 0b01, false);
    let second = claim(3, 2, (30, 40), 0b11, true);
    let looked = claim(1, 0, (11, 12), 0, false);
    let good = [on_node, won, lost, second, looked];
    assert_right_order(method, 2, &good);
    let told = claim(2, 1, (38, 45), 0, false); // after rank 3 was shown it
    assert_right_order(method, 2, &[won, second, told]);

    let unasked = "rank 1's claim of digit 2 (record 0) won and had not asked the home rank";
    assert_violated(method, 2, &[won, claim(1, 2, (7, 9), 0, true)], unasked);
    let early = "rank 1's claim of digit 1 (record 0) was lost on its node, and had ended before rank 0's claim of digit 1 (record 0), the one of the node that asked for the digit, began";
    assert_violated(
        method,
        2,
        &[won, claim(1, 1, (0, 4), 0, false), second],
        early,
    );
    let never = "rank 1's claim of digit 2 (record 0) was lost on its node, where nobody asked for it or saw it";
    assert_violated(
        method,
        2,
        &[won, claim(1, 2, (41, 50), 0, false), second],
        never,
    );
    let untold = "rank 2's claim of digit 1 (record 0) was lost on its node, which can have known of the digit only after rank 3's claim of digit 2 (record 0), and it had ended before that began";
    assert_violated(
        method,
        2,
        &[won, second, claim(2, 1, (21, 29), 0, false)],
        untold,
    );
    let twice = "rank 1's claim of digit 1 (record 0) and rank 0's claim of digit 1 (record 0) both asked the home rank, and share a node";
    assert_violated(
        method,
        2,
        &[won, claim(1, 1, (5, 30), 0b01, false), second],
        twice,
    );
    let shown = "rank 2's claim of digit 1 (record 0) asked the home rank for a digit that rank 3's claim of digit 2 (record 0), of its node, had been shown before";
    assert_violated(
        method,
        2,
        &[won, second, claim(2, 1, (41, 50), 0b11, false)],
        shown,
    );
    // Those that asked are held to what fetch-and-op is.
    let stale = "rank 3's claim of digit 2 (record 0) comes after rank 0's claim of digit 1 (record 0), by the words that they saw, and had ended before that began";
    assert_violated(
        method,
        2,
        &[claim(0, 1, (50, 60), 0b01, true), second],
        stale,
    );
    // It is after rank 3 that its node knows, and rank 3 is after the winner of digit 1.
    let long = claim(3, 2, (0, 90), 0b11, true);
    let chain = "rank 2's claim of digit 1 (record 0) was lost on its node, which can have known of the digit only after rank 0's claim of digit 1 (record 0), and it had ended before that began";
    assert_violated(
        method,
        2,
        &[
            claim(0, 1, (50, 60), 0b01, true),
            long,
            claim(2, 1, (41, 49), 0, false),
        ],
        chain,
    );
}

#[test]
fn a_node_knows_of_a_digit_only_after_all_that_must_come_before_whoever_was_shown_it() {
    let method = Method::TwoTier;
    let first = claim(0, 1, (0, 5), 0b01, true);
    let second = claim(1, 2, (6, 10), 0b11, true);
    let lost = |end_ns| claim(2, 1, (11, end_ns), 0, false);
    let look = |begin_ns| claim(3, 0, (begin_ns, 90), 0b11, false);
    assert_right_order(method, 2, &[first, second, lost(30), look(30)]);
    let shown = "rank 2's claim of digit 1 (record 0) was lost on its node, which can have known of the digit only after rank 3's look (record 0), and it had ended before that began";
    assert_violated(method, 2, &[first, second, lost(29), look(30)], shown);
    // The look ended after this claim had found that the node does not have digit 2, which the look showed.
    let asked = claim(2, 2, (40, 50), 0b11, false);
    assert_right_order(method, 2, &[first, second, look(0), asked]);
    let before = "rank 2's claim of digit 1 (record 0) was lost on its node, which can have known of the digit only after rank 2's claim of digit 2 (record 1), and it had ended before that began";
    assert_violated(
        method,
        2,
        &[first, second, lost(30), look(0), asked],
        before,
    );
}

#[test]
fn a_node_of_several_words_does_not_know_of_a_digit_before_somebody_claims_it() {
    let won = claim(0, 65, (20, 30), 0b1, true);
    let told = |end_ns| claim(2, 65, (0, end_ns), 0, false);
    for (end_ns, expected) in [
        (20, "nobody won digit 1, and all ranks ended the game"),
        (
            19,
            "rank 2's claim of digit 65 (record 0) was lost on its node, and had ended before rank 0's claim of digit 65 (record 0), which won, began",
        ),
    ] {
        let mut check = OrderCheck::new(setup(Method::TwoTier, 65));
        [won, told(end_ns)]
            .into_iter()
            .for_each(|claim| check.add(0, claim));
        check.end_game(0, true);
        assert_eq!(check.into_order().violations[0].what, expected);
    }
}

#[test]
fn what_two_clocks_prove_is_beyond_the_errors_of_both_and_what_one_proves_is_exact() {
    let mut on_two = setup(Method::FetchAndOp, 1);
    on_two.clocks = vec![0, 1, 1, 0];
    let with_error = |claim: Witness| Witness {
        error_ns: 5,
        ..claim
    };
    let lost = |rank| with_error(claim(rank, 1, (0, 9), 0b1, false));
    let won = |rank, begin_ns| with_error(claim(rank, 1, (begin_ns, 40), 0b1, true));
    for (loser, winner, begin_ns, n_violations) in [
        (0, 1, 19, 0),
        (0, 1, 20, 1),
        (1, 2, 9, 0),
        (1, 2, 10, 1), // whatever their clock is off
    ] {
        let claims = [lost(loser), won(winner, begin_ns)];
        let order = check_in(on_two.clone(), true, &claims);
        assert_eq!(order.n_violations, n_violations, "{begin_ns}: {order:#?}");
    }
}

#[test]
fn a_part_of_a_game_may_lack_winners_but_not_order_and_games_are_apart() {
    let mut check = OrderCheck::new(setup(Method::FetchAndOp, 2));
    let seen = claim(1, 1, (11, 20), 0b11, false);
    check.add(7, seen);
    check.end_game(7, false);
    check.add(8, claim(1, 1, (31, 40), 0b01, true));
    check.add(8, claim(2, 2, (31, 40), 0b11, true));
    check.end_game(8, true);
    let order = check.into_order();
    assert_eq!(
        (order.n_violations, order.n_partial_games),
        (0, 1),
        "{order:#?}"
    );
    assert_eq!(order.known_violations(), None);

    let apart = [
        claim(0, 1, (0, 40), 0b001, true),
        claim(1, 2, (0, 40), 0b110, false),
    ];
    let order = check_in(setup(Method::FetchAndOp, 3), false, &apart);
    assert_eq!(order.n_violations, 1, "{order:#?}");
    let less = claim(0, 1, (31, 40), 0b01, false);
    let order = check_in(setup(Method::FetchAndOp, 2), false, &[seen, less]);
    assert_eq!(order.known_violations(), Some(1));
    assert_eq!(
        Order::default().known_violations(),
        None,
        "nothing was checked"
    );
}

#[test]
fn digits_that_were_claimed_before_the_game_need_no_winner_and_have_none() {
    let mut resumed = setup(Method::FetchAndOp, 2);
    resumed.resumed = Some((0, vec![2]));
    let won = claim(0, 1, (0, 10), 0b11, true);
    assert_eq!(check_in(resumed.clone(), true, &[won]).n_violations, 0);
    let less = claim(0, 1, (0, 10), 0b01, true);
    assert_eq!(check_in(resumed.clone(), true, &[less]).n_violations, 1);
    let again = claim(1, 2, (20, 30), 0b11, true);
    assert_eq!(check_in(resumed, true, &[won, again]).n_violations, 1);
}

#[test]
fn a_node_other_than_the_target_rank_s_asks_once_for_what_was_claimed_before_the_game() {
    let mut resumed = setup(Method::TwoTier, 2);
    resumed.resumed = Some((0, vec![2]));
    let won = claim(0, 1, (0, 10), 0b11, true);
    let n_violations = |claims: &[Witness]| check_in(resumed.clone(), true, claims).n_violations;
    let on_node = claim(1, 2, (20, 30), 0, false); // the target rank's has it
    let asked = claim(2, 2, (20, 30), 0b11, false);
    assert_eq!(n_violations(&[won, on_node, asked]), 0);
    assert_eq!(n_violations(&[won, claim(1, 2, (20, 30), 0b11, false)]), 1);
    let unasked = claim(2, 2, (20, 30), 0, false);
    assert_eq!(n_violations(&[won, unasked]), 1);
    assert_eq!(
        n_violations(&[won, asked, claim(3, 2, (40, 50), 0b11, false)]),
        1
    );
}

#[test]
fn a_guess_that_is_not_submitted_was_seen_claimed() {
    let won = claim(0, 1, (0, 10), 0b1, true);
    for (rank, n_violations) in [(0, 0), (1, 1)] {
        let mut check = OrderCheck::new(setup(Method::FetchAndOp, 1));
        check.add(0, won);
        check.skip(
            0,
            Witness {
                record: 1,
                ..claim(rank, 1, (20, 20), 0, false)
            },
        );
        check.end_game(0, true);
        let order = check.into_order();
        assert_eq!(
            (order.n_claims, order.n_violations),
            (1, n_violations),
            "{order:#?}"
        );
    }
}
