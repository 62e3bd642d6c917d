//! What was measured: a line of CSV a job, and what the lines of a contest say together.

use onesided::internals::analysis::Spread;

use super::contender::Kind;

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Which round; jobs of a round ran one after the other.
    pub round: usize,
    pub n_games: u64,
    pub guesses: u64,
    /// Digits claimed, each of each game once.
    pub digits_claimed: u64,
    /// Seconds of play, as [`Played`](super::contender::Played) has them.
    pub play_s: f64,
    /// Seconds that the job took longer than one of a single game of the same contender: play, the barriers
    /// between games, clearing and gathering.
    pub beyond_start_s: f64,
}

/// A contender in a contest, with all its samples; none, and a reason, if it did not play.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
    pub trouble: Option<String>,
}

impl Sample {
    pub fn claims_per_s(&self) -> f64 {
        self.guesses as f64 / self.play_s
    }

    pub fn digits_per_s(&self) -> f64 {
        self.digits_claimed as f64 / self.play_s
    }
}

impl Row {
    pub fn spread(&self, of: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(&self.samples.iter().map(of).collect::<Vec<_>>())
    }

    /// Claims a second with everything between games; `None` if jobs took hardly longer than those of a
    /// single game, as far as could be measured.
    pub fn in_all(&self) -> Option<f64> {
        let n_games = self.samples.first()?.n_games;
        let beyond_start_s = self.spread(|sample| sample.beyond_start_s)?.median;
        // The job of a single game has had one of the games.
        let part = (n_games - 1) as f64 / n_games as f64;
        let guesses = self.spread(|sample| sample.guesses as f64)?.median * part;
        (beyond_start_s > 0.05 && n_games > 1).then(|| guesses / beyond_start_s)
    }

    /// How many times as many claims a second as `other`, round by round.
    pub fn ahead_of(&self, other: &Row) -> Option<Spread> {
        let ratios: Vec<f64> = self
            .samples
            .iter()
            .filter_map(|ours| {
                let theirs = other
                    .samples
                    .iter()
                    .find(|theirs| theirs.round == ours.round)?;
                Some(ours.claims_per_s() / theirs.claims_per_s())
            })
            .collect();
        Spread::of(&ratios)
    }
}

/// Our one-sided way with the highest median.
pub fn best_of_ours(rows: &[Row]) -> Option<&Row> {
    let median = |row: &Row| {
        row.spread(Sample::claims_per_s)
            .map_or(0.0, |spread| spread.median)
    };
    rows.iter()
        .filter(|row| row.kind == Kind::Ours && !row.samples.is_empty())
        .max_by(|a, b| median(a).total_cmp(&median(b)))
}

/// How many times as fast as a peer ours must be at so many ranks; more is asked beside lockstep.
pub fn wanted(kind: Kind, n_ranks: u32) -> Option<f64> {
    match (kind, n_ranks) {
        (Kind::Ours, _) => None,
        (Kind::Collective, 8..) => Some(100.0),
        (Kind::Collective, 4..) => Some(10.0),
        _ => Some(1.0),
    }
}

/// Whether a target holds, in words.
pub fn verdict(ahead: &Spread, wanted: f64) -> String {
    if ahead.low >= wanted {
        format!("holds: {wanted} times wanted")
    } else if ahead.median >= wanted {
        // Too noisy, or too few rounds.
        format!("holds by the median: {wanted} times wanted")
    } else {
        format!(
            "MISSED by {:.0} %: {wanted} times wanted",
            100.0 * (1.0 - ahead.median / wanted)
        )
    }
}

/// The columns of the CSV file.
pub const CSV_HEAD: &str = "mpi,digits,ranks,contender,kind,round,games,guesses,digits_claimed,play_s,beyond_start_s,trouble\n";

