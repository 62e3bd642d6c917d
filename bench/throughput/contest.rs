//! A contest: jobs of all contenders in turn, at one number of digits and ranks.

use std::time::Duration;

use super::calibrate::{Trial, next_games, order};
use super::contender::{Contender, Contest, Played};
use super::samples::{Row, Sample};
use super::support::Job;

/// A job that has not ended by then is ended, and that is its result.
const DEADLINE: Duration = Duration::from_secs(60);
/// Jobs of a single game, whose median is what starting takes.
const N_STARTS: usize = 3;
/// Trials before a size is taken as it is.
const MAX_TRIALS: usize = 10;

/// A contender that plays: how many games a job has, and how long one of a single game takes, in seconds.
struct Player<'a> {
    contender: &'a Contender,
    n_games: u64,
    start_s: f64,
    row: Row,
}

/// Plays `n_rounds` of jobs; a row for each contender.
pub fn play(contenders: &[Contender], n_digits: u32, n_ranks: u32, n_rounds: usize) -> Vec<Row> {
    let mut contest = Contest {
        n_digits,
        n_ranks,
        n_games: 1,
        seed: 0,
    };
    let mut players: Vec<Player<'_>> = contenders
        .iter()
        .map(|contender| Player::sized(contender, contest))
        .collect();
    for round in 0..n_rounds {
        for index in order(players.len(), round) {
            contest.seed += 1;
            players[index].play(contest, round);
        }
    }
    players.into_iter().map(|player| player.row).collect()
}

impl<'a> Player<'a> {
    /// The player, with jobs of the right size for it.
    fn sized(contender: &'a Contender, contest: Contest) -> Self {
        let mut player = Player {
            contender,
            n_games: 1,
            start_s: 0.0,
            row: Row {
                name: contender.name,
                kind: contender.kind,
                samples: Vec::new(),
                trouble: None,
            },
        };
        if let Err(trouble) = player.size(contest) {
            player.row.trouble = Some(trouble);
        }
        player
    }

    fn size(&mut self, mut contest: Contest) -> Result<(), String> {
        let mut starts = Vec::new();
        let mut play_s = 0.0;
        for seed in 0..N_STARTS as u64 {
            contest.seed = 1_000_000 + seed;
            let (played, took_s) = run(self.contender, &contest)?;
            starts.push(took_s);
            play_s = played.play_s;
        }
        starts.sort_by(f64::total_cmp);
        self.start_s = starts[N_STARTS / 2];
        let mut trial = Trial {
            n_games: 1,
            beyond_start_s: 0.0,
            play_s,
        };
        for _ in 0..MAX_TRIALS {
            self.n_games = next_games(&trial);
            if self.n_games == trial.n_games {
                break;
            }
            contest.n_games = self.n_games;
            let (played, took_s) = run(self.contender, &contest)?;
            trial = Trial {
                n_games: self.n_games,
                beyond_start_s: took_s - self.start_s,
                play_s: played.play_s,
            };
        }
        Ok(())
    }

    /// One job; nothing if there was trouble before.
    fn play(&mut self, mut contest: Contest, round: usize) {
        if self.row.trouble.is_some() {
            return;
        }
        contest.n_games = self.n_games;
        match run(self.contender, &contest) {
            Ok((played, took_s)) => self.row.samples.push(Sample {
                round,
                n_games: self.n_games,
                guesses: played.total_guesses(),
                digits_claimed: self.n_games * u64::from(contest.n_digits),
                play_s: played.play_s,
                beyond_start_s: took_s - self.start_s,
            }),
            Err(trouble) => self.row.trouble = Some(trouble),
        }
    }
}

/// Runs a job and checks its answer; what was played, and how many seconds the job took.
fn run(contender: &Contender, contest: &Contest) -> Result<(Played, f64), String> {
    let (program, args) = contender.command(contest);
    let ended = Job::new(contest.n_ranks, program)
        .args(args)
        .deadline(DEADLINE)
        .run();
    if ended.timed_out {
        return Err(format!("not within {} s", DEADLINE.as_secs()));
    }
    let said = || ended.stderr.lines().last().unwrap_or_default().to_owned();
    match ended.code {
        Some(0) => {}
        code => return Err(format!("ended with code {code:?}: {}", said())),
    }
    let played = contender
        .read(&ended.stdout, contest)
        .map_err(|error| format!("WRONG: {error}"))?;
    Ok((played, ended.took.as_secs_f64()))
}
