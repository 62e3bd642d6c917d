//! A collective run replayed moment by moment: the oracle of what curing a rank saves.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;

use onesided::internals::trace::{Kind, Record, Trace};

/// The time of every game, summed, when each rank computes `scale` times as long as it did, and every allreduce
/// keeps what it took each rank beyond the moment when the last one had entered it. In nanoseconds.
pub fn wall_ns(trace: &Trace, scale: &[f64]) -> f64 {
    let records: Vec<Vec<Record>> = (0..trace.run.ranks)
        .map(|rank| trace.records(rank).collect())
        .collect();
    let games = records[0].iter().map(|record| record.game).max();
    (0..=games.expect("records"))
        .map(|game| game_ns(trace, &records, game, scale))
        .sum()
}

fn game_ns(trace: &Trace, records: &[Vec<Record>], game: u32, scale: &[f64]) -> f64 {
    let cost_ns = trace.run.tracer.record_ns.round();
    // Each rank's game as what it does before each allreduce, and what it does after the last.
    let games: Vec<Vec<&Record>> = records
        .iter()
        .map(|records| {
            records
                .iter()
                .filter(|record| record.game == game)
                .collect()
        })
        .collect();
    let starts: Vec<f64> = games.iter().map(|game| game[0].end_ns as f64).collect();
    let rounds = |game: &Vec<&Record>| {
        let is_round = |record: &&&Record| record.kind == Kind::Allreduce;
        game.iter().filter(is_round).count()
    };
    let n_rounds = rounds(&games[0]);
    assert!(games.iter().all(|game| rounds(game) == n_rounds));
    let mut now = starts.clone();
    let mut at = vec![1; games.len()]; // after the start
    let mut last_end_ns: Vec<u64> = games.iter().map(|game| game[0].end_ns).collect();
    for _ in 0..n_rounds {
        let mut enters = Vec::new();
        for (rank, game) in games.iter().enumerate() {
            loop {
                let record = game[at[rank]];
                at[rank] += 1;
                now[rank] += (record.begin_ns - last_end_ns[rank]) as f64;
                last_end_ns[rank] = record.end_ns;
                if record.kind == Kind::Allreduce {
                    enters.push(record);
                    break;
                }
                let took_ns = record.duration_ns() as f64;
                let useful_ns = match record.kind {
                    Kind::Think => took_ns - cost_ns.min(took_ns),
                    _ => 0.0,
                };
                now[rank] += took_ns - useful_ns + scale[rank] * useful_ns;
            }
        }
        let entered_ns = enters.iter().map(|record| record.begin_ns).max();
        let enter = now.iter().copied().fold(0.0, f64::max);
        for (now, record) in now.iter_mut().zip(&enters) {
            *now = enter + (record.end_ns as f64 - entered_ns.expect("ranks") as f64);
        }
    }
    for (rank, game) in games.iter().enumerate() {
        let end_ns = game.last().expect("records").end_ns;
        now[rank] += (end_ns - last_end_ns[rank]) as f64;
    }
    let took = now.iter().zip(&starts).map(|(end, start)| end - start);
    took.fold(0.0, f64::max)
}

/// What lockstep costs by a run's own think times: of each round the longest, to the mean of what ranks computed.
pub fn slowdown(trace: &Trace) -> f64 {
    let cost_ns = trace.run.tracer.record_ns.round();
    let mut longest_ns: BTreeMap<(u32, usize), f64> = BTreeMap::new();
    let mut computed_ns = 0.0;
    for rank in 0..trace.run.ranks {
        let mut round = (0, 0);
        for record in trace.records(rank) {
            match record.kind {
                Kind::Start => round = (record.game, 0),
                Kind::Allreduce => round.1 += 1,
                Kind::Think => {
                    let took_ns = (record.duration_ns() as f64 - cost_ns).max(0.0);
                    computed_ns += took_ns;
                    let longest_ns = longest_ns.entry(round).or_default();
                    *longest_ns = longest_ns.max(took_ns);
                }
                Kind::Claim | Kind::Finish => {}
            }
        }
    }
    longest_ns.values().sum::<f64>() / (computed_ns / f64::from(trace.run.ranks))
}

/// For each rank by what its computation is to be scaled, that it is no longer than the median of all.
pub fn cures(useful_ns: &[u64]) -> Vec<f64> {
    let mut sorted = useful_ns.to_vec();
    sorted.sort_unstable();
    let n = sorted.len();
    let median = (sorted[(n - 1) / 2] as f64 + sorted[n / 2] as f64) / 2.0;
    useful_ns
        .iter()
        .map(|&ns| (median / ns.max(1) as f64).min(1.0))
        .collect()
}

/// Holds a run's findings against its replays: unchanged it takes the time that it took, give or take 1 %, and
/// cured of any one rank it takes less by what that rank is said to save.
pub fn assert_savings_are_those_of_a_replay(
    trace: &Trace,
    run: &onesided::internals::analysis::Findings,
) {
    let n = run.per_rank.len();
    let wall = run.wall_ns.expect("a whole run") as f64;
    let unchanged = wall_ns(trace, &vec![1.0; n]);
    assert!(
        (unchanged - wall).abs() <= 0.01 * wall,
        "unchanged {unchanged}, and it took {wall}"
    );
    let useful_ns: Vec<u64> = run
        .per_rank
        .iter()
        .map(|rank| rank.useful_ns.expect("a trace"))
        .collect();
    for (rank, cure) in cures(&useful_ns).into_iter().enumerate() {
        let mut scale = vec![1.0; n];
        scale[rank] = cure;
        let saved = unchanged - wall_ns(trace, &scale);
        let said = run.per_rank[rank].saving_ns.expect("collective") as f64;
        // What a rank's last steps take may end a game a little earlier or later than all.
        assert!(
            (said - saved).abs() <= 0.001 * wall,
            "rank {rank}: {said}, and a replay saves {saved} of {wall}"
        );
    }
}
