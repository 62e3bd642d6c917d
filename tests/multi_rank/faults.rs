//! The faults of MPI libraries that are worked around: each is shown where its library is at hand, so
//! that a workaround that is no longer needed is noticed.
#![allow(
    unsafe_code,
    reason = "the fault is in a call that the crate does not make"
)]

use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use mpi::ffi;
use onesided::internals::rma::faults::{self, Fault};
use onesided::rma::{self, Comm, Family};

use crate::harness::{Body, launch_with};
use crate::programs::{a_call_without_communicator_returns_its_error, version_of_the_standard};
use crate::support::{library_that_yields, library_to_preload, mpicc, that_yields};

pub const BODIES: &[Body] = &[
    Body {
        name: "faults::compare_and_swap_64",
        run: compare_and_swap_64,
    },
    Body {
        name: "faults::odd_sizes",
        run: odd_sizes,
    },
    Body {
        name: "faults::max_is_unsigned",
        run: max_is_unsigned,
    },
    Body {
        name: "faults::a_window_is_left",
        run: a_window_is_left,
    },
    Body {
        name: "faults::world_aborts_and_self_returns",
        run: world_aborts_and_self_returns,
    },
    Body {
        name: "faults::one_waits_for_the_other",
        run: one_waits_for_the_other,
    },
    Body {
        name: "faults::errors_return",
        run: errors_return,
    },
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("faults::open_mpi_cas_64_is_where_the_table_says", || {
            // As Debian has it, and not as `rma::prepare` sets it, which makes the fault go away too.
            let as_shipped = [("OMPI_MCA_osc", "^ucx,pt2pt")];
            let body = "faults::compare_and_swap_64";
            is_where_the_table_says(faults::OPEN_MPI_CAS_64, true, body, &as_shipped)
        }),
        Trial::test("faults::mpich_max_is_signed_where_the_table_says", || {
            let fault = faults::MPICH_4_0_MAX_IS_SIGNED;
            is_where_the_table_says(fault, true, "faults::max_is_unsigned", &[])
        }),
        Trial::test("faults::mpich_odd_sizes_are_where_the_table_says", || {
            let fault = faults::MPICH_4_0_ODD_SIZES;
            is_where_the_table_says(fault, true, "faults::odd_sizes", &[])
        }),
        Trial::test("faults::mpich_window_left_is_where_the_table_says", || {
            let fault = faults::MPICH_4_0_WINDOW_LEFT;
            is_where_the_table_says(fault, true, "faults::a_window_is_left", &[])
        }),
        Trial::test(
            "faults::mpich_calls_without_communicator_are_where_the_table_says",
            || {
                let fault = faults::MPICH_4_0_CALLS_WITHOUT_COMMUNICATOR;
                let body = "faults::world_aborts_and_self_returns";
                is_where_the_table_says(fault, true, body, &[])
            },
        ),
        Trial::test(
            "faults::open_mpi_5_sleeps_as_it_starts",
            open_mpi_5_sleeps_as_it_starts,
        ),
        Trial::test(
            "faults::mpich_4_polls_without_yielding",
            mpich_4_polls_without_yielding,
        ),
        Trial::test(
            "faults::intel_abi_error_handlers_are_where_the_table_says",
            || {
                // The fault is in the standard ABI alone, not in Intel's own.
                let fault = faults::INTEL_ABI_ERROR_HANDLERS;
                is_where_the_table_says(fault, cfg!(mpi_standard_abi), "faults::errors_return", &[])
            },
        ),
    ]
}

/// 64-bit compare-and-swap on an allocated window, as a plain C program would do it: every rank takes
/// what slots it can.
fn compare_and_swap_64(comm: &Comm<'_>) {
    const N_SLOTS: usize = 200;
    let mark = u64::from(comm.rank().unsigned_abs()) + 1;
    let mut won = 0u64;
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: buffers outlive the flush after each operation,
    // displacements lie within the allocation of rank 0, and rank 0 zeroes it under an exclusive lock.
    unsafe {
        let mut base: *mut u64 = std::ptr::null_mut();
        let mut window = ffi::RSMPI_WIN_NULL;
        let n_bytes = if comm.rank() == 0 { N_SLOTS * 8 } else { 0 };
        let (info, world) = (ffi::RSMPI_INFO_NULL, ffi::RSMPI_COMM_WORLD);
        let base_pointer = (&raw mut base).cast();
        ffi::MPI_Win_allocate(
            n_bytes as ffi::MPI_Aint,
            8,
            info,
            world,
            base_pointer,
            &mut window,
        );
        if comm.rank() == 0 {
            ffi::MPI_Win_lock(ffi::MPI_LOCK_EXCLUSIVE as i32, 0, 0, window);
            base.write_bytes(0, N_SLOTS);
            ffi::MPI_Win_unlock(0, window);
        }
        comm.barrier().unwrap();
        ffi::MPI_Win_lock_all(0, window);
        for slot in 0..N_SLOTS {
            let (expected, mut found) = (0u64, u64::MAX);
            ffi::MPI_Compare_and_swap(
                (&raw const mark).cast(),
                (&raw const expected).cast(),
                (&raw mut found).cast(),
                ffi::RSMPI_UINT64_T,
                0,
                slot as ffi::MPI_Aint,
                window,
            );
            ffi::MPI_Win_flush(0, window);
            won += u64::from(found == 0);
        }
        ffi::MPI_Win_unlock_all(window);
        ffi::MPI_Win_free(&mut window);
    }
    if let Some(all) = crate::harness::gather_numbers(comm, &[won]) {
        assert_eq!(
            all.iter().sum::<u64>(),
            N_SLOTS as u64,
            "every slot taken once"
        );
    }
}

