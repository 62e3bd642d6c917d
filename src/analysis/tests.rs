//! Whole runs whose findings a hand computes, and properties of any run.

use proptest::prelude::*;

use super::compare::Part;
use super::findings::Stalls;
use super::rank::Stream;
use super::*;
use crate::trace::{Clock, End, Kind, Offset, Outcome, Record, RunInfo, TracerCost, run_of_ranks};

/// Records of one rank, one after the other.
pub(super) struct Script {
    records: Vec<Record>,
    pub(super) now: u64,
    game: u32,
}

impl Script {
    pub(super) fn starting_at(now: u64) -> Self {
        let mut script = Script {
            records: Vec::new(),
            now: now - 5,
            game: 0,
        };
        script.add(Kind::Start, Outcome::None, 0, 0, now);
        script
    }

    fn add(&mut self, kind: Kind, outcome: Outcome, item: u32, word: u64, until: u64) -> &mut Self {
        self.records.push(Record {
            kind,
            outcome,
            game: self.game,
            item,
            begin_ns: self.now,
            end_ns: until,
            word,
        });
        self.now = until;
        self
    }

    pub(super) fn think(&mut self, until: u64) -> &mut Self {
        self.add(Kind::Think, Outcome::None, 0, 0, until)
    }

    pub(super) fn claim(
        &mut self,
        outcome: Outcome,
        digit: u32,
        word: u64,
        until: u64,
    ) -> &mut Self {
        self.add(Kind::Claim, outcome, digit, word, until)
    }

    fn allreduce(&mut self, outcome: Outcome, digit: u32, until: u64) -> &mut Self {
        self.add(Kind::Allreduce, outcome, digit, 0, until)
    }

    pub(super) fn finish(&mut self) -> Vec<Record> {
        let of_game = |record: &&Record| record.game == self.game;
        let guesses = self.records.iter().filter(of_game).filter(|record| {
            matches!(record.kind, Kind::Claim | Kind::Allreduce)
                && record.outcome != Outcome::Announced
        });
        let guesses = guesses.count() as u64;
        let won = self.records.iter().filter(of_game);
        let points = won.filter(|record| record.outcome == Outcome::Won).count() as u32;
        self.add(Kind::Finish, Outcome::None, points, guesses, self.now + 1);
        self.records.clone()
    }
}

pub(super) fn analyse_records(run: &RunInfo, records: &[Vec<Record>]) -> Findings {
    analyse(run, |rank| records[rank as usize].clone().into_iter())
}

/// Two ranks, digits 1 and 2, in lockstep. Rank 0 thinks 10, rank 1 thinks 30; each allreduce takes 2
/// after the last has come. Both guess 1 first and score it; then rank 0 guesses 2, rank 1 guesses 1.
fn lockstep() -> (RunInfo, Vec<Vec<Record>>) {
    let mut run = run_of_ranks(Version::Collective, 2);
    run.digits = 2;
    let rank_0 = Script::starting_at(1000)
        .think(1010)
        .allreduce(Outcome::Won, 1, 1032) // waits from 1010 to 1030
        .allreduce(Outcome::Announced, 1, 1034)
        .think(1044)
        .allreduce(Outcome::Won, 2, 1066) // waits from 1044 to 1064
        .allreduce(Outcome::Announced, 2, 1098) // waits from 1066 to 1096
        .finish();
    let rank_1 = Script::starting_at(1000)
        .think(1030)
        .allreduce(Outcome::Won, 1, 1032)
        .allreduce(Outcome::Announced, 1, 1034)
        .think(1064)
        .allreduce(Outcome::Lost, 1, 1066)
        .think(1096)
        .allreduce(Outcome::Lost, 2, 1098)
        .finish();
    (run, vec![rank_0, rank_1])
}

