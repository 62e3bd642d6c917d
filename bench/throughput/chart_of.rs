//! The chart of a CSV file of this benchmark.

use std::collections::BTreeMap;

use onesided::internals::analysis::Spread;
use onesided::internals::report::svg::{Axis, Chart, Emphasis, Scale, Series};

/// A contender, and whether it is one of our one-sided ways.
type Name = (String, bool);
/// Claims a second of each job, by ranks.
type RatesByRanks = BTreeMap<u32, Vec<f64>>;

/// Claims a second against ranks, a line a contender, for the contest of `n_digits`.
///
/// # Errors
/// If the text is not what [`csv`](super::samples::csv) writes, or cannot be drawn.
pub fn svg(csv: &str, n_digits: u32) -> Result<String, String> {
    // In the order of the file.
    let mut rates: Vec<(Name, RatesByRanks)> = Vec::new();
    let mut mpi = String::new();
    for line in csv.lines().skip(1) {
        let cells = cells(line);
        let [
            library,
            digits,
            ranks,
            name,
            kind,
            _,
            _,
            guesses,
            _,
            play_s,
            ..,
        ] = &cells[..]
        else {
            return Err(format!("not a line of this benchmark: {line}"));
        };
        if digits.parse() != Ok(n_digits) || guesses.is_empty() {
            continue;
        }
        let number = |cell: &str| {
            cell.parse::<f64>()
                .map_err(|error| format!("{cell}: {error}"))
        };
        let rate = number(guesses)? / number(play_s)?;
        let ranks = ranks.parse().map_err(|error| format!("{ranks}: {error}"))?;
        let key = (name.clone(), kind == "ours");
        let at = rates.iter().position(|(known, _)| *known == key);
        let at = at.unwrap_or_else(|| {
            rates.push((key, BTreeMap::new()));
            rates.len() - 1
        });
        rates[at].1.entry(ranks).or_default().push(rate);
        mpi.clone_from(library);
    }
    let mut ticks: Vec<f64> = rates
        .iter()
        .flat_map(|(_, of)| of.keys().copied().map(f64::from))
        .collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    let series = rates.into_iter().map(|((name, is_ours), of)| Series {
        name,
        points: of
            .iter()
            .filter_map(|(&ranks, rates)| Some((f64::from(ranks), Spread::of(rates)?.median)))
            .collect(),
        emphasis: if is_ours {
            Emphasis::Main
        } else {
            Emphasis::Other
        },
    });
    let chart = Chart {
        title: format!("Claims per second, games of {n_digits} digits, {mpi}"),
        x: Axis {
            label: "ranks".into(),
            scale: Scale::Log,
            ticks,
        },
        y: Axis {
            label: "claims per second, all ranks".into(),
            scale: Scale::Log,
            ticks: Vec::new(),
        },
        series: series.collect(),
        target: None,
    };
    chart.svg().map_err(|error| error.to_string())
}

/// The cells of a line, which may be quoted and have no quotes within.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cells.last_mut().expect("one cell at least").push(other),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::contender::Kind;
    use super::super::samples::{self, Row, Sample};
    use super::*;

    #[test]
    fn the_chart_is_of_the_medians_of_what_was_written() {
        let sample = |round, play_s| Sample {
            round,
            n_games: 1,
            guesses: 1000,
            digits_claimed: 9,
            play_s,
            beyond_start_s: 0.0,
        };
        let mut csv = samples::CSV_HEAD.to_owned();
        for (n_ranks, play_s) in [(2, 0.1), (4, 1.0), (8, 10.0)] {
            let samples = vec![sample(0, play_s), sample(1, play_s), sample(2, 99.0)];
            let row = Row {
                name: "a, b",
                kind: Kind::Ours,
                samples,
                trouble: None,
            };
            csv += &samples::csv("MPI 1", 64, n_ranks, &row);
            csv += &samples::csv("MPI 1", 9, n_ranks, &row);
        }
        let trouble = Some("not within 60 s".to_owned());
        let missing = Row {
            name: "c",
            kind: Kind::Peer,
            samples: Vec::new(),
            trouble,
        };
        csv += &samples::csv("MPI 1", 64, 8, &missing);
        let svg = svg(&csv, 64).unwrap();
        assert_eq!(svg.matches("<circle").count(), 3, "one a number of ranks");
        assert!(svg.contains(">a, b</text>") && svg.contains("64 digits, MPI 1"));
        assert!(super::svg(&csv, 65).is_err(), "there are no such games");
        assert!(super::svg("head\nnonsense\n", 64).is_err());
    }

    #[test]
    fn quoted_cells_keep_their_commas() {
        assert_eq!(cells("\"a, b\",1,,\"c\""), ["a, b", "1", "", "c"]);
    }
}
