//! The peer: bits in a file in memory that all ranks map, set by a plain loop.

use std::hint::black_box;
use std::time::Instant;

use memmap2::MmapMut;
use onesided::rma::Comm;

use crate::samples::thread_cpu_ns;
use crate::{Took, slowest};

/// Words in memory of the kind that MPI libraries give a window of one node.
pub struct Bits {
    mapping: MmapMut,
    n_words: usize,
}

impl Bits {
    /// Words that are all 0, touched by rank 0. Collective.
    pub fn of(world: &Comm<'_>, n_words: usize) -> Self {
        let mut path = [0u8; 256];
        let file = (world.rank() == 0).then(|| {
            let file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file in memory");
            file.as_file()
                .set_len(n_words as u64 * 8)
                .expect("its size");
            let bytes = file.path().as_os_str().as_encoded_bytes();
            path[..bytes.len()].copy_from_slice(bytes);
            file
        });
        world.broadcast(0, &mut path).expect("broadcast");
        let path = std::str::from_utf8(&path).expect("a path of ours");
        let opened = std::fs::File::options()
            .read(true)
            .write(true)
            .open(path.trim_end_matches('\0'))
            .expect("the file of rank 0");
        // SAFETY: nobody shortens the file: only these ranks know it, and it is deleted below.
        let mapping = unsafe { MmapMut::map_mut(&opened) }.expect("mapped");
        world.barrier().expect("barrier"); // all have mapped it
        drop(file);
        let mut bits = Bits { mapping, n_words };
        if world.rank() == 0 {
            bits.words(0, 1).fill(0);
        }
        bits
    }

    /// The part of the words that is share `i` of `n`.
    fn words(&mut self, i: usize, n: usize) -> &mut [u64] {
        // SAFETY: any 8 bytes are a word. Ranks write to shares of their own between barriers.
        let (before, words, after) = unsafe { self.mapping.align_to_mut::<u64>() };
        assert!(before.is_empty() && after.is_empty() && words.len() == self.n_words);
        &mut words[i * self.n_words / n..(i + 1) * self.n_words / n]
    }

    /// Sets all bits, each rank its share; then makes them 0 again, untimed. Collective.
    pub fn sweep(&mut self, world: &Comm<'_>) -> Took {
        let (rank, n_ranks) = (world.rank() as usize, world.size() as usize);
        let share = self.words(rank, n_ranks);
        let bits = black_box(u64::MAX); // or the compiler would only store
        world.barrier().expect("barrier");
        let (start, cpu_start) = (Instant::now(), thread_cpu_ns());
        for word in share.iter_mut() {
            *word |= bits;
        }
        black_box(&mut *share);
        let by_processor = thread_cpu_ns() - cpu_start;
        let by_clock = start.elapsed().as_nanos() as f64;
        let took = slowest(world, by_clock, by_processor);
        world.barrier().expect("barrier");
        if world.rank() == 0 {
            let all = self.words(0, 1);
            assert!(all.iter().all(|&word| word == u64::MAX), "all are set");
            all.fill(0);
        }
        world.barrier().expect("barrier");
        took
    }

    /// Collective.
    pub fn close(self, world: &Comm<'_>) {
        drop(self.mapping);
        world.barrier().expect("barrier"); // its memory is free for what comes next
    }
}