#[test]
fn a_run_in_lockstep_is_what_a_hand_computes() {
    let (run, records) = lockstep();
    let findings = analyse_records(&run, &records);
    assert_eq!((findings.rounds, findings.wall_ns), (Some(4), Some(99)));
    assert_eq!(findings.complete_ns, Some(98), "told of in the last round");
    let [fast, slow] = findings.per_rank.as_slice() else {
        panic!("two ranks")
    };
    assert_eq!(
        (fast.guesses, fast.points, slow.guesses, slow.points),
        (2, 2, 3, 1)
    );
    assert_eq!((fast.useful_ns, slow.useful_ns), (Some(20), Some(90)));
    assert_eq!((fast.wait_ns, slow.wait_ns), (Some(70), Some(0)));
    assert_eq!((fast.operation_ns, slow.operation_ns), (Some(8), Some(8)));
    assert_eq!(
        (fast.tracer_ns, fast.idle_ns),
        (Some(1), Some(0)),
        "the finish"
    );
    assert_eq!(fast.waited_most_for, Some((1, 70)));
    let blame = slow.blame.unwrap();
    assert_eq!((blame.last_ns, blame.fair_ns), (70, 70));
    // The median of 20 and 90 is 55: of each 30 that it computes, 35/90 are too many.
    assert_eq!(slow.saving_ns, Some(35));
    assert_eq!(fast.saving_ns, Some(0));
    assert_eq!(fast.allreduce_wait.unwrap().clock_free_ns, 70);

    assert_eq!(findings.double_scores, Some(1));
    let double = &findings.double_scored[0];
    assert_eq!((double.digit, double.ranks.as_slice()), (1, &[0, 1][..]));
    let lockstep = findings.lockstep.unwrap();
    assert_eq!((lockstep.holds, lockstep.steps), (true, Some(4)));

    // Useful 20 and 90; the longest thinks of the rounds are 30, 0, 30, 30; 99 in all.
    let efficiency = findings.efficiency.unwrap();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(
        close(efficiency.load_balance, 55.0 / 90.0),
        "{efficiency:?}"
    );
    assert!(
        close(efficiency.serialisation, 90.0 / 90.0),
        "{efficiency:?}"
    );
    assert!(close(efficiency.transfer, 90.0 / 99.0), "{efficiency:?}");
    // Dealt out evenly, each would compute 55.
    assert!(
        close(efficiency.synchronisation_slowdown, 90.0 / 55.0),
        "{efficiency:?}"
    );
    assert!(close(efficiency.parallel, 55.0 / 99.0), "{efficiency:?}");
    assert_eq!(findings.latency.unwrap().max_ns, 32);
    assert_eq!(findings.notes, Vec::<String>::new());
}

/// Three ranks, digits 1 to 3, one-sided, rank 0 at home. Rank 1's first claim begins while rank 0
/// thinks and ends after that; its second one ends meanwhile.
fn one_sided() -> (RunInfo, Vec<Vec<Record>>) {
    let mut run = run_of_ranks(Version::Rma, 3);
    run.digits = 3;
    let rank_0 = Script::starting_at(1000)
        .think(1050)
        .claim(Outcome::Won, 1, 0b001, 1052)
        .think(1100)
        .claim(Outcome::Lost, 2, 0b111, 1102)
        .finish();
    let rank_1 = Script::starting_at(1000)
        .think(1020)
        .claim(Outcome::Won, 2, 0b011, 1060) // home is back at 1050
        .think(1070)
        .claim(Outcome::Won, 3, 0b111, 1074) // home is away until 1100
        .finish();
    let rank_2 = Script::starting_at(1003)
        .think(1051)
        .claim(Outcome::Lost, 1, 0b001, 1053) // home is back already
        .claim(Outcome::Looked, 0, 0b011, 1058)
        .finish();
    (run, vec![rank_0, rank_1, rank_2])
}