/// Each rank gives 12 bytes, and sets the first word of the next rank's.
fn odd_sizes(comm: &Comm<'_>) {
    const N_WORDS: usize = 3;
    let mark = comm.rank().unsigned_abs() + 1;
    let next = (comm.rank() + 1) % comm.size();
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: buffers outlive the flush after the operation, and each
    // rank touches its own allocation alone, apart from the operations by barriers and MPI_Win_sync.
    let own = unsafe {
        let (mut base, mut window) = (std::ptr::null_mut::<u32>(), ffi::RSMPI_WIN_NULL);
        let (info, world) = (ffi::RSMPI_INFO_NULL, ffi::RSMPI_COMM_WORLD);
        let n_bytes = (4 * N_WORDS) as ffi::MPI_Aint;
        ffi::MPI_Win_allocate(n_bytes, 4, info, world, (&raw mut base).cast(), &mut window);
        base.write_bytes(0, N_WORDS);
        ffi::MPI_Win_lock_all(0, window);
        ffi::MPI_Win_sync(window);
        comm.barrier().unwrap();
        let (expected, mut found) = (0u32, u32::MAX);
        ffi::MPI_Compare_and_swap(
            (&raw const mark).cast(),
            (&raw const expected).cast(),
            (&raw mut found).cast(),
            ffi::RSMPI_UINT32_T,
            next,
            0,
            window,
        );
        ffi::MPI_Win_flush(next, window);
        comm.barrier().unwrap();
        ffi::MPI_Win_sync(window);
        let own = std::slice::from_raw_parts(base, N_WORDS).to_vec();
        ffi::MPI_Win_unlock_all(window);
        ffi::MPI_Win_free(&mut window);
        own
    };
    let before = (comm.rank() + comm.size() - 1) % comm.size();
    assert_eq!(own, [before.unsigned_abs() + 1, 0, 0]);
}

/// The higher of two unsigned numbers is the higher one, whatever its highest bit.
fn max_is_unsigned(comm: &Comm<'_>) {
    const HIGH: u64 = 1 << 63 | 5;
    let zero = 0u64;
    let mut found = [u64::MAX; 2];
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: buffers outlive the flush after each operation, and each
    // rank operates on the one word of its own allocation, which it zeroes under an exclusive lock.
    unsafe {
        let (mut base, mut window) = (std::ptr::null_mut::<u64>(), ffi::RSMPI_WIN_NULL);
        let (info, world) = (ffi::RSMPI_INFO_NULL, ffi::RSMPI_COMM_WORLD);
        ffi::MPI_Win_allocate(8, 8, info, world, (&raw mut base).cast(), &mut window);
        ffi::MPI_Win_lock(ffi::MPI_LOCK_EXCLUSIVE as i32, comm.rank(), 0, window);
        base.write(0);
        ffi::MPI_Win_unlock(comm.rank(), window);
        ffi::MPI_Win_lock_all(0, window);
        for (offered, found) in [HIGH, zero].iter().zip(&mut found) {
            ffi::MPI_Fetch_and_op(
                std::ptr::from_ref(offered).cast(),
                std::ptr::from_mut(found).cast(),
                ffi::RSMPI_UINT64_T,
                comm.rank(),
                0,
                ffi::RSMPI_MAX,
                window,
            );
            ffi::MPI_Win_flush(comm.rank(), window);
        }
        ffi::MPI_Win_unlock_all(window);
        ffi::MPI_Win_free(&mut window);
    }
    assert_eq!(found, [0, HIGH], "0 at first, then what was offered");
}

/// A window that is there when MPI ends.
fn a_window_is_left(comm: &Comm<'_>) {
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C; nobody operates on the window.
    let code = unsafe {
        let (mut base, mut window) = (std::ptr::null_mut::<u64>(), ffi::RSMPI_WIN_NULL);
        let (info, world) = (ffi::RSMPI_INFO_NULL, ffi::RSMPI_COMM_WORLD);
        ffi::MPI_Win_allocate(4096, 8, info, world, (&raw mut base).cast(), &mut window)
    };
    assert_eq!(code, ffi::MPI_SUCCESS as i32, "rank {}", comm.rank());
}

