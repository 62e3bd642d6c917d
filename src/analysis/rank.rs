//! One rank's records, game by game, and where its time went.

use super::add;
use super::watch::{Place, Seen, Watch};
use crate::trace::{End, Kind, Outcome, Reading, Record, Records};

/// Records in the order in which they happened, and why they end.
pub trait Stream: Iterator<Item = Record> {
    /// Why there are no more, once there are none.
    fn end(&self) -> End;
}

impl Stream for Records {
    fn end(&self) -> End {
        Records::end(self).cloned().unwrap_or(End::Closed)
    }
}

impl Stream for std::vec::IntoIter<Record> {
    fn end(&self) -> End {
        End::Closed
    }
}

/// Sums over games. Times in nanoseconds; `useful + wait + operation + tracer` is `play`, which fits
/// 64 bits: records of a rank follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RankSums {
    pub(super) guesses: u64,
    pub(super) points: u64,
    pub(super) operations: u64,
    pub(super) useful_ns: u64,
    pub(super) wait_ns: u64,
    pub(super) operation_ns: u64,
    pub(super) tracer_ns: u64,
    pub(super) play_ns: u64,
    pub(super) idle_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RankGame {
    pub(super) guesses: u64,
    pub(super) points: u64,
    pub(super) operations: u64,
    pub(super) useful_ns: u64,
    /// When the game started on this rank.
    start_ns: Option<u64>,
    /// When its last record so far ended.
    last_ns: u64,
    last_win_ns: Option<u64>,
    /// What the finish record says: guesses and points.
    pub(super) finished: Option<(u64, u32)>,
}

impl RankGame {
    /// From the start to the last record.
    pub(super) fn play_ns(&self) -> u64 {
        self.start_ns
            .map_or(0, |start_ns| self.last_ns.saturating_sub(start_ns))
    }

    /// From the start to the last score.
    pub(super) fn last_win_ns(&self) -> u64 {
        match (self.start_ns, self.last_win_ns) {
            (Some(start_ns), Some(win_ns)) => win_ns.saturating_sub(start_ns),
            _ => 0,
        }
    }

    /// Whether its counts are those that the rank itself had at the end.
    pub(super) fn counts_agree(&self) -> bool {
        self.finished
            .is_none_or(|counted| counted == (self.guesses, self.points as u32))
    }
}

/// A rank's stream and what it has said so far.
#[derive(Debug)]
pub(super) struct Rank<S> {
    pub(super) rank: u32,
    pub(super) reading: Reading,
    place: Place,
    stream: S,
    /// Read and not yet taken.
    next: Option<Record>,
    pub(super) n_taken: u64,
    /// The last that was taken.
    pub(super) last: Option<Record>,
    cost_ns: u64,
    pub(super) sums: RankSums,
    pub(super) game: RankGame,
}

impl<S: Stream> Rank<S> {
    pub(super) fn new(rank: u32, reading: Reading, mut stream: S, cost_ns: u64) -> Self {
        let next = stream.next();
        Rank {
            rank,
            reading,
            place: Place::new(rank, reading),
            stream,
            next,
            n_taken: 0,
            last: None,
            cost_ns,
            sums: RankSums::default(),
            game: RankGame::default(),
        }
    }

    /// The game of the next record; `None` at the end.
    pub(super) fn next_game(&self) -> Option<u32> {
        self.next.map(|record| record.game)
    }

    /// When its next record begins, on the reference clock.
    pub(super) fn next_begin_ns(&self) -> Option<u64> {
        Some(self.reading.moment(self.next?.begin_ns).ns)
    }

    /// Why the stream ended.
    pub(super) fn end(&self) -> End {
        self.stream.end()
    }

    /// Whether all that the rank did in `games` games is known: also where it did not come to close its file
    /// after the last.
    pub(super) fn is_whole(&self, games: u64) -> bool {
        let has_finished = |last: Record| {
            last.kind == Kind::Finish && u64::from(last.game).checked_add(1) == Some(games)
        };
        match self.end() {
            End::Closed => true,
            End::CutShort => self.last.is_some_and(has_finished),
            _ => false,
        }
    }

