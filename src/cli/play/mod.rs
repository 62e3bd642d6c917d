//! `onesided play rma|collective`.

mod args;
mod checkpoint;
mod describe;
mod last_resort;
mod recording;
mod sentinel;
mod session;
mod start;
mod survive;
mod watchdog;

use std::process::ExitCode;
use std::time::Duration;

pub(super) use args::Play;
use args::{GameArgs, GuessArg, PlayVersion, ProgressArg};
use checkpoint::{CheckpointArgs, Restart};
pub(super) use sentinel::Sentinel;
use session::Session;
pub(super) use start::{Ending, Settings};
use watchdog::Watchdog;

use super::{Failure, Format, keep_stdout_for_results};
use crate::game::{self, GuessBy, Resumed, Series};
use crate::interrupt;
use crate::pulse::{self, Call};
use crate::rma::launcher::{self, Launch};
use crate::rma::{self, Comm, ErrorKind, Library, Mpi, Placement, ThreadLevel};
use crate::trace::RecordLayer;

/// The rank whose memory holds the claims, and which prints.
const HOME: i32 = 0;

impl Play {
    /// Plays, and ends MPI. Failures are printed here: how, depends on what MPI's state is.
    ///
    /// Plays only where all ranks of the job have the same `settings`. Records go to `layer`, which is there if
    /// [`records`](Play::records).
    pub(super) fn run(self, settings: Settings, layer: Option<&RecordLayer>) -> ExitCode {
        if let Some((launch, message)) = cannot_start() {
            let ending = Ending::from(&Failure::Usage(message));
            return ending.of_singletons(&launch).into();
        }
        let (library, watchdog) = match self.prepare(layer) {
            Ok(prepared) => prepared,
            Err(failure) => return Ending::from(&failure).of_job(),
        };
        let survive = self.survive();
        let mpi = match Mpi::init_up_to(self.thread_level()) {
            Ok(mpi) => mpi,
            Err(error) => {
                eprintln!("{}", Failure::Run(format!("cannot start MPI: {error}")));
                return 1.into();
            }
        };
        let settings = settings.with_programs(&library);
        let code = mpi.world().map_err(game::Error::from).and_then(|world| {
            let code = match start::agree(&world, settings)? {
                Some(code) => code,
                None => code_of_first(&world, self.run_in(&world, &library, layer)?)?,
            };
            world.free()?;
            Ok(code)
        });
        let code = code.unwrap_or_else(|error| end_job(&error, survive.is_some()));
        let code = start::finish(mpi, code);
        if let Some(watchdog) = watchdog {
            watchdog.let_it_end_what_it_has_begun_to();
        }
        pulse::enter(Call::Exit); // what MPI libraries do at the exit may hang, too
        code
    }

    /// Whether the run is to be recorded.
    pub(super) fn records(&self) -> bool {
        self.game().recording.trace.is_some()
    }

    /// What of the arguments does not go together, in words.
    pub(super) fn contradiction(&self) -> Option<String> {
        self.version.contradiction()
    }

    /// All that comes before MPI starts, and what is known then to be wrong.
    fn prepare(&self, layer: Option<&RecordLayer>) -> Result<(Library, Option<Watchdog>), Failure> {
        if let Some(message) = self.contradiction() {
            return Err(Failure::Usage(message));
        }
        let library = rma::library()
            .map_err(|error| Failure::Run(format!("cannot ask MPI for its version: {error}")))?;
        let built = Library::built_against();
        if let Some(message) = built.and_then(|built| library.differs_from(&built)) {
            if is_first_of_job() {
                eprintln!("onesided: warning: {message}");
            }
        }
        if self.game().format == Format::Json {
            keep_stdout_for_results()?;
        }
        interrupt::listen()
            .map_err(|error| Failure::Run(format!("cannot listen for signals: {error}")))?;
        let timeout = self.game().timeout;
        let watchdog = timeout
            .or_else(|| self.survive().map(survive::default_timeout))
            .map(|timeout| {
                let checkpoint = self.checkpoint_file().map(Into::into);
                Watchdog::start(timeout, layer.cloned(), checkpoint)
            })
            .transpose()?;
        last_resort::wait(&library, layer.cloned());
        let trace = self.game().recording.trace.as_deref();
        sentinel::start(trace, self.checkpoint_file(), self.survive().is_some());
        Ok((library, watchdog))
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
                    let ending = Ending::from(&Failure::Usage(message));
                    return Ok(ending.of_singletons(&launch));
                }
            } else if !self.game().quiet {
                let launcher = right.as_deref().unwrap_or("mpirun");
                eprintln!(
                    "onesided: playing as one rank; `{launcher} -n 4 onesided play …` plays with four"
                );
            }
        }
        // All ranks have the same arguments and the same size, so all of them end here or none.
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

/// Whether the launcher calls this process rank 0, or there is no launcher.
pub(super) fn is_first_of_job() -> bool {
    Launch::from_environment().is_none_or(|launch| launch.rank == 0)
}

/// The message for a launcher under which the library does not even start as one rank.
fn cannot_start() -> Option<(Launch, String)> {
    let launch = Launch::from_environment()?;
    let library = rma::library().ok()?;
    let message = launch.cannot_start(&library, launcher::of(&library).as_deref())?;
    Some((launch, message))
}

/// Ends on a failure that all ranks know of: rank 0 says it. Collective.
fn all_end(world: &Comm<'_>, failure: &Failure) -> game::Result<u8> {
    if world.rank() == HOME {
        eprintln!("{failure}");
    }
    world.barrier()?; // nobody ends, and is taken for a crash, before rank 0 has spoken
    Ok(failure.exit_code())
}

/// Rank 0's exit code, which knows how the games went: for all ranks. Collective.
///
/// No rank is to end with 0 where the job has failed or was ended by a signal. MPICH 4.0.2's launcher, for one,
/// that was sent SIGTERM loses the exit code of the process that ends last, and itself ends with that of another.
fn code_of_first(world: &Comm<'_>, code: u8) -> game::Result<u8> {
    let mut code = [code];
    world.broadcast(HOME, &mut code)?;
    Ok(code[0])
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

/// What the program's user does where the library's error says what its user does.
fn option_for(error: &game::Error) -> &'static str {
    let game::Error::Mpi(error) = error else {
        return "";
    };
    match error.kind() {
        ErrorKind::LostBits { .. } => ". Here that is --claim-with compare-and-swap",
        ErrorKind::NotEnoughMemory { .. } => ". Here that is --home spread",
        _ => "",
    }
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
    let failure = Failure::Run(format!("{error}{}", option_for(error)));
    eprintln!("{failure} (on rank {rank})");
    sentinel::goodbye(false);
    if survives && rank != HOME.unsigned_abs() {
        rma::leave_alone(1);
    }
    rma::abort(1)
}
