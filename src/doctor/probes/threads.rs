//! Whether windows still work where all threads may call MPI.

use super::super::finding::{Atomic, Finding, Measured, Severity, WindowKind};
use super::super::plan::Probe;
use super::Context;
use super::atomics::draw;
use crate::rma::{Result, thread_level};

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    let probe = Probe::ThreadMultiple;
    let (asked, given) = (context.asked.name(), thread_level()?.name());
    let Some(window) = context.open(probe, WindowKind::Allocated)? else {
        return Ok(());
    };
    let phases = draw(
        context,
        &window,
        Atomic::FetchAndOp,
        64,
        WindowKind::Allocated,
    )?;
    window.close()?;
    let Some(phases) = phases else {
        return Ok(());
    };
    let right = match &phases {
        Ok(phases) => phases.iter().all(super::super::finding::Phase::is_right),
        Err(_) => false,
    };
    let (severity, detail) = match (&phases, right) {
        (Err(error), _) => (Severity::Refused, error.clone()),
        (Ok(_), true) => (
            Severity::Ok,
            format!("{given}; fetch-and-op on an allocated window is right"),
        ),
        (Ok(_), false) => (
            Severity::Wrong,
            format!("{given}; tickets were drawn twice or lost"),
        ),
    };
    context.found(
        Finding::new(probe.name(), probe.subject(), severity, detail).with(Measured::ThreadLevel {
            asked: asked.into(),
            given: given.into(),
            windows_work: Some(right),
        }),
    );
    Ok(())
}
