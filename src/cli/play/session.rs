//! One run: boards are opened, the run is recorded, games are played, the result is printed.

use std::num::NonZeroUsize;

use super::super::{Failure, Format, print, print_json};
use super::args::{ClaimWith, GameArgs, GuessArg, HomeArg, PlayVersion, ProgressArg};
use super::checkpoint::{self, NotWritten, Restart, Target};
use super::recording::{self, Tracing, Trouble};
use super::{HOME, Play, all_end, describe, last_resort};
use crate::claim::{
    BitBoard, Board, Ledger, Memory, Muster, Options, Schedule, SharedBoard, SharedTickets,
    SlotBoard, SpreadBoard, Tickets, TwoTierBoard,
};
use crate::game::{
    self, Announcer, Checkpointed, Collective, OneSided, Referee, Results, Series, Snapshot,
    Survivors, Ticketed,
};
use crate::interrupt;
use crate::pulse::{self, Call, Means as ClaimMeans, Place};
use crate::report;
use crate::rma::{self, Comm, Hints, Library, Means, Placement, ProgressEngine};
use crate::trace::{ProgressInfo, RecordLayer, RunInfo};

/// What a run is played with. The same on all ranks, but for what only rank 0 has.
pub(super) struct Session<'a, 'mpi> {
    pub(super) args: &'a Play,
    pub(super) world: &'a Comm<'mpi>,
    pub(super) library: &'a Library,
    pub(super) layer: Option<&'a RecordLayer>,
    pub(super) series: Series,
    pub(super) placement: Placement,
    /// What an earlier run left to go on with.
    pub(super) restart: Option<Restart>,
}

