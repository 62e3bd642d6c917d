//! Runs that nobody played: folders as `onesided play --trace` writes them, the same on every machine.
//!
//! Records come from a small model of the game. Times are made up, and what the operations answer
//! fits: claims form one order in time, and allreduces keep all ranks in step.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::fs;
use std::path::Path;

use onesided::internals::trace::{
    Clock, Clocks, Header, Kind, Offset, Outcome, ProgressInfo, RUN_FILE, RUN_FORMAT, Record,
    RunInfo, TracerCost, Version, file_name,
};

/// How long an operation takes that waits for nobody.
const OPERATION_NS: u64 = 20_000;

/// A run: what `run.json` says, and each rank's records.
#[derive(Debug, Clone)]
pub struct Synthetic {
    pub info: RunInfo,
    pub records: Vec<Vec<Record>>,
}

/// A game in the making.
struct Player {
    records: Vec<Record>,
    now_ns: u64,
    random: u64,
    think_ns: u64,
    game: u32,
    guesses: u64,
    points: u32,
}

impl Synthetic {
    /// `games` games of digits 1 to 9; rank r thinks about r + 1 milliseconds.
    pub fn new(version: Version, ranks: u32, games: u32, seed: u64) -> Self {
        let one_sided = version == Version::Rma;
        let info = RunInfo {
            format: RUN_FORMAT.into(),
            onesided: "0.1.0".into(),
            run_id: format!("{:016x}", seed << 1 | u64::from(one_sided)),
            version,
            claim_with: one_sided.then(|| "fetch-and-op".into()),
            guess: None,
            skip_known: false,
            spread: false,
            resumed: None,
            command: vec!["onesided".into(), "play".into()],
            started: "2026-11-23T00:00:00Z".into(),
            ended: Some("2026-11-23T00:01:00Z".into()),
            interrupted: None,
            ranks,
            home: 0,
            digits: 9,
            games: games.into(),
            seed,
            think: "1ms + 1ms a rank".into(),
            mpi_library: "Open MPI 4.1.4".into(),
            progress: one_sided.then(|| ProgressInfo {
                asked: "auto".into(),
                means: "library".into(),
                interval_us: None,
                trials: Vec::new(),
            }),
            hosts: (0..ranks)
                .map(|rank| format!("node{}", rank / 64))
                .collect(),
            nodes: (0..ranks).map(|rank| rank / 64).collect(),
            clocks: Clocks::one("node0", ranks),
            tracer: TracerCost {
                record_ns: 50.0,
                clock_ns: 20.0,
            },
            unmapped: false,
        };
        let mut players: Vec<Player> = (0..ranks).map(|rank| Player::new(rank, seed)).collect();
        for game in 0..games {
            start(&mut players, game);
            match version {
                Version::Rma => one_sided_game(&mut players, info.digits),
                Version::Collective => collective_game(&mut players, info.digits),
            }
        }
        let records = players.into_iter().map(|player| player.records).collect();
        Synthetic { info, records }
    }

    /// Puts every rank but the first on one of so many clocks, clock c ahead by c seconds, known to
    /// ±1 us, drifting by 1 us a second.
    pub fn give_clocks(&mut self, n_clocks: u32) {
        for clock in 1..n_clocks {
            let offset = |at_ns, drifted_ns| {
                Some(Offset {
                    at_ns,
                    offset_ns: i64::from(clock) * 1_000_000_000 + drifted_ns,
                    error_ns: 1000,
                })
            };
            self.info.clocks.clocks.push(Clock {
                host: format!("node{clock}"),
                before: offset(0, 0),
                after: offset(1_000_000_000_000, 1_000_000),
            });
        }
        for (rank, records) in (0..).zip(&mut self.records).skip(1) {
            let clock = rank % n_clocks;
            self.info.clocks.of_rank[rank as usize] = clock;
            for record in records {
                let local = |ns: u64| ns + u64::from(clock) * (1_000_000_000 + ns / 1_000_000);
                (record.begin_ns, record.end_ns) = (local(record.begin_ns), local(record.end_ns));
            }
        }
    }

    /// Number of records of all ranks.
    pub fn n_records(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }

    /// The file of a rank, closed, with room for no more.
    pub fn file_of(&self, rank: u32) -> Vec<u8> {
        let records = &self.records[rank as usize];
        let header = self.header_of(rank);
        let words = records.iter().flat_map(Record::to_words);
        let words = header.to_words().into_iter().chain(words);
        words.flat_map(u64::to_le_bytes).collect()
    }

    /// The header of that file.
    pub fn header_of(&self, rank: u32) -> Header {
        let n_records = self.records[rank as usize].len() as u64;
        Header {
            run_id: self.info.run_number().expect("a number"),
            rank,
            n_ranks: self.info.ranks,
            capacity: n_records,
            dropped: 0,
            recorded: Some(n_records),
        }
    }

