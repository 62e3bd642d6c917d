//! Windows and their atomic operations, on every rank count and on a home rank that is not 0 too.

use onesided::rma::{
    self, Bits, Comm, Counter, ErrorKind, Highest, Hints, Layout, Rank, SharedWindow, Slot, Window,
};

use crate::harness::{Body, gather_numbers};

pub const BODIES: &[Body] = &[
    Body {
        name: "windows::words_are_zero_at_first_and_after_clear",
        run: zero_at_first,
    },
    Body {
        name: "windows::concurrent_adds_return_every_number_once",
        run: adds,
    },
    Body {
        name: "windows::concurrent_ors_set_every_bit_once",
        run: ors,
    },
    Body {
        name: "windows::concurrent_swaps_take_every_slot_once",
        run: swaps,
    },
    Body {
        name: "windows::regions_do_not_touch_each_other",
        run: regions,
    },
    Body {
        name: "windows::a_failed_call_says_which_and_why",
        run: errors,
    },
    Body {
        name: "windows::numbers_that_are_no_rank_or_no_tag_are_refused",
        run: numbers,
    },
    Body {
        name: "windows::shared_words_are_zero_after_clear",
        run: shared_words,
    },
    Body {
        name: "windows::gather_keeps_ranks_and_lengths",
        run: gathers,
    },
];

/// First and last rank: the home rank has no special place.
fn homes(comm: &Comm<'_>) -> impl Iterator<Item = Rank> {
    let last = comm.size() - 1;
    [0, last].into_iter().take(if last == 0 { 1 } else { 2 })
}

fn zero_at_first(comm: &Comm<'_>) {
    for home in homes(comm) {
        for n_words in [0, 1, 3, 100_000] {
            let mut layout = Layout::new();
            let bits = layout.region::<Bits>(n_words);
            let window = Window::open(comm, home, &layout).unwrap();
            assert_eq!(window.is_home(), comm.rank() == home);
            assert_eq!(window.read(bits).unwrap(), vec![0; n_words]);
            comm.barrier().unwrap();
            for index in (0..n_words).step_by(997) {
                window.fetch_or(bits, index, u64::MAX).unwrap();
            }
            comm.barrier().unwrap();
            let set = window.read(bits).unwrap();
            assert!(
                set.iter()
                    .enumerate()
                    .all(|(i, &w)| w == if i % 997 == 0 { u64::MAX } else { 0 })
            );
            comm.barrier().unwrap();
            if window.is_home() {
                window.clear().unwrap();
            }
            comm.barrier().unwrap();
            assert_eq!(window.read(bits).unwrap(), vec![0; n_words]);
            window.close().unwrap();
        }
    }
}

fn adds(comm: &Comm<'_>) {
    let per_rank = 500;
    for (home, hints) in homes(comm).zip([Hints::None, Hints::Whitelisted]) {
        let mut layout = Layout::new();
        let counter = layout.region::<Counter>(1);
        let window = Window::open_with_hints(comm, home, &layout, hints).unwrap();
        let drawn: Vec<u64> = (0..per_rank)
            .map(|_| window.fetch_add(counter, 0, 1).unwrap())
            .collect();
        assert!(drawn.is_sorted(), "a rank sees the counter grow");
        comm.barrier().unwrap();
        let total = per_rank * u64::from(comm.size().unsigned_abs());
        assert_eq!(window.fetch_add(counter, 0, 0).unwrap(), total);
        if let Some(mut all) = gather_numbers(comm, &drawn) {
            all.sort_unstable();
            assert_eq!(all, (0..total).collect::<Vec<_>>(), "every ticket once");
        }
        window.close().unwrap();
    }
}