/// The same run, had its claims been spread: by slots, digit 1 lies on rank 0, digit 2 on rank 1, digit 3 on
/// rank 2.
#[test]
fn spread_claims_wait_for_the_rank_that_holds_them() {
    let (mut run, records) = one_sided();
    (run.spread, run.claim_with) = (true, Some("compare-and-swap".into()));
    let findings = analyse_records(&run, &records);
    let stalls = findings.stalls.expect("few homes");
    let mut claim = records[1][2];
    assert_eq!((claim.item, run.target_of(&claim)), (2, 1));
    claim.outcome = Outcome::Announced;
    assert_eq!(run.target_of(&claim), 0, "where ledgers lie");
    // Of rank 0 the claim of 2, while rank 1 thought until 1070 but not then; of rank 1 that of 3 with
    // rank 2 done thinking; of rank 2 that of 1 and the look, while rank 0 thought.
    assert_eq!((stalls.n_home_away, stalls.n_stalled), (2, 0));
    run.nodes = vec![0, 1, 1];
    let by_node = analyse_records(&run, &records)
        .latency_by_node
        .expect("two nodes");
    let n = |latency: Option<Latency>| latency.map(|latency| latency.n);
    // Rank 1's claim of 2 and rank 0's of 1 are their own; rank 1's of 3 stays on its node.
    assert_eq!((n(by_node.same), n(by_node.other)), (Some(1), Some(3)));
    run.claim_with = Some("fetch-and-op".into()); // all digits in one word, on rank 0
    let stalls = analyse_records(&run, &records).stalls.expect("few homes");
    assert_eq!(stalls.n_home_away, 4);
}

#[test]
fn claims_are_told_apart_by_node() {
    let (mut run, records) = one_sided();
    assert_eq!(analyse_records(&run, &records).latency_by_node, None);
    run.nodes = vec![0, 0, 1];
    let findings = analyse_records(&run, &records);
    let by_node = findings.latency_by_node.expect("two nodes");
    let longest = |latency: Option<Latency>| latency.map(|latency| (latency.n, latency.max_ns));
    // Rank 1 shares the home rank's node, rank 2 does not; the home rank is in neither.
    assert_eq!(longest(by_node.same), Some((2, 40)));
    assert_eq!(longest(by_node.other), Some((2, 5)));
    let nodes: Vec<_> = findings.per_rank.iter().map(|rank| rank.node).collect();
    assert_eq!(nodes, [Some(0), Some(0), Some(1)]);
    assert_eq!(findings.setup.nodes, Some(2));
}

#[test]
fn a_one_sided_run_is_what_a_hand_computes() {
    let (run, records) = one_sided();
    let findings = analyse_records(&run, &records);
    assert_eq!(findings.wall_ns, Some(103));
    assert_eq!(findings.complete_ns, Some(74));
    let stalls = Stalls {
        n_home_away: 4, // from 1000 to 1050 and from 1052 to 1100: all of ranks 1 and 2
        // One ended when rank 0 was back, and three got through without it.
        n_stalled: 0,
        stall_ns: 0,
        max_ns: 0,
        error_ns: 0,
        latency: Some(Latency {
            n: 4, // 40, 4, 2 and 5
            p50_ns: 4,
            p90_ns: 40,
            p99_ns: 40,
            max_ns: 40,
        }),
    };
    assert_eq!(findings.stalls, Some(stalls));
    let waits: Vec<_> = findings.per_rank.iter().map(|rank| rank.wait_ns).collect();
    assert_eq!(waits, [Some(0), Some(0), Some(0)]);
    let stalled = &findings.per_rank[1];
    assert_eq!(
        (stalled.operation_ns, stalled.idle_ns),
        (Some(44), Some(28))
    );
    let order = findings.order.as_ref().unwrap();
    assert_eq!((order.n_claims, order.n_violations), (6, 0), "{order:?}");
    assert_eq!((findings.double_scores, findings.rounds), (Some(0), None));
    let efficiency = findings.efficiency.unwrap();
    assert_eq!(efficiency.serialisation, 1.0, "one game: nobody is in step");
    assert!(findings.lockstep.is_none() && findings.notes.is_empty());
}