/// The error of a call without a communicator is one of MPI_COMM_SELF, which returns errors, as [`Mpi`] has set it.
///
/// [`Mpi`]: rma::Mpi
fn world_aborts_and_self_returns(_: &Comm<'_>) {
    if version_of_the_standard() < 4 {
        return; // there it is one of MPI_COMM_WORLD, and meant to be
    }
    // SAFETY: plain MPI, as in C: both handles are predefined.
    let code =
        unsafe { ffi::MPI_Comm_set_errhandler(ffi::RSMPI_COMM_WORLD, ffi::RSMPI_ERRORS_ARE_FATAL) };
    assert_eq!(code, ffi::MPI_SUCCESS as i32);
    a_call_without_communicator_returns_its_error();
}

/// A call that fails returns a code, as a plain C program asks for it.
fn errors_return(comm: &Comm<'_>) {
    let nothing = 0u8;
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C; the buffer has the one byte that is named.
    let code = unsafe {
        ffi::MPI_Comm_set_errhandler(ffi::RSMPI_COMM_WORLD, ffi::RSMPI_ERRORS_RETURN);
        let (buffer, nobody) = ((&raw const nothing).cast(), comm.size());
        let (byte, world) = (ffi::RSMPI_UINT8_T, ffi::RSMPI_COMM_WORLD);
        ffi::MPI_Send(buffer, 1, byte, nobody, 0, world)
    };
    assert_ne!(code, ffi::MPI_SUCCESS as i32, "there is no such rank");
}

/// `.ci/mpi` leaves that component out. Nothing is wrong, only late, so the table has it not.
fn open_mpi_5_sleeps_as_it_starts() -> Result<(), Failed> {
    let library = rma::library().map_err(|error| error.to_string())?;
    let is_wanted = ["infiniband", "cxi"].map(|class| Path::new("/sys/class").join(class).exists());
    if (library.family, library.version[0]) != (Family::OpenMpi, 5) || is_wanted.contains(&true) {
        return Ok(());
    }
    let preload = library_to_preload(&mpicc(), "multi_rank/say_sleep.c");
    let variables = [
        ("LD_PRELOAD", preload.as_str()),
        ("OMPI_MCA_btl", "self,sm,tcp,ofi"),
    ];
    let job = launch_with(
        2,
        "faults::compare_and_swap_64",
        crate::harness::DEADLINE,
        &variables,
    );
    match job.ended.stderr.contains("slept for 1 s") {
        true => job.verdict().map_err(Failed::from),
        false => Err(format!("{library} no longer sleeps: mend .ci/mpi, {:#?}", job.ended).into()),
    }
}

fn one_waits_for_the_other(comm: &Comm<'_>) {
    if comm.rank() == 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
    comm.barrier().expect("a barrier");
}

/// Tests have its ranks preload what yields ([`that_yields`]). Nothing is wrong here either, only slow.
fn mpich_4_polls_without_yielding() -> Result<(), Failed> {
    let library = rma::library().map_err(|error| error.to_string())?;
    if library.family != Family::Mpich {
        return Ok(());
    }
    let variables = [
        ("LD_PRELOAD", library_that_yields()),
        ("ONESIDED_TEST_SAY_YIELDS", "1"),
        // What has 5.0 yield, as `.ci/mpi` sets it.
        ("MPIR_CVAR_CH4_PROGRESS_THROTTLE", "1"),
        ("MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT", "16"),
    ];
    let body = "faults::one_waits_for_the_other";
    let job = launch_with(2, body, crate::harness::DEADLINE, &variables);
    let yields = job.ended.stderr.contains("libmpi yields");
    match yields == that_yields().is_none() {
        true => job.verdict().map_err(Failed::from),
        false => Err(format!("{library} yields: {yields}, {:#?}", job.ended).into()),
    }
}

/// A body that shows the fault fails where the table says that the library has it, and nowhere else.
/// `applies`: whether this build can meet it.
fn is_where_the_table_says(
    fault: Fault,
    applies: bool,
    body: &str,
    variables: &[(&str, &str)],
) -> Result<(), Failed> {
    let library = rma::library().map_err(|error| error.to_string())?;
    let job = launch_with(2, body, crate::harness::DEADLINE, variables);
    let name = fault.name;
    match (applies && fault.is_in(&library), job.verdict()) {
        (true, Err(_)) | (false, Ok(())) => Ok(()),
        (true, Ok(())) => Err(format!("{library} no longer has {name}: mend the table").into()),
        (false, Err(why)) => {
            Err(format!("{library} has {name}, and the table does not say so: {why}").into())
        }
    }
}