fn ors(comm: &Comm<'_>) {
    const N_WORDS: usize = 8;
    for home in homes(comm) {
        let mut layout = Layout::new();
        let bits = layout.region::<Bits>(N_WORDS);
        let window = Window::open(comm, home, &layout).unwrap();
        let mut won = Vec::new();
        for bit in 0..N_WORDS as u64 * 64 {
            let (word, mask) = ((bit / 64) as usize, 1 << (bit % 64));
            if window.fetch_or(bits, word, mask).unwrap() & mask == 0 {
                won.push(bit);
            }
        }
        if let Some(mut all) = gather_numbers(comm, &won) {
            all.sort_unstable();
            assert_eq!(
                all,
                (0..N_WORDS as u64 * 64).collect::<Vec<_>>(),
                "every bit set once"
            );
        }
        comm.barrier().unwrap();
        assert_eq!(window.read(bits).unwrap(), [u64::MAX; N_WORDS]);
        window.close().unwrap();
    }
}

fn swaps(comm: &Comm<'_>) {
    const N_SLOTS: usize = 300;
    let mark = comm.rank().unsigned_abs() + 1;
    for home in homes(comm) {
        let mut layout = Layout::new();
        let slots = layout.region::<Slot>(N_SLOTS);
        let window = Window::open(comm, home, &layout).unwrap();
        let mut won = Vec::new();
        for slot in 0..N_SLOTS {
            match window.compare_and_swap(slots, slot, 0, mark).unwrap() {
                0 => won.push(slot as u64),
                owner => assert!(
                    (1..=comm.size().unsigned_abs()).contains(&owner),
                    "mark {owner}"
                ),
            }
        }
        comm.barrier().unwrap();
        let marks = window.read(slots).unwrap();
        assert!(
            won.iter().all(|&slot| marks[slot as usize] == mark),
            "winners own what they won"
        );
        let owned = marks.iter().filter(|&&owner| owner == mark).count();
        assert_eq!(owned, won.len(), "and nothing else");
        if let Some(mut all) = gather_numbers(comm, &won) {
            all.sort_unstable();
            assert_eq!(
                all,
                (0..N_SLOTS as u64).collect::<Vec<_>>(),
                "every slot taken once"
            );
        }
        window.close().unwrap();
    }
}

fn regions(comm: &Comm<'_>) {
    let mut layout = Layout::new();
    let slots = layout.region::<Slot>(3);
    let counter = layout.region::<Counter>(1);
    let bits = layout.region::<Bits>(2);
    let highest = layout.region::<Highest>(1);
    let window = Window::open(comm, 0, &layout).unwrap();
    let n_ranks = u64::from(comm.size().unsigned_abs());
    let mut found = [7];
    window
        .compare_and_swap_pipelined((slots, &[2]), (0, u32::MAX), (counter, 0), &mut found)
        .unwrap();
    assert!(found == [0] || found == [u32::MAX]);
    let (found, count) = window
        .compare_and_swap_and_read((slots, 2), (0, 5), (counter, 0))
        .unwrap();
    assert_eq!(
        (found, count % (1 << 40)),
        (u32::MAX, 0),
        "taken, and counted by others at most"
    );
    window.fetch_add(counter, 0, 1 << 40).unwrap();
    window.fetch_or(bits, 1, 1 << 63).unwrap();
    window.fetch_max(highest, 0, 5).unwrap();
    let own = 10 + u64::from(comm.rank().unsigned_abs());
    window.fetch_max(highest, 0, own).unwrap();
    assert!(window.fetch_max(highest, 0, 0).unwrap() >= own);
    comm.barrier().unwrap();
    assert_eq!(window.read(highest).unwrap(), [9 + n_ranks]);
    assert_eq!(window.read(slots).unwrap(), [0, 0, u32::MAX]);
    assert_eq!(window.read(counter).unwrap(), [n_ranks << 40]);
    assert_eq!(window.read(bits).unwrap(), [0, 1 << 63]);
    window.close().unwrap();
}

fn errors(comm: &Comm<'_>) {
    let error = comm.send(&[1, 2, 3], comm.rank(), -7).unwrap_err();
    let ErrorKind::Mpi(error) = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(error.call, "MPI_Send");
    assert!(
        !error.message.is_empty() && !error.message.contains('\n'),
        "{}",
        error.message
    );
    assert!(
        error.class > 0 && error.to_string().contains("MPI_Send failed"),
        "{error}"
    );
    let error = Window::open(comm, comm.size(), &Layout::new()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchRank { .. }),
        "{error}"
    );
    let mut layout = Layout::new();
    let _ = layout.region::<Bits>(usize::MAX / 4);
    assert_eq!(
        *Window::open(comm, 0, &layout).unwrap_err().kind(),
        ErrorKind::WindowTooLarge
    );
    let error = rma::Mpi::init(rma::ThreadLevel::Funneled).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::AlreadyInitialised);
}

