//! `--survive`: how a rank ends where others died.

use std::time::Duration;

use super::super::Failure;
use super::recording::{Tracing, Trouble};
use super::session::Session;
use super::{HOME, checkpoint, last_resort, sentinel};
use crate::game::Parting;
use crate::interrupt;
use crate::pulse::{self, Call, Place};
use crate::rma;
use crate::trace::ProgressInfo;

/// The least that `--timeout` is with `--survive`, unless it is given: a rank that dies within an operation may
/// leave others waiting in theirs for ever.
const LEAST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long those who do not speak let live the one that does.
const TO_SPEAK: Duration = Duration::from_secs(1);

/// `--timeout`, where none is given.
pub(super) fn default_timeout(patience: Duration) -> Duration {
    LEAST_TIMEOUT.max(3 * patience)
}

impl Session<'_, '_> {
    /// Says on the home rank that it takes `rank` for dead.
    pub(super) fn say_who_died(&self, rank: i32, patience: Duration) {
        if !self.game().quiet {
            let patience = humantime::format_duration(patience);
            eprintln!(
                "onesided: rank {rank} has given no sign of life for {patience}: the others go on without it"
            );
        }
    }

    /// Ends this rank: with no collective, which would wait for the dead, so without `MPI_Finalize` too.
    pub(super) fn part(
        &self,
        parting: Parting,
        tracing: Option<Tracing<'_>>,
        hosts: Option<&[Vec<u8>]>,
        progress: Option<ProgressInfo>,
    ) -> ! {
        pulse::at(Place::End, 0);
        pulse::enter(Call::Exit);
        let cut_short = match &parting {
            Parting::Survived(results) => results.cut_short,
            _ => None,
        };
        let signal = cut_short.map(|cut| interrupt::name(cut.signal));
        let trouble = tracing.and_then(|tracing| tracing.finish_alone(signal));
        let trouble = trouble.map_or(0, Trouble::report);
        let rank = self.world.rank();
        let code = match parting {
            Parting::Survived(results) => {
                let code = self.print_results(*results, hosts.unwrap_or_default(), progress);
                code.max(checkpoint::exit_code())
            }
            Parting::Dismissed => 0,
            Parting::TakenForDead => {
                eprintln!(
                    "onesided: rank {rank} was away for so long that the others have gone on without it: it \
                     leaves; what it had scored counts"
                );
                0
            }
            Parting::HomeDied { is_first: true } => {
                let failure = Failure::Run(format!(
                    "rank {HOME} gives no sign of life, and its memory has the claims, so --survive cannot go \
                     on without it; {}",
                    self.how_to_go_on()
                ));
                eprintln!("{failure}");
                sentinel::goodbye(false);
                // Whatever the launcher makes of ranks that end: Open MPI 4 with --enable-recovery takes any
                // end for a good one.
                rma::abort(failure.exit_code().into());
            }
            Parting::HomeDied { is_first: false } => {
                std::thread::sleep(TO_SPEAK); // a launcher may end the job with the first that ends
                1
            }
        };
        last_resort::has_stopped();
        sentinel::goodbye(true);
        rma::leave_alone(code.max(trouble).into())
    }
}
