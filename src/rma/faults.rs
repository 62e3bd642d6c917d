//! Known faults of MPI libraries that concern claims: the one table. A test for each row shows the fault
//! where that library is at hand, and fails when it is gone; `onesided doctor` lists the rows of the
//! library that it meets.

use super::library::{Family, Library};

/// Where a fault can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Among ranks of one host.
    OneHost,
    /// Among ranks of several hosts, over TCP.
    SeveralHosts,
}

/// How a fault looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A process crashes.
    Crash,
    /// A call returns an error.
    Error,
    /// A result is wrong.
    WrongResult,
    /// Nothing moves while the target is outside MPI.
    StandStill,
    /// An operation never ends.
    Hang,
}

/// A fault of an MPI library, and what this crate does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Short name.
    pub name: &'static str,
    /// The library that has it.
    pub family: Family,
    /// First version that is known to have it.
    pub since: [u32; 3],
    /// First version that is known not to have it.
    pub until: [u32; 3],
    /// What happens.
    pub symptom: &'static str,
    /// What is done about it here.
    pub workaround: &'static str,
    /// What a user can do: `VARIABLE=value`, or a flag of `onesided`; empty where what is done here is
    /// all there is to do.
    pub remedy: &'static str,
    /// Where it can be seen.
    pub where_it_shows: Where,
    /// The doctor's probe that shows it; `None` where none does.
    pub probe: Option<&'static str>,
    /// How it looks there.
    pub sign: Sign,
}

/// In [`Fault::until`]: no version without the fault is known.
pub const OPEN: [u32; 3] = [u32::MAX; 3];

impl Fault {
    /// Whether `library` is known to have this fault.
    pub fn is_in(&self, library: &Library) -> bool {
        library.family == self.family && (self.since..self.until).contains(&library.version)
    }

    /// The remedy as variables and their values; empty if it is a flag.
    pub fn variables(&self) -> Vec<(&'static str, &'static str)> {
        let words = self.remedy.split(' ');
        words
            .map(|word| word.split_once('=').filter(|_| !word.starts_with('-')))
            .collect::<Option<_>>()
            .unwrap_or_default()
    }
}

/// Open MPI 4.1: 64-bit `MPI_Compare_and_swap` on an allocated window crashes on one node.
pub const OPEN_MPI_CAS_64: Fault = Fault {
    name: "open-mpi-cas-64",
    family: Family::OpenMpi,
    since: [4, 1, 4],
    until: [4, 1, 5],
    symptom: "MPI_Compare_and_swap of 64 bits on a window of MPI_Win_allocate segfaults in \
              mca_btl_vader_emu_acswap, with 2 or more ranks on a node",
    workaround: "slots have 32 bits, which is enough for a rank and goes another way in the library",
    remedy: "OMPI_MCA_osc=^rdma",
    where_it_shows: Where::OneHost,
    probe: Some("compare-and-swap-64-allocated"),
    sign: Sign::Crash,
};

/// Debian's Open MPI 4.1.4: its configuration excludes the one component that makes windows over TCP.
pub const OPEN_MPI_NO_WINDOWS_OVER_TCP: Fault = Fault {
    name: "open-mpi-no-windows-over-tcp",
    family: Family::OpenMpi,
    since: [4, 1, 4],
    until: [4, 1, 5],
    symptom: "MPI_Win_allocate and MPI_Win_create fail with MPI_ERR_WIN between hosts: \
              openmpi-mca-params.conf of Debian has osc = ^ucx,pt2pt",
    workaround: "the variable is set before MPI starts, where the user has set none (rma/settings.rs)",
    remedy: "OMPI_MCA_osc=^ucx,rdma",
    where_it_shows: Where::SeveralHosts,
    probe: Some("fetch-and-op-64-allocated"),
    sign: Sign::Error,
};