#[test]
fn two_winners_of_a_digit_are_found_with_their_records() {
    let (run, mut records) = one_sided();
    let lost = &mut records[2][2];
    (lost.outcome, lost.word) = (Outcome::Won, 0b001);
    let order = analyse_records(&run, &records).order.unwrap();
    let violation = &order.violations[0];
    assert!(
        violation
            .what
            .contains("rank 2's claim of digit 1 (record 2) and rank 0's")
            && violation.what.contains("both won"),
        "{order:?}"
    );
    let ranks: Vec<_> = violation
        .claims
        .iter()
        .map(|c| (c.rank, c.record))
        .collect();
    assert_eq!(ranks, [(2, 2), (0, 2)]);
}

#[test]
fn without_all_records_it_is_unknown_whether_claims_have_an_order() {
    let (run, mut records) = one_sided();
    let number = |findings: &Findings, name: &str| metric(name).expect("a metric").of(findings);
    let violations = |findings: &Findings| number(findings, "order_violations");
    assert_eq!(violations(&analyse_records(&run, &records)), Some(0.0));
    let part = analyse_cut(&run, &records, 1, 3);
    assert_eq!((part.partial, violations(&part)), (true, None));
    assert_eq!(number(&part, "double_scores"), None);
    let lost = &mut records[2][2];
    (lost.outcome, lost.word) = (Outcome::Won, 0b001);
    let part = analyse_cut(&run, &records, 1, 3);
    assert_eq!(violations(&part), Some(1.0), "whatever is missing");
    assert_eq!(number(&part, "double_scores"), Some(1.0));
    let none = vec![Vec::new(); 3];
    let nothing = analyse_records(&run, &none);
    assert_eq!(violations(&nothing), None, "nothing was checked");
}

#[test]
fn the_cost_of_recording_is_taken_from_what_it_fell_into() {
    let (mut run, records) = lockstep();
    run.tracer = TracerCost {
        record_ns: 3.0,
        clock_ns: 1.0,
    };
    let findings = analyse_records(&run, &records);
    let fast = &findings.per_rank[0];
    // Two thinks of 10 lose 3 each; four operations take 2 beside waiting, all of it recording.
    assert_eq!((fast.useful_ns, fast.operation_ns), (Some(14), Some(0)));
    assert_eq!((fast.wait_ns, fast.tracer_ns), (Some(70), Some(6 + 8 + 1)));
    assert_eq!(fast.play_ns, Some(99));
}

/// Records of a rank, and why they end.
struct Ending(std::vec::IntoIter<Record>, End);

impl Iterator for Ending {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.0.next()
    }
}

impl Stream for Ending {
    fn end(&self) -> End {
        self.1.clone()
    }
}

/// Of `cut_rank` the first `n` records, and all of the others'.
fn analyse_cut(run: &RunInfo, records: &[Vec<Record>], cut_rank: usize, n: usize) -> Findings {
    analyse(run, |rank| {
        let mut records = records[rank as usize].clone();
        if rank as usize != cut_rank {
            return Ending(records.into_iter(), End::Closed);
        }
        records.truncate(n);
        Ending(records.into_iter(), End::CutShort)
    })
}

