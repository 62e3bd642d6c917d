//! Who takes part, with which library and thread level.

use super::super::finding::{Finding, Measured, Severity};
use super::Context;
use crate::rma::probe::library_text;
use crate::rma::{Library, Result, thread_level};

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    let hosts = context.placement.hosts();
    let ranks = context.comm.size().unsigned_abs();
    let places = hosts
        .iter()
        .map(|host| format!("{} ({} on {})", host.name, host.ranks, host.cores));
    let places = places.collect::<Vec<_>>().join(", ");
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let mut detail = format!(
        "{ranks} rank{} on {} host{} (ranks on cores): {places}",
        plural(ranks as usize),
        hosts.len(),
        plural(hosts.len()),
    );
    let severity = match ranks == context.expected_ranks {
        true => Severity::Ok,
        false => {
            detail += &format!(
                "; the launcher was told to start {}: is that what its template says?",
                context.expected_ranks
            );
            Severity::Note
        }
    };
    context.found(
        Finding::new("start", "job", severity, detail).with(Measured::Job {
            ranks,
            hosts: hosts.clone(),
        }),
    );

    let text = library_text()?;
    let differs = Library::built_against().and_then(|built| context.library.differs_from(&built));
    let (severity, detail) = match differs {
        Some(message) => (Severity::Note, message),
        None => (Severity::Ok, context.library.to_string()),
    };
    let name = context.library.to_string();
    context.found(
        Finding::new("library", "library", severity, detail).with(Measured::Library { name, text }),
    );

    let (asked, given) = (context.asked.name(), thread_level()?.name());
    context.found(
        Finding::new(
            "thread-level",
            "thread level",
            match thread_level()? < context.asked {
                true => Severity::Note,
                false => Severity::Ok,
            },
            format!("{given}, asked for {asked}"),
        )
        .with(Measured::ThreadLevel {
            asked: asked.into(),
            given: given.into(),
            windows_work: None,
        }),
    );
    Ok(())
}
