//! Windows of each kind, opened together: all ranks have one, or none.

use super::super::finding::{Finding, Severity, WindowKind};
use super::super::plan::Probe;
use super::Context;
use super::together::{gather, share};
use crate::rma::Result;
use crate::rma::probe::ProbeWindow;

impl<'mpi> Context<'_, 'mpi> {
    /// Opens a window on rank 0, or on each node's first rank if it is shared. Collective. Where a rank
    /// cannot, that is reported and there is none.
    pub(super) fn open(
        &mut self,
        probe: Probe,
        kind: WindowKind,
    ) -> Result<Option<ProbeWindow<'mpi>>> {
        self.step(&format!("opening the {} window", kind.name()));
        let opened = match kind {
            WindowKind::Allocated => ProbeWindow::allocate(self.comm),
            WindowKind::Created => ProbeWindow::create(self.comm),
            WindowKind::Shared => ProbeWindow::allocate_shared(self.node),
        };
        self.agree(probe, opened)
    }

    /// What came of a collective, if it went well on all ranks. Collective. Where a rank has an error,
    /// that is reported and nobody has anything.
    pub(super) fn agree<T>(&mut self, probe: Probe, own: Result<T>) -> Result<Option<T>> {
        let own_error = own.as_ref().err().map(ToString::to_string);
        let error =
            gather(self.comm, &own_error)?.map(|errors| errors.into_iter().flatten().next());
        let error: Option<String> = share(self.comm, error)?;
        if let Some(error) = error {
            // Freeing a window that some ranks have is a collective that would hang: it is left.
            self.found(Finding::new(
                probe.name(),
                probe.subject(),
                Severity::Refused,
                error,
            ));
            return Ok(None);
        }
        own.map(Some)
    }
}
