//! `onesided play rma|collective`.

mod args;
mod describe;
mod recording;

use std::process::ExitCode;
use std::time::Duration;

use onesided::analysis::{RunSummary, Version};
use onesided::claim::{BitBoard, Board, SlotBoard};
use onesided::game::{self, Announcer, Collective, OneSided, Referee, Results, Series};
use onesided::report;
use onesided::rma::launcher::Launch;
use onesided::rma::{self, Comm, Library, Mpi, Rank, ThreadLevel};
use onesided::trace::{RecordLayer, RunInfo};

pub(super) use args::Play;
use args::{ClaimWith, GameArgs, PlayVersion};
use recording::Tracing;

use super::{Failure, Format, keep_stdout_for_results, once_per_job, print, print_json};

/// The rank whose memory holds the claims, and which prints.
const HOME: i32 = 0;

impl Play {
    /// Plays, and ends MPI. Failures are printed here: how, depends on what MPI's state is.
    ///
    /// Records go to `layer`, which is there if [`records`](Play::records).
    pub(super) fn run(self, layer: Option<&RecordLayer>) -> ExitCode {
        let (mpi, library) = match self.start() {
            Ok(started) => started,
            Err(failure) => return failure.report(),
        };
        let code = match mpi.world().map_err(game::Error::from).and_then(|world| {
            let code = self.run_in(&world, &library, layer)?;
            world.free()?;
            Ok(code)
        }) {
            Ok(code) => code,
            Err(error) => end_job(&error),
        };
        match mpi.finalize() {
            Ok(()) => code,
            Err(error) => end_job(&error.into()),
        }
    }

    /// Whether the run is to be recorded.
    pub(super) fn records(&self) -> bool {
        self.game().recording.trace.is_some()
    }

    /// Starts MPI, after all that can be known to be wrong before.
    fn start(&self) -> Result<(Mpi, Library), Failure> {
        let cannot_start = |error| Failure::Run(format!("cannot start MPI: {error}"));
        let library = rma::library().map_err(cannot_start)?;
        if let Some(launch) = Launch::from_environment() {
            let right = Library::launcher_built_against();
            if let Some(message) = launch.cannot_start(&library, right) {
                return Err(Failure::Usage(message));
            }
            // The launcher often tells the number of ranks before MPI does, and starting MPI takes
            // seconds.
            let n_ranks = i32::try_from(launch.size).unwrap_or(i32::MAX);
            if let Some(message) = self.game().unknown_straggler(n_ranks) {
                return Err(Failure::Usage(message));
            }
        }
        let built = Library::built_against();
        if let Some(message) = built.and_then(|built| library.differs_from(&built)) {
            once_per_job(0, || eprintln!("onesided: warning: {message}"));
        }
        if self.game().format == Format::Json {
            keep_stdout_for_results()?;
        }
        let mpi = Mpi::init(ThreadLevel::Funneled).map_err(cannot_start)?;
        Ok((mpi, library))
    }

    fn run_in(
        self,
        world: &Comm<'_>,
        library: &Library,
        layer: Option<&RecordLayer>,
    ) -> game::Result<ExitCode> {
        if world.size() == 1 {
            let right = Library::launcher_built_against();
            if let Some(launch) = Launch::from_environment() {
                if let Some(message) = launch.is_wrong_for(world.size(), library, right) {
                    return Ok(Failure::Usage(message).report());
                }
            } else if !self.game().quiet {
                let launcher = right.unwrap_or("mpirun");
                eprintln!(
                    "onesided: playing as one rank; `{launcher} -n 4 onesided play …` plays with four"
                );
            }
        }
        // Every rank sees the same arguments and the same size, so all of them end here or none.
        if let Some(message) = self.game().unknown_straggler(world.size()) {
            return all_end(world, &Failure::Usage(message));
        }
        let series = self.series(world)?;
        let recording = &self.game().recording;
        let tracing = match recording.trace.as_ref().zip(layer) {
            Some((folder, layer)) => {
                let info = |run_id, clocks, tracer, hosts: Vec<String>| RunInfo {
                    hosts,
                    clocks,
                    tracer,
                    ..self.run_info(run_id, &series, world, library)
                };
                match recording.start(folder, layer, world, info)? {
                    Ok(tracing) => Some(tracing),
                    Err(failure) => return all_end(world, &failure),
                }
            }
            None => None,
        };
        let summary = self.play(&series, world, library, tracing.as_ref())?;
        let trouble = match tracing {
            Some(tracing) => tracing.finish(world)?,
            None => None,
        };
        if let Some(trouble) = trouble {
            eprintln!("onesided: warning: {trouble}");
        }
        let Some(summary) = summary else {
            return Ok(ExitCode::SUCCESS);
        };
        let printed = match self.game() {
            GameArgs {
                format: Format::Json,
                ..
            } => print_json(&summary),
            GameArgs { quiet: true, .. } => Ok(()),
            _ => print(&report::summary(&summary)),
        };
        Ok(printed.map_or_else(
            |failure| {
                eprintln!("{failure}");
                ExitCode::from(failure.exit_code())
            },
            |()| ExitCode::SUCCESS,
        ))
    }

