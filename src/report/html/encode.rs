//! Lanes as columns of small numbers, which a page unpacks: `js/decode.js` reads what is written here.
//!
//! Times are whole quanta since the run's origin. Each moment is rounded by itself and written as its
//! difference to the one before, so that no error adds up. Numbers are LEB128 varints.
//!
//! | column | one entry for each | content |
//! |---|---|---|
//! | `steps` | lane | how many steps it has |
//! | `what` | step | a byte: [`What`], and the bits [`CLAIMED`], [`WAITS`], [`NEXT_GAME`] |
//! | `game` | step with `NEXT_GAME` | how many games further in the table of games |
//! | `gap` | step | from the end of the step before to its beginning |
//! | `length` | step | its duration; of an allreduce whose round is known, zigzag, from when it could end |
//! | `item` | operation | the digit |
//! | `wait`, `whom` | step with `WAITS` | how long it waited, and for whom |
//! | `sums` | several records in one step | records, thinks, operations, guesses, claimed digits; thinking, operation and other time |
//! | `games` | game | its number less the one before (zigzag), its rounds, its beginning (zigzag difference) |
//! | `last`, `enter`, `rounds` | round | who came last, when (zigzag difference), how many rounds it stands for |
//!
//! An allreduce whose round is known neither says how long it waited nor for whom: until the last one
//! came, or until it left.

use super::lanes::{Game, Lane, Lanes, Round, Step, What};

/// It claimed a digit that nobody had claimed.
pub(super) const CLAIMED: u8 = 0x10;
/// It says how long it waited.
pub(super) const WAITS: u8 = 0x20;
/// It is of a later game than the step before.
pub(super) const NEXT_GAME: u8 = 0x40;

/// The names of the columns, in their order.
pub(super) const COLUMNS: [&str; 13] = [
    "steps", "what", "game", "gap", "length", "item", "wait", "whom", "sums", "games", "last",
    "enter", "rounds",
];

/// The columns of a run.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) steps: Vec<u8>,
    pub(super) what: Vec<u8>,
    pub(super) game: Vec<u8>,
    pub(super) gap: Vec<u8>,
    pub(super) length: Vec<u8>,
    pub(super) item: Vec<u8>,
    pub(super) wait: Vec<u8>,
    pub(super) whom: Vec<u8>,
    pub(super) sums: Vec<u8>,
    pub(super) games: Vec<u8>,
    pub(super) last: Vec<u8>,
    pub(super) enter: Vec<u8>,
    pub(super) rounds: Vec<u8>,
}

impl Columns {
    /// In the order of [`COLUMNS`].
    pub(super) fn all(&self) -> [&[u8]; COLUMNS.len()] {
        [
            &self.steps,
            &self.what,
            &self.game,
            &self.gap,
            &self.length,
            &self.item,
            &self.wait,
            &self.whom,
            &self.sums,
            &self.games,
            &self.last,
            &self.enter,
            &self.rounds,
        ]
    }
}

/// A whole number of quanta: the nearest.
#[derive(Debug, Clone, Copy)]
struct Quantum(u64);

impl Quantum {
    fn of(self, ns: u64) -> u64 {
        (ns + self.0 / 2) / self.0
    }
}

/// A time that is summed up: its parts as quanta, the sum of which is never off by more than half of one.
#[derive(Default)]
struct Running {
    ns: u64,
    written: u64,
}

impl Running {
    fn next(&mut self, ns: u64, quantum: Quantum) -> u64 {
        self.ns += ns;
        let sum = quantum.of(self.ns);
        sum - std::mem::replace(&mut self.written, sum)
    }
}

/// The columns of every `stride`-th lane in quanta of so many nanoseconds; of all lanes by 1.
pub(super) fn encode(lanes: &Lanes, quantum_ns: u64, stride: usize) -> Columns {
    let mut columns = Columns::default();
    let quantum = Quantum(quantum_ns);
    columns.table_of_games(lanes, quantum);
    // Where each game's rounds begin; once rounds are merged it is not known which is whose.
    let first_rounds: Option<Vec<usize>> = (lanes.cell_ns == 0).then(|| {
        let mut first = 0;
        let next = |game: &Game| {
            let this = first;
            first += game.n_rounds as usize;
            this
        };
        lanes.games.iter().map(next).collect()
    });
    for lane in lanes.lanes.iter().step_by(stride) {
        let mut rounds = Rounds {
            of_game: first_rounds.as_deref(),
            all: &lanes.rounds,
            game: None,
            next: 0,
        };
        columns.lane(lane, quantum, &mut rounds);
    }
    columns
}

