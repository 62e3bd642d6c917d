//! One checker for every MPI return code.

use std::ffi::{c_char, c_int};

use mpi::ffi;

use super::ending::is_running;
use super::memory::{Human, MemoryLimit};

/// What went wrong between this crate and MPI; [`kind`](Error::kind) says what.
///
/// One pointer wide: results of claims travel in registers, and errors are rare.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

/// What can go wrong between this crate and MPI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An MPI call returned an error code.
    #[error(transparent)]
    Mpi(MpiError),
    /// An operation of this rank on the window failed, or a panic came in between, so what its words hold is unknown.
    #[error(
        "an earlier operation of this rank on the window failed, so what its words hold is unknown: close it and \
         open a new one (both are collective), or end the job"
    )]
    Poisoned,
    /// A count does not fit the `int` of the MPI call that needs it.
    #[error("{what} is {count}, more than one MPI call can carry ({})", c_int::MAX)]
    CountTooLarge {
        /// What was counted.
        what: &'static str,
        /// How many there were.
        count: usize,
    },
    /// A window was asked for that no address space can hold.
    #[error("a window of this many words does not fit the address space")]
    WindowTooLarge,
    /// A rank was named that is none of the communicator's.
    #[error("rank {rank} does not exist: the ranks are 0 to {}", size - 1)]
    NoSuchRank {
        /// The rank that was given.
        rank: i32,
        /// How many ranks there are.
        size: i32,
    },
    /// A message was to be received by a negative tag.
    #[error("tag {tag} is negative: tags are 0 to 32767")]
    NegativeTag {
        /// The tag.
        tag: i32,
    },
    /// A communicator was duplicated on a thread that may not call MPI.
    #[error(
        "a communicator was duplicated on a second thread, and MPI runs with {level}. Duplicate on {}, or \
         initialise MPI with MPI_THREAD_MULTIPLE",
        if *level == "MPI_THREAD_SERIALIZED" { "one thread only" } else { "the thread that initialised MPI" }
    )]
    WrongThread {
        /// How much thread support MPI was initialised with.
        level: &'static str,
    },
    /// Ranks opened different things in one collective call. Found before anything was allocated.
    #[error(
        "the ranks open different things: {what} is {on_first} on rank 0 and {on_other} on rank {rank}. Open \
         the same, with the same arguments and in the same order, on all ranks"
    )]
    OpenedDifferently {
        /// The kind or the argument that differs; of several the first.
        what: String,
        /// What it is on rank 0.
        on_first: String,
        /// The lowest rank that differs from rank 0.
        rank: i32,
        /// What it is on that rank.
        on_other: String,
    },
    /// A collective call failed on another rank, and so on all.
    #[error("rank {rank} failed: {why}")]
    OnOtherRank {
        /// The lowest rank that failed.
        rank: i32,
        /// Its error.
        why: String,
    },
    /// Bits that were set in the home rank's memory are not there.
    #[error(
        "{library} loses bits here: MPI_Fetch_and_op with MPI_BOR on 64 bits, from rank {rank}, left the \
         home rank's word as it was, so items would be won twice. Use compare-and-swap (`SlotBoard`){}",
        if library.starts_with("Open MPI 5") {
            "; or set OMPI_MCA_osc_rdma_acc_use_amo=0 on all ranks before MPI starts"
        } else {
            ""
        }
    )]
    LostBits {
        /// The library's name and version.
        library: String,
        /// The lowest rank whose bits were lost.
        rank: i32,
    },
    /// Memory was to be shared by ranks that are not all on one node.
    #[error("the ranks are on {n_nodes} nodes, and memory is shared within one only")]
    SeveralNodes {
        /// How many nodes there are.
        n_nodes: usize,
    },
    /// The memory that ranks of one node are about to need together is not there. Found before anything was
    /// allocated.
    #[error(
        "not enough memory on {host}, the host of rank {rank}: {n_ranks} rank{} there {} {}, and there \
         is {} {limit}. {}",
        if *n_ranks == 1 { "" } else { "s" },
        if *n_ranks == 1 { "needs" } else { "need" },
        Human(*needed_bytes),
        Human(*available_bytes),
        limit.advice(*needed_bytes)
    )]
    NotEnoughMemory {
        /// The host's name.
        host: String,
        /// The lowest rank on that host.
        rank: i32,
        /// How many ranks there share what is short.
        n_ranks: usize,
        /// What they need together.
        needed_bytes: u64,
        /// What there is.
        available_bytes: u64,
        /// What is short.
        limit: MemoryLimit,
    },
    /// A shared window's memory was not to be had as MPI promised it.
    #[error("MPI_Win_shared_query gave no usable memory of the home rank")]
    SharedMemory,
    /// The system gave no thread for progress.
    #[error("cannot start the thread for progress: {0}")]
    Thread(String),
    /// An inter-communicator was given where one group of ranks is needed.
    #[error("a window needs an intra-communicator, and this is an inter-communicator")]
    InterCommunicator,
    /// MPI is already initialised, or was finalised: it can be initialised once in a process.
    #[error("MPI was already initialised in this process (MPI-4.1 §11.4.1: once per process)")]
    AlreadyInitialised,
    /// An item was completed that had been completed before.
    #[error("item {item} was completed before")]
    CompletedBefore {
        /// The item.
        item: usize,
    },
    /// An item was to be completed by a rank that does not hold it.
    #[error(
        "item {item} is {}, so it is not this rank's to complete",
        match holder {
            Some(rank) => format!("held by rank {rank}"),
            None => "claimed by nobody".into(),
        }
    )]
    NotHeld {
        /// The item.
        item: usize,
        /// Who holds it, if anybody does.
        holder: Option<i32>,
    },
    /// A checkpoint could not be written; the file before it is what it was.
    #[error("cannot write checkpoint {path}: {why}")]
    CheckpointNotWritten {
        /// The file.
        path: String,
        /// What kind of failure.
        kind: std::io::ErrorKind,
        /// What the system says.
        why: String,
    },
    /// A checkpoint is damaged, of another board, or of no board.
    #[error("{why}")]
    CheckpointRefused {
        /// What is wrong with it, with its name.
        why: String,
    },
    /// The library offers less thread support than was asked for.
    #[error("{library} runs with thread level {provided}, and {required} is needed")]
    ThreadLevel {
        /// The library's name and version.
        library: String,
        /// What the library gives.
        provided: &'static str,
        /// What was asked for.
        required: &'static str,
    },
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }
}

