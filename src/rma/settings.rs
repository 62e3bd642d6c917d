//! What some libraries have to be told before they start, so that claims are right over TCP.
//!
//! A setting is made only where the user has made none, and only on machines without hardware for remote
//! memory access: there the library's own choice is right, and the settings would slow it down.

use std::path::Path;

use super::library::{Family, Library};

/// A variable that is set before MPI starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: &'static str,
    /// Why.
    pub why: &'static str,
}

/// Open MPI 4.1: which component makes windows.
const OSC_4_1: Setting = Setting {
    variable: "OMPI_MCA_osc",
    value: "^ucx,rdma",
    why: "osc/pt2pt makes windows over TCP, and Debian's configuration excludes it; osc/sm makes them on \
          one node, where its atomics take a third of what osc/rdma's take and do not crash",
};

/// Open MPI 5.0: how accumulates of `osc/rdma` go where the network has no atomics.
const AMO_5_0: Setting = Setting {
    variable: "OMPI_MCA_osc_rdma_acc_use_amo",
    value: "0",
    why: "over TCP MPI_Fetch_and_op with MPI_BOR on 64 bits leaves the word as it was (5.0.11)",
};

/// What `library` is to be told; the rest of the arguments is what the machine and the user say.
fn settings_for(
    library: &Library,
    has_rdma: bool,
    is_set: impl Fn(&str) -> bool,
) -> Option<Setting> {
    let setting = match (library.family, library.version) {
        (Family::OpenMpi, [4, 1, _]) => OSC_4_1,
        (Family::OpenMpi, [5, 0, _]) => AMO_5_0,
        _ => return None,
    };
    (!has_rdma && !is_set(setting.variable)).then_some(setting)
}

/// Sets what the library at hand needs, and returns it. [`Mpi::init`](super::Mpi::init) calls this;
/// programs that start MPI in another way call it before.
///
/// The environment of the process is changed, as `MPI_Init` of these libraries does too: no other thread
/// may be reading it through C at the same time.
///
/// # Errors
/// What MPI returns when asked which library it is.
pub fn prepare() -> super::Result<Option<Setting>> {
    let library = super::library()?;
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let setting = settings_for(&library, has_rdma_device(), is_set);
    if let Some(setting) = setting {
        // SAFETY: called before MPI is initialised, when a program has its first thread only, or threads
        // that leave the environment alone (documented); Rust's own readers take the lock of `set_var`.
        unsafe { std::env::set_var(setting.variable, setting.value) };
    }
    Ok(setting)
}

/// Which components make windows, as the user chose them, where that is not the library's own choice or this
/// crate's: what to look at when no window can be made.
pub(super) fn chosen_components() -> Option<String> {
    let value = std::env::var(OSC_4_1.variable).ok()?;
    (value != OSC_4_1.value).then(|| format!("{}={value}", OSC_4_1.variable))
}

/// Whether this machine has a device for remote memory access: InfiniBand, RoCE, Omni-Path, Slingshot.
fn has_rdma_device() -> bool {
    ["/sys/class/infiniband", "/sys/class/cxi"]
        .iter()
        .any(|class| {
            let devices = Path::new(class).read_dir();
            devices.is_ok_and(|mut devices| devices.next().is_some())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_made_where_it_is_needed_and_never_over_the_users() {
        let setting = |library: &str, has_rdma, set: &str| {
            settings_for(&Library::parse(library), has_rdma, |name| name == set)
                .map(|setting| setting.variable)
        };
        assert_eq!(setting("Open MPI v4.1.4", false, ""), Some("OMPI_MCA_osc"));
        let amo = "OMPI_MCA_osc_rdma_acc_use_amo";
        assert_eq!(setting("Open MPI v5.0.11", false, ""), Some(amo));
        assert_eq!(setting("Open MPI v5.0.11", false, amo), None, "the user's");
        assert_eq!(setting("Open MPI v4.1.4", true, ""), None, "hardware");
        assert_eq!(setting("MPICH Version: 5.0.2", false, ""), None);
        assert_eq!(setting("Open MPI v6.0.0", false, ""), None, "not known");
    }
}