/// The rounds of a lane's allreduces, one after the other.
struct Rounds<'a> {
    of_game: Option<&'a [usize]>,
    all: &'a [Round],
    game: Option<u32>,
    next: usize,
}

impl Rounds<'_> {
    fn next(&mut self, game: u32) -> Option<Round> {
        let of_game = self.of_game?;
        if self.game != Some(game) {
            self.game = Some(game);
            self.next = of_game[game as usize];
        }
        self.next += 1;
        Some(self.all[self.next - 1])
    }
}

impl Columns {
    fn table_of_games(&mut self, lanes: &Lanes, quantum: Quantum) {
        let (mut number, mut begin) = (0, 0);
        // Once records are merged a game that begins and ends within a piece of time is no game.
        let mut cell = None;
        for game in &lanes.games {
            let this_cell = game.begin_ns.checked_div(lanes.cell_ns);
            if this_cell.is_some() && std::mem::replace(&mut cell, this_cell) == this_cell {
                continue;
            }
            put_signed(&mut self.games, i64::from(game.number) - number);
            put(&mut self.games, u64::from(game.n_rounds));
            let at = quantum.of(game.begin_ns);
            put_signed(&mut self.games, difference(at, begin));
            (number, begin) = (i64::from(game.number), at);
        }
        let mut enter = 0;
        for round in &lanes.rounds {
            let at = quantum.of(round.enter_ns);
            put(&mut self.last, u64::from(round.last));
            put_signed(&mut self.enter, difference(at, enter));
            put(&mut self.rounds, u64::from(round.n));
            enter = at;
        }
    }

    fn lane(&mut self, lane: &Lane, quantum: Quantum, rounds: &mut Rounds<'_>) {
        put(&mut self.steps, lane.steps.len() as u64);
        let (mut end, mut game) = (0, 0);
        let mut running: [Running; 4] = Default::default();
        for step in &lane.steps {
            let mut bits = step.what as u8;
            if rounds.of_game.is_some() && step.game != game {
                bits |= NEXT_GAME;
                put(&mut self.game, u64::from(step.game - game));
                game = step.game;
            }
            if step.claimed {
                bits |= CLAIMED;
            }
            let begin = quantum.of(step.begin_ns);
            put(&mut self.gap, begin - end);
            end = quantum.of(step.end_ns);
            let round = match step.what.is_allreduce() {
                true => rounds.next(step.game),
                false => None,
            };
            match round {
                Some(round) => {
                    let from = quantum.of(round.enter_ns).max(begin);
                    put_signed(&mut self.length, difference(end, from));
                }
                None => put(&mut self.length, end - begin),
            }
            if round.is_none_or(|round| !follows(step, &round)) && step.wait_ns > 0 {
                bits |= WAITS;
                let waited = match step.what {
                    What::Several => running[0].next(step.wait_ns, quantum),
                    _ => quantum.of(step.begin_ns + step.wait_ns) - begin,
                };
                put(&mut self.wait, waited);
                put(&mut self.whom, u64::from(step.whom));
            } else if round.is_some_and(|round| !follows(step, &round)) {
                bits |= WAITS;
                put(&mut self.wait, 0);
                put(&mut self.whom, u64::from(step.whom));
            }
            match step.what {
                What::Several => {
                    let sum = &lane.sums[step.item as usize];
                    let numbers = [
                        sum.n_records,
                        sum.n_thinks,
                        sum.n_operations,
                        sum.n_guesses,
                        sum.n_claimed,
                    ];
                    for n in numbers {
                        put(&mut self.sums, u64::from(n));
                    }
                    let times = [sum.thinking_ns, sum.operation_ns, sum.other_ns];
                    for (time, ns) in running[1..].iter_mut().zip(times) {
                        put(&mut self.sums, time.next(ns, quantum));
                    }
                }
                what if what.is_operation() => put(&mut self.item, u64::from(step.item)),
                _ => {}
            }
            self.what.push(bits);
        }
    }
}

/// Whether how long an allreduce waited, and for whom, follows from its round.
fn follows(step: &Step, round: &Round) -> bool {
    let until_ns = round.enter_ns.clamp(step.begin_ns, step.end_ns);
    step.wait_ns == until_ns - step.begin_ns && step.whom == round.last
}

/// Moments of damaged runs may lie centuries apart.
fn difference(a: u64, b: u64) -> i64 {
    a.wrapping_sub(b) as i64
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Zigzag: 0, −1, 1, −2, … as 0, 1, 2, 3, …
fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put(bytes, (number << 1 ^ number >> 63) as u64);
}