/// Whatever is missing of whichever rank: nothing is said of the whole run, nor of waiting for a rank that
/// may be the one; what the others' own records tell stays.
#[test]
fn a_part_of_a_run_tells_nothing_of_the_whole() {
    const OF_PART: [&str; 5] = [
        "records",
        "dropped_records",
        "incomplete_ranks",
        "ranks",
        "games",
    ];
    for (run, records) in [lockstep(), one_sided()] {
        let whole = analyse_records(&run, &records);
        for cut_rank in 0..records.len() {
            for n in 0..records[cut_rank].len() {
                let part = analyse_cut(&run, &records, cut_rank, n);
                assert!(part.partial && !whole.partial);
                for metric in METRICS.iter().filter(|m| !OF_PART.contains(&m.name)) {
                    assert_eq!(metric.of(&part), None, "{} of {part:?}", metric.name);
                }
                assert!(part.efficiency.is_none() && part.wall_ns.is_none());
                assert!(part.complete_ns.is_none() && part.double_scores.is_none());
                assert!(part.rounds.is_none() && part.stalls.is_none() && part.lockstep.is_none());
                assert!(
                    part.order
                        .as_ref()
                        .is_none_or(|order| order.n_violations > 0)
                );
                for rank in &part.per_rank {
                    assert_eq!(rank.complete, rank.rank as usize != cut_rank);
                    assert!(rank.wait_ns.is_none() && rank.blame.is_none());
                    assert!(rank.idle_ns.is_none() && rank.saving_ns.is_none());
                    assert!(rank.waited_most_for.is_none() && rank.allreduce_wait.is_none());
                    let same = &whole.per_rank[rank.rank as usize];
                    if rank.complete {
                        assert_eq!(
                            (
                                rank.guesses,
                                rank.useful_ns,
                                rank.in_operations_ns,
                                rank.play_ns
                            ),
                            (
                                same.guesses,
                                same.useful_ns,
                                same.in_operations_ns,
                                same.play_ns
                            )
                        );
                    }
                    assert!(rank.guesses <= same.guesses && rank.useful_ns <= same.useful_ns);
                }
                let verdict = crate::report::verdict(&[part]);
                assert!(verdict.contains("unknown time"), "{verdict}");
            }
        }
    }
}

#[test]
fn a_rank_that_died_is_a_partial_result() {
    let (run, records) = lockstep();
    let findings = analyse_cut(&run, &records, 1, 3);
    assert_eq!(findings.per_rank[1].guesses, 1);
    assert_eq!(findings.per_rank[1].useful_ns, Some(30), "up to there");
    assert!(
        findings.notes[0].contains("rank 1 ends early, after record 2 in game 0"),
        "{:?}",
        findings.notes
    );
    assert!(
        findings.notes[1].contains("0 of 1 games are complete"),
        "{:?}",
        findings.notes
    );
}

#[test]
fn a_broken_lockstep_and_a_miscounted_game_are_told() {
    let (run, mut records) = lockstep();
    records[1].remove(5);
    records[1].remove(5);
    let findings = analyse_records(&run, &records);
    let deviation = findings.lockstep.unwrap().deviation.unwrap();
    assert!(
        deviation.contains("rank 1 has guesses + points 3 in 3 allreduces"),
        "{deviation}"
    );
    assert!(
        findings.notes[0].contains("rank 1 counted 3 guesses and 1 points, and its records have 2"),
        "{:?}",
        findings.notes
    );
}

/// The same run with rank 1 on another clock, 500 ahead and known to ±4.
#[test]
fn waits_across_two_clocks_carry_their_error() {
    let (mut run, mut records) = lockstep();
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
        after: offset(1200),
    });
    run.clocks.of_rank[1] = 1;
    for record in &mut records[1] {
        (record.begin_ns, record.end_ns) = (record.begin_ns + 500, record.end_ns + 500);
    }
    let findings = analyse_records(&run, &records);
    let wait = findings.per_rank[0].allreduce_wait.unwrap();
    // Four rounds; in the second both come at once, and the higher rank counts as the last.
    assert_eq!(
        (wait.wait_ns, wait.error_ns, wait.clock_free_ns),
        (70, 3 * 5 + 2, 70) // where both come at once, rank 0 waits for as long as it stays at most
    );
    assert_eq!(findings.waited_longest().map(|rank| rank.rank), Some(0));
    assert_eq!(findings.recorded.unwrap().clocks, 2);

    run.clocks.clocks[1].after = None;
    run.clocks.clocks[1].before = Some(Offset {
        error_ns: 40,
        ..offset(900).unwrap()
    });
    let findings = analyse_records(&run, &records);
    assert!(
        findings.waited_longest().is_none(),
        "70 is nothing to speak of where clocks are off by 40 in each round"
    );
}

#[test]
fn differences_of_games_are_named_and_unknowns_are_none() {
    let (run, records) = lockstep();
    let a = analyse_records(&run, &records);
    let mut b = a.clone();
    assert!(differences(&a, &b).is_empty());
    (b.setup.digits, b.setup.think) = (Some(3), None);
    assert_eq!(differences(&a, &b), ["number of digits (2 and 3)"]);
}