    /// Writes the run's folder.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        let text = serde_json::to_string_pretty(&self.info).expect("a document");
        fs::write(folder.join(RUN_FILE), text).expect("run.json");
        for rank in 0..self.info.ranks {
            fs::write(folder.join(file_name(rank)), self.file_of(rank)).expect("records");
        }
    }
}

impl Player {
    fn new(rank: u32, seed: u64) -> Self {
        Player {
            records: Vec::new(),
            now_ns: 1_000_000_000 + 100 * u64::from(rank),
            random: seed << 32 | u64::from(rank),
            think_ns: 1_000_000 * u64::from(rank + 1),
            game: 0,
            guesses: 0,
            points: 0,
        }
    }

    /// SplitMix64 (Steele, Lea & Flood 2014), below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % limit
    }

    fn add(&mut self, kind: Kind, outcome: Outcome, item: u32, word: u64, end_ns: u64) {
        self.records.push(Record {
            kind,
            outcome,
            game: self.game,
            item,
            begin_ns: self.now_ns,
            end_ns,
            word,
        });
        self.now_ns = end_ns + 30;
    }

    /// Thinks a tenth longer at most, and says what it guesses.
    fn think(&mut self, digits: u32) -> u32 {
        let think_ns = self.think_ns + self.below(self.think_ns / 10);
        let until_ns = self.now_ns + think_ns;
        self.add(Kind::Think, Outcome::None, 0, 0, until_ns);
        self.below(u64::from(digits) + 1) as u32
    }

    fn count(&mut self, outcome: Outcome) {
        self.guesses += 1;
        self.points += u32::from(outcome == Outcome::Won);
    }

    fn finish(&mut self) {
        let (points, guesses) = (self.points, self.guesses);
        self.add(
            Kind::Finish,
            Outcome::None,
            points,
            guesses,
            self.now_ns + 900,
        );
    }
}

/// A barrier: nobody starts before everybody is there.
fn start(players: &mut [Player], game: u32) {
    let latest_ns = players.iter().map(|player| player.now_ns).max();
    for player in players {
        (player.game, player.guesses, player.points) = (game, 0, 0);
        let until_ns = latest_ns.unwrap_or(0) + 1000 + player.below(500);
        player.add(Kind::Start, Outcome::None, 0, 0, until_ns);
    }
}

/// Claims take effect halfway, in the order of these moments. At most 63 digits.
fn one_sided_game(players: &mut [Player], digits: u32) {
    let all = (1 << digits) - 1;
    let mut word = 0;
    let mut guesses: Vec<Option<u32>> = players
        .iter_mut()
        .map(|player| Some(player.think(digits)))
        .collect();
    loop {
        let playing = (0..players.len()).filter(|&rank| guesses[rank].is_some());
        let Some(next) = playing.min_by_key(|&rank| (players[rank].now_ns, rank)) else {
            return;
        };
        let (player, digit) = (&mut players[next], guesses[next].expect("playing"));
        let outcome = match digit {
            0 => Outcome::Looked,
            digit if word >> (digit - 1) & 1 == 1 => Outcome::Lost,
            _ => Outcome::Won,
        };
        word |= match digit {
            0 => 0,
            digit => 1 << (digit - 1),
        };
        player.add(
            Kind::Claim,
            outcome,
            digit,
            word,
            player.now_ns + OPERATION_NS,
        );
        player.count(outcome);
        guesses[next] = match word == all {
            true => {
                player.finish();
                None
            }
            false => Some(player.think(digits)),
        };
    }
}

/// A guess is decided by what is known before it, and a score is told of in the next allreduce: two
/// ranks can score a digit at once, and all take the same number of steps.
fn collective_game(players: &mut [Player], digits: u32) {
    let all = (1 << (digits + 1)) - 2;
    let mut known = 0u64;
    let mut to_announce: Vec<Option<u32>> = vec![None; players.len()];
    while known != all {
        let steps: Vec<(u32, bool)> = players
            .iter_mut()
            .zip(&mut to_announce)
            .map(|(player, scored)| match scored.take() {
                Some(digit) => (digit, true),
                None => (player.think(digits), false),
            })
            .collect();
        for &(digit, announced) in &steps {
            known |= u64::from(announced) << digit;
        }
        let last_ns = players.iter().map(|player| player.now_ns).max();
        for (rank, player) in players.iter_mut().enumerate() {
            let (digit, announced) = steps[rank];
            let outcome = match announced {
                true => Outcome::Announced,
                false if digit == 0 || known >> digit & 1 == 1 => Outcome::Lost,
                false => Outcome::Won,
            };
            let until_ns = last_ns.unwrap_or(0) + OPERATION_NS + player.below(500);
            player.add(Kind::Allreduce, outcome, digit, known, until_ns);
            if outcome == Outcome::Won {
                to_announce[rank] = Some(digit);
            }
            if !announced {
                player.count(outcome);
            }
        }
    }
    players.iter_mut().for_each(Player::finish);
}
