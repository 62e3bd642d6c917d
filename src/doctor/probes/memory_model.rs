//! Memory models of windows.

use super::super::finding::{Finding, Measured, Severity, WindowKind};
use super::super::plan::Probe;
use super::Context;
use crate::rma::Result;
use crate::rma::probe::MemoryModel;

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    for kind in [
        WindowKind::Allocated,
        WindowKind::Created,
        WindowKind::Shared,
    ] {
        let Some(window) = context.open(Probe::MemoryModel, kind)? else {
            continue;
        };
        let model = window.memory_model()?.map(|model| match model {
            MemoryModel::Unified => "unified",
            MemoryModel::Separate => "separate",
        });
        window.close()?;
        let (severity, detail) = match model {
            Some(model) => (Severity::Ok, model),
            None => (Severity::Unknown, "not known: the library does not tell"),
        };
        let subject = format!("memory model, {}", kind.name());
        context.found(
            Finding::new("memory-model", subject, severity, detail).with(Measured::MemoryModel {
                window: kind,
                model: model.map(str::to_owned),
            }),
        );
    }
    Ok(())
}
