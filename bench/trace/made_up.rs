//! A run made up for measuring: any number of records, with numbers that are known.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use onesided::internals::trace::{
    Clocks, Header, Kind, Outcome, RUN_FILE, RUN_FORMAT, Record, RunInfo, TracerCost, Version,
    file_name,
};

/// The run's number.
const RUN_ID: u64 = 0x5eed;
/// Think times and operations of a game on each rank.
const ROUNDS_OF_A_GAME: u64 = 50;
/// Records of a game on each rank: a start, thinks and operations, a finish.
pub const RECORDS_OF_A_GAME: u64 = 2 * ROUNDS_OF_A_GAME + 2;

/// What the analysis must find.
#[allow(dead_code, reason = "each program uses its own part")]
pub struct Known {
    pub n_records: u64,
    pub guesses: u64,
    /// Waiting of all ranks (collective).
    pub wait_ns: u64,
    /// Thinking of all ranks.
    pub think_ns: u64,
}

/// Writes a run of about `n_records` records. Rank r thinks (r + 1) µs; in lockstep an operation ends
/// 100 ns after the last rank has come, and nobody scores; one-sided it takes 100 ns, and rank 0 wins a
/// digit in each of its first nine claims.
pub fn write(folder: &Path, version: Version, n_ranks: u32, n_records: u64) -> Known {
    let n_games = n_records / (RECORDS_OF_A_GAME * u64::from(n_ranks));
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a folder");
    let run = RunInfo {
        format: RUN_FORMAT.into(),
        onesided: env!("CARGO_PKG_VERSION").into(),
        run_id: format!("{RUN_ID:x}"),
        version,
        claim_with: (version == Version::Rma).then(|| "fetch-and-op".into()),
        guess: None,
        skip_known: false,
        spread: false,
        resumed: None,
        command: vec!["made up".into()],
        started: "2026-01-01T00:00:00Z".into(),
        ended: Some("2026-01-01T00:00:01Z".into()),
        interrupted: None,
        ranks: n_ranks,
        home: 0,
        digits: 9,
        games: n_games,
        seed: 1,
        think: "1us + 1us a rank".into(),
        mpi_library: "none".into(),
        progress: None,
        hosts: vec!["made-up".into(); n_ranks as usize],
        nodes: vec![0; n_ranks as usize],
        clocks: Clocks::one("made-up", n_ranks),
        tracer: TracerCost::default(),
        unmapped: false,
    };
    let text = serde_json::to_string(&run).expect("JSON");
    std::fs::write(folder.join(RUN_FILE), text).expect("written");
    for rank in 0..n_ranks {
        write_rank(folder, version, rank, n_ranks, n_games).expect("written");
    }
    let ranks = u64::from(n_ranks);
    let wait_a_round = (0..ranks)
        .map(|rank| 1000 * (ranks - 1 - rank))
        .sum::<u64>();
    let rounds = n_games * ROUNDS_OF_A_GAME;
    Known {
        n_records: n_games * RECORDS_OF_A_GAME * ranks,
        guesses: rounds * ranks,
        think_ns: rounds * (0..ranks).map(|rank| 1000 * (rank + 1)).sum::<u64>(),
        wait_ns: match version {
            Version::Collective => rounds * wait_a_round,
            Version::Rma => 0,
        },
    }
}

fn write_rank(
    folder: &Path,
    version: Version,
    rank: u32,
    n_ranks: u32,
    n_games: u64,
) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(folder.join(file_name(rank)))?);
    let n_records = n_games * RECORDS_OF_A_GAME;
    let header = Header {
        run_id: RUN_ID,
        rank,
        n_ranks,
        capacity: n_records,
        dropped: 0,
        recorded: Some(n_records),
    };
    for word in header.to_words() {
        out.write_all(&word.to_le_bytes())?;
    }
    let think_ns = 1000 * u64::from(rank + 1);
    let slowest_ns = 1000 * u64::from(n_ranks);
    let mut now = 1_000_000_000u64;
    for game in 0..n_games as u32 {
        let start = now;
        let mut add = |kind, outcome, item, word, until: u64| {
            let record = Record {
                kind,
                outcome,
                game,
                item,
                begin_ns: now,
                end_ns: until,
                word,
            };
            now = until;
            let bytes: Vec<u8> = record
                .to_words()
                .into_iter()
                .flat_map(u64::to_le_bytes)
                .collect();
            out.write_all(&bytes)
        };
        add(Kind::Start, Outcome::None, 0, 0, start + 500)?;
        let mut at = start + 500;
        for round in 0..ROUNDS_OF_A_GAME as u32 {
            let round_ns = match version {
                Version::Collective => slowest_ns + 100,
                Version::Rma => think_ns + 100,
            };
            add(Kind::Think, Outcome::None, 0, 0, at + think_ns)?;
            let (kind, outcome, item, word) = match version {
                Version::Collective => (Kind::Allreduce, Outcome::Lost, round % 10, 0x3ff),
                Version::Rma => claim(rank, round),
            };
            add(kind, outcome, item, word, at + round_ns)?;
            at += round_ns;
        }
        add(
            Kind::Finish,
            Outcome::None,
            points(version, rank),
            ROUNDS_OF_A_GAME,
            at,
        )?;
        // The next game begins when the slowest has left this one.
        now = start + 500 + ROUNDS_OF_A_GAME * (slowest_ns + 100) + 1000;
    }
    out.flush()
}

fn points(version: Version, rank: u32) -> u32 {
    match (version, rank) {
        (Version::Rma, 0) => 9,
        _ => 0,
    }
}

/// Rank 0 wins digits 1 to 9 one after the other; the others lose the last one that is claimed by
/// then, or look where there is none.
fn claim(rank: u32, round: u32) -> (Kind, Outcome, u32, u64) {
    let ended_ns = u64::from(round + 1) * (1000 * u64::from(rank + 1) + 100);
    let n_claimed = (ended_ns / 1100).min(9) as u32;
    let outcome = match (rank, round, n_claimed) {
        (0, 0..9, _) => Outcome::Won,
        (_, _, 0) => Outcome::Looked,
        _ => Outcome::Lost,
    };
    (Kind::Claim, outcome, n_claimed, (1 << n_claimed) - 1)
}