    fn game(&self) -> &GameArgs {
        let (PlayVersion::Rma { game, .. } | PlayVersion::Collective { game }) = &self.version;
        game
    }

    /// Which games to play. Collective.
    fn series(&self, world: &Comm<'_>) -> game::Result<Series> {
        let args = self.game();
        Ok(Series {
            n_digits: args.digits,
            n_games: args.games,
            seed: agree_on_seed(args.seed, world)?,
            think: args.think_plan(),
        })
    }

    /// Plays all games. The summary on rank 0, `None` elsewhere.
    fn play(
        &self,
        series: &Series,
        world: &Comm<'_>,
        library: &Library,
        tracing: Option<&Tracing<'_>>,
    ) -> game::Result<Option<RunSummary>> {
        let args = self.game();
        let hosts = world.gather(HOME, rma::processor_name()?.as_bytes())?;
        tracing::info!(rank = world.rank(), %library, ?series, "playing");
        let results = match self.version {
            PlayVersion::Rma { claim_with, .. } => match claim_with {
                ClaimWith::FetchAndOp => {
                    args.play_on_board(series, world, tracing, BitBoard::open)?
                }
                ClaimWith::CompareAndSwap => {
                    args.play_on_board(series, world, tracing, SlotBoard::open)?
                }
            },
            PlayVersion::Collective { .. } => {
                let mut referee = Collective::new(world, args.digits);
                args.play_series(series, world, tracing, &mut referee)?
            }
        };
        Ok(results
            .zip(hosts)
            .map(|(results, hosts)| self.summarise(series, library, results, &hosts)))
    }

    fn version(&self) -> (Version, Option<String>) {
        match self.version {
            PlayVersion::Rma { claim_with, .. } => (Version::Rma, Some(claim_with.name())),
            PlayVersion::Collective { .. } => (Version::Collective, None),
        }
    }
}

impl GameArgs {
    /// Plays one-sidedly on boards of one kind.
    fn play_on_board<'mpi, B: Board>(
        &self,
        series: &Series,
        world: &Comm<'mpi>,
        tracing: Option<&Tracing<'_>>,
        open: fn(&Comm<'mpi>, Rank, usize) -> rma::Result<B>,
    ) -> game::Result<Option<Results>> {
        let n_items = self.digits as usize;
        let mut referee = OneSided::open(world, HOME, |comm| open(comm, HOME, n_items))?;
        let results = self.play_series(series, world, tracing, &mut referee)?;
        referee.close()?;
        Ok(results)
    }

    fn play_series<R: Referee>(
        &self,
        series: &Series,
        world: &Comm<'_>,
        tracing: Option<&Tracing<'_>>,
        referee: &mut R,
    ) -> game::Result<Option<Results>> {
        let announcer = self.verbose.then(|| {
            let output: Box<dyn std::io::Write> = match self.format {
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
}

/// Ends on a failure that all ranks know of: rank 0 says it. Collective.
fn all_end(world: &Comm<'_>, failure: &Failure) -> game::Result<ExitCode> {
    let is_first = world.rank() == HOME;
    if is_first {
        eprintln!("{failure}");
    }
    world.barrier()?; // nobody ends, and is taken for a crash, before rank 0 has spoken
    Ok(ExitCode::from(if is_first {
        failure.exit_code()
    } else {
        0
    }))
}

/// The seed that was asked for, or one that rank 0 draws for all. Collective.
fn agree_on_seed(asked: Option<u64>, world: &Comm<'_>) -> game::Result<u64> {
    if let Some(seed) = asked {
        return Ok(seed);
    }
    let mut bytes = u64::from(game::draw_seed()).to_le_bytes();
    world.broadcast(HOME, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Ends the job on an error that other ranks may not know of: message, then `MPI_Abort`.
///
/// Where all ranks fail at once, one message is enough: rank 0 speaks and ends the job, the others
/// give it a second for that before they speak themselves.
fn end_job(error: &game::Error) -> ! {
    let rank = Launch::from_environment().map_or(0, |launch| launch.rank);
    if rank != 0 {
        std::thread::sleep(Duration::from_secs(1));
    }
    eprintln!("{} (on rank {rank})", Failure::Run(error.to_string()));
    rma::abort(1)
}
