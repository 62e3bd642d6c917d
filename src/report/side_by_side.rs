//! Both versions of the game beside each other, for people.

use std::fmt::Write;

use super::table::Table;
use super::{seconds, significant};
use crate::analysis::{RankSummary, RunSummary, SideBySide};

/// The table of both versions, and the sentence that says what it shows.
pub fn side_by_side(pair: &SideBySide) -> String {
    let SideBySide {
        one_sided,
        collective,
    } = pair;
    let run = |run: &RunSummary| format!("seed {}, {}", run.seed, run.mpi_library);
    let games = if collective.games == 1 {
        "1 game".into()
    } else {
        format!("{} games", collective.games)
    };
    let header = format!(
        "{games} of digits 1 to {}, {} ranks, think time {}\none-sided by {}: {}; collective: {}\n",
        collective.digits,
        collective.ranks,
        collective.think,
        one_sided
            .claim_with
            .as_deref()
            .unwrap_or("an unknown method"),
        run(one_sided),
        run(collective),
    );
    let mut ranks = Table::new(2);
    ranks.row(["", "", "one-sided", "", "", "", "collective", "", "", ""]);
    let columns = ["guesses", "points", "thinking", "in operations"];
    let columns_collective = ["guesses", "points", "thinking", "in allreduces"];
    ranks.row(
        ["rank", "host"]
            .into_iter()
            .chain(columns)
            .chain(columns_collective),
    );
    for (a, b) in one_sided.per_rank.iter().zip(&collective.per_rank) {
        let cells = [a.rank.to_string(), a.host.clone()].into_iter();
        ranks.row(cells.chain(rank_cells(a)).chain(rank_cells(b)));
    }
    let mut totals = Table::new(1);
    totals.row(["", "one-sided", "collective"]);
    let mut row = |name: &str, a: String, b: String| totals.row([name.to_owned(), a, b]);
    let guesses = |ranks: &[RankSummary]| ranks.iter().map(|r| r.guesses).sum::<u64>().to_string();
    row(
        "all digits claimed after",
        seconds(one_sided.time_to_complete_s),
        seconds(collective.time_to_complete_s),
    );
    row(
        "last rank left after",
        seconds(one_sided.wall_s),
        seconds(collective.wall_s),
    );
    row(
        "guesses of all ranks",
        guesses(&one_sided.per_rank),
        guesses(&collective.per_rank),
    );
    row(
        "double scores",
        one_sided.double_scores.to_string(),
        collective.double_scores.to_string(),
    );
    let rounds = |rounds: Option<u64>| rounds.map_or("0".into(), |n| n.to_string());
    row(
        "allreduces of every rank",
        rounds(one_sided.rounds),
        rounds(collective.rounds),
    );
    format!(
        "{header}\n{}\n{}\n{}\n",
        ranks.render(),
        totals.render(),
        verdict_sentence(pair)
    )
}

fn rank_cells(rank: &RankSummary) -> [String; 4] {
    [
        rank.guesses.to_string(),
        rank.points.to_string(),
        seconds(rank.think_s),
        seconds(rank.operation_s),
    ]
}

/// The answer to the question why fast ranks get no more guesses than slow ones, with the numbers of
/// these runs.
pub fn verdict_sentence(pair: &SideBySide) -> String {
    let verdict = pair.verdict();
    let (one_sided, collective) = (
        seconds(pair.one_sided.time_to_complete_s),
        seconds(pair.collective.time_to_complete_s),
    );
    let mut text = String::new();
    if let Some(extremes) = verdict.extremes {
        let (fast, slow) = (extremes.fast, extremes.slow);
        let (fast_collective, slow_collective) = extremes.guesses_collective;
        let (fast_one_sided, slow_one_sided) = extremes.guesses_one_sided;
        let _ = write!(
            text,
            "In lockstep the fast rank {fast} got {} to the slow rank {slow}'s {slow_collective}, \
             because nobody leaves an allreduce before everybody has entered it: rank {fast} spent {:.0} % \
             of its time there",
            count(fast_collective, "guess", "guesses"),
            100.0 * extremes.fast_share_in_allreduce,
        );
        if let Some(steps) = verdict.steps_in_lockstep {
            let _ = write!(text, ", and guesses + points is {steps} on every rank");
        }
        let _ = write!(
            text,
            ". One-sided, rank {fast} got {} to rank {slow}'s {slow_one_sided}, ",
            count(fast_one_sided, "guess", "guesses"),
        );
    } else {
        text += "With think times that do not tell the ranks apart, one-sided, ";
    }
    let _ = write!(
        text,
        "and all digits were claimed in {one_sided} instead of {collective}"
    );
    if let Some(times) = verdict.times_sooner {
        let _ = match times >= 1.0 {
            true => write!(text, ", {} times sooner", significant(times)),
            false => write!(text, ", {} times later", significant(1.0 / times)),
        };
    }
    text + "."
}

fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Version;
    use crate::analysis::tests::run;

    #[test]
    fn both_versions_read_as_this() {
        let pair = SideBySide::new(run(Version::Rma), run(Version::Collective)).unwrap();
        let text = side_by_side(&pair);
        let expected = "
1 game of digits 1 to 9, 2 ranks, think time 100ms + 300ms a rank
one-sided by fetch-and-op: seed 7, Open MPI 4.1.4; collective: seed 7, Open MPI 4.1.4

               one-sided                                   collective
  rank  host     guesses  points  thinking  in operations     guesses  points  thinking  in allreduces
  0     node1         20       7    2.00 s        1.00 ms          11       6    1.10 s         5.70 s
  1     node1          5       2    2.00 s        1.00 ms          13       4    5.20 s         1.60 s

                            one-sided  collective
  all digits claimed after     2.00 s      6.80 s
  last rank left after         2.25 s      6.80 s
  guesses of all ranks             25          24
  double scores                     0           1
  allreduces of every rank          0          17

In lockstep the fast rank 0 got 11 guesses to the slow rank 1's 13, because nobody leaves an allreduce \
before everybody has entered it: rank 0 spent 84 % of its time there, and guesses + points is 17 on every \
rank. One-sided, rank 0 got 20 guesses to rank 1's 5, and all digits were claimed in 2.00 s instead of \
6.80 s, 3.40 times sooner.
";
        assert_eq!(format!("\n{text}"), expected);
    }

    #[test]
    fn a_one_sided_run_that_took_longer_is_said_to_be_later() {
        let mut slow = run(Version::Rma);
        slow.time_to_complete_s = 13.6;
        let pair = SideBySide::new(slow, run(Version::Collective)).unwrap();
        assert!(verdict_sentence(&pair).ends_with("13.6 s instead of 6.80 s, 2.00 times later."));
    }
}