impl<'mpi> Session<'_, 'mpi> {
    /// Plays all games and prints the result. Collective.
    pub(super) fn run(&self) -> game::Result<u8> {
        match self.args.version {
            PlayVersion::Collective { .. } => {
                let mut referee = Collective::new(self.world, self.series.n_digits);
                self.play(&mut referee, None, || ())
            }
            PlayVersion::Rma {
                claim_with,
                progress,
                home,
                guess,
                ..
            } => {
                let n_items = self.series.n_digits as usize;
                self.tell_watchdog(claim_with, home);
                let options = |progress| Options {
                    hints: Hints::default(),
                    progress,
                    // Cheapest first: thinking is cut easily, and a second thread wants a core.
                    means: &[Means::Poll, Means::Thread],
                    schedule: Schedule::Fixed {
                        items: NonZeroUsize::MIN,
                    }, // of tickets
                    ..Options::default()
                };
                // A home rank that never thinks is in MPI all the time.
                let wanted = match progress {
                    ProgressArg::Auto if self.home_never_thinks() => rma::Progress::None,
                    other => other.into(),
                };
                let (first, second) = (options(wanted), options(rma::Progress::None));
                // Two boards or counters, used in turn; the first one's engine serves both.
                let both = [&first, &second];
                let by_shared_memory = claim_with == ClaimWith::SharedMemory;
                if let Some(failure) = self.needs_one_node().filter(|_| by_shared_memory) {
                    return all_end(self.world, &failure);
                }
                match (claim_with, home, guess) {
                    (ClaimWith::SharedMemory, _, GuessArg::Ticket) => {
                        self.play_by_ticket(both.map(|options| {
                            SharedTickets::open_shared(self.world, HOME, n_items, options)
                        }))
                    }
                    (_, _, GuessArg::Ticket) => self.play_by_ticket(
                        both.map(|options| Tickets::open(self.world, HOME, n_items, options)),
                    ),
                    (ClaimWith::SharedMemory, ..) => {
                        self.play_on(both.map(|_| SharedBoard::open(self.world, HOME, n_items)))
                    }
                    (ClaimWith::FetchAndOp, HomeArg::Rank0, _) => self.play_on(
                        both.map(|options| BitBoard::open_with(self.world, HOME, n_items, options)),
                    ),
                    (ClaimWith::FetchAndOp, HomeArg::Spread, _) => self.play_on(
                        both.map(|options| SpreadBoard::open_with(self.world, n_items, options)),
                    ),
                    (ClaimWith::TwoTier, ..) => self.play_on(both.map(|options| {
                        TwoTierBoard::open_with(self.world, HOME, n_items, options)
                    })),
                    (ClaimWith::CompareAndSwap, HomeArg::Rank0, _) => {
                        self.play_on(both.map(|options| {
                            SlotBoard::open_with(self.world, HOME, n_items, options)
                        }))
                    }
                    (ClaimWith::CompareAndSwap, HomeArg::Spread, _) => self.play_on(
                        both.map(|options| SlotBoard::open_spread(self.world, n_items, options)),
                    ),
                }
            }
        }
    }

    /// Plays one-sidedly, and closes the boards.
    fn play_on<B: Board>(&self, boards: [rma::Result<B>; 2]) -> game::Result<u8> {
        let [first, second] = boards;
        let mut referee = OneSided::on(self.world, HOME, [first?, second?]);
        referee.skip_known(self.skips_known());
        let info = self.describe_progress(referee.engine());
        let code = self.play_one_sided(&mut referee, info)?;
        pulse::at(Place::Closing, 0);
        referee.close()?;
        Ok(code)
    }

    /// Plays, with checkpoints where they are asked for, and without ranks that die.
    fn play_one_sided<R: Referee>(
        &self,
        referee: &mut R,
        progress: ProgressInfo,
    ) -> game::Result<u8> {
        let n_digits = self.series.n_digits as usize;
        let survives = self.args.survive().is_some();
        if self.args.checkpoint_file().is_none() && !survives {
            return self.play(referee, Some(progress), || ());
        }
        match self.claim_with() {
            Some(ClaimWith::SharedMemory) => {
                let open = || Ledger::open_shared(self.world, HOME, n_digits);
                let ledgers = [open()?, open()?];
                let muster = survives.then(|| Muster::open_shared(self.world, HOME));
                self.play_on_ledgers(referee, ledgers, muster.transpose()?, progress)
            }
            _ => {
                let open = || Ledger::open(self.world, HOME, n_digits);
                let ledgers = [open()?, open()?];
                let muster = survives.then(|| Muster::open(self.world, HOME));
                self.play_on_ledgers(referee, ledgers, muster.transpose()?, progress)
            }
        }
    }

    fn play_on_ledgers<R: Referee, M: Memory>(
        &self,
        referee: &mut R,
        ledgers: [Ledger<M>; 2],
        muster: Option<Muster<M>>,
        progress: ProgressInfo,
    ) -> game::Result<u8> {
        let series = &self.series;
        let n_ranks = self.world.size().unsigned_abs();
        let nothing = || Snapshot::between(0, series.n_digits as usize);
        let snapshot =
            (self.restart.as_ref()).map_or_else(nothing, |restart| restart.snapshot.clone());
        let is_home = self.world.rank() == HOME;
        let checkpoint = self.args.checkpoint().filter(|_| is_home);
        let target = checkpoint.and_then(|args| {
            let target = args.target(series, n_ranks, self.restart.as_ref())?;
            Some((args, target))
        });
        // A first one: what cannot be written is to be known before the game.
        let written = target
            .as_ref()
            .map_or(Ok(()), |(_, target)| target.write(&snapshot))
            .map_err(NotWritten::in_words);
        let failure = recording::first_failure(self.world, written)?;
        let first = target.as_ref().map(|(_, target)| target.clone());
        let saving = target.map(|(args, target)| args.saving(target));
        let mut referee = Checkpointed::on(self.world, HOME, referee, ledgers, saving.transpose()?);
        if let Some(message) = failure {
            let code = all_end(self.world, &Failure::Run(message))?;
            referee.close()?;
            muster.map_or(Ok(()), Muster::close)?;
            return Ok(code);
        }
        referee.restore(&snapshot)?;
        // So that the same command can be given again.
        let take_back = || first.iter().for_each(Target::take_back);
        let (Some(muster), Some(patience)) = (muster, self.args.survive()) else {
            let code = self.play(&mut referee, Some(progress), take_back)?;
            referee.close()?; // all is written then
            return Ok(code.max(checkpoint::exit_code()));
        };
        let on_death = Box::new(|rank| self.say_who_died(rank, patience));
        let mut referee = Survivors::on(referee, muster, patience, on_death);
        let code = self.play(&mut referee, Some(progress), take_back)?;
        referee.close()?;
        Ok(code.max(checkpoint::exit_code()))
    }

    /// Plays with guesses that are dealt out, and closes the counters.
    fn play_by_ticket<M: Memory>(
        &self,
        tickets: [rma::Result<Tickets<'mpi, M>>; 2],
    ) -> game::Result<u8> {
        let [first, second] = tickets;
        let mut referee = Ticketed::on(self.world, HOME, [first?, second?], self.series.seed);
        let info = self.describe_progress(referee.engine());
        let code = self.play_one_sided(&mut referee, info)?;
        pulse::at(Place::Closing, 0);
        referee.close()?;
        Ok(code)
    }

    /// What is done about progress; says so where that will not do.
    fn describe_progress(&self, engine: &ProgressEngine<'_>) -> ProgressInfo {
        let asked = match self.args.version {
            PlayVersion::Rma { progress, .. } => progress,
            PlayVersion::Collective { .. } => ProgressArg::None,
        };
        let info = describe::progress(self.claim_with(), asked, engine.found());
        if engine.found().stalls() && self.world.rank() == HOME && !self.game().quiet {
            eprintln!(
                "onesided: warning: claims will wait while rank {HOME} thinks: {} is the best there is \
                 with {} here; `onesided doctor` says more",
                info.in_words(),
                self.library
            );
        }
        info
    }

    /// What a claim will be, and that boards are opened now.
    fn tell_watchdog(&self, claim_with: ClaimWith, home: HomeArg) {
        let (means, digits_a_word) = match claim_with {
            ClaimWith::FetchAndOp => (ClaimMeans::FetchAndOp, 64),
            ClaimWith::CompareAndSwap => (ClaimMeans::CompareAndSwap, 1),
            ClaimWith::SharedMemory => (ClaimMeans::CpuAtomics, 64),
            ClaimWith::TwoTier => (ClaimMeans::TwoTier, 64),
        };
        let n_homes = match home {
            HomeArg::Rank0 => 1,
            HomeArg::Spread => self.world.size().unsigned_abs(),
        };
        pulse::claims(means, n_homes, digits_a_word);
        pulse::at(Place::Opening, 0);
        pulse::enter(Call::Board);
    }

    fn home_never_thinks(&self) -> bool {
        let home = HOME.unsigned_abs();
        self.series.think.thinker(0, home, 0).never_thinks()
    }

    /// The message for ranks that do not all share memory.
    fn needs_one_node(&self) -> Option<Failure> {
        let n_nodes = self.placement.n_nodes();
        (n_nodes > 1).then(|| {
            Failure::Usage(format!(
                "--claim-with shared-memory needs all ranks on one node, and they are on {n_nodes}: \
                 use --claim-with two-tier, or fetch-and-op"
            ))
        })
    }

    /// Plays, and records. Calls `refused` where that cannot be recorded, and nothing is played.
    fn play<R: Referee>(
        &self,
        referee: &mut R,
        progress: Option<ProgressInfo>,
        refused: impl FnOnce(),
    ) -> game::Result<u8> {
        pulse::enter(Call::Nothing);
        pulse::at(Place::Recording, 0);
        let tracing = match self.start_recording(progress.clone())? {
            Ok(tracing) => tracing,
            Err(failure) => {
                refused();
                return all_end(self.world, &failure);
            }
        };
        let hosts = self.world.gather(HOME, rma::processor_name()?.as_bytes())?;
        tracing::info!(rank = self.world.rank(), library = %self.library, series = ?self.series, "playing");
        let results = self.play_series(tracing.as_ref(), referee)?;
        if let Some(parting) = referee.parting() {
            self.part(parting, tracing, hosts.as_deref(), progress);
        }
        last_resort::have_stopped_together();
        let cut_short = results.as_ref().and_then(|results| results.cut_short);
        pulse::at(Place::Recording, 0);
        let trouble = match tracing {
            Some(tracing) => {
                let signal = cut_short.map(|cut| interrupt::name(cut.signal));
                tracing.finish(self.world, signal)?
            }
            None => None,
        };
        let trouble = trouble.map_or(0, Trouble::report);
        let code = match results.zip(hosts) {
            Some((results, hosts)) => self.print_results(results, &hosts, progress),
            None => 0,
        };
        last_resort::has_stopped();
        Ok(code.max(trouble))
    }

    /// Prints what rank 0 has to say of the games, and gives its exit code.
    pub(super) fn print_results(
        &self,
        results: Results,
        hosts: &[Vec<u8>],
        progress: Option<ProgressInfo>,
    ) -> u8 {
        let cut_short = results.cut_short;
        if let Some(cut) = cut_short.filter(|_| !self.game().quiet) {
            eprintln!("onesided: {}", self.cut_in_words(cut));
        }
        let printed = match self.game() {
            _ if results.n_games == 0 => Ok(()), // there is nothing to sum up
            GameArgs {
                format: Format::Json,
                ..
            } => print_json(&self.summarise(results, hosts, progress)),
            GameArgs { quiet: true, .. } => Ok(()),
            _ => print(&report::summary(&self.summarise(results, hosts, progress))),
        };
        match printed {
            Ok(()) => cut_short.map_or(0, |cut| last_resort::exit_code(cut.signal)),
            Err(failure) => {
                eprintln!("{failure}");
                failure.exit_code()
            }
        }
    }

    fn start_recording(
        &self,
        progress: Option<ProgressInfo>,
    ) -> game::Result<Result<Option<Tracing<'_>>, Failure>> {
        let recording = &self.game().recording;
        let Some((folder, layer)) = recording.trace.as_ref().zip(self.layer) else {
            return Ok(Ok(None));
        };
        let info = |run_id, clocks, tracer, hosts: Vec<String>| RunInfo {
            hosts,
            clocks,
            tracer,
            progress,
            ..self.run_info(run_id)
        };
        let started = recording.start(folder, layer, self.world, info)?;
        Ok(started.map(Some))
    }

    fn play_series<R: Referee>(
        &self,
        tracing: Option<&Tracing<'_>>,
        referee: &mut R,
    ) -> game::Result<Option<Results>> {
        let (series, world) = (&self.series, self.world);
        let announcer = self.game().verbose.then(|| {
            let output: Box<dyn std::io::Write> = match self.game().format {
                Format::Text => Box::new(std::io::stdout()),
                Format::Json => Box::new(std::io::stderr()),
            };
            Announcer::new(world, output)
        });
        match (announcer, tracing.map(Tracing::observer)) {
            (None, None) => series.play(world, referee, &mut ()),
            (None, Some(mut recording)) => series.play(world, referee, &mut recording),
            (Some(mut announcer), None) => series.play(world, referee, &mut announcer),
            (Some(announcer), Some(recording)) => {
                series.play(world, referee, &mut (announcer, recording))
            }
        }
    }

    pub(super) fn game(&self) -> &GameArgs {
        self.args.game()
    }
}
