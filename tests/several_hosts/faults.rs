//! The fault of an MPI library that only shows between hosts: seen where the table says, and nowhere else.
#![allow(
    unsafe_code,
    reason = "the fault is shown in plain calls, whatever the crate does about it"
)]

use std::time::{Duration, Instant};

use mpi::ffi;
use onesided::internals::rma::faults;
use onesided::rma::{self, Comm};

use crate::harness::{self, Body};
use crate::hosts::Hosts;
use crate::launchers::Within;
use crate::{Test, print_all, result_of};

const BITS: Body = Body {
    name: "faults::bits",
    run: bits,
};

const ENDS: Body = Body {
    name: "faults::ends",
    run: |comm| print_all(comm, &0),
};

const FROM_ANY_SOURCE: Body = Body {
    name: "faults::from_any_source",
    run: from_any_source,
};

const BY_MATCHED_PROBES: Body = Body {
    name: "faults::by_matched_probes",
    run: by_matched_probes,
};

pub const BODIES: &[Body] = &[BITS, ENDS, FROM_ANY_SOURCE, BY_MATCHED_PROBES];

pub const TESTS: &[Test] = &[
    (
        "faults::fetch_and_or_is_right_except_where_the_table_says",
        fetch_and_or_is_right_except_where_the_table_says,
    ),
    (
        "faults::jobs_end_except_where_the_table_says",
        jobs_end_except_where_the_table_says,
    ),
    (
        "faults::windows_are_made_except_where_the_table_says",
        windows_are_made_except_where_the_table_says,
    ),
    (
        "faults::what_came_early_is_received_except_where_the_table_says",
        what_came_early_is_received_except_where_the_table_says,
    ),
];

/// Bits that all ranks try to be the first to set.
const N_BITS: usize = 256;

/// Every rank, the home rank too, sets every bit by `MPI_Fetch_and_op`, as a plain C program would do
/// it; the bits that it was the first to set.
fn bits(comm: &Comm<'_>) {
    const N_WORDS: usize = N_BITS / 64;
    let mut won: Vec<usize> = Vec::new();
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: buffers outlive the flush after each operation,
    // displacements lie within the allocation of rank 0, which zeroes it under an exclusive lock.
    unsafe {
        let mut base: *mut u64 = std::ptr::null_mut();
        let mut window = ffi::RSMPI_WIN_NULL;
        let n_bytes = if comm.rank() == 0 { N_WORDS * 8 } else { 0 };
        let (info, world) = (ffi::RSMPI_INFO_NULL, ffi::RSMPI_COMM_WORLD);
        let base_pointer = (&raw mut base).cast();
        let n_bytes = n_bytes as ffi::MPI_Aint;
        let code = ffi::MPI_Win_allocate(n_bytes, 8, info, world, base_pointer, &mut window);
        assert_eq!(code, ffi::MPI_SUCCESS as i32, "MPI_Win_allocate");
        if comm.rank() == 0 {
            ffi::MPI_Win_lock(ffi::MPI_LOCK_EXCLUSIVE as i32, 0, 0, window);
            base.write_bytes(0, N_WORDS);
            ffi::MPI_Win_unlock(0, window);
        }
        comm.barrier().expect("all are there");
        ffi::MPI_Win_lock_all(0, window);
        for bit in 0..N_BITS {
            let (mask, mut before) = (1u64 << (bit % 64), u64::MAX);
            let code = ffi::MPI_Fetch_and_op(
                (&raw const mask).cast(),
                (&raw mut before).cast(),
                ffi::RSMPI_UINT64_T,
                0,
                (bit / 64) as ffi::MPI_Aint,
                ffi::RSMPI_BOR,
                window,
            );
            assert_eq!(code, ffi::MPI_SUCCESS as i32, "MPI_Fetch_and_op");
            ffi::MPI_Win_flush(0, window);
            if before & mask == 0 {
                won.push(bit);
            }
            // The home rank's operations take no round trip: at this pace the others keep up with it.
            let next = Instant::now() + Duration::from_micros(200);
            while comm.rank() == 0 && Instant::now() < next {
                ffi::MPI_Win_flush(0, window);
            }
        }
        ffi::MPI_Win_unlock_all(window);
        ffi::MPI_Win_free(&mut window);
    }
    print_all(comm, &won);
}