/// Open MPI 5.0 over TCP: fetch-and-or leaves the home rank's memory as it was.
pub const OPEN_MPI_5_FETCH_AND_OP_OVER_TCP: Fault = Fault {
    name: "open-mpi-5-fetch-and-op-over-tcp",
    family: Family::OpenMpi,
    since: [5, 0, 0],
    until: [5, 0, 12],
    symptom: "over TCP MPI_Fetch_and_op with MPI_BOR on 64 bits returns the word as it should be and leaves \
              it as it was: items are won and not accounted for, and won twice",
    workaround: "the variable is set before MPI starts, where the user has set none (rma/settings.rs)",
    remedy: "OMPI_MCA_osc_rdma_acc_use_amo=0",
    where_it_shows: Where::SeveralHosts,
    probe: Some("claims-fetch-and-op"),
    sign: Sign::WrongResult,
};

/// MPICH 4.0: nothing completes while the target is outside MPI, on one node neither.
pub const MPICH_4_0_NO_PROGRESS: Fault = Fault {
    name: "mpich-4.0-no-progress",
    family: Family::Mpich,
    since: [4, 0, 0],
    until: [4, 1, 0],
    symptom: "no operation on a window ends while its target is outside MPI, on one node neither",
    workaround: "--progress auto, the default, notices, and has the home rank poll; a shared board needs \
                 nobody's progress",
    remedy: "--progress auto",
    where_it_shows: Where::OneHost,
    probe: Some("claims-fetch-and-op"),
    sign: Sign::StandStill,
};

/// MPICH 4.0: `MPI_MAX` takes `MPI_UINT64_T` for signed.
pub const MPICH_4_0_MAX_IS_SIGNED: Fault = Fault {
    name: "mpich-4.0-max-is-signed",
    family: Family::Mpich,
    since: [4, 0, 0],
    until: [4, 1, 0],
    symptom: "MPI_Fetch_and_op(MPI_MAX) on MPI_UINT64_T takes 2^63 and more for less than 0",
    workaround: "what is offered to a blackboard has 63 bits",
    remedy: "",
    where_it_shows: Where::OneHost,
    probe: None,
    sign: Sign::WrongResult,
};

/// MPICH 4.0: `MPI_Win_allocate` on ranks that share a node, with sizes that are no multiple of 16 bytes.
pub const MPICH_4_0_ODD_SIZES: Fault = Fault {
    name: "mpich-4.0-odd-sizes",
    family: Family::Mpich,
    since: [4, 0, 0],
    until: [4, 1, 0],
    symptom: "where several ranks of a node give memory to a window, of a size that is no multiple of 16 \
              bytes, operations of one on another's go elsewhere, into the memory of a third or their own",
    workaround: "every rank gives a multiple of 16 bytes",
    remedy: "",
    where_it_shows: Where::OneHost,
    probe: None,
    sign: Sign::WrongResult,
};

/// Intel MPI, in programs built against the standard ABI: some constants have the numbers of a draft
/// (mpi-forum/mpi-abi-stubs#72, which MPICH follows since pmodels/mpich#7633). Those of Intel's own
/// `mpi.h` are right.
pub const INTEL_ABI_ERROR_HANDLERS: Fault = Fault {
    name: "intel-abi-error-handlers",
    family: Family::Intel,
    since: [2021, 18, 1],
    until: OPEN,
    symptom: "MPI_ERRORS_RETURN is taken for MPI_ERRORS_ABORT and the reverse, so that a call that fails \
              ends the job and returns no code (MPI_APPNUM, MPI_LASTUSEDCODE, MPI_UNIVERSE_SIZE and \
              MPI_SEEK_* have other numbers too)",
    workaround: "where MPI_LASTUSEDCODE is found under its number of the draft, the draft's error \
                 handler is set",
    remedy: "",
    where_it_shows: Where::OneHost,
    probe: Some("start"),
    sign: Sign::Crash,
};

