//! Operations on many words: pipelined atomics, runs of words, reading and clearing at rest.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::ops::Range;
use std::ptr::NonNull;

use mpi::ffi;

use super::comm::Rank;
use super::error::{Result, int_count};
use super::homes::Homes;
use super::layout::{Bits, Counter, Kind, Region};
use super::window::Window;

/// How many words one [`or_run`](Window::or_run) operates on at most.
pub const RUN_WORDS: usize = 4096;

/// A fetch-and-or of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrOperation {
    /// The word.
    pub index: usize,
    /// The bits to be set; afterwards the word as it was before.
    pub bits: u64,
}

/// Operands and results of a run of words, at least 64 KiB; each board that wants one has its own.
#[derive(Debug)]
pub struct RunBuffer {
    words: NonNull<RunWords>,
    /// Whether MPI may still write here: then it is leaked.
    in_flight: bool,
}

#[derive(Debug)]
struct RunWords {
    operands: UnsafeCell<[u64; RUN_WORDS]>,
    results: UnsafeCell<[u64; RUN_WORDS]>,
    /// Where results are put into the order of words, if several ranks hold them.
    ordered: [u64; RUN_WORDS],
}

/// Where the words of a run lie in operands and results: those of a rank one behind the other, as in its
/// memory.
#[derive(Debug, Clone, Copy)]
struct Slots {
    n_words: usize,
    /// How many ranks hold some of them.
    n_ranks: usize,
}

impl Slots {
    /// Where the `i`-th word of the run is.
    fn of(self, i: usize) -> usize {
        let Slots { n_words, n_ranks } = self;
        let (rank, nth) = (i % n_ranks, i / n_ranks);
        let longer = n_words % n_ranks; // so many ranks have one word more
        rank * (n_words / n_ranks) + rank.min(longer) + nth
    }
}

impl RunWords {
    /// The results of a run, in the order of words. Nothing is in flight.
    fn put_in_order(&mut self, Slots { n_words, n_ranks }: Slots) -> &mut [u64] {
        let results = &mut self.results.get_mut()[..n_words];
        if n_ranks > 1 {
            let ordered = &mut self.ordered[..n_words];
            let mut from_slots = results.iter();
            for rank in 0..n_ranks {
                // No division a word, which was most of what this took.
                for (word, found) in
                    (ordered[rank..].iter_mut().step_by(n_ranks)).zip(&mut from_slots)
                {
                    *word = *found;
                }
            }
            results.copy_from_slice(ordered);
        }
        results
    }
}

impl Default for RunBuffer {
    fn default() -> Self {
        let words = Box::new(RunWords {
            operands: UnsafeCell::new([u64::MAX; RUN_WORDS]),
            results: UnsafeCell::new([0; RUN_WORDS]),
            ordered: [0; RUN_WORDS],
        });
        RunBuffer {
            words: NonNull::from(Box::leak(words)),
            in_flight: false,
        }
    }
}

impl RunBuffer {
    /// The results of the last run, of `n_words`, as they were left.
    ///
    /// # Panics
    /// If it was shorter than that can be, or failed.
    pub fn words(&mut self, n_words: usize) -> &mut [u64] {
        &mut self.results()[..n_words]
    }

    /// Where results go.
    ///
    /// Panics if an operation on the buffer failed.
    pub(super) fn results(&mut self) -> &mut [u64] {
        assert!(!self.in_flight, "an operation on this buffer failed");
        // SAFETY: live until `self` is dropped, borrowed uniquely, and nothing is in flight.
        unsafe { self.words.as_mut() }.results.get_mut()
    }
}

impl Drop for RunBuffer {
    fn drop(&mut self) {
        if !self.in_flight {
            // SAFETY: from `Box::leak` in `default`, freed here alone, and nothing is in flight.
            drop(unsafe { Box::from_raw(self.words.as_ptr()) });
        }
    }
}

