//! Clocks of other hosts against rank 0's.

use super::super::finding::{Finding, Measured, Severity};
use super::Context;
use crate::rma::{Result, processor_name};
use crate::trace::Synchroniser;

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    let (_, clocks) = Synchroniser::before(context.comm, &processor_name()?)?;
    let Some(clocks) = clocks else {
        return Ok(());
    };
    let others: Vec<_> = clocks
        .clocks
        .iter()
        .filter_map(|clock| Some((clock.host.clone(), clock.before?)))
        .collect();
    if others.is_empty() {
        let detail = "all ranks read the same clock";
        context.found(Finding::new("clocks", "clocks", Severity::Ok, detail));
    }
    for (host, offset) in others {
        let (offset_ns, error_ns) = (offset.offset_ns, offset.error_ns);
        let detail = format!(
            "offset {} us, give or take {} us",
            offset_ns / 1000,
            error_ns.div_ceil(1000)
        );
        context.found(
            Finding::new("clocks", format!("clock of {host}"), Severity::Ok, detail).with(
                Measured::Clock {
                    host,
                    offset_ns,
                    error_ns,
                },
            ),
        );
    }
    Ok(())
}
