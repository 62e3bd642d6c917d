//! An atomic under contention: ranks draw tickets from one word, and each ticket must be drawn once.

use std::time::{Duration, Instant};

use super::super::finding::{Atomic, Finding, Measured, Origins, Phase, Severity, WindowKind};
use super::super::plan::Probe;
use super::Context;
use super::together::gather;
use crate::rma::Result;
use crate::rma::probe::{ProbeWindow, Word};

/// How long ranks draw, and how many tickets at most.
const FOR: Duration = Duration::from_millis(60);
const MOST: usize = 3000;

const PHASES: [Origins; 3] = [Origins::Home, Origins::Others, Origins::All];

pub(super) fn probe(
    context: &mut Context<'_, '_>,
    operation: Atomic,
    bits: u32,
    kind: WindowKind,
) -> Result<()> {
    let probe = Probe::Atomic(operation, bits, kind);
    let Some(window) = context.open(probe, kind)? else {
        return Ok(());
    };
    let phases = draw(context, &window, operation, bits, kind)?;
    window.close()?;
    let Some(phases) = phases else {
        return Ok(());
    };
    let found =
        |severity, detail: String| Finding::new(probe.name(), probe.subject(), severity, detail);
    let phases = match phases {
        Ok(phases) => phases,
        Err(error) => {
            context.found(found(Severity::Refused, error));
            return Ok(());
        }
    };
    let wrong: Vec<String> = phases
        .iter()
        .filter(|phase| !phase.is_right())
        .map(|phase| {
            format!(
                "{}: of {} tickets {} were drawn twice and {} by nobody",
                phase.origins.name(),
                phase.tickets,
                phase.drawn_twice,
                phase.missing
            )
        })
        .collect();
    let finding = if wrong.is_empty() {
        let counts = phases
            .iter()
            .map(|phase| format!("{} {}", phase.origins.name(), phase.tickets));
        let counts = counts.collect::<Vec<_>>().join(", ");
        found(Severity::Ok, format!("each ticket drawn once: {counts}"))
    } else {
        found(Severity::Wrong, wrong.join("; "))
    };
    context.found(finding.with(Measured::Atomic {
        operation,
        bits,
        window: kind,
        phases,
    }));
    Ok(())
}

/// Draws tickets phase by phase, each from a word of its own. Collective. On rank 0 what came of it, or
/// the first error that a rank met.
pub(super) fn draw(
    context: &mut Context<'_, '_>,
    window: &ProbeWindow<'_>,
    operation: Atomic,
    bits: u32,
    kind: WindowKind,
) -> Result<Option<Result<Vec<Phase>, String>>> {
    // The ranks that share a window: of a shared one, those of a node.
    let group = match kind {
        WindowKind::Shared => context.placement.node_of(context.comm.rank()),
        _ => 0,
    };
    let is_home = context.comm.rank() == group;
    let mut phases = Vec::new();
    let mut error = None;
    for (word, origins) in PHASES.into_iter().enumerate() {
        context.step(origins.name());
        let takes_part = match origins {
            Origins::Home => is_home,
            Origins::Others => !is_home,
            Origins::All => true,
        };
        context.comm.barrier()?;
        let tickets = match takes_part {
            false => Ok(Vec::new()),
            true if bits == 32 => tickets::<u32>(window, operation, word),
            true => tickets::<u64>(window, operation, word),
        };
        // Some wait here while others still draw: inside MPI.
        context.comm.barrier()?;
        let own = (
            group,
            takes_part,
            tickets.map_err(|error| error.to_string()),
        );
        let Some(all) = gather(context.comm, &own)? else {
            continue;
        };
        match judge(origins, all) {
            Ok(Some(phase)) => phases.push(phase),
            Ok(None) => {}
            Err(why) => error = error.or(Some(why)),
        }
    }
    let came_of_it = match error {
        Some(error) => Err(error),
        None => Ok(phases),
    };
    Ok((context.comm.rank() == 0).then_some(came_of_it))
}

/// Draws tickets 0, 1, 2 … from a word that starts at 0.
fn tickets<W: Word>(window: &ProbeWindow<'_>, operation: Atomic, word: usize) -> Result<Vec<u64>> {
    let mut drawn = Vec::new();
    let mut found = 0;
    let start = Instant::now();
    while start.elapsed() < FOR && drawn.len() < MOST {
        match operation {
            Atomic::FetchAndOp => drawn.push(window.fetch_and_increment::<W>(word)?),
            Atomic::CompareAndSwap => {
                let expected = found;
                found = window.compare_and_swap::<W>(word, expected, expected + 1)?;
                if found == expected {
                    drawn.push(expected);
                    found += 1;
                }
            }
        }
    }
    Ok(drawn)
}

type Drawn = (crate::rma::Rank, bool, Result<Vec<u64>, String>);

/// Whether each ticket was drawn once, in each group; `None` where nobody took part.
fn judge(origins: Origins, all: Vec<Drawn>) -> Result<Option<Phase>, String> {
    let mut groups = std::collections::BTreeMap::<_, Vec<u64>>::new();
    let mut ranks = 0;
    for (group, takes_part, tickets) in all {
        ranks += u32::from(takes_part);
        groups.entry(group).or_default().extend(tickets?);
    }
    let mut phase = Phase {
        origins,
        ranks,
        tickets: 0,
        drawn_twice: 0,
        missing: 0,
    };
    for mut tickets in groups.into_values() {
        phase.tickets += tickets.len() as u64;
        tickets.sort_unstable();
        let n_drawn = tickets.len();
        tickets.dedup();
        phase.drawn_twice += (n_drawn - tickets.len()) as u64;
        let highest = tickets.last().map_or(0, |&ticket| ticket.saturating_add(1));
        phase.missing += highest - tickets.len() as u64;
    }
    Ok((ranks > 0).then_some(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(all: &[(i32, &[u64])]) -> Phase {
        let all = all
            .iter()
            .map(|&(group, tickets)| (group, true, Ok(tickets.to_vec())))
            .collect();
        judge(Origins::All, all).unwrap().unwrap()
    }

    #[test]
    fn each_ticket_once_is_right_and_anything_else_is_not() {
        assert!(judged(&[(0, &[0, 2]), (0, &[1, 3])]).is_right());
        let twice = judged(&[(0, &[0, 1]), (0, &[1, 2])]);
        assert_eq!((twice.drawn_twice, twice.missing), (1, 0));
        let lost = judged(&[(0, &[0, 1]), (0, &[4])]);
        assert_eq!((lost.drawn_twice, lost.missing), (0, 2));
        let garbage = judged(&[(0, &[u64::MAX])]);
        assert!(!garbage.is_right());
    }

    #[test]
    fn groups_have_their_own_tickets() {
        assert!(judged(&[(0, &[0, 1]), (2, &[1, 0])]).is_right());
    }

    #[test]
    fn nobody_is_no_phase_and_an_error_is_one() {
        assert_eq!(
            judge(Origins::Others, vec![(0, false, Ok(vec![]))]),
            Ok(None)
        );
        assert!(judge(Origins::All, vec![(0, true, Err("no".into()))]).is_err());
    }
}
