//! The arguments of `onesided play`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::super::Format;
use super::checkpoint::CheckpointArgs;
use super::recording::TraceArgs;
use super::watchdog::parse_timeout;
use crate::game::{Straggler, ThinkBy, ThinkPlan, ThinkTime, parse_duration};
use crate::rma::Progress;

/// Arguments of `onesided play`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Play {
    #[command(subcommand)]
    pub(super) version: PlayVersion,
}

#[derive(Debug, Subcommand)]
pub(super) enum PlayVersion {
    /// One-sided: ranks claim digits in an MPI window on rank 0, with no collective in the game
    Rma {
        /// The atomic operation that claims a digit
        #[arg(long, value_enum, default_value = "fetch-and-op")]
        claim_with: ClaimWith,
        /// Where the claims lie
        #[arg(long, value_enum, default_value = "rank0")]
        home: HomeArg,
        /// Which digits ranks guess
        #[arg(long, value_enum, default_value = "uniform")]
        guess: GuessArg,
        /// A guess that is known to be lost costs no operation
        #[arg(long)]
        skip_known: bool,
        /// What keeps claims moving while rank 0 thinks, outside MPI
        #[arg(long, value_enum, default_value = "auto")]
        progress: ProgressArg,
        /// Go on without ranks that die, where the launcher lets the others live; a rank is taken for dead
        /// that gives no sign of life for TIME [default: 5s]. Best effort; one game
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
              default_missing_value = "5s", value_parser = parse_patience)]
        survive: Option<Duration>,
        #[command(flatten)]
        checkpoint: CheckpointArgs,
        #[command(flatten)]
        game: GameArgs,
    },
    /// Collective: the original's steps, an allreduce on every guess and another on every score
    Collective {
        /// Which digits ranks guess
        #[arg(long, value_enum, default_value = "uniform")]
        guess: CollectiveGuessArg,
        #[command(flatten)]
        game: GameArgs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClaimWith {
    /// One bit a digit, by MPI_Fetch_and_op
    FetchAndOp,
    /// One slot a digit with its owner, by MPI_Compare_and_swap
    CompareAndSwap,
    /// One bit a digit, by CPU atomics in memory that all ranks share: one node only
    SharedMemory,
    /// One bit a digit, decided within each node by CPU atomics: only its winner asks rank 0
    TwoTier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HomeArg {
    /// All on rank 0
    Rank0,
    /// Dealt over the memory of all ranks, word by word
    Spread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GuessArg {
    /// Any digit, or 0, as in the original
    Uniform,
    /// Any digit that the rank does not know to be claimed
    Unclaimed,
    /// The next of a random order that all ranks share: no digit is guessed twice
    Ticket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CollectiveGuessArg {
    /// Any digit, or 0, as in the original
    Uniform,
    /// Any digit that the rank does not know to be claimed
    Unclaimed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressArg {
    /// Try whether the library does it alone; else the cheapest of the others that does
    Auto,
    /// Nothing: what the MPI library does by itself
    None,
    /// Rank 0 enters MPI every 50 us while it thinks
    Poll,
    /// A helper thread on rank 0 does (needs MPI_THREAD_SERIALIZED)
    Thread,
}

impl From<ProgressArg> for Progress {
    fn from(arg: ProgressArg) -> Self {
        match arg {
            ProgressArg::Auto => Progress::Auto,
            ProgressArg::None => Progress::None,
            ProgressArg::Poll => Progress::Poll,
            ProgressArg::Thread => Progress::Thread,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct GameArgs {
    /// Digits are 1 to N [default: 9]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) digits: Option<u32>,
    /// Games to play, one after the other [default: 1]
    #[arg(long, value_name = "G", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) games: Option<u64>,
    /// Seed of all random numbers [default: drawn, and printed with the result]
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,
    /// Think time before each guess: 0, 1s, exp:10ms or uniform:5ms..15ms
    #[arg(long, value_name = "TIME", default_value = "0")]
    pub(super) think: ThinkTime,
    /// Think time that rank r adds r times, such as 5s
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    pub(super) think_per_rank: Duration,
    /// Think time that one rank adds, such as 3=200ms; may be given several times
    #[arg(long, value_name = "RANK=TIME")]
    pub(super) straggler: Vec<Straggler>,
    /// How thinking is simulated
    #[arg(long, value_enum, default_value = "sleep")]
    pub(super) think_by: ThinkByArg,
    /// End the job with exit code 124 when a rank has waited so long in one MPI operation, and say in which
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    pub(super) timeout: Option<Duration>,
    #[command(flatten)]
    pub(super) recording: TraceArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Print no notes and no text summary; a JSON document is printed all the same
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Print every guess and score, to stdout, or to stderr with --format json
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ThinkByArg {
    /// The core is free for others
    Sleep,
    /// The core is busy
    Spin,
}

/// Least time without a sign of life: with more ranks than cores a rank may wait that long for a core.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

fn parse_patience(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        patience if patience < LEAST_PATIENCE => Err(format!(
            "'{text}' is too soon to take a rank for dead: at least 500ms"
        )),
        patience => Ok(patience),
    }
}

/// Why no game goes on without a rank, in words, where that is known from the arguments.
fn cannot_survive(claim_with: ClaimWith, home: HomeArg, game: &GameArgs) -> Option<String> {
    if claim_with == ClaimWith::TwoTier {
        return Some(
            "--survive cannot give out anew what a dead rank has decided within its node and not told rank \
             0: use another --claim-with"
                .into(),
        );
    }
    if home == HomeArg::Spread {
        return Some(
            "--survive needs all claims in memory that is still there, and with --home spread each rank has \
             some of them: use --home rank0"
                .into(),
        );
    }
    if game.verbose {
        return Some(
            "--verbose waits for word from every rank, and with --survive some may have died: leave one out"
                .into(),
        );
    }
    survives_one_game(game.games.unwrap_or(1))
}

/// The message for more games than one.
pub(super) fn survives_one_game(n_games: u64) -> Option<String> {
    (n_games > 1).then(|| {
        format!(
            "--survive goes on with one game, and here are {n_games}: all ranks come together between games, \
             and the dead do not"
        )
    })
}

impl PlayVersion {
    /// What does not go together, in words.
    pub(super) fn contradiction(&self) -> Option<String> {
        let PlayVersion::Rma {
            claim_with,
            home,
            guess,
            skip_known,
            survive,
            game,
            ..
        } = self
        else {
            return None;
        };
        if survive.is_some() {
            if let Some(message) = cannot_survive(*claim_with, *home, game) {
                return Some(message);
            }
        }
        let window = matches!(
            claim_with,
            ClaimWith::FetchAndOp | ClaimWith::CompareAndSwap
        );
        let counter = matches!(claim_with, ClaimWith::FetchAndOp | ClaimWith::SharedMemory);
        let method = name_of(*claim_with);
        if *guess == GuessArg::Ticket && !counter {
            return Some(format!(
                "--guess ticket draws digits from a counter, and --claim-with {method} has none: use \
                 --claim-with fetch-and-op or shared-memory"
            ));
        }
        if *guess == GuessArg::Ticket && *skip_known {
            return Some(
                "--guess ticket never guesses a digit that is known to be claimed: leave \
                 --skip-known out"
                    .into(),
            );
        }
        if *home == HomeArg::Spread && *guess == GuessArg::Ticket {
            return Some(
                "--guess ticket has one counter and nothing to spread: use --home rank0".into(),
            );
        }
        if *home == HomeArg::Spread && !window {
            return Some(format!(
                "--home spread deals words over the windows of all ranks, and --claim-with {method} has \
                 one memory a node: use --claim-with fetch-and-op or compare-and-swap"
            ));
        }
        None
    }

    /// How digits are guessed.
    pub(super) fn guess(&self) -> GuessArg {
        match self {
            PlayVersion::Rma { guess, .. } => *guess,
            PlayVersion::Collective { guess, .. } => match guess {
                CollectiveGuessArg::Uniform => GuessArg::Uniform,
                CollectiveGuessArg::Unclaimed => GuessArg::Unclaimed,
            },
        }
    }
}

impl GameArgs {
    /// The message for a straggler that does not exist among `n_ranks`.
    pub(super) fn unknown_straggler(&self, n_ranks: i32) -> Option<String> {
        let n_ranks = n_ranks.unsigned_abs();
        let unknown = self
            .straggler
            .iter()
            .find(|straggler| straggler.rank >= n_ranks)?;
        let rank = unknown.rank;
        Some(match n_ranks {
            1 => format!("--straggler names rank {rank}, and there is only rank 0"),
            n => format!(
                "--straggler names rank {rank}, and the ranks are 0 to {}",
                n - 1
            ),
        })
    }

    pub(super) fn think_plan(&self) -> ThinkPlan {
        ThinkPlan {
            base: self.think,
            per_rank: self.think_per_rank,
            stragglers: self.straggler.clone(),
            by: match self.think_by {
                ThinkByArg::Sleep => ThinkBy::Sleep,
                ThinkByArg::Spin => ThinkBy::Spin,
            },
        }
    }

    pub(super) fn think_in_words(&self) -> String {
        let mut words = self.think.to_string();
        if !self.think_per_rank.is_zero() {
            words += &format!(
                " + {} a rank",
                humantime::format_duration(self.think_per_rank)
            );
        }
        for Straggler { rank, extra } in &self.straggler {
            words += &format!(" + {} on rank {rank}", humantime::format_duration(*extra));
        }
        if self.think_by == ThinkByArg::Spin {
            words += ", spinning";
        }
        words
    }
}

/// An argument's value as it is given on the command line.
pub(super) fn name_of(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
