//! Communicators: who takes part, and the collectives that happen before, between and after games.

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;

use mpi::environment::Universe;
use mpi::ffi;
use mpi::raw::AsRaw;

use super::error::{ErrorKind, Result, check, int_count};
use super::error_handler::errors_return;
use super::open_at_end::{self, Open};
use super::threads::assert_may_call_mpi;
use crate::pulse::{Call, within};

/// A rank in a communicator: 0 .. size.
pub type Rank = i32;

/// A communicator of our own: a duplicate, so that no message or error handler of the caller's
/// meets ours.
///
/// Collective calls are all named methods; none hides in `Drop` or in an operator. `'mpi` is the
/// time for which MPI is initialised.
#[derive(Debug)]
pub struct Comm<'mpi> {
    raw: ffi::MPI_Comm,
    rank: Rank,
    size: Rank,
    /// Borrowed from whoever initialised MPI. The raw pointer makes it neither `Send` nor `Sync`.
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> Comm<'mpi> {
    /// Duplicates a communicator of the crate `mpi` (rsmpi), whose `universe` ends MPI when it is dropped.
    /// Collective over the ranks of `parent`. [`run`](super::run) does this for the world.
    ///
    /// ```no_run
    /// use mpi::traits::*;
    /// use onesided::rma::Comm;
    ///
    /// let universe = mpi::initialize().expect("MPI starts once");
    /// let world = universe.world();
    /// let comm = Comm::duplicate(&universe, &world)?;
    /// assert_eq!(comm.rank(), world.rank());
    /// comm.free()?;
    /// # Ok::<(), onesided::rma::Error>(())
    /// ```
    ///
    /// Nothing made from the duplicate can be used after MPI has ended:
    ///
    /// ```compile_fail,E0505
    /// # use onesided::rma::Comm;
    /// let universe = mpi::initialize().expect("MPI starts once");
    /// let comm = Comm::duplicate(&universe, &universe.world())?;
    /// drop(universe);
    /// comm.barrier()?;
    /// # Ok::<(), onesided::rma::Error>(())
    /// ```
    ///
    /// Below `MPI_THREAD_MULTIPLE` all communicators are duplicated on one thread: the one that initialised MPI, or
    /// with `MPI_THREAD_SERIALIZED` the first that duplicates one. They stay there, as all that is made from them.
    ///
    /// The first call also does two things to `MPI_COMM_SELF`. It gets `MPI_ERRORS_RETURN`, since that is where
    /// errors of calls without a communicator are raised (MPI-4.1 §9.3). And where `MPI_Finalize` begins although a
    /// window of this rank is open, or after a panic or an error of this crate a communicator, the rank prints
    /// that and ends the job: the others may wait for it, and would do so for ever.
    ///
    /// # Errors
    /// [`ErrorKind::InterCommunicator`], [`ErrorKind::WrongThread`], or what MPI returns.
    pub fn duplicate<C: AsRaw<Raw = ffi::MPI_Comm>>(
        _universe: &'mpi Universe,
        parent: &C,
    ) -> Result<Self> {
        assert_may_call_mpi()?;
        open_at_end::watch()?;
        // SAFETY: `AsRaw` is an unsafe trait whose implementations hold a live communicator. MPI stays
        // initialised for `'mpi`, since a universe is made once in a process and finalises MPI when it is
        // dropped.
        unsafe { Self::duplicate_raw(parent.as_raw()) }
    }

    /// # Safety
    /// `parent` is a live communicator, and MPI stays initialised for `'mpi`.
    pub(super) unsafe fn duplicate_raw(parent: ffi::MPI_Comm) -> Result<Self> {
        let mut is_inter: c_int = 0;
        // SAFETY: `parent` is live (caller), `is_inter` a live int.
        check("MPI_Comm_test_inter", unsafe {
            ffi::MPI_Comm_test_inter(parent, &mut is_inter)
        })?;
        if is_inter != 0 {
            return Err(ErrorKind::InterCommunicator.into());
        }
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_COMM_NULL };
        let _within = within(Call::CommDup, None);
        // SAFETY: `parent` is live (caller), `raw` is where the handle goes.
        check("MPI_Comm_dup", unsafe {
            ffi::MPI_Comm_dup(parent, &mut raw)
        })?;
        // SAFETY: `raw` was made above; the error handler is predefined.
        let code = unsafe { ffi::MPI_Comm_set_errhandler(raw, errors_return()) };
        check("MPI_Comm_set_errhandler", code)?;
        let (mut rank, mut size): (c_int, c_int) = (0, 0);
        // SAFETY: live communicator, live int.
        check("MPI_Comm_rank", unsafe {
            ffi::MPI_Comm_rank(raw, &mut rank)
        })?;
        // SAFETY: live communicator, live int.
        check("MPI_Comm_size", unsafe {
            ffi::MPI_Comm_size(raw, &mut size)
        })?;
        open_at_end::opened(Open::Communicator);
        Ok(Comm {
            raw,
            rank,
            size,
            mpi: PhantomData,
        })
    }

    /// This process's rank, 0 .. [`size`](Comm::size).
    pub fn rank(&self) -> Rank {
        self.rank
    }

    /// How many ranks there are.
    pub fn size(&self) -> Rank {
        self.size
    }

    pub(super) fn raw(&self) -> ffi::MPI_Comm {
        self.raw
    }

    /// # Errors
    /// [`ErrorKind::NoSuchRank`] where `rank` is none of 0 .. [`size`](Comm::size). `MPI_PROC_NULL`, to which MPI
    /// sends without an error, and `MPI_ANY_SOURCE` are none.
    pub(super) fn assert_rank(&self, rank: Rank) -> Result<()> {
        let size = self.size;
        match (0..size).contains(&rank) {
            true => Ok(()),
            false => Err(ErrorKind::NoSuchRank { rank, size }.into()),
        }
    }

    /// Frees the communicator. Collective. Dropping it instead leaks it, and communicates nothing.
    ///
    /// # Errors
    /// What `MPI_Comm_free` returns.
    pub fn free(mut self) -> Result<()> {
        open_at_end::closed(Open::Communicator);
        let _within = within(Call::CommFree, None);
        // SAFETY: a communicator of our own, freed once since `self` is consumed.
        check("MPI_Comm_free", unsafe {
            ffi::MPI_Comm_free(&mut self.raw)
        })
    }

    /// `MPI_Barrier`. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn barrier(&self) -> Result<()> {
        let _within = within(Call::Barrier, None);
        // SAFETY: live communicator.
        check("MPI_Barrier", unsafe { ffi::MPI_Barrier(self.raw) })
    }

    /// `MPI_Allreduce` with `MPI_BOR`: `all[i]` becomes the bitwise or of every rank's `own[i]`.
    /// Collective.
    ///
    /// # Errors
    /// [`ErrorKind::CountTooLarge`], or what MPI returns.
    ///
    /// # Panics
    /// If `own` and `all` differ in length.
    pub fn allreduce_or(&self, own: &[u64], all: &mut [u64]) -> Result<()> {
        // SAFETY: a predefined constant of the library, written once when `mpi-sys` is loaded.
        self.allreduce(own, all, unsafe { ffi::RSMPI_BOR })
    }

    /// `MPI_Allreduce` with `MPI_SUM`: `all[i]` becomes the sum of every rank's `own[i]`, modulo 2^64.
    /// Collective.
    ///
    /// # Errors
    /// [`ErrorKind::CountTooLarge`], or what MPI returns.
    ///
    /// # Panics
    /// If `own` and `all` differ in length.
    pub fn allreduce_sum(&self, own: &[u64], all: &mut [u64]) -> Result<()> {
        // SAFETY: a predefined constant of the library, written once when `mpi-sys` is loaded.
        self.allreduce(own, all, unsafe { ffi::RSMPI_SUM })
    }

    /// `MPI_Allreduce` with `MPI_MIN`: `all[i]` becomes the lowest of every rank's `own[i]`. Collective.
    ///
    /// # Errors
    /// [`ErrorKind::CountTooLarge`], or what MPI returns.
    ///
    /// # Panics
    /// If `own` and `all` differ in length.
    pub fn allreduce_min(&self, own: &[u64], all: &mut [u64]) -> Result<()> {
        // SAFETY: a predefined constant of the library, written once when `mpi-sys` is loaded.
        self.allreduce(own, all, unsafe { ffi::RSMPI_MIN })
    }

    /// `operation` is a predefined one for 64-bit words.
    fn allreduce(&self, own: &[u64], all: &mut [u64], operation: ffi::MPI_Op) -> Result<()> {
        assert_eq!(
            own.len(),
            all.len(),
            "both sides of an allreduce have the same length"
        );
        let count = int_count("number of words to reduce", own.len())?;
        let _within = within(Call::Allreduce, None);
        // SAFETY: both buffers have `count` words (asserted), and `&mut` says that they are distinct;
        // `operation` is predefined.
        let code = unsafe {
            ffi::MPI_Allreduce(
                address_of(own),
                address_of_mut(all),
                count,
                ffi::RSMPI_UINT64_T,
                operation,
                self.raw,
            )
        };
        check("MPI_Allreduce", code)
    }

    /// `MPI_Bcast` of `bytes` from `root`; every rank gives a buffer of the same length. Collective.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchRank`], [`ErrorKind::CountTooLarge`], or what MPI returns.
    pub fn broadcast(&self, root: Rank, bytes: &mut [u8]) -> Result<()> {
        self.assert_rank(root)?;
        let count = int_count("number of bytes to broadcast", bytes.len())?;
        let _within = within(Call::Bcast, Some(root));
        // SAFETY: `bytes` has `count` bytes.
        let code = unsafe {
            ffi::MPI_Bcast(
                address_of_mut(bytes),
                count,
                ffi::RSMPI_UINT8_T,
                root,
                self.raw,
            )
        };
        check("MPI_Bcast", code)
    }

    /// [`broadcast`](Comm::broadcast) of a byte string whose length only `root` knows: what other ranks give is
    /// overwritten. Collective.
    ///
    /// # Errors
    /// As [`broadcast`](Comm::broadcast).
    pub fn broadcast_all_of(&self, root: Rank, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut n_bytes = (bytes.len() as u64).to_le_bytes();
        self.broadcast(root, &mut n_bytes)?;
        bytes.resize(u64::from_le_bytes(n_bytes) as usize, 0);
        if !bytes.is_empty() {
            self.broadcast(root, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Gathers one byte string of any length from every rank at `root`: there `Some`, in the order of
    /// ranks, elsewhere `None`. Collective (`MPI_Gather` of the lengths, `MPI_Gatherv`).
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchRank`], [`ErrorKind::CountTooLarge`] where all strings together are too long, or what
    /// MPI returns.
    pub fn gather(&self, root: Rank, bytes: &[u8]) -> Result<Option<Vec<Vec<u8>>>> {
        self.assert_rank(root)?;
        let own_len = int_count("number of bytes to gather", bytes.len())?;
        let n_ranks = if self.rank == root {
            self.size as usize
        } else {
            0
        };
        let mut lens: Vec<c_int> = vec![0; n_ranks];
        let _within = within(Call::Gather, Some(root));
        // SAFETY: one int is sent; at the root `lens` has one int for every rank.
        let code = unsafe {
            ffi::MPI_Gather(
                (&raw const own_len).cast(),
                1,
                ffi::RSMPI_INT32_T,
                address_of_mut(&mut lens),
                1,
                ffi::RSMPI_INT32_T,
                root,
                self.raw,
            )
        };
        check("MPI_Gather", code)?;
        let mut starts: Vec<c_int> = Vec::with_capacity(n_ranks);
        let mut total = 0usize;
        for &len in &lens {
            starts.push(int_count("number of bytes to gather", total)?);
            total += len as usize;
        }
        let mut all = vec![0u8; total];
        // SAFETY: `own_len` bytes are sent; at the root `all` has room for the sum of `lens`, and
        // `starts` places the strings one behind the other.
        let code = unsafe {
            ffi::MPI_Gatherv(
                address_of(bytes),
                own_len,
                ffi::RSMPI_UINT8_T,
                address_of_mut(&mut all),
                lens.as_ptr(),
                starts.as_ptr(),
                ffi::RSMPI_UINT8_T,
                root,
                self.raw,
            )
        };
        check("MPI_Gatherv", code)?;
        Ok((self.rank == root).then(|| {
            let parts = starts.iter().zip(&lens);
            parts
                .map(|(&start, &len)| all[start as usize..][..len as usize].to_vec())
                .collect()
        }))
    }

    /// Sends `bytes` to rank `to` (`MPI_Send`): returns when the buffer can be used again.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchRank`], [`ErrorKind::CountTooLarge`], or what MPI returns.
    pub fn send(&self, bytes: &[u8], to: Rank, tag: i32) -> Result<()> {
        self.assert_rank(to)?;
        let count = int_count("number of bytes to send", bytes.len())?;
        let _within = within(Call::Send, Some(to));
        // SAFETY: `bytes` has `count` bytes.
        let code = unsafe {
            ffi::MPI_Send(
                address_of(bytes),
                count,
                ffi::RSMPI_UINT8_T,
                to,
                tag,
                self.raw,
            )
        };
        check("MPI_Send", code)
    }

    /// Receives a message of exactly `bytes.len()` bytes with `tag` from anybody if one is there, and
    /// says whether one was (`MPI_Improbe`, `MPI_Mrecv`). Waits for none.
    ///
    /// # Errors
    /// [`ErrorKind::NegativeTag`], [`ErrorKind::CountTooLarge`], or what MPI returns.
    pub fn receive_if_there(&self, bytes: &mut [u8], tag: i32) -> Result<bool> {
        let mut is_there: c_int = 0;
        self.receive_matched(bytes, tag, "MPI_Improbe", |message| {
            // SAFETY: live communicator, int and handle; the status is not asked for.
            let code = unsafe {
                ffi::MPI_Improbe(
                    ffi::RSMPI_ANY_SOURCE,
                    tag,
                    self.raw,
                    &mut is_there,
                    message,
                    ffi::RSMPI_STATUS_IGNORE,
                )
            };
            (code, is_there != 0)
        })
    }

    /// Receives a message of exactly `bytes.len()` bytes with `tag` from anybody (`MPI_Mprobe`,
    /// `MPI_Mrecv`); waits for one. Messages of one sender arrive in the order in which they were sent.
    ///
    /// # Errors
    /// [`ErrorKind::NegativeTag`], [`ErrorKind::CountTooLarge`], or what MPI returns.
    pub fn receive(&self, bytes: &mut [u8], tag: i32) -> Result<()> {
        let _within = within(Call::Mprobe, None);
        self.receive_matched(bytes, tag, "MPI_Mprobe", |message| {
            // SAFETY: live communicator and handle; the status is not asked for.
            let code = unsafe {
                ffi::MPI_Mprobe(
                    ffi::RSMPI_ANY_SOURCE,
                    tag,
                    self.raw,
                    message,
                    ffi::RSMPI_STATUS_IGNORE,
                )
            };
            (code, true)
        })?;
        Ok(())
    }

    /// Receives the message whose handle `probe` writes; it returns MPI's code and whether there is one.
    ///
    /// Matched probes, not `MPI_Recv`: [`MPICH_5_0_ANY_SOURCE`](super::faults::MPICH_5_0_ANY_SOURCE).
    fn receive_matched(
        &self,
        bytes: &mut [u8],
        tag: i32,
        call: &'static str,
        probe: impl FnOnce(*mut ffi::MPI_Message) -> (c_int, bool),
    ) -> Result<bool> {
        assert_tag(tag)?;
        let count = int_count("number of bytes to receive", bytes.len())?;
        let mut message = std::mem::MaybeUninit::<ffi::MPI_Message>::zeroed();
        let (code, is_there) = probe(message.as_mut_ptr());
        check(call, code)?;
        if !is_there {
            return Ok(false);
        }
        // SAFETY: a message was found, so its handle was written; `bytes` has room for `count` bytes,
        // and MPI returns an error for a longer message.
        let code = unsafe {
            ffi::MPI_Mrecv(
                address_of_mut(bytes),
                count,
                ffi::RSMPI_UINT8_T,
                message.as_mut_ptr(),
                ffi::RSMPI_STATUS_IGNORE,
            )
        };
        check("MPI_Mrecv", code)?;
        Ok(true)
    }
}

/// A negative tag is `MPI_ANY_TAG` to those who receive.
fn assert_tag(tag: i32) -> Result<()> {
    match tag {
        0.. => Ok(()),
        _ => Err(ErrorKind::NegativeTag { tag }.into()),
    }
}

/// The address of a send buffer. Never that of an empty slice: Rust's is dangling, for bytes it is 1,
/// and 1 is `MPI_IN_PLACE` in Open MPI, which then sees an argument error.
fn address_of<T>(buffer: &[T]) -> *const c_void {
    static NOTHING: u64 = 0;
    if buffer.is_empty() {
        (&raw const NOTHING).cast()
    } else {
        buffer.as_ptr().cast()
    }
}

/// The address of a receive buffer; see [`address_of`]. Nothing is ever written to an empty one.
fn address_of_mut<T>(buffer: &mut [T]) -> *mut c_void {
    if buffer.is_empty() {
        address_of(buffer).cast_mut()
    } else {
        buffer.as_mut_ptr().cast()
    }
}

/// The name of the host that this process runs on (`MPI_Get_processor_name`).
///
/// # Errors
/// What MPI returns.
pub fn processor_name() -> Result<String> {
    let mut name = [0u8; ffi::MPI_MAX_PROCESSOR_NAME as usize + 1];
    let mut len: c_int = 0;
    // SAFETY: `name` has MPI_MAX_PROCESSOR_NAME bytes and one more, as MPI-4.1 §9.1.2 asks.
    let code = unsafe { ffi::MPI_Get_processor_name(name.as_mut_ptr().cast::<c_char>(), &mut len) };
    check("MPI_Get_processor_name", code)?;
    let len = usize::try_from(len).unwrap_or(0).min(name.len());
    Ok(String::from_utf8_lossy(&name[..len]).into_owned())
}
