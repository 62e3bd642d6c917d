//! One run, for people.

use std::fmt::Write;

use super::seconds;
use super::table::Table;
use crate::analysis::{RunSummary, Version};

/// The summary of a run as text: a row a rank, totals, and what was played with what.
pub fn summary(run: &RunSummary) -> String {
    let mut text = String::new();
    let claiming = crate::analysis::claiming(
        run.claim_with.as_deref(),
        run.guess.as_deref(),
        run.skip_known,
        run.spread,
    );
    let method = match (claiming, &run.claim_with) {
        (None, _) => String::new(),
        (Some(claiming), Some(_)) => format!(" by {claiming}"),
        (Some(claiming), None) => format!(", {claiming}"),
    };
    let games = if run.games == 1 {
        "1 game".into()
    } else {
        format!("{} games", run.games)
    };
    let _ = writeln!(
        text,
        "{}{method}: {games} of digits 1 to {}, {} {}, think time {}, seed {}, {}",
        run.version.name(),
        run.digits,
        run.ranks,
        if run.ranks == 1 { "rank" } else { "ranks" },
        run.think,
        run.seed,
        run.mpi_library,
    );
    text.push('\n');
    text += &ranks(run);
    text.push('\n');
    if let Some(resumed) = &run.resumed {
        let _ = writeln!(
            text,
            "resumed after {} games and {} digits of the next, which earlier runs had claimed",
            resumed.game, resumed.digits_claimed
        );
    }
    if !run.dead_ranks.is_empty() {
        let _ = writeln!(
            text,
            "died: {}; {} the numbers that were told last, and the points that were put down",
            listed("rank", &run.dead_ranks),
            match run.dead_ranks.len() {
                1 => "its row has",
                _ => "their rows have",
            },
        );
    }
    if !run.claimed_anew.is_empty() {
        let _ = writeln!(
            text,
            "claimed anew by rank 0, as the dead had claimed and not scored it: {}",
            listed("digit", &run.claimed_anew)
        );
    }
    let claimed = match &run.cut_short {
        Some(cut) if cut.digits_claimed > 0 => format!(
            "cut short by {} with {} of {} digits claimed in the last game, the last",
            cut.signal, cut.digits_claimed, run.digits
        ),
        Some(cut) => format!(
            "cut short by {} between games, all digits claimed",
            cut.signal
        ),
        None => "all digits claimed".into(),
    };
    let _ = writeln!(
        text,
        "{claimed} after {}, last rank left after {}{}",
        seconds(run.time_to_complete_s),
        seconds(run.wall_s),
        if run.games == 1 {
            ""
        } else {
            " (sums over the games)"
        },
    );
    if let Some(games) = &run.game_s {
        let [min, p5, median, p95, max] = games.all().map(seconds);
        let _ = writeln!(
            text,
            "games: half within {median}, 5 % within {p5}, 95 % within {p95}, shortest {min}, longest {max}"
        );
    }
    let _ = write!(
        text,
        "points {}, double scores {}",
        run.points_total, run.double_scores
    );
    if let Some(rounds) = run.rounds {
        let _ = write!(
            text,
            ", allreduces {rounds} = guesses + points on every rank"
        );
    }
    text.push('\n');
    if let Some(progress) = &run.progress {
        let _ = writeln!(text, "progress {}", progress.in_words());
    }
    text
}

/// `ranks 1, 5`
fn listed(what: &str, numbers: &[u32]) -> String {
    let all: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let s = if numbers.len() == 1 { "" } else { "s" };
    format!("{what}{s} {}", all.join(", "))
}

fn ranks(run: &RunSummary) -> String {
    let waiting = match run.version {
        Version::Rma => "in operations",
        Version::Collective => "in allreduces",
    };
    let mut table = Table::new(2);
    table.row([
        "rank",
        "host",
        "guesses",
        "points",
        "thinking",
        waiting,
        "operations",
    ]);
    for rank in &run.per_rank {
        table.row([
            rank.rank.to_string(),
            rank.host.clone(),
            rank.guesses.to_string(),
            rank.points.to_string(),
            seconds(rank.think_s),
            seconds(rank.operation_s),
            rank.operations.to_string(),
        ]);
    }
    let count = |of: fn(&crate::analysis::RankSummary) -> u64| {
        run.per_rank.iter().map(of).sum::<u64>().to_string()
    };
    let time =
        |of: fn(&crate::analysis::RankSummary) -> f64| seconds(run.per_rank.iter().map(of).sum());
    table.row([
        "all".into(),
        String::new(),
        count(|rank| rank.guesses),
        count(|rank| rank.points),
        time(|rank| rank.think_s),
        time(|rank| rank.operation_s),
        count(|rank| rank.operations),
    ]);
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::GameSeconds;
    use crate::analysis::summaries::run;

    #[test]
    fn a_run_reads_as_this() {
        let expected = "\
collective: 1 game of digits 1 to 9, 2 ranks, think time 100ms + 300ms a rank, seed 7, Open MPI 4.1.4

  rank  host   guesses  points  thinking  in allreduces  operations
  0     node1       11       6    1.10 s         5.70 s          11
  1     node1       13       4    5.20 s         1.60 s          13
  all               24      10    6.30 s         7.30 s          24

all digits claimed after 6.80 s, last rank left after 6.80 s
points 10, double scores 1, allreduces 17 = guesses + points on every rank
";
        assert_eq!(summary(&run(Version::Collective)), expected);
    }

    #[test]
    fn who_died_is_said() {
        let survived = RunSummary {
            dead_ranks: vec![1],
            claimed_anew: vec![4, 7],
            ..run(Version::Rma)
        };
        let text = summary(&survived);
        assert!(
            text.contains("\ndied: rank 1; its row has the numbers"),
            "{text}"
        );
        assert!(text.contains("not scored it: digits 4, 7\n"), "{text}");
    }

    #[test]
    fn several_games_have_their_distribution() {
        let several = RunSummary {
            games: 100,
            game_s: Some(GameSeconds {
                min: 0.05,
                p5: 0.0551,
                median: 0.0655,
                p95: 0.0912,
                max: 0.11,
            }),
            ..run(Version::Rma)
        };
        let line = "games: half within 65.5 ms, 5 % within 55.1 ms, 95 % within 91.2 ms, shortest 50.0 ms, \
                    longest 110 ms";
        assert!(
            summary(&several).lines().any(|own| own == line),
            "{}",
            summary(&several)
        );
    }
}
