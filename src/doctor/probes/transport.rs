//! How ranks reach each other, as far as it can be known. Nothing here is guessed.

use std::collections::BTreeMap;

use super::super::finding::{Finding, Measured, Severity};
use super::Context;
use crate::rma::probe::{library_text, open_mpi_components};
use crate::rma::{Family, Result};

/// Variables that choose a transport.
const VARIABLES: &[&str] = &[
    "OMPI_MCA_pml",
    "OMPI_MCA_btl",
    "OMPI_MCA_mtl",
    "OMPI_MCA_osc",
    "UCX_TLS",
    "UCX_NET_DEVICES",
    "FI_PROVIDER",
    "MPIR_CVAR_CH4_NETMOD",
    "MPIR_CVAR_NOLOCAL",
    "I_MPI_FABRICS",
    "I_MPI_OFI_PROVIDER",
];

/// Frameworks of Open MPI that move data.
const FRAMEWORKS: &[&str] = &["pml_", "btl_", "mtl_", "osc_"];

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    let variables: BTreeMap<String, String> = VARIABLES
        .iter()
        .filter_map(|&name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    let text = library_text()?;
    let device = text.lines().find_map(|line| {
        let device = line.trim().strip_prefix("MPICH Device:")?;
        Some(device.trim().to_owned())
    });
    let components: Vec<String> = match context.library.family {
        Family::OpenMpi => open_mpi_components()
            .into_iter()
            .filter(|component| {
                FRAMEWORKS
                    .iter()
                    .any(|prefix| component.starts_with(prefix))
            })
            .collect(),
        _ => Vec::new(),
    };
    let rdma_devices: Vec<String> = std::fs::read_dir("/sys/class/infiniband")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();

    let mut parts = Vec::new();
    if let Some(device) = &device {
        parts.push(format!("device {device}"));
    }
    if !components.is_empty() {
        parts.push(format!(
            "loaded: {}",
            components.join(" ").replace('_', "/")
        ));
    }
    if !variables.is_empty() {
        let set = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        parts.push(format!("set: {}", set.collect::<Vec<_>>().join(" ")));
    }
    parts.push(match rdma_devices.is_empty() {
        true => "no RDMA device on rank 0's host".into(),
        false => format!("RDMA devices on rank 0's host: {}", rdma_devices.join(" ")),
    });
    let known = device.is_some() || !components.is_empty();
    let severity = match known {
        true => Severity::Ok,
        false => {
            parts.insert(0, "not known: this library does not tell".into());
            Severity::Unknown
        }
    };
    context.found(
        Finding::new("transport", "transport", severity, parts.join("; ")).with(
            Measured::Transport {
                variables,
                device,
                components,
                rdma_devices,
            },
        ),
    );
    Ok(())
}