impl<H: Homes> Window<'_, H> {
    /// Does all of `operations`, in no order among them, with one flush a rank for as many as
    /// [`PIPELINE_DEPTH`](super::PIPELINE_DEPTH): over a network they take little more than one round
    /// trip together. Each leaves the word as it was before where its bits were.
    /// `MPI_Fetch_and_op(MPI_BOR)`, `MPI_Win_flush` or `MPI_Win_flush_all`.
    ///
    /// # Errors
    /// What MPI returns; which of the operations took place is unknown then, and all further ones are
    /// [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned).
    ///
    /// # Panics
    /// If a word is outside the region, or the region is another window's.
    pub fn fetch_or_pipelined(
        &self,
        region: Region<Bits>,
        operations: &mut [OrOperation],
    ) -> Result<()> {
        self.pipelined(
            &region,
            operations,
            self.handles().or,
            |_, operation| (operation.index, operation.bits),
            |operation, found| operation.bits = found,
        )
    }

    /// A fetch-and-op for each of `slots`, on the word and with the operand that `start` gives of it and its
    /// index; `land` is given what was found there.
    #[inline(always)]
    fn pipelined<T, K: Kind>(
        &self,
        region: &Region<K>,
        slots: &mut [T],
        op: ffi::MPI_Op,
        start: impl Fn(usize, &T) -> (usize, u64),
        land: impl Fn(&mut T, u64),
    ) -> Result<()> {
        const DEPTH: usize = super::PIPELINE_DEPTH;
        for (i, item) in slots.iter().enumerate() {
            self.locate(region, start(i, item).0)?; // all of them, before the first is started
        }
        self.extent().begin()?;
        for (batch, first) in slots.chunks_mut(DEPTH).zip((0..).step_by(DEPTH)) {
            for (slot, item) in batch.iter().enumerate() {
                let (index, operand) = start(first + slot, item);
                self.start_fetch_and_op(slot, self.place_of(region, index), operand, op)?;
            }
            self.flush_homes()?; // MPI semantics: all results have landed
            for (slot, item) in batch.iter_mut().enumerate() {
                land(item, self.fetched(slot));
            }
        }
        self.extent().all_complete();
        Ok(())
    }

    /// Reads all counters while others add to them, each atomically, as a fetch-and-add of 0; pipelined as
    /// [`fetch_or_pipelined`](Window::fetch_or_pipelined). No one instant shows them all.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If the region is another window's.
    pub fn counters_now(&self, region: Region<Counter>) -> Result<Vec<u64>> {
        let mut words = vec![0; region.n_words()];
        self.pipelined(
            &region,
            &mut words,
            self.handles().sum,
            |index, _| (index, 0),
            |word, found| *word = found,
        )?;
        Ok(words)
    }

    /// Sets all bits of the words `run`, but only `first_bits` of the first and `last_bits` of the last
    /// (both, where there is one word), each word atomically. Returns the words as they were before.
    /// `MPI_Get_accumulate(MPI_BOR)` on each rank that holds some of them (MPI-4.1 §12.3.4), one flush.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If the run is empty, longer than [`RUN_WORDS`] or not within the region, or the region is another
    /// window's.
    pub fn or_run<'buffer>(
        &self,
        region: Region<Bits>,
        run: Range<usize>,
        (first_bits, last_bits): (u64, u64),
        buffer: &'buffer mut RunBuffer,
    ) -> Result<&'buffer mut [u64]> {
        let slots = self.slots_of_run(&region, &run, buffer)?;
        // SAFETY: live until `buffer` is dropped, borrowed uniquely. Nothing is in flight: each call
        // completes before it returns, or leaves the buffer marked, and a marked one is refused above.
        let words = unsafe { buffer.words.as_mut() };
        let (first, last) = (slots.of(0), slots.of(run.len() - 1));
        let operands = words.operands.get_mut();
        operands[first] &= first_bits;
        operands[last] &= last_bits;
        let operands_at = words.operands.get().cast::<u64>();
        self.extent().begin()?;
        buffer.in_flight = true;
        // SAFETY: both arrays hold `RUN_WORDS` words, live until the flush (`in_flight` leaks them if that
        // fails), are apart from each other and untouched meanwhile.
        unsafe { self.start_run(&region, &run, operands_at, words.results.get().cast())? };
        self.flush_homes()?; // MPI semantics: all results have landed
        self.extent().all_complete();
        buffer.in_flight = false;
        let operands = words.operands.get_mut();
        operands[first] = u64::MAX;
        operands[last] = u64::MAX;
        Ok(words.put_in_order(slots))
    }

    /// Reads the words `run`, each atomically, while others set bits: [`or_run`](Self::or_run) with no bits, so
    /// the same operation.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// As [`or_run`](Self::or_run).
    pub fn load_run<'buffer>(
        &self,
        region: Region<Bits>,
        run: Range<usize>,
        buffer: &'buffer mut RunBuffer,
    ) -> Result<&'buffer mut [u64]> {
        static NO_BITS: [u64; RUN_WORDS] = [0; RUN_WORDS];
        let slots = self.slots_of_run(&region, &run, buffer)?;
        // SAFETY: as in `or_run`.
        let words = unsafe { buffer.words.as_mut() };
        self.extent().begin()?;
        buffer.in_flight = true;
        // SAFETY: the operands are static and only read; of the results as in `or_run`.
        unsafe { self.start_run(&region, &run, NO_BITS.as_ptr(), words.results.get().cast())? };
        self.flush_homes()?; // MPI semantics: all results have landed
        self.extent().all_complete();
        buffer.in_flight = false;
        Ok(words.put_in_order(slots))
    }

    /// Panics unless there is such a run, and nothing in flight in `buffer`.
    fn slots_of_run(
        &self,
        region: &Region<Bits>,
        run: &Range<usize>,
        buffer: &RunBuffer,
    ) -> Result<Slots> {
        let n_words = run.len();
        assert!(
            (1..=RUN_WORDS).contains(&n_words),
            "a run of {n_words} words"
        );
        self.extent().assert_word(region, run.end - 1);
        self.extent().assert_own(region);
        self.extent().assert_usable()?;
        assert!(!buffer.in_flight, "an operation on this buffer failed");
        let n_ranks = self.homes().n_ranks().min(n_words);
        Ok(Slots { n_words, n_ranks })
    }

    /// Starts an `MPI_Get_accumulate(MPI_BOR)` on each rank that holds words of `run`, for which
    /// [`slots_of_run`](Self::slots_of_run) has answered.
    ///
    /// # Safety
    /// `operands` and `results` have [`RUN_WORDS`] words each, which stay valid, and untouched but for reads of
    /// the operands, until the ranks that hold words are flushed.
    unsafe fn start_run(
        &self,
        region: &Region<Bits>,
        run: &Range<usize>,
        operands: *const u64,
        results: *mut u64,
    ) -> Result<()> {
        let n_words = run.len();
        let n_ranks = self.homes().n_ranks().min(n_words);
        let slots = Slots { n_words, n_ranks };
        for i in 0..n_ranks {
            let count = (n_words - i).div_ceil(n_ranks);
            let (target, displacement) = self.place_of(region, run.start + i);
            let count = count as c_int;
            let slot = slots.of(i);
            // SAFETY: `count` words from `slot` on lie within both arrays, of which the caller answers for the
            // rest; the words are there, and those of one rank lie one behind the other within the window
            // (`slots_of_run`: `assert_word`, `assert_own`); the epoch is open.
            let code = unsafe {
                ffi::MPI_Get_accumulate(
                    operands.add(slot).cast(),
                    count,
                    self.handles().u64,
                    results.add(slot).cast(),
                    count,
                    self.handles().u64,
                    target,
                    displacement as ffi::MPI_Aint,
                    count,
                    self.handles().u64,
                    self.handles().or,
                    self.raw(),
                )
            };
            self.check("MPI_Get_accumulate", code)?;
        }
        Ok(())
    }

    /// Sets every word on every rank to zero, complete there on return. Not atomic: no other operation
    /// may be in flight, which is for the caller to synchronise.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    pub fn clear(&self) -> Result<()> {
        (0..self.homes().n_ranks()).try_for_each(|i| self.clear_on(self.homes().rank(i)))
    }

    /// [`clear`](Window::clear) of what one rank holds.
    pub(super) fn clear_on(&self, target: Rank) -> Result<()> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        self.extent().assert_usable()?;
        for start in (0..self.n_bytes()).step_by(ZEROS.len()) {
            let len = ZEROS.len().min(self.n_bytes() - start);
            let count = int_count("number of bytes to put", len)?;
            // SAFETY: the origin is static, so it outlives the operation in any case; the target
            // range lies within the `n_bytes` that each rank allocated that holds words.
            let code = unsafe {
                ffi::MPI_Put(
                    ZEROS.as_ptr().cast(),
                    count,
                    ffi::RSMPI_UINT8_T,
                    target,
                    start as ffi::MPI_Aint,
                    count,
                    ffi::RSMPI_UINT8_T,
                    self.raw(),
                )
            };
            self.check("MPI_Put", code)?;
        }
        self.flush(target) // MPI semantics: complete at the target, so that a barrier may follow
    }

    /// Copies all words of `region`. Not atomic (`MPI_Get`): exact where no operation is in flight,
    /// which is for the caller to synchronise.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If the region is another window's.
    pub fn read<K: Kind>(&self, region: Region<K>) -> Result<Vec<K::Word>> {
        let mut words = vec![K::Word::default(); region.n_words()];
        self.read_in_pieces(region, |index, word| words[index] = word)?;
        Ok(words)
    }

    /// Shows each word of `region` to `look`, with its index, rank by rank. Reads in pieces of 1 MiB at most:
    /// no more memory than that, however large the region is. Not atomic, as [`read`](Window::read).
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If the region is another window's.
    pub fn read_in_pieces<K: Kind>(
        &self,
        region: Region<K>,
        mut look: impl FnMut(usize, K::Word),
    ) -> Result<()> {
        const PIECE_BYTES: usize = 1 << 20;
        self.extent().assert_own(&region);
        let n_ranks = self.homes().n_ranks();
        for i in 0..n_ranks.min(region.n_words()) {
            let count = (region.n_words() - i).div_ceil(n_ranks);
            let piece_words = PIECE_BYTES / size_of::<K::Word>();
            for start in (0..count).step_by(piece_words) {
                let words = self.read_run(&region, i, start..count.min(start + piece_words))?;
                let indices = (i + start * n_ranks..).step_by(n_ranks);
                indices
                    .zip(words)
                    .for_each(|(index, word)| look(index, word));
            }
        }
        Ok(())
    }

    /// Those words `run` of `region` that the `i`-th rank holds, counted on that rank.
    fn read_run<K: Kind>(
        &self,
        region: &Region<K>,
        i: usize,
        run: Range<usize>,
    ) -> Result<Vec<K::Word>> {
        let target = self.homes().rank(i);
        let mut words = vec![K::Word::default(); run.len()];
        self.extent().assert_usable()?;
        let displacement = region.displacement(run.start);
        let n_bytes = int_count("number of bytes to get", run.len() * size_of::<K::Word>())?;
        // SAFETY: `words` has `n_bytes` bytes, and the rank holds words `run` of the region, which lies within the
        // window (`read_in_pieces`: `assert_own`). Where not all is complete, `words` is leaked below.
        let code = unsafe {
            ffi::MPI_Get(
                words.as_mut_ptr().cast(),
                n_bytes,
                ffi::RSMPI_UINT8_T,
                target,
                displacement as ffi::MPI_Aint,
                n_bytes,
                ffi::RSMPI_UINT8_T,
                self.raw(),
            )
        };
        match self
            .check("MPI_Get", code)
            .and_then(|()| self.flush(target))
        {
            Ok(()) => Ok(words),
            Err(error) => {
                std::mem::forget(words); // MPI may still write to it
                Err(error)
            }
        }
    }
}
