//! Where the words of a board lie, and who operates on them.

use std::ops::Range;

use crate::rma::{
    Bits, Counter, Homes, OrOperation, Rank, Region, Result, RunBuffer, SharedWindow, Window,
};

/// Memory of a board. One board has one memory, so no word ever sees both RMA operations and CPU
/// atomics.
pub trait Memory: sealed::Sealed {
    /// Whether it pays to look at what is known before each operation: step F0 of `src/claim/README.md`. An
    /// atomic of the processor waits for that look, and costs no more than the look itself.
    const LOOKS_FIRST: bool;

    /// Sets `bits` in word `index`, which there is, and returns the word as it was before. That it is there is
    /// for boards to make sure, before this.
    ///
    /// # Errors
    /// What MPI returns.
    fn fetch_or(
        &self,
        words: Region<Bits>,
        index: usize,
        bits: u64,
        is_there: sealed::IsThere,
    ) -> Result<u64>;

    /// Does several of it at once: [`Window::fetch_or_pipelined`].
    ///
    /// # Errors
    /// What MPI returns.
    fn fetch_or_pipelined(&self, words: Region<Bits>, operations: &mut [OrOperation])
    -> Result<()>;

    /// Sets the bits of a run of words: [`Window::or_run`]. Returns the words as they were before, to be
    /// overwritten at will, and how many operations it took.
    ///
    /// # Errors
    /// What MPI returns.
    fn or_run<'buffer>(
        &self,
        words: Region<Bits>,
        run: Range<usize>,
        ends: (u64, u64),
        buffer: &'buffer mut RunBuffer,
    ) -> Result<(&'buffer mut [u64], u64)>;

    /// Reads a run of words while others set bits of them, each word atomically: [`Window::load_run`].
    ///
    /// # Errors
    /// What MPI returns.
    fn load_run<'buffer>(
        &self,
        words: Region<Bits>,
        run: Range<usize>,
        buffer: &'buffer mut RunBuffer,
    ) -> Result<&'buffer mut [u64]>;

    /// Adds to counter `index`, and returns it as it was before.
    ///
    /// # Errors
    /// What MPI returns.
    fn fetch_add(&self, counters: Region<Counter>, index: usize, addend: u64) -> Result<u64>;

    /// All counters, each read atomically, while others add to them: no one instant shows them all.
    ///
    /// # Errors
    /// What MPI returns.
    fn counters_now(&self, counters: Region<Counter>) -> Result<Vec<u64>>;

    /// All words, at rest.
    ///
    /// # Errors
    /// What MPI returns.
    fn read(&self, words: Region<Bits>) -> Result<Vec<u64>>;

    /// Shows each word to `look`, with its index, at rest; in memory of bounded size.
    ///
    /// # Errors
    /// What MPI returns.
    fn for_each_word(&self, words: Region<Bits>, look: impl FnMut(usize, u64)) -> Result<()>;

    /// How many bytes it has, on all ranks together.
    fn n_bytes(&self) -> usize;

    /// Makes all zero, at rest.
    ///
    /// # Errors
    /// What MPI returns.
    fn clear(&self) -> Result<()>;

    /// The rank that holds word `index`.
    fn rank_of(&self, index: usize) -> Rank;

    /// Makes every operation from now on an error, on this rank.
    fn poison(&self);

    /// Frees it. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    fn close(self) -> Result<()>;
}

mod sealed {
    use super::{SharedWindow, Window};

    /// Said by a board that has made sure that there is the word it asks for; nobody else can.
    #[derive(Debug, Clone, Copy)]
    pub struct IsThere(pub(in crate::claim) ());

    pub trait Sealed {}
    impl<H> Sealed for Window<'_, H> {}
    impl Sealed for SharedWindow<'_> {}
}

/// See [`Memory::fetch_or`].
pub(in crate::claim) const IS_THERE: sealed::IsThere = sealed::IsThere(());