/// Rank 0 sends two messages, and rank 1 asks for the second one first, and then for the first from any source.
fn from_any_source(comm: &Comm<'_>) {
    let (first, second) = (7, 8);
    let byte = 1u8;
    for tag in [first, second].iter().filter(|_| comm.rank() == 0) {
        // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: the byte lives through the call.
        unsafe {
            ffi::MPI_Send(
                (&raw const byte).cast(),
                1,
                ffi::RSMPI_UINT8_T,
                1,
                *tag,
                ffi::RSMPI_COMM_WORLD,
            );
        }
    }
    // SAFETY: a constant of MPI's.
    let any = unsafe { ffi::RSMPI_ANY_SOURCE };
    for (tag, from) in [(second, 0), (first, any)] {
        if comm.rank() != 1 {
            continue;
        }
        let mut received = 0u8;
        // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: the byte lives through the call.
        unsafe {
            ffi::MPI_Recv(
                (&raw mut received).cast(),
                1,
                ffi::RSMPI_UINT8_T,
                from,
                tag,
                ffi::RSMPI_COMM_WORLD,
                ffi::RSMPI_STATUS_IGNORE,
            );
        }
        assert_eq!(received, byte);
    }
    print_all(comm, &0);
}

/// The same by what this crate has for it, twice: one that waits, and one that does not.
fn by_matched_probes(comm: &Comm<'_>) {
    for tag in [7, 8, 9].into_iter().filter(|_| comm.rank() == 0) {
        comm.send(&[tag as u8], 1, tag).expect("sent");
    }
    if comm.rank() == 1 {
        let mut received = [0];
        comm.receive(&mut received, 9).expect("received");
        assert_eq!(received, [9]);
        comm.receive(&mut received, 7).expect("received");
        assert_eq!(received, [7]);
        while !comm.receive_if_there(&mut received, 8).expect("received") {}
        assert_eq!(received, [8]);
    }
    print_all(comm, &0);
}

/// How long a job may take: where it is to hang, no longer than it needs to get there.
fn patience(has_fault: bool) -> Duration {
    match has_fault {
        true => Duration::from_secs(12),
        false => harness::DEADLINE,
    }
}

fn what_came_early_is_received_except_where_the_table_says() {
    let library = rma::library().expect("the library names itself");
    let has_fault = faults::MPICH_5_0_ANY_SOURCE.is_in(&library);
    let hosts = Hosts::up(2);
    let job = |body: &Body, remedy: &[(&str, &str)], patience| {
        harness::launch_by(
            |_, program| {
                let job = hosts.job(1, Within::SharedMemory, program);
                remedy
                    .iter()
                    .fold(job, |job, (name, value)| job.launcher_env(name, *value))
            },
            2,
            body.name,
            patience,
        )
    };
    let ours = job(&BY_MATCHED_PROBES, &[], harness::DEADLINE);
    drop(result_of::<Vec<u8>>(&ours));
    let as_it_is = job(&FROM_ANY_SOURCE, &[], patience(has_fault));
    match has_fault {
        false => drop(result_of::<Vec<u8>>(&as_it_is)),
        true => {
            assert!(
                as_it_is.ended.timed_out,
                "{library} no longer has the fault: mend the table"
            );
            let remedy = faults::MPICH_5_0_ANY_SOURCE.variables();
            drop(result_of::<Vec<u8>>(&job(
                &FROM_ANY_SOURCE,
                &remedy,
                harness::DEADLINE,
            )));
        }
    }
}