/// The lines of a row.
pub fn csv(mpi: &str, n_digits: u32, n_ranks: u32, row: &Row) -> String {
    let kind = match row.kind {
        Kind::Ours => "ours",
        Kind::Peer => "peer",
        Kind::Collective => "collective",
    };
    let start = format!("\"{mpi}\",{n_digits},{n_ranks},\"{}\",{kind}", row.name);
    let mut lines = String::new();
    for sample in &row.samples {
        let Sample {
            round,
            n_games,
            guesses,
            digits_claimed,
            play_s,
            beyond_start_s,
        } = sample;
        lines += &format!(
            "{start},{round},{n_games},{guesses},{digits_claimed},{play_s},{beyond_start_s},\n"
        );
    }
    if let Some(trouble) = &row.trouble {
        lines += &format!(
            "{start},,,,,,,\"{}\"\n",
            trouble.replace('"', "'").replace('\n', " ")
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, kind: Kind, play_s: &[f64]) -> Row {
        let sample = |(round, &play_s): (usize, &f64)| Sample {
            round,
            n_games: 10,
            guesses: 1000,
            digits_claimed: 90,
            play_s,
            beyond_start_s: 2.0 * play_s,
        };
        let samples = play_s.iter().enumerate().map(sample).collect();
        Row {
            name,
            kind,
            samples,
            trouble: None,
        }
    }

    #[test]
    fn rates_and_ratios_are_of_the_same_round() {
        let fast = row("a", Kind::Ours, &[1.0, 2.0, 4.0, 1.0, 2.0, 4.0]);
        let slow = row("b", Kind::Collective, &[10.0, 20.0, 40.0, 10.0, 20.0, 40.0]);
        let ahead = fast.ahead_of(&slow).unwrap();
        assert_eq!((ahead.median, ahead.low, ahead.high), (10.0, 10.0, 10.0));
        assert_eq!(fast.spread(Sample::claims_per_s).unwrap().median, 500.0);
        assert_eq!(fast.spread(Sample::digits_per_s).unwrap().median, 45.0);
        assert_eq!(
            fast.in_all(),
            Some(225.0),
            "nine of ten games are beyond the start"
        );
        let one_round = row("c", Kind::Peer, &[5.0]);
        assert_eq!(fast.ahead_of(&one_round).unwrap().median, 5.0);
        assert_eq!(fast.ahead_of(&row("d", Kind::Peer, &[])), None);
    }

    #[test]
    fn the_best_is_one_of_ours() {
        let rows = [
            row("a", Kind::Ours, &[2.0]),
            row("b", Kind::Ours, &[1.0]),
            row("c", Kind::Peer, &[0.1]),
            row("d", Kind::Ours, &[]),
        ];
        assert_eq!(best_of_ours(&rows).unwrap().name, "b");
        assert_eq!(best_of_ours(&rows[2..]), None);
    }

    #[test]
    fn a_target_is_missed_held_or_held_by_the_median() {
        let spread = |median, low| Spread {
            median,
            low,
            high: 2.0 * median,
        };
        assert!(verdict(&spread(120.0, 101.0), 100.0).starts_with("holds: 100"));
        assert!(verdict(&spread(120.0, 90.0), 100.0).starts_with("holds by the median"));
        assert!(verdict(&spread(80.0, 70.0), 100.0).starts_with("MISSED by 20 %"));
        assert_eq!(wanted(Kind::Collective, 2), Some(1.0));
        assert_eq!(wanted(Kind::Collective, 4), Some(10.0));
        assert_eq!(wanted(Kind::Collective, 8), Some(100.0));
        assert_eq!(
            (wanted(Kind::Peer, 8), wanted(Kind::Ours, 8)),
            (Some(1.0), None)
        );
    }

    #[test]
    fn each_job_is_a_line_and_so_is_trouble() {
        let mut row = row("a, b", Kind::Ours, &[0.5]);
        row.trouble = Some("said \"no\"\ntwice".into());
        let lines = csv("MPI 1", 9, 2, &row);
        assert_eq!(
            lines,
            "\"MPI 1\",9,2,\"a, b\",ours,0,10,1000,90,0.5,1,\n\
             \"MPI 1\",9,2,\"a, b\",ours,,,,,,,\"said 'no' twice\"\n"
        );
    }
}