    /// Takes records of `game` up to and with the next operation, which it returns. `None` when the
    /// game, or the stream, has no more. Shows `watch` those before; the operation is shown when it was
    /// [counted](Rank::count).
    #[inline]
    pub(super) fn next_operation<W: Watch>(&mut self, game: u32, watch: &mut W) -> Option<Record> {
        loop {
            let record = self.next.filter(|record| record.game == game)?;
            self.next = self.stream.next();
            self.n_taken += 1;
            self.last = Some(record);
            match record.kind {
                Kind::Start => {
                    self.game.start_ns = Some(record.end_ns);
                    self.game.last_ns = record.end_ns;
                }
                Kind::Think => {
                    let (useful_ns, tracer_ns) = self.part_of_tracer(&record, record.duration_ns());
                    self.game.useful_ns += useful_ns;
                    self.sums.useful_ns += useful_ns;
                    self.sums.tracer_ns += tracer_ns;
                }
                Kind::Claim | Kind::Allreduce => return Some(record),
                Kind::Finish => {
                    let (_, gap_ns) = self.part_of_tracer(&record, 0);
                    self.sums.tracer_ns += gap_ns + record.duration_ns();
                    self.game.finished = Some((record.word, record.item));
                }
            }
            self.place.show(watch, record, Seen::default());
        }
    }

    /// Counts an operation that was taken, and what of its time was waiting, and shows it.
    #[inline]
    pub(super) fn count<W: Watch>(&mut self, record: &Record, seen: Seen, watch: &mut W) {
        self.place.show(watch, *record, seen);
        let wait_ns = seen.wait_ns.min(record.duration_ns());
        let (operation_ns, tracer_ns) = self.part_of_tracer(record, record.duration_ns() - wait_ns);
        self.sums.wait_ns += wait_ns;
        self.sums.operation_ns += operation_ns;
        self.sums.tracer_ns += tracer_ns;
        // Of 0 nothing is announced: that is a sign of life, or a checkpoint.
        let is_upkeep = record.outcome == Outcome::Announced && record.item == 0;
        let is_one = record.outcome != Outcome::Skipped && !is_upkeep;
        self.game.operations += u64::from(is_one);
        if record.outcome != Outcome::Announced {
            self.game.guesses += 1;
        }
        let scored = match record.kind {
            // An allreduce that decides a guess is followed by one that tells of it; that is when the
            // rank has scored.
            Kind::Allreduce => record.outcome == Outcome::Announced,
            _ => record.outcome == Outcome::Won,
        };
        if record.outcome == Outcome::Won {
            self.game.points += 1;
        }
        if scored {
            self.game.last_win_ns = Some(record.end_ns);
        }
    }

    /// What of `ns`, the time of `record`, was recording: the event of the record before falls into
    /// it. And what lies between the two records. Moves on to the end of the record.
    #[inline]
    fn part_of_tracer(&mut self, record: &Record, ns: u64) -> (u64, u64) {
        if self.game.start_ns.is_none() {
            // The rank's start was not recorded; its game begins here.
            self.game.start_ns = Some(record.begin_ns);
            self.game.last_ns = record.begin_ns;
        }
        let gap_ns = record.begin_ns.saturating_sub(self.game.last_ns);
        self.game.last_ns = record.end_ns;
        let cost_ns = self.cost_ns.min(ns);
        (ns - cost_ns, cost_ns + gap_ns)
    }

    /// How long the rank thought since it was asked last.
    pub(super) fn take_useful_ns(&mut self, before: u64) -> u64 {
        self.game.useful_ns - before
    }

    /// Ends the game: adds what belongs to whole games, and returns the game.
    pub(super) fn end_game(&mut self, wall_ns: u64) -> RankGame {
        let game = std::mem::take(&mut self.game);
        self.sums.guesses += game.guesses;
        self.sums.points += game.points;
        self.sums.operations += game.operations;
        self.sums.play_ns += game.play_ns();
        add(&mut self.sums.idle_ns, wall_ns - game.play_ns());
        game
    }
}
