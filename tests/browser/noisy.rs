//! Runs of any number of records whose times are as scattered as real ones, so that they pack no better:
//! exponential think times of 1 ms, operations of 20 us and some exponential noise. Who claims what does not
//! matter here: all claims are lost.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use onesided::internals::trace::{Header, Kind, Outcome, RUN_FILE, Record, Version, file_name};

use crate::synthetic::Synthetic;

const THINK_NS: f64 = 1e6;
const OPERATION_NS: u64 = 20_000;
const NOISE_NS: f64 = 3e3;

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Exponential, whole nanoseconds.
    fn exponential_ns(&mut self, mean_ns: f64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        (-mean_ns * (1.0 - uniform).ln()) as u64
    }
}

/// Writes a run of so many rounds, each a think time and an operation of every rank. Returns how many records.
pub fn write(folder: &Path, version: Version, ranks: u32, rounds: u64) -> u64 {
    let run = Synthetic::new(version, ranks, 1, 1);
    fs::create_dir_all(folder).expect("a folder");
    let info = serde_json::to_string(&run.info).expect("JSON");
    fs::write(folder.join(RUN_FILE), info).expect("run.json");
    let n_records = 2 + 2 * rounds;
    let mut files: Vec<_> = (0..ranks)
        .map(|rank| {
            let header = Header {
                capacity: n_records,
                recorded: Some(n_records),
                ..run.header_of(rank)
            };
            let path = folder.join(file_name(rank));
            let mut file = BufWriter::with_capacity(1 << 12, File::create(path).expect("a file"));
            write_words(&mut file, &header.to_words());
            file
        })
        .collect();
    let mut random = Random(7);
    let mut now_ns: Vec<u64> = (0..ranks)
        .map(|rank| 1_000_000_000 + u64::from(rank))
        .collect();
    let start_ns = 1_000_010_000;
    let mut put = |now_ns: &mut [u64], rank: usize, (kind, outcome, item, word), end_ns| {
        let begin_ns = now_ns[rank];
        let record = Record {
            kind,
            outcome,
            game: 0,
            item,
            begin_ns,
            end_ns,
            word,
        };
        write_words(&mut files[rank], &record.to_words());
        now_ns[rank] = end_ns;
    };
    for rank in 0..ranks as usize {
        put(
            &mut now_ns,
            rank,
            (Kind::Start, Outcome::None, 0, 0),
            start_ns,
        );
    }
    for _ in 0..rounds {
        for rank in 0..ranks as usize {
            let until_ns = now_ns[rank] + random.exponential_ns(THINK_NS);
            put(
                &mut now_ns,
                rank,
                (Kind::Think, Outcome::None, 0, 0),
                until_ns,
            );
        }
        let last_ns = now_ns.iter().copied().max().expect("ranks");
        for rank in 0..ranks as usize {
            let (kind, from_ns) = match version {
                Version::Rma => (Kind::Claim, now_ns[rank]),
                Version::Collective => (Kind::Allreduce, last_ns),
            };
            let item = (random.next() % 9) as u32 + 1;
            let until_ns = from_ns + OPERATION_NS + random.exponential_ns(NOISE_NS);
            put(
                &mut now_ns,
                rank,
                (kind, Outcome::Lost, item, 0x3fe),
                until_ns,
            );
        }
    }
    for rank in 0..ranks as usize {
        let until_ns = now_ns[rank] + 900;
        put(
            &mut now_ns,
            rank,
            (Kind::Finish, Outcome::None, 0, rounds),
            until_ns,
        );
    }
    files
        .iter_mut()
        .for_each(|file| file.flush().expect("written"));
    n_records * u64::from(ranks)
}

fn write_words(file: &mut impl Write, words: &[u64]) {
    for word in words {
        file.write_all(&word.to_le_bytes()).expect("written");
    }
}