/// A body that ends MPI as any program does; `onesided play` ends wherever it is. On three hosts, and on one
/// whose ranks communicate over TCP too.
fn jobs_end_except_where_the_table_says() {
    let library = rma::library().expect("the library names itself");
    let has_fault = faults::MPICH_4_0_FINALIZE_OVER_TCP.is_in(&library);
    // On one host four jobs of nine hang.
    let n_attempts = if has_fault { 16 } else { 3 };
    for (n_hosts, per_host) in [(3, 1), (1, 3)] {
        let hosts = Hosts::up(n_hosts);
        let hangs = |_| {
            let job = |_, program| {
                let job = hosts.job(per_host, Within::SharedMemory, program);
                job.env(harness::PLAIN_END, "1")
            };
            let job = harness::launch_by(job, 3, ENDS.name, patience(has_fault));
            job.ended.timed_out
        };
        let hangs = (0..n_attempts).any(hangs);
        let where_it_is = format!("{library}, {n_hosts} hosts");
        match has_fault {
            true => assert!(hangs, "{where_it_is}: the fault is gone: mend the table"),
            false => assert!(!hangs, "{where_it_is}: the fault is not in the table"),
        }
        for _ in 0..4 {
            let play = hosts.job(per_host, Within::SharedMemory, crate::ONESIDED);
            let play = play.args("play collective --format json".split(' '));
            play.deadline(harness::DEADLINE).run().expect_success();
        }
    }
}

/// With the components that Debian's configuration leaves, said aloud so that it is taken for the
/// user's choice; and with those of the remedy, which is also what `rma::prepare` sets.
fn windows_are_made_except_where_the_table_says() {
    let library = rma::library().expect("the library names itself");
    let fault = faults::OPEN_MPI_NO_WINDOWS_OVER_TCP;
    let hosts = Hosts::up(2);
    let job = |osc: Option<&str>| {
        harness::launch_by(
            |_, program| {
                let job = hosts.job(1, Within::SharedMemory, program);
                match osc {
                    Some(osc) => job.env("OMPI_MCA_osc", osc),
                    None => job,
                }
            },
            2,
            BITS.name,
            harness::DEADLINE,
        )
    };
    match fault.is_in(&library) {
        true => {
            let why = job(Some("^ucx,pt2pt")).verdict();
            let why = why.expect_err("the fault is gone: mend the table");
            assert!(why.contains("MPI_Win_allocate"), "{why}");
            let [(_, remedy)] = fault.variables()[..] else {
                panic!("one variable")
            };
            drop(result_of::<Vec<Vec<usize>>>(&job(Some(remedy))));
        }
        false => drop(result_of::<Vec<Vec<usize>>>(&job(None))),
    }
}

fn fetch_and_or_is_right_except_where_the_table_says() {
    let library = rma::library().expect("the library names itself");
    let hosts = Hosts::up(3);
    // The library's own choice, said aloud so that it is taken for the user's, and then ours.
    for (amo, has_fault) in [
        (
            "1",
            faults::OPEN_MPI_5_FETCH_AND_OP_OVER_TCP.is_in(&library),
        ),
        ("0", false),
    ] {
        let job = harness::launch_by(
            |_, program| {
                let job = hosts.job(1, Within::SharedMemory, program);
                job.env("OMPI_MCA_osc_rdma_acc_use_amo", amo)
            },
            3,
            BITS.name,
            harness::DEADLINE,
        );
        let mut all = result_of::<Vec<Vec<usize>>>(&job).concat();
        all.sort_unstable();
        let once = all == (0..N_BITS).collect::<Vec<_>>();
        let found = format!("{} claims of {N_BITS} bits were won", all.len());
        println!("{found}");
        match has_fault {
            true => assert!(!once, "{library} no longer has the fault: mend the table"),
            false => assert!(
                once,
                "{library} has the fault, and the table does not say so: {found}"
            ),
        }
    }
}
