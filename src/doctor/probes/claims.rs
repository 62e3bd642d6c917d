//! Claims as this crate makes them, while the home rank is outside MPI, under each progress policy.
//!
//! All other ranks claim the same items in the same order, so that they contend for each; they pause
//! between two claims, as a search would, so that on few cores they leave some to the home rank.

use std::time::{Duration, Instant};

use super::super::finding::{Away, Finding, Latencies, Measured, Policy, Severity};
use super::super::plan::Probe;
use super::super::verdict::ClaimMethod;
use super::Context;
use super::latency::in_words;
use super::progress::{sleep_until, spin_until};
use super::together::gather;
use super::waiting::cpu_time;
use crate::claim::{BitBoard, Board, Claim, Options, SharedBoard, SlotBoard};
use crate::rma::{Comm, Progress, Result};

/// How long the home rank is outside MPI.
const AWAY: Duration = Duration::from_millis(550);

/// It is for certain when the others begin.
const LATER: Duration = Duration::from_millis(30);

/// How long they claim: all of it while the home rank is away.
const FOR: Duration = Duration::from_millis(500);

/// How long all claim at once, as fast as they can.
const ALL_FOR: Duration = Duration::from_millis(150);

/// Between two claims of a rank.
const PAUSE: Duration = Duration::from_micros(200);

/// A claim that takes longer has waited for the home rank, and not for a core.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// More than can be claimed meanwhile, with such pauses.
const N_ITEMS: usize = 8192;

const HOME: i32 = 0;

pub(super) fn probe(context: &mut Context<'_, '_>, method: ClaimMethod) -> Result<()> {
    let probe = Probe::Claims(method);
    let not_probed = if context.comm.size() == 1 {
        Some("not probed: there is one rank only")
    } else if method == ClaimMethod::SharedMemory && context.placement.nodes().len() > 1 {
        Some("not probed: ranks of several nodes share no memory")
    } else {
        None
    };
    if let Some(why) = not_probed {
        let (name, subject) = (probe.name(), probe.subject());
        context.found(Finding::new(name, subject, Severity::Unknown, why));
        return Ok(());
    }
    let policies: &[Policy] = match method {
        // Nothing of it needs anybody's progress.
        ClaimMethod::SharedMemory => &[Policy::None],
        _ => &[Policy::None, Policy::Poll, Policy::Thread],
    };
    // All at once first: whether claims are right at all.
    let mut cells = vec![(Policy::None, Away::Claiming)];
    for &policy in policies {
        cells.extend([(policy, Away::Asleep), (policy, Away::Computing)]);
    }
    for (policy, away) in cells {
        context.step(&format!(
            "--progress {} while the home rank {}",
            policy.name(),
            away.verb()
        ));
        let cell = Cell {
            method,
            policy,
            away,
        };
        let finding = match method {
            ClaimMethod::FetchAndOp => {
                let board = BitBoard::open_with(context.comm, HOME, N_ITEMS, &cell.options());
                cell.on_board(context, probe, board)?
            }
            ClaimMethod::CompareAndSwap => {
                let board = SlotBoard::open_with(context.comm, HOME, N_ITEMS, &cell.options());
                cell.on_board(context, probe, board)?
            }
            ClaimMethod::SharedMemory => {
                let board = SharedBoard::open(context.comm, HOME, N_ITEMS);
                cell.on_board(context, probe, board)?
            }
        };
        match finding {
            Some(Some(finding)) => context.found(finding),
            Some(None) => {}
            None => return Ok(()), // what was refused once will be again
        }
    }

    Ok(())
}

/// A cell of the matrix: how is claimed, and what is done about progress, while the home rank does what.
#[derive(Debug, Clone, Copy)]
struct Cell {
    method: ClaimMethod,
    policy: Policy,
    away: Away,
}

/// What a rank saw: items that it won, how long its claims took, what it computed meanwhile.
type Saw = (Vec<usize>, Vec<u64>, u64);

impl Cell {
    fn options(self) -> Options {
        Options {
            progress: match self.policy {
                Policy::None => Progress::None,
                Policy::Poll => Progress::Poll,
                Policy::Thread => Progress::Thread,
            },
            ..Options::default()
        }
    }

    /// Collective. `None` if there is no board; else on rank 0 the finding.
    fn on_board<B: Board>(
        self,
        context: &mut Context<'_, '_>,
        probe: Probe,
        board: Result<B>,
    ) -> Result<Option<Option<Finding>>> {
        let Some(mut board) = context.agree(probe, board)? else {
            return Ok(None);
        };
        let comm = context.comm;
        let saw = self.claim(comm, &mut board)?;
        comm.barrier()?; // the board is at rest
        let account = match comm.rank() {
            HOME => Some(board.account()?),
            _ => None,
        };
        comm.barrier()?;
        board.close()?;
        let all = gather(comm, &saw)?;
        let both = account.zip(all);
        Ok(Some(
            both.map(|(account, all)| self.judge(&account.claimed, all)),
        ))
    }

