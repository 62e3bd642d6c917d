//! `onesided play rma|collective`.

mod args;
mod checkpoint;
mod describe;
mod last_resort;
mod recording;
mod sentinel;
mod session;
mod survive;
mod watchdog;

use std::process::ExitCode;
use std::time::Duration;

use onesided::game::{self, GuessBy, Resumed, Series};
use onesided::interrupt;
use onesided::pulse::{self, Call, Place};
use onesided::rma::launcher::{self, Launch};
use onesided::rma::{self, Comm, Library, Mpi, Placement, ThreadLevel};
use onesided::trace::RecordLayer;

pub(super) use args::Play;
use args::{GameArgs, GuessArg, PlayVersion, ProgressArg};
use checkpoint::{CheckpointArgs, Restart};
pub(super) use sentinel::Sentinel;
use session::Session;
use watchdog::Watchdog;

use super::{Failure, Format, keep_stdout_for_results, once_per_job};

/// The rank whose memory holds the claims, and which prints.
const HOME: i32 = 0;

impl Play {
    /// Plays, and ends MPI. Failures are printed here: how, depends on what MPI's state is.
    ///
    /// Records go to `layer`, which is there if [`records`](Play::records).
    pub(super) fn run(self, layer: Option<&RecordLayer>) -> ExitCode {
        let survive = self.survive();
        let watchdog = self
            .game()
            .timeout
            .or_else(|| survive.map(survive::default_timeout))
            .map(|timeout| Watchdog::start(timeout, layer.cloned()))
            .transpose();
        let watchdog = match watchdog {
            Ok(watchdog) => watchdog,
            Err(failure) => return failure.report(),
        };
        let (mpi, library) = match self.start(layer) {
            Ok(started) => started,
            Err(failure) => return failure.report(),
        };
        let code = match mpi.world().map_err(game::Error::from).and_then(|world| {
            let code = self.run_in(&world, &library, layer)?;
            world.free()?;
            Ok(code)
        }) {
            Ok(code) => code,
            Err(error) => end_job(&error, survive.is_some()),
        };
        sentinel::goodbye(code == 0);
        pulse::at(Place::End, 0);
        if let Err(error) = mpi.finalize_at_last(code.into()) {
            end_job(&error.into(), survive.is_some())
        }
        if let Some(watchdog) = watchdog {
            watchdog.let_it_end_what_it_has_begun_to();
        }
        pulse::enter(Call::Exit); // what MPI libraries do at the exit may hang, too
        code.into()
    }

    /// Whether the run is to be recorded.
    pub(super) fn records(&self) -> bool {
        self.game().recording.trace.is_some()
    }

    /// What of the arguments does not go together, in words.
    pub(super) fn contradiction(&self) -> Option<String> {
        self.version.contradiction()
    }