prop_compose! {
    /// A collective run of several games with thinks and latencies as they come.
    fn any_collective()(
        n_ranks in 1usize..6,
        cost_ns in 0u32..40,
        games in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec((0u64..500, 0u64..50), 6), 1..12), 1..5),
    ) -> (RunInfo, Vec<Vec<Record>>) {
        let mut run = run_of_ranks(Version::Collective, n_ranks as u32);
        run.games = games.len() as u64;
        run.tracer.record_ns = f64::from(cost_ns);
        let mut scripts: Vec<Script> = (0..n_ranks).map(|i| Script::starting_at(100 + i as u64)).collect();
        for (game, rounds) in (0..).zip(&games) {
            for script in &mut scripts {
                if game > 0 {
                    script.game = game;
                    script.add(Kind::Start, Outcome::None, 0, 0, script.now + 20);
                }
            }
            for round in rounds {
                for (script, &(think, _)) in scripts.iter_mut().zip(round) {
                    if think > 20 {
                        script.think(script.now + think);
                    }
                }
                let last = scripts.iter().map(|script| script.now).max().unwrap();
                for (script, &(_, after)) in scripts.iter_mut().zip(round) {
                    script.allreduce(Outcome::Lost, 1, last + after);
                }
            }
            for script in &mut scripts {
                script.finish();
            }
        }
        (run, scripts.into_iter().map(|script| script.records).collect())
    }
}

proptest! {
    /// Every rank's parts sum to the run's time, and so does the waterfall, to the nanosecond.
    #[test]
    fn all_time_is_accounted_for(
        (run, records) in any_collective(),
        (other_run, other_records) in any_collective(),
    ) {
        let a = analyse_records(&run, &records);
        let b = analyse_records(&other_run, &other_records);
        for findings in [&a, &b] {
            for rank in &findings.per_rank {
                let parts = [rank.useful_ns, rank.wait_ns, rank.operation_ns, rank.tracer_ns, rank.idle_ns];
                prop_assert_eq!(parts.into_iter().sum::<Option<u64>>(), findings.wall_ns);
            }
            let blamed = findings.sum_ns(|rank| Some(rank.blame?.last_ns));
            prop_assert_eq!(blamed, findings.sum_ns(|rank| rank.wait_ns));
            let fair = findings.sum_ns(|rank| Some(rank.blame?.fair_ns));
            prop_assert_eq!(fair, findings.sum_ns(|rank| rank.wait_ns));
            prop_assert_eq!(findings.recorded.as_ref().unwrap().clock_violations, 0);
            if let Some(efficiency) = findings.efficiency {
                let product = efficiency.load_balance * efficiency.serialisation * efficiency.transfer;
                prop_assert!((product - efficiency.parallel).abs() < 1e-9);
                prop_assert!(efficiency.serialisation <= 1.0 + 1e-9);
            }
        }
        let waterfall = Waterfall::new(&a, &b).unwrap();
        let sum = |of: fn(&Part) -> u64| waterfall.parts.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|part| part.sum_ns.0), waterfall.total_ns.0);
        prop_assert_eq!(sum(|part| part.sum_ns.1), waterfall.total_ns.1);
    }

    /// Whatever is cut off at the end of whichever rank: no panic, and the time still adds up.
    #[test]
    fn any_part_of_a_run_is_analysed(
        (run, mut records) in any_collective(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 6),
    ) {
        for (records, cut) in records.iter_mut().zip(cuts) {
            let n = cut.index(records.len() + 1);
            records.truncate(n);
        }
        let findings = analyse_records(&run, &records);
        for rank in &findings.per_rank {
            let parts = [rank.useful_ns, rank.wait_ns, rank.operation_ns, rank.tracer_ns, rank.idle_ns];
            prop_assert_eq!(parts.into_iter().sum::<Option<u64>>(), findings.wall_ns);
        }
    }
}