impl From<ErrorKind> for Error {
    #[cold]
    fn from(kind: ErrorKind) -> Self {
        super::open_at_end::remember(&kind);
        Error(Box::new(kind))
    }
}

/// An MPI call that failed: its name, MPI's error class and MPI's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call} failed: {message} (MPI error class {class})")]
pub struct MpiError {
    /// The C name of the call.
    pub call: &'static str,
    /// The code that the call returned; its meaning is the library's own.
    pub code: i32,
    /// The error class of that code (MPI-4.1 §9.4), comparable within one library.
    pub class: i32,
    /// What `MPI_Error_string` says of the code.
    pub message: String,
}

/// Result of anything that may call MPI.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns a return code into a typed error. `call` is the C name of the function.
#[inline(always)]
pub(super) fn check(call: &'static str, code: c_int) -> Result<()> {
    if code == ffi::MPI_SUCCESS as c_int {
        Ok(())
    } else {
        Err(describe(call, code))
    }
}

/// `count` as the `int` that MPI wants.
#[inline]
pub(super) fn int_count(what: &'static str, count: usize) -> Result<c_int> {
    c_int::try_from(count).map_err(|_| ErrorKind::CountTooLarge { what, count }.into())
}

/// Calls that fail where a setting leaves out what they need.
const MAKES_A_WINDOW: [&str; 3] = [
    "MPI_Win_allocate",
    "MPI_Win_allocate_shared",
    "MPI_Win_create",
];

#[cold]
#[inline(never)]
fn describe(call: &'static str, code: c_int) -> Error {
    if !is_running() {
        // MPI-4.1 §11.4.1 lets anybody ask for the class now too, and Open MPI 4.1 ends the process for it.
        return ErrorKind::Mpi(MpiError {
            call,
            code,
            class: -1,
            message: format!("code {code}, and MPI is not running, so nobody has a text for it"),
        })
        .into();
    }
    let mut class: c_int = 0;
    // SAFETY: `class` is a live int, and MPI is running.
    let class_code = unsafe { ffi::MPI_Error_class(code, &mut class) };
    let mut text = [0u8; ffi::MPI_MAX_ERROR_STRING as usize + 1];
    let mut len: c_int = 0;
    // SAFETY: `text` has MPI_MAX_ERROR_STRING bytes and one more, which is what the call may write.
    let text_code =
        unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast::<c_char>(), &mut len) };
    let success = ffi::MPI_SUCCESS as c_int;
    let message = if text_code == success {
        let len = usize::try_from(len).unwrap_or(0).min(text.len());
        // MPICH answers with a stack of several lines; one line is what a user reads.
        String::from_utf8_lossy(&text[..len])
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        format!("code {code}, for which the library has no text")
    };
    let message = match super::settings::chosen_components() {
        Some(chosen) if MAKES_A_WINDOW.contains(&call) => format!(
            "{message}; {chosen} is set, which chooses the components of the library that make windows: \
             unset it"
        ),
        _ => message,
    };
    let class = if class_code == success { class } else { -1 };
    ErrorKind::Mpi(MpiError {
        call,
        code,
        class,
        message,
    })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that uses the library has options of its own, or none.
    #[test]
    fn messages_say_what_a_program_can_do_and_name_no_option_of_ours() {
        let lost = ErrorKind::LostBits {
            library: "Open MPI 5.0.11".into(),
            rank: 3,
        };
        let short = |limit| ErrorKind::NotEnoughMemory {
            host: "node7".into(),
            rank: 4,
            n_ranks: 2,
            needed_bytes: 1 << 30,
            available_bytes: 1 << 20,
            limit,
        };
        let group = MemoryLimit::ControlGroup("/sys/fs/cgroup".into());
        let messages = [
            (lost, "`SlotBoard`"),
            (short(MemoryLimit::Node), "`SpreadBoard`"),
            (short(group), "`SpreadBoard`"),
            (
                short(MemoryLimit::FileSystem("/dev/shm".into())),
                "`SpreadBoard`",
            ),
            (ErrorKind::Poisoned, "close it"),
        ];
        for (kind, remedy) in messages {
            let text = kind.to_string();
            assert!(text.contains(remedy), "{text}");
            for option in ["--claim-with", "--home", "--progress"] {
                assert!(!text.contains(option), "{text}");
            }
        }
    }
}