    fn claim<B: Board>(self, comm: &Comm<'_>, board: &mut B) -> Result<Saw> {
        let (mut won, mut took_ns) = (Vec::new(), Vec::new());
        comm.barrier()?;
        let (start, cpu) = (Instant::now(), cpu_time());
        if self.away == Away::Claiming {
            for item in 0..N_ITEMS {
                let before = Instant::now();
                if before - start >= ALL_FOR {
                    break;
                }
                let claim = board.claim(item)?;
                took_ns.push(before.elapsed().as_nanos() as u64);
                if claim == Claim::Won {
                    won.push(item);
                }
            }
        } else if comm.rank() == HOME {
            self.be_away(board, start)?;
        } else {
            sleep_until(start + LATER);
            for item in 0..N_ITEMS {
                let before = Instant::now();
                if before - start >= LATER + FOR {
                    break;
                }
                let claim = board.claim(item)?;
                took_ns.push(before.elapsed().as_nanos() as u64);
                if claim == Claim::Won {
                    won.push(item);
                }
                std::thread::sleep(PAUSE);
            }
            sleep_until(start + AWAY);
        }
        let cpu_ns = (cpu_time() - cpu).as_nanos() as u64;
        Ok((won, took_ns, cpu_ns))
    }

    /// The home rank works as its policy asks of a program.
    fn be_away<B: Board>(self, board: &B, start: Instant) -> Result<()> {
        let until = start + AWAY;
        let spend = |until: Instant| match self.away {
            Away::Asleep => sleep_until(until),
            Away::Computing => spin_until(until),
            Away::Claiming => {}
        };
        let Some(interval) = board.engine().visit_interval() else {
            return board.outside_mpi(|| spend(until));
        };
        while Instant::now() < until {
            spend(until.min(Instant::now() + interval));
            board.progress()?;
        }
        Ok(())
    }

    fn judge(self, claimed: &[bool], all: Vec<Saw>) -> Finding {
        let home_cpu_ns = all[HOME as usize].2;
        let mut winners = vec![0u32; claimed.len()];
        let mut sample_ns = Vec::new();
        for (won, took_ns, _) in all {
            for item in won {
                winners[item] += 1;
            }
            sample_ns.extend(took_ns);
        }
        let pairs = || winners.iter().zip(claimed);
        let count = |wrong: fn(u32, bool) -> bool| {
            pairs().filter(|&(&n, &claimed)| wrong(n, claimed)).count()
        };
        let twice = count(|n, _| n > 1);
        let by_nobody = count(|n, claimed| n == 0 && claimed);
        let forgotten = count(|n, claimed| n > 0 && !claimed);
        let n_wrong = twice + by_nobody + forgotten;
        let items = claimed.iter().filter(|&&claimed| claimed).count() as u64;
        let latency = Latencies::of(sample_ns);
        let stalled = latency.longest_ns >= STOOD_STILL.as_nanos() as u64;
        let away_ns = match self.away {
            Away::Claiming => ALL_FOR,
            Away::Asleep | Away::Computing => AWAY,
        }
        .as_nanos() as u64;
        let numbers = format!(
            "{} claims, median {}, 99 % {}, longest {}; the home rank used {:.0} % of a core",
            latency.operations,
            in_words(latency.median_ns),
            in_words(latency.p99_ns),
            in_words(latency.longest_ns),
            100.0 * home_cpu_ns as f64 / away_ns as f64,
        );
        let (severity, detail) = match (n_wrong, stalled) {
            (1.., _) => (
                Severity::Wrong,
                format!(
                    "{twice} items were won twice, {by_nobody} by nobody, and of {forgotten} that were won the \
                     home rank's memory does not know: {numbers}"
                ),
            ),
            (0, true) => (Severity::StandsStill, numbers),
            (0, false) => (Severity::Ok, numbers),
        };
        let subject = match self.method {
            ClaimMethod::SharedMemory => {
                format!("{}, home {}", self.method.name(), self.away.verb())
            }
            _ => format!(
                "{}, --progress {}, home {}",
                self.method.name(),
                self.policy.name(),
                self.away.verb()
            ),
        };
        let probe = Probe::Claims(self.method).name();
        Finding::new(probe, subject, severity, detail).with(Measured::Claims {
            claim_with: self.method,
            policy: self.policy,
            away: self.away,
            away_ns,
            items,
            each_once: n_wrong == 0,
            stalled,
            latency,
            home_cpu_ns,
        })
    }
}