    /// Starts MPI, after all that can be known to be wrong before.
    fn start(&self, layer: Option<&RecordLayer>) -> Result<(Mpi, Library), Failure> {
        let cannot_start = |error| Failure::Run(format!("cannot start MPI: {error}"));
        if let Some(message) = self.contradiction() {
            return Err(Failure::Usage(message));
        }
        let library = rma::library().map_err(cannot_start)?;
        if let Some(launch) = Launch::from_environment() {
            let right = launcher::of(&library);
            if let Some(message) = launch.cannot_start(&library, right.as_deref()) {
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
        interrupt::listen()
            .map_err(|error| Failure::Run(format!("cannot listen for signals: {error}")))?;
        last_resort::wait(&library, layer.cloned(), self.checkpoint_file());
        sentinel::start(&self.what_is_left(), self.survive().is_some());
        let mpi = Mpi::init_up_to(self.thread_level()).map_err(cannot_start)?;
        Ok((mpi, library))
    }

    /// What there is of a job in which a rank died, as the end of a sentence.
    fn what_is_left(&self) -> String {
        let mut left = String::new();
        if let Some(folder) = &self.game().recording.trace {
            left += &format!("; what was recorded is in {}", folder.display());
        }
        if let Some(file) = self.checkpoint_file() {
            left += &format!("; --resume {} goes on", file.display());
        }
        left
    }

    fn run_in(
        self,
        world: &Comm<'_>,
        library: &Library,
        layer: Option<&RecordLayer>,
    ) -> game::Result<u8> {
        if world.size() == 1 {
            let right = launcher::of(library);
            if let Some(launch) = Launch::from_environment() {
                let message = launch.is_wrong_for(world.size(), library, right.as_deref());
                if let Some(message) = message {
                    return Ok(Failure::Usage(message).report_once());
                }
            } else if !self.game().quiet {
                let launcher = right.as_deref().unwrap_or("mpirun");
                eprintln!(
                    "onesided: playing as one rank; `{launcher} -n 4 onesided play …` plays with four"
                );
            }
        }
        // Every rank sees the same arguments and the same size, so all of them end here or none.
        if let Some(message) = self.game().unknown_straggler(world.size()) {
            return all_end(world, &Failure::Usage(message));
        }
        let restart = match self.restart(world)? {
            Ok(restart) => restart,
            Err(message) => return all_end(world, &Failure::Usage(message)),
        };
        let n_games = restart.as_ref().map_or(1, |restart| restart.series().1);
        if let Some(message) = self
            .survive()
            .and_then(|_| args::survives_one_game(n_games))
        {
            return all_end(world, &Failure::Usage(message));
        }
        if restart.as_ref().is_some_and(Restart::is_over) {
            if world.rank() == HOME && !self.game().quiet {
                eprintln!(
                    "onesided: all games of this checkpoint were played: nothing is left to do"
                );
            }
            world.barrier()?;
            return Ok(0);
        }
        let session = Session {
            args: &self,
            world,
            library,
            layer,
            series: self.series(world, restart.as_ref())?,
            placement: Placement::of(world)?,
            restart,
        };
        session.run()
    }

    fn game(&self) -> &GameArgs {
        let (PlayVersion::Rma { game, .. } | PlayVersion::Collective { game, .. }) = &self.version;
        game
    }

    /// What is said of checkpoints.
    fn checkpoint(&self) -> Option<&CheckpointArgs> {
        match &self.version {
            PlayVersion::Rma { checkpoint, .. } => Some(checkpoint),
            PlayVersion::Collective { .. } => None,
        }
    }

    /// The file that checkpoints go to.
    fn checkpoint_file(&self) -> Option<&std::path::Path> {
        self.checkpoint()?.file()
    }

    /// Whether the game goes on without ranks that die, and when one is taken for dead.
    fn survive(&self) -> Option<Duration> {
        match &self.version {
            PlayVersion::Rma { survive, .. } => *survive,
            PlayVersion::Collective { .. } => None,
        }
    }

    /// What to go on with. Collective.
    fn restart(&self, world: &Comm<'_>) -> game::Result<Result<Option<Restart>, String>> {
        match &self.version {
            PlayVersion::Rma {
                checkpoint, game, ..
            } => checkpoint.restart(world, game),
            PlayVersion::Collective { .. } => Ok(Ok(None)),
        }
    }

    /// Which games to play. Collective.
    fn series(&self, world: &Comm<'_>, restart: Option<&Restart>) -> game::Result<Series> {
        let args = self.game();
        let (n_digits, n_games, seed) = match restart {
            Some(restart) => restart.series(),
            None => (
                args.digits.unwrap_or(9),
                args.games.unwrap_or(1),
                agree_on_seed(args.seed, world)?,
            ),
        };
        Ok(Series {
            n_digits,
            n_games,
            seed,
            resumed: restart.map_or_else(Resumed::default, Restart::resumed),
            think: args.think_plan(),
            guess: match self.version.guess() {
                GuessArg::Unclaimed => GuessBy::Unclaimed,
                GuessArg::Uniform | GuessArg::Ticket => GuessBy::Uniform,
            },
        })
    }

    /// The thread level that a helper thread would need, where there may be one.
    fn thread_level(&self) -> ThreadLevel {
        match self.version {
            PlayVersion::Rma {
                progress: ProgressArg::Auto | ProgressArg::Thread,
                ..
            } => ThreadLevel::Serialized,
            _ => ThreadLevel::Funneled,
        }
    }
}

/// Ends on a failure that all ranks know of: rank 0 says it. Collective.
fn all_end(world: &Comm<'_>, failure: &Failure) -> game::Result<u8> {
    let is_first = world.rank() == HOME;
    if is_first {
        eprintln!("{failure}");
    }
    world.barrier()?; // nobody ends, and is taken for a crash, before rank 0 has spoken
    Ok(if is_first { failure.exit_code() } else { 0 })
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
/// give it a second for that before they speak themselves. Where the others can go on without this rank, as it
/// `survives` what becomes of others, it ends alone.
fn end_job(error: &game::Error, survives: bool) -> ! {
    let rank = Launch::from_environment().map_or(0, |launch| launch.rank);
    if rank != 0 {
        std::thread::sleep(Duration::from_secs(1));
    }
    eprintln!("{} (on rank {rank})", Failure::Run(error.to_string()));
    sentinel::goodbye(false);
    if survives && rank != HOME.unsigned_abs() {
        rma::leave_alone(1);
    }
    rma::abort(1)
}