impl<H: Homes> Memory for Window<'_, H> {
    const LOOKS_FIRST: bool = true;

    #[inline(always)]
    fn fetch_or(
        &self,
        words: Region<Bits>,
        index: usize,
        bits: u64,
        _is_there: sealed::IsThere,
    ) -> Result<u64> {
        self.fetch_or_of(words, index, bits)
    }

    fn fetch_or_pipelined(
        &self,
        words: Region<Bits>,
        operations: &mut [OrOperation],
    ) -> Result<()> {
        self.fetch_or_pipelined(words, operations)
    }

    fn or_run<'buffer>(
        &self,
        words: Region<Bits>,
        run: Range<usize>,
        ends: (u64, u64),
        buffer: &'buffer mut RunBuffer,
    ) -> Result<(&'buffer mut [u64], u64)> {
        let n_operations = self.homes().n_ranks().min(run.len()) as u64;
        Ok((self.or_run(words, run, ends, buffer)?, n_operations))
    }

    fn load_run<'buffer>(
        &self,
        words: Region<Bits>,
        run: Range<usize>,
        buffer: &'buffer mut RunBuffer,
    ) -> Result<&'buffer mut [u64]> {
        self.load_run(words, run, buffer)
    }

    #[inline]
    fn fetch_add(&self, counters: Region<Counter>, index: usize, addend: u64) -> Result<u64> {
        self.fetch_add(counters, index, addend)
    }

    fn counters_now(&self, counters: Region<Counter>) -> Result<Vec<u64>> {
        self.counters_now(counters)
    }

    fn read(&self, words: Region<Bits>) -> Result<Vec<u64>> {
        self.read(words)
    }

    fn for_each_word(&self, words: Region<Bits>, look: impl FnMut(usize, u64)) -> Result<()> {
        self.read_in_pieces(words, look)
    }

    fn n_bytes(&self) -> usize {
        self.n_bytes() * self.homes().n_ranks()
    }

    fn clear(&self) -> Result<()> {
        self.clear()
    }

    fn rank_of(&self, index: usize) -> Rank {
        self.homes().place(index).0
    }

    fn poison(&self) {
        self.poison();
    }

    fn close(self) -> Result<()> {
        self.close()
    }
}

impl Memory for SharedWindow<'_> {
    const LOOKS_FIRST: bool = false;

    #[inline(always)]
    fn fetch_or(
        &self,
        words: Region<Bits>,
        index: usize,
        bits: u64,
        _is_there: sealed::IsThere,
    ) -> Result<u64> {
        self.fetch_or_of(words, index, bits)
    }

    fn fetch_or_pipelined(
        &self,
        words: Region<Bits>,
        operations: &mut [OrOperation],
    ) -> Result<()> {
        self.assert_usable()?;
        let mut indices = operations.iter().map(|operation| operation.index);
        assert!(
            indices.all(|index| index < words.n_words()),
            "a word beyond the region"
        );
        for operation in operations {
            operation.bits = self.fetch_or(words, operation.index, operation.bits);
        }
        Ok(())
    }

    fn or_run<'buffer>(
        &self,
        words: Region<Bits>,
        run: Range<usize>,
        ends: (u64, u64),
        buffer: &'buffer mut RunBuffer,
    ) -> Result<(&'buffer mut [u64], u64)> {
        self.assert_usable()?;
        let n_operations = run.len() as u64;
        Ok((self.or_run(words, run, ends, buffer), n_operations))
    }

    fn load_run<'buffer>(
        &self,
        words: Region<Bits>,
        run: Range<usize>,
        buffer: &'buffer mut RunBuffer,
    ) -> Result<&'buffer mut [u64]> {
        self.assert_usable()?;
        let results = buffer.words(run.len());
        (results.iter_mut().zip(run)).for_each(|(result, index)| *result = self.load(words, index));
        Ok(results)
    }

    #[inline]
    fn fetch_add(&self, counters: Region<Counter>, index: usize, addend: u64) -> Result<u64> {
        self.assert_usable()?;
        Ok(self.fetch_add(counters, index, addend))
    }

    fn counters_now(&self, counters: Region<Counter>) -> Result<Vec<u64>> {
        self.assert_usable()?;
        let all = 0..counters.n_words();
        Ok(all
            .map(|index| self.fetch_add(counters, index, 0))
            .collect())
    }

    fn read(&self, words: Region<Bits>) -> Result<Vec<u64>> {
        self.assert_usable()?;
        Ok(self.read(words))
    }

    fn for_each_word(&self, words: Region<Bits>, mut look: impl FnMut(usize, u64)) -> Result<()> {
        self.assert_usable()?;
        (0..words.n_words()).for_each(|index| look(index, self.load(words, index)));
        Ok(())
    }

    fn n_bytes(&self) -> usize {
        self.n_bytes()
    }

    fn clear(&self) -> Result<()> {
        self.assert_usable()?;
        self.clear();
        Ok(())
    }

    fn rank_of(&self, _index: usize) -> Rank {
        self.home()
    }

    fn poison(&self) {
        self.poison();
    }

    fn close(self) -> Result<()> {
        self.close()
    }
}