/// A number that is no rank may mean something to MPI: -1 is `MPI_PROC_NULL` in MPICH, to which nothing is sent
/// without an error, and `MPI_ANY_SOURCE` in Open MPI; and a tag of -1 is any tag in both.
fn numbers(comm: &Comm<'_>) {
    let size = comm.size();
    for rank in [-1, -2, -3, Rank::MIN, size, Rank::MAX] {
        let none = ErrorKind::NoSuchRank { rank, size };
        assert_eq!(*comm.send(&[1], rank, 0).unwrap_err().kind(), none);
        assert_eq!(*comm.broadcast(rank, &mut [1]).unwrap_err().kind(), none);
        assert_eq!(*comm.gather(rank, &[1]).unwrap_err().kind(), none);
        let all = comm.broadcast_all_of(rank, vec![1]);
        assert_eq!(*all.unwrap_err().kind(), none);
    }
    let (last, is_sent) = (size - 1, size > 1);
    if is_sent && comm.rank() == 0 {
        comm.send(&[1], last, 5).unwrap();
    }
    let tag = ErrorKind::NegativeTag { tag: -1 };
    let mut byte = [0];
    assert_eq!(*comm.receive(&mut byte, -1).unwrap_err().kind(), tag);
    let there = comm.receive_if_there(&mut byte, -1);
    assert_eq!(*there.unwrap_err().kind(), tag);
    if is_sent && comm.rank() == last {
        comm.receive(&mut byte, 5).unwrap();
        assert_eq!(byte, [1]);
    }
}

/// Words of shared memory are zero after `clear`, those after an odd number of slots too.
fn shared_words(comm: &Comm<'_>) {
    let mut layout = Layout::new();
    let bits = layout.region::<Bits>(3);
    let _ = layout.region::<Slot>(1);
    if rma::Placement::of(comm).unwrap().n_nodes() > 1 {
        return;
    }
    let window = SharedWindow::open(comm, 0, &layout).unwrap();
    for index in 0..3 {
        window.fetch_or(bits, index, u64::MAX);
    }
    comm.barrier().unwrap();
    if comm.rank() == 0 {
        window.clear();
    }
    comm.barrier().unwrap();
    assert_eq!(window.read(bits), [0; 3]);
    window.close().unwrap();
}

fn gathers(comm: &Comm<'_>) {
    let own = vec![comm.rank() as u8; comm.rank() as usize * 3];
    for root in homes(comm) {
        match comm.gather(root, &own).unwrap() {
            None => assert_ne!(comm.rank(), root),
            Some(all) => {
                let expected: Vec<Vec<u8>> = (0..comm.size())
                    .map(|rank| vec![rank as u8; rank as usize * 3])
                    .collect();
                assert_eq!(all, expected);
            }
        }
    }
    let mut word = if comm.rank() == 0 {
        *b"from 0"
    } else {
        *b"------"
    };
    comm.broadcast(0, &mut word).unwrap();
    assert_eq!(&word, b"from 0");
    let mut all = [0; 2];
    comm.allreduce_or(&[1 << comm.rank(), 0], &mut all).unwrap();
    assert_eq!(all, [(1 << comm.size()) - 1, 0]);
    let rank = comm.rank() as u64;
    comm.allreduce_sum(&[rank, 5 << 60], &mut all).unwrap();
    let n_ranks = comm.size() as u64;
    let sums = [n_ranks * (n_ranks - 1) / 2, n_ranks.wrapping_mul(5 << 60)];
    assert_eq!(all, sums, "in 64 bits");
    comm.allreduce_min(&[rank + 7, u64::MAX - rank], &mut all)
        .unwrap();
    assert_eq!(all, [7, u64::MAX - (n_ranks - 1)], "unsigned");
}
