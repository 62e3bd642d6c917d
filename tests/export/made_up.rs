//! Runs that nobody played: a run's folder from records.

use std::fs;
use std::path::Path;

use onesided::internals::trace::{
    Clocks, Header, Kind, Outcome, RECORD_BYTES, RUN_FILE, RUN_FORMAT, Record, RunInfo, TracerCost,
    Version, file_name,
};

/// The run's number.
const RUN_ID: u64 = 0x2a;

/// When the first game starts, on the clock of all ranks.
const ORIGIN_NS: u64 = 50_000_000_000_000;

const N_DIGITS: u32 = 9;

/// Writes a one-sided run on one host: for each rank its records.
pub fn write(folder: &Path, ranks: &[Vec<Record>]) {
    let n_ranks = ranks.len() as u32;
    let run = run(n_ranks, ranks);
    let text = serde_json::to_string(&run).expect("a document");
    fs::write(folder.join(RUN_FILE), text).expect("the folder is writable");
    for (rank, records) in (0..).zip(ranks) {
        let n_records = records.len() as u64;
        let header = Header {
            run_id: RUN_ID,
            rank,
            n_ranks,
            capacity: n_records,
            dropped: 0,
            recorded: Some(n_records),
        };
        let words = header.to_words().into_iter();
        let words = words.chain(records.iter().flat_map(Record::to_words));
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        fs::write(folder.join(file_name(rank)), bytes).expect("the folder is writable");
    }
}

/// Cuts the file of `rank` in the middle of its last record.
pub fn truncate(folder: &Path, rank: u32) {
    let path = folder.join(file_name(rank));
    let file = fs::OpenOptions::new().write(true).open(path).expect("file");
    let len = file.metadata().expect("file").len();
    file.set_len(len - RECORD_BYTES as u64 / 2).expect("file");
}

/// Removes the file of `rank`.
pub fn remove(folder: &Path, rank: u32) {
    fs::remove_file(folder.join(file_name(rank))).expect("file");
}

fn run(n_ranks: u32, ranks: &[Vec<Record>]) -> RunInfo {
    let last_game = ranks.iter().flatten().map(|record| record.game).max();
    RunInfo {
        format: RUN_FORMAT.into(),
        onesided: env!("CARGO_PKG_VERSION").into(),
        run_id: format!("{RUN_ID:x}"),
        version: Version::Rma,
        claim_with: Some("fetch-and-op".into()),
        guess: None,
        skip_known: false,
        spread: false,
        resumed: None,
        command: vec!["onesided".into(), "play".into(), "rma".into()],
        started: "2026-11-23T00:00:00Z".into(),
        ended: Some("2026-11-23T00:00:01Z".into()),
        interrupted: None,
        ranks: n_ranks,
        home: 0,
        digits: N_DIGITS,
        games: u64::from(last_game.unwrap_or(0)) + 1,
        seed: 7,
        think: "0".into(),
        mpi_library: "no MPI".into(),
        progress: None,
        hosts: vec!["node1".into(); n_ranks as usize],
        nodes: vec![0; n_ranks as usize],
        clocks: Clocks::one("node1", n_ranks),
        tracer: TracerCost::default(),
        unmapped: false,
    }
}

/// Records of games as a run has them: claims of different ranks overlap, many take no time at all,
/// and ranks that know of the last digit late have guesses to lose after it.
pub fn games(n_ranks: u32, n_games: u32) -> Vec<Vec<Record>> {
    let mut random = Random(1);
    let mut ranks: Vec<Vec<Record>> = vec![Vec::new(); n_ranks as usize];
    let mut barrier_ns = ORIGIN_NS;
    for game in 0..n_games {
        let mut now = vec![barrier_ns; n_ranks as usize];
        let mut add = |rank: usize, now_ns: &mut u64, took_ns, (kind, outcome, item, word)| {
            let begin_ns = *now_ns;
            *now_ns += took_ns;
            ranks[rank].push(Record {
                kind,
                outcome,
                game,
                item,
                begin_ns,
                end_ns: *now_ns,
                word,
            });
        };
        for (rank, now_ns) in now.iter_mut().enumerate() {
            *now_ns += random.below(50);
            let took_ns = barrier_ns + 60 - *now_ns;
            add(rank, now_ns, took_ns, (Kind::Start, Outcome::None, 0, 0));
        }
        let mut claimed = 0u64;
        let mut n_left = vec![3; n_ranks as usize];
        while n_left.iter().any(|&n| n > 0) {
            // Whoever is behind is next, so claims are in order of time.
            let ready = (0..now.len()).filter(|&rank| n_left[rank] > 0);
            let rank = ready.min_by_key(|&rank| now[rank]).expect("one is left");
            let think = (Kind::Think, Outcome::None, 0, 0);
            add(rank, &mut now[rank], random.below(200), think);
            let digit = random.below(u64::from(N_DIGITS) + 1) as u32;
            let bit = if digit == 0 { 0 } else { 1 << (digit - 1) };
            let outcome = match digit {
                0 => Outcome::Looked,
                _ if claimed & bit == 0 => Outcome::Won,
                _ => Outcome::Lost,
            };
            claimed |= bit;
            let claim = (Kind::Claim, outcome, digit, claimed);
            add(rank, &mut now[rank], random.below(4) * 20, claim);
            if claimed == (1 << N_DIGITS) - 1 {
                n_left[rank] -= 1;
            }
        }
        for (rank, now_ns) in now.iter_mut().enumerate() {
            let finish = (Kind::Finish, Outcome::None, 0, 0);
            add(rank, now_ns, random.below(2), finish);
        }
        barrier_ns = now.into_iter().max().expect("a rank") + 1;
    }
    ranks
}

/// Marsaglia's xorshift: the same records everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