/// MPICH 4.0 over TCP: jobs do not end.
pub const MPICH_4_0_FINALIZE_OVER_TCP: Fault = Fault {
    name: "mpich-4.0-finalize-over-tcp",
    family: Family::Mpich,
    since: [4, 0, 0],
    until: [4, 1, 0],
    symptom: "with UCX over TCP (between hosts, or on one where UCX_TLS leaves shared memory out) and more \
              than two ranks MPI_Finalize hangs: a rank that has ended its connections waits for the process \
              manager, and no longer answers the others",
    workaround: "when all is done and printed, the ranks of `onesided` exit together without it, where one \
                 of them is connected over TCP",
    remedy: "",
    where_it_shows: Where::SeveralHosts,
    probe: None,
    sign: Sign::Hang,
};

/// MPICH 4.0 over UCX: a window that was not freed.
pub const MPICH_4_0_WINDOW_LEFT: Fault = Fault {
    name: "mpich-4.0-window-left",
    family: Family::Mpich,
    since: [4, 0, 0],
    until: [4, 1, 0],
    symptom: "with UCX MPI_Finalize aborts where a window was not freed (rcache.c: Assertion refcount == 0)",
    workaround: "windows are freed, but for those of which a call has failed: what it says comes before that",
    remedy: "",
    where_it_shows: Where::OneHost,
    probe: None,
    sign: Sign::Crash,
};

/// MPICH 4.0: whose error handler a call without a communicator heeds.
pub const MPICH_4_0_CALLS_WITHOUT_COMMUNICATOR: Fault = Fault {
    name: "mpich-4.0-calls-without-communicator",
    family: Family::Mpich,
    since: [4, 0, 0],
    until: [4, 1, 0],
    symptom: "the error of a call without a communicator goes to the handler of MPI_COMM_WORLD, where MPI-4.0 has \
              that of MPI_COMM_SELF (§9.3): it ends the job of a program that left the former as it was",
    workaround: "where this crate starts MPI both return errors; a program that starts it otherwise keeps its own \
                 handler of MPI_COMM_WORLD",
    remedy: "",
    where_it_shows: Where::OneHost,
    probe: None,
    sign: Sign::Crash,
};

/// MPICH 5.0 with UCX: what is there already is not received from any source.
pub const MPICH_5_0_ANY_SOURCE: Fault = Fault {
    name: "mpich-5.0-any-source",
    family: Family::Mpich,
    since: [5, 0, 0],
    until: [5, 0, 3],
    symptom: "with UCX between hosts, a message that arrived before it was asked for, such as the second of two \
              or one that MPI_Iprobe has seen, is never received by MPI_Recv from MPI_ANY_SOURCE: the receiver \
              hangs",
    workaround: "messages of any source are received by matched probes (MPI_Mprobe, MPI_Improbe, MPI_Mrecv)",
    remedy: "MPIR_CVAR_CH4_NETMOD=ofi FI_PROVIDER=tcp",
    where_it_shows: Where::SeveralHosts,
    probe: None,
    sign: Sign::Hang,
};

/// All faults that are known to concern claims.
pub const ALL: &[Fault] = &[
    OPEN_MPI_CAS_64,
    OPEN_MPI_NO_WINDOWS_OVER_TCP,
    OPEN_MPI_5_FETCH_AND_OP_OVER_TCP,
    MPICH_4_0_NO_PROGRESS,
    MPICH_4_0_FINALIZE_OVER_TCP,
    MPICH_4_0_MAX_IS_SIGNED,
    MPICH_4_0_ODD_SIZES,
    MPICH_4_0_WINDOW_LEFT,
    MPICH_4_0_CALLS_WITHOUT_COMMUNICATOR,
    MPICH_5_0_ANY_SOURCE,
    INTEL_ABI_ERROR_HANDLERS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedies_are_variables_or_flags() {
        assert_eq!(OPEN_MPI_CAS_64.variables(), [("OMPI_MCA_osc", "^rdma")]);
        assert!(MPICH_4_0_NO_PROGRESS.variables().is_empty());
        for fault in ALL {
            let is_flag = fault.remedy.is_empty() || fault.remedy.starts_with("--");
            assert!(!fault.variables().is_empty() || is_flag);
            let known = |probe| crate::doctor::Probe::named(probe).is_some();
            assert!(fault.probe.is_none_or(known), "{:?}", fault.probe);
        }
    }
}
