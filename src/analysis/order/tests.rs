//! Orders that are right, and each way in which one can be wrong, beside an oracle that tries all orders.

mod forgery;
mod game;
mod history;
mod oracle;
mod sentences;

use super::*;
use forgery::Forgery;
use history::{History, Op, Random};
use oracle::is_linearizable;
use proptest::prelude::*;

const METHODS: [Method; 4] = [
    Method::FetchAndOp,
    Method::CompareAndSwap,
    Method::Ticket,
    Method::TwoTier,
];

/// Whether the check decides it, and does not only find some of what is impossible. Of one object it does. Of
/// several it does on one clock; on two tiers, where the home rank's and the nodes' are several, that also needs
/// all records, and some time between those of a rank.
fn is_decided(history: &History) -> bool {
    let setup = &history.setup;
    let has_one_object = match setup.method {
        Method::FetchAndOp => setup.n_digits <= 64,
        Method::CompareAndSwap => setup.n_digits == 1,
        Method::Ticket => true,
        Method::TwoTier => false,
    };
    let has_one_clock = setup.clocks.iter().all(|&clock| clock == 0);
    history.is_in_sequence()
        && match setup.method {
            _ if has_one_object => true,
            Method::TwoTier => has_one_clock && history.complete && history.is_apart(),
            _ => has_one_clock && !history.has_ties(),
        }
}

/// Checks that the check says of a history what the oracle says. Returns whether it is linearizable.
fn assert_right(history: &History, context: &str) -> bool {
    let (order, is_right) = (history.check(), is_linearizable(history));
    let is_told = order.n_violations > 0;
    let agrees = is_told != is_right || (!is_told && !is_decided(history));
    assert!(
        agrees,
        "{context}: linearizable is {is_right}: {order:#?} of {history:#?}"
    );
    is_right
}

proptest! {
    /// Whatever a sequential board answers, with intervals around the moments, has an order.
    #[test]
    fn what_a_board_answers_has_an_order(seed: u64) {
        for method in METHODS {
            let history = History::random(method, &mut Random(seed));
            let order = history.check();
            prop_assert_eq!(order.n_violations, 0, "{:#?} of {:#?}", order, history);
            prop_assert!(is_linearizable(&history), "{:#?}", history);
        }
    }

    /// The check says what the oracle says of histories that were forged once, twice or three times.
    #[test]
    fn a_forged_history_is_told_if_and_only_if_it_has_no_order(seed: u64) {
        for method in METHODS {
            let random = &mut Random(seed);
            let mut history = History::random(method, random);
            for _ in 0..1 + random.below(3) {
                let forgery = Forgery::ALL[random.below(Forgery::ALL.len())];
                let forged = forgery.applies_to(method).then(|| forgery.forge(&history, random));
                history = forged.flatten().unwrap_or(history);
            }
            assert_right(&history, "forged");
        }
    }
}

/// Of each kind so many are made, and more until one is impossible.
#[test]
fn each_kind_of_forgery_is_caught_on_each_method() {
    let at_least = u64::from(ProptestConfig::default().cases / 4);
    const AT_MOST: u64 = 100_000;
    for method in METHODS {
        for forgery in Forgery::ALL
            .into_iter()
            .filter(|forgery| forgery.applies_to(method))
        {
            let (mut n_caught, mut n_possible) = (0, 0);
            for seed in 0..AT_MOST {
                if seed >= at_least && n_caught > 0 {
                    break;
                }
                let random = &mut Random(seed);
                let history = History::random(method, random);
                let Some(forged) = forgery.forge(&history, random) else {
                    continue;
                };
                let is_right = assert_right(&forged, &format!("{forgery:?}"));
                n_caught += u64::from(!is_right && is_decided(&forged));
                n_possible += u64::from(is_right);
            }
            println!("{method:?} {forgery:?}: {n_caught} caught, {n_possible} possible");
            assert!(
                n_caught > 0,
                "{forgery:?} is never impossible with {method:?}"
            );
        }
    }
}
