//! The arguments that say what a batch plays. They are texts here: a plan's own reader understands them,
//! those of the file and those of flags alike, and names the bad ones together.

use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, read_text};
use crate::batch::{Plan, Values};

/// Largest plan that is read.
const MAX_PLAN_BYTES: u64 = 1 << 24;

/// How many bad values are named at most. More are most often one mistake, such as a bracket that is not closed.
const MAX_BAD_SHOWN: usize = 20;

/// A plan, from a file, from flags, or both.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// A plan: TOML with a key for each of the options here, such as ranks = [2, 4, 8]. Flags replace what
    /// it says
    #[arg(value_name = "PLAN.toml")]
    pub(super) file: Option<PathBuf>,
    /// Numbers of ranks [default: 2]
    #[arg(long, value_name = "N,…", allow_hyphen_values = true)]
    ranks: Vec<String>,
    /// rma, collective [default: both]
    #[arg(long, value_name = "V,…", allow_hyphen_values = true)]
    versions: Vec<String>,
    /// Digits are 1 to N [default: 9]
    #[arg(long, value_name = "N,…", allow_hyphen_values = true)]
    digits: Vec<String>,
    /// Games in each run, one after the other [default: 1]
    #[arg(long, value_name = "G,…", allow_hyphen_values = true)]
    games: Vec<String>,
    /// Think times before each guess: 0, 1s, exp:10ms or uniform:5ms..15ms [default: 0]
    #[arg(long, value_name = "TIME,…", allow_hyphen_values = true)]
    think: Vec<String>,
    /// Think times that rank r adds r times [default: 0]
    #[arg(long, value_name = "TIME,…", allow_hyphen_values = true)]
    think_per_rank: Vec<String>,
    /// Think times that single ranks add: none, or 3=200ms, or 1=1s+3=200ms for both at once [default: none]
    #[arg(long, value_name = "RANK=TIME,…", allow_hyphen_values = true)]
    straggler: Vec<String>,
    /// How thinking is simulated: sleep, spin [default: sleep]
    #[arg(long, value_name = "HOW,…", allow_hyphen_values = true)]
    think_by: Vec<String>,
    /// Which digits ranks guess: uniform, unclaimed; one-sided also ticket [default: uniform]
    #[arg(long, value_name = "HOW,…", allow_hyphen_values = true)]
    guess: Vec<String>,
    /// How digits are claimed: fetch-and-op, compare-and-swap, shared-memory, two-tier [default:
    /// fetch-and-op]
    #[arg(long, value_name = "HOW,…", allow_hyphen_values = true)]
    claim_with: Vec<String>,
    /// Where claims lie: rank0, spread [default: rank0]
    #[arg(long, value_name = "WHERE,…", allow_hyphen_values = true)]
    home: Vec<String>,
    /// Whether a guess that is known to be lost costs no operation: true, false [default: false]
    #[arg(long, value_name = "BOOL,…", num_args = 0..=1, default_missing_value = "true")]
    skip_known: Vec<String>,
    /// What keeps claims moving while rank 0 thinks: auto, none, poll, thread [default: auto]
    #[arg(long, value_name = "HOW,…", allow_hyphen_values = true)]
    progress: Vec<String>,
    /// How often each cell is played: six times at least for confidence intervals [default: 10]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    repeat: Option<String>,
    /// What all seeds are derived from; both versions of a repetition have the same [default: 1]
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Room for so many records a rank in each run's trace [default: as `onesided play`]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    trace_records: Option<String>,
    /// How long a run may take before it is ended [default: 10min, or ten times what is expected if that is
    /// more]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    time_limit: Option<String>,
    /// How long a rank may wait in one MPI operation before it says so and ends its run [default: three
    /// quarters of what the run may take]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    timeout: Option<String>,
    /// What starts ranks: words as in a shell; {ranks} is filled in [default: the launcher of the MPI that
    /// this was built with, or $MPIEXEC, and -n {ranks}]
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    launcher: Option<String>,
    /// Folder of the batch: its runs and results. A batch that was interrupted goes on in it
    #[arg(long, value_name = "DIR", allow_hyphen_values = true)]
    out: Option<String>,
}

impl PlanArgs {
    /// Reads the file and the flags, and understands them.
    pub(super) fn read(&self) -> Result<Plan, Failure> {
        let mut values = match &self.file {
            Some(path) => {
                let text = read_text(MAX_PLAN_BYTES, path).map_err(|why| {
                    Failure::Usage(format!("cannot read {}: {why}", path.display()))
                })?;
                Values::of_toml(&path.display().to_string(), &text)
            }
            None => Values::default(),
        };
        for (name, texts) in self.flags() {
            if !texts.is_empty() {
                values.flag(name, &texts);
            }
        }
        Plan::new(values).map_err(|bad| {
            Failure::Usage(match bad.as_slice() {
                [bad] => bad.to_string(),
                all => {
                    let shown = all.iter().take(MAX_BAD_SHOWN);
                    let mut lines: String = shown.map(|bad| format!("\n  {bad}")).collect();
                    if all.len() > MAX_BAD_SHOWN {
                        lines += &format!("\n  and {} more", all.len() - MAX_BAD_SHOWN);
                    }
                    format!("the plan has {} bad values:{lines}", all.len())
                }
            })
        })
    }

    /// Flags that were given, each with its texts.
    pub(super) fn flags(&self) -> [(&'static str, Vec<String>); 20] {
        let one = |text: &Option<String>| text.iter().cloned().collect();
        [
            ("ranks", self.ranks.clone()),
            ("versions", self.versions.clone()),
            ("digits", self.digits.clone()),
            ("games", self.games.clone()),
            ("think", self.think.clone()),
            ("think-per-rank", self.think_per_rank.clone()),
            ("straggler", self.straggler.clone()),
            ("think-by", self.think_by.clone()),
            ("guess", self.guess.clone()),
            ("claim-with", self.claim_with.clone()),
            ("home", self.home.clone()),
            ("skip-known", self.skip_known.clone()),
            ("progress", self.progress.clone()),
            ("repeat", one(&self.repeat)),
            ("seed", one(&self.seed)),
            ("trace-records", one(&self.trace_records)),
            ("time-limit", one(&self.time_limit)),
            ("timeout", one(&self.timeout)),
            ("launcher", one(&self.launcher)),
            ("out", one(&self.out)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::KEYS;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        plan: PlanArgs,
    }

    #[test]
    fn every_key_of_a_plan_is_a_flag() {
        use clap::CommandFactory;
        let flags = Cli::command();
        let flags: Vec<&str> = flags
            .get_arguments()
            .filter_map(clap::Arg::get_long)
            .filter(|name| *name != "help")
            .collect();
        let keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(flags, keys);
    }

    /// What `onesided play` refuses and what a plan refuses is the same, over all that can be combined.
    #[cfg(feature = "mpi")]
    #[test]
    fn play_takes_what_a_plan_plays_and_refuses_what_it_refuses() {
        use crate::batch::{ClaimWith, Guess, Home, Named, OneSided, Progress, Variant, Version};
        use clap::Parser;

        use crate::cli::play::Play;

        #[derive(Debug, Parser)]
        struct PlayCli {
            #[command(flatten)]
            play: Play,
        }
        let flags = [
            "--straggler=1=20ms+1=1m30s",
            "--think=uniform:1ms..1m 30s",
            "--think-by=spin",
        ];
        let plan = Cli::try_parse_from([&["x"], &flags[..]].concat())
            .unwrap()
            .plan
            .read()
            .unwrap();
        let mut cell = plan.cells[0].clone();
        let mut n_refused = 0;
        let mut compare = |variant: Variant| {
            cell.variant = variant;
            let mut words = cell.arguments(7);
            words[0] = "x".into();
            let refused = match PlayCli::try_parse_from(&words) {
                Ok(cli) => cli.play.contradiction().is_some(),
                Err(_) => true,
            };
            assert_eq!(refused, variant.contradiction().is_some(), "{words:?}");
            n_refused += u32::from(refused);
        };
        for &(_, guess) in Guess::ALL {
            compare(Variant {
                version: Version::Collective,
                guess,
                one_sided: None,
            });
            for &(_, claim_with) in ClaimWith::ALL {
                for &(_, home) in Home::ALL {
                    for &(_, progress) in Progress::ALL {
                        for skip_known in [false, true] {
                            let one_sided = OneSided {
                                claim_with,
                                home,
                                skip_known,
                                progress,
                            };
                            let version = Version::Rma;
                            compare(Variant {
                                version,
                                guess,
                                one_sided: Some(one_sided),
                            });
                        }
                    }
                }
            }
        }
        assert!(n_refused > 0);
    }
}
