//! Misuse: items, words, ranks and regions that are not there panic before anything is in flight, in release builds
//! too, and leave the board as it was. `just unchecked` runs these where the compiler checks no arithmetic.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use onesided::claim::{
    BitBoard, Blackboard, Board, Chunks, Claim, MAX_VALUE, Memory, Objective, Options, Permutation,
    Schedule, SharedBoard, SlotBoard, SpreadBoard, TwoTierBoard, WordBoard,
};
use onesided::internals::claim::{Decision, Entry, Ledger, Muster, N_NUMBERS};
use onesided::rma::{
    Bits, Comm, Counter, Dealt, Highest, Hints, Homes, Layout, OneHome, OrOperation, RUN_WORDS,
    Rank, Region, Result, RunBuffer, SharedWindow, Slot, Window,
};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::harness::{Body, gather_numbers, is_apart};

pub const BODIES: &[Body] = &[
    Body {
        name: "misuse::bits",
        run: |comm| words(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "misuse::spread_bits",
        run: |comm| words(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "misuse::shared",
        run: |comm| {
            words(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "misuse::slots",
        run: |comm| slots(comm, |n| SlotBoard::open(comm, 0, n)),
    },
    Body {
        name: "misuse::spread_slots",
        run: |comm| {
            slots(comm, |n| {
                SlotBoard::open_spread(comm, n, &Options::default())
            })
        },
    },
    Body {
        name: "misuse::two_tier",
        run: two_tier,
    },
    Body {
        name: "misuse::a_word_beyond_the_board_is_not_claimed",
        run: words_beyond,
    },
    Body {
        name: "misuse::nothing_is_in_flight_after_a_panic",
        run: caught,
    },
    Body {
        name: "misuse::windows",
        run: windows,
    },
    Body {
        name: "misuse::ranks_that_do_not_exist",
        run: ranks,
    },
    Body {
        name: "misuse::blackboard",
        run: blackboard,
    },
    Body {
        name: "misuse::numbers",
        run: numbers,
    },
];

/// What `call` returns; `None` where it panics, as it does exactly if it is misuse.
fn called<T>(is_misuse: bool, call: impl FnOnce() -> T) -> Option<T> {
    let hook = take_hook(); // it would end the job
    set_hook(Box::new(|_| {}));
    let returned = catch_unwind(AssertUnwindSafe(call));
    set_hook(hook);
    assert_eq!(returned.is_err(), is_misuse, "whether it panicked");
    returned.ok()
}

fn panics<T>(call: impl FnOnce() -> T) {
    let _ = called(true, call);
}

/// Mostly an index below `n`, and else anything that a wrong program may come to.
fn index(random: &mut ChaCha8Rng, n: usize) -> usize {
    match random.random_range(0..12) {
        0 => n,
        1 => n.saturating_add(random.random_range(0..200)),
        2 => usize::MAX - random.random_range(0..3),
        3 => 1 << random.random_range(0..usize::BITS),
        _ => random.random_range(0..n.max(1)),
    }
}

/// What a rank has won and completed, as it was told.
struct Player {
    random: ChaCha8Rng,
    won: Vec<usize>,
    completed: Vec<usize>,
}

impl Player {
    fn new(comm: &Comm<'_>, seed: u64) -> Self {
        Player {
            random: ChaCha8Rng::seed_from_u64(seed * 1000 + comm.rank() as u64),
            won: Vec::new(),
            completed: Vec::new(),
        }
    }

    fn index(&mut self, n: usize) -> usize {
        index(&mut self.random, n)
    }

    fn claimed(&mut self, item: usize, claim: Option<Result<Claim>>) {
        if claim.is_some_and(|claim| claim.unwrap().is_won()) {
            self.won.push(item);
        }
    }

    /// An item that this rank has won and not completed yet.
    fn pending(&mut self) -> Option<usize> {
        let mut items = self.won.iter();
        items.find(|item| !self.completed.contains(item)).copied()
    }

    /// What all boards have.
    fn use_board(&mut self, board: &mut impl Board) {
        let n = board.n_items();
        let item = self.index(n);
        match self.random.random_range(0..6) {
            0 => {
                let claim = called(item >= n, || board.claim(item));
                self.claimed(item, claim);
            }
            1 => {
                let claim = called(item >= n, || board.claim_unless_known(item));
                self.claimed(item, claim);
            }
            2 => {
                let claims_long = self.random.random_range(0..150);
                let items: Vec<usize> = match self.random.random_range(0..3) {
                    0 => (0..claims_long).map(|_| self.index(n)).collect(),
                    _ => (0..claims_long).map(|i| i * 7 % n.max(1)).collect(),
                };
                let n_claims = match self.random.random_range(0..8) {
                    0 => claims_long + 1,
                    _ => claims_long,
                };
                let mut claims = vec![Claim::Lost { owner: None }; n_claims];
                let is_misuse = items.iter().any(|&item| item >= n) || n_claims != items.len();
                if let Some(result) = called(is_misuse, || board.claim_many(&items, &mut claims)) {
                    result.unwrap();
                    let of_won = items
                        .iter()
                        .zip(&claims)
                        .filter(|(_, claim)| claim.is_won());
                    self.won.extend(of_won.map(|(&item, _)| item));
                }
            }
            3 => {
                let is_known = called(item >= n, || board.is_known_claimed(item));
                assert!(is_known != Some(false) || !self.won.contains(&item) || n > 1000);
            }
            4 => {
                called(item >= n, || board.evidence(item));
            }
            _ => {
                board.look().unwrap();
                let _ = (board.all_known_claimed(), board.evidence_of_look());
            }
        }
    }

    /// All that was won is claimed, and nothing else, and no item twice.
    fn verdict(&self, comm: &Comm<'_>, board: &impl Board) {
        comm.barrier().unwrap();
        let own: Vec<u64> = self.won.iter().map(|&item| item as u64).collect();
        let claimed = board.account().unwrap().claimed;
        if let Some(mut all) = gather_numbers(comm, &own) {
            all.sort_unstable();
            let claimed = (0..).zip(claimed).filter(|(_, is)| *is);
            assert_eq!(all, claimed.map(|(item, _)| item).collect::<Vec<u64>>());
        }
        comm.barrier().unwrap();
    }

    /// All that was completed is completed, and nothing else.
    fn completed_of_all(&self, comm: &Comm<'_>) -> Option<usize> {
        let n = gather_numbers(comm, &[self.completed.len() as u64])?;
        Some(n.iter().sum::<u64>() as usize)
    }
}

fn n_calls(comm: &Comm<'_>) -> usize {
    if is_apart(comm) { 20 } else { 120 }
}

fn words<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let in_blocks = 3 * 4096 + 5;
    for (seed, n_items) in (0..).zip([0, 1, 9, 64, 65, 512, 1000, in_blocks]) {
        let options = Options {
            completions: true,
            in_blocks: n_items == in_blocks,
            schedule: Schedule::Fixed {
                items: NonZeroUsize::new(if n_items == in_blocks { 4096 } else { 70 }).unwrap(),
            },
            ..Options::default()
        };
        let mut board = open(n_items, &options).unwrap();
        let mut player = Player::new(comm, seed);
        for _ in 0..n_calls(comm) {
            player.use_board(&mut board);
            use_words(&mut player, &mut board);
        }
        player.verdict(comm, &board);
        let n_completed = board.n_completed().unwrap();
        if let Some(of_all) = player.completed_of_all(comm) {
            assert_eq!(n_completed, of_all);
        }
        comm.barrier().unwrap();
        board.close().unwrap();
    }
    let mut without = open(70, &Options::default()).unwrap();
    panics(|| without.complete(3));
    panics(|| without.complete_many(&[3]));
    panics(|| without.complete_many(&[]));
    panics(|| without.complete_range(3..5));
    panics(|| without.complete_range(5..5));
    panics(|| without.is_completed(3));
    panics(|| without.all_completed());
    panics(|| without.n_completed());
    without.close().unwrap();
}

fn use_words<M: Memory>(player: &mut Player, board: &mut WordBoard<'_, M>) {
    let (n, n_words) = (board.n_items(), board.n_words());
    let item = player.index(n);
    match player.random.random_range(0..9) {
        0 => {
            let index = player.index(n_words);
            if let Some(won) = called(index >= n_words, || board.claim_word(index)) {
                player.won.extend(won.unwrap().iter());
            }
        }
        1 => {
            if let Some(won) = board.claim_next().unwrap() {
                player.won.extend(won.iter());
            }
        }
        2 => {
            called(item >= n, || board.rank_of(item));
        }
        3 => {
            let is_completed = called(item >= n, || board.is_completed(item));
            let is_own = player.completed.contains(&item);
            assert!(is_completed.is_none_or(|is| is.unwrap() || !is_own));
        }
        4 if item >= n => panics(|| board.complete(item)),
        5 => {
            let beyond = n.saturating_add(player.random.random_range(1..300));
            panics(|| board.complete_range(0..beyond));
            panics(|| board.complete_range(n.saturating_sub(1)..usize::MAX));
        }
        6 if item >= n => {
            let own = player.pending();
            let mut items: Vec<usize> = (0..100).map(|_| own.unwrap_or(item)).collect();
            items.push(item);
            panics(|| board.complete_many(&items));
        }
        7 => {
            if let Some(own) = player.pending() {
                board.complete_range(own..own + 1).unwrap();
                player.completed.push(own);
            }
        }
        _ => {
            if let Some(own) = player.pending() {
                board.complete(own).unwrap();
                player.completed.push(own);
            }
        }
    }
}

fn slots<'mpi, H: Homes>(comm: &Comm<'mpi>, open: impl Fn(usize) -> Result<SlotBoard<'mpi, H>>) {
    let (own_rank, n_ranks) = (comm.rank(), comm.size());
    for (seed, n_items) in (100..).zip([0, 1, 9, 65, 300]) {
        let mut board = open(n_items).unwrap();
        let mut player = Player::new(comm, seed);
        for _ in 0..n_calls(comm) {
            player.use_board(&mut board);
            let item = player.index(n_items);
            let no_item = item >= n_items;
            match player.random.random_range(0..5) {
                0 => {
                    called(no_item, || board.holder(item).unwrap());
                    called(no_item, || board.is_completed(item).unwrap());
                }
                1 => {
                    let from = match player.random.random_range(0..4) {
                        0 => own_rank, // what is held stays held
                        1 => -1 - player.random.random_range(0..3),
                        2 => n_ranks,
                        _ => [Rank::MIN, Rank::MAX][player.random.random_range(0..2)],
                    };
                    let is_misuse = no_item || from != own_rank;
                    called(is_misuse, || board.take_over(item, from).unwrap());
                }
                2 if no_item => {
                    let own = player.pending();
                    let mut items: Vec<usize> = (0..100).map(|_| own.unwrap_or(item)).collect();
                    items.push(item);
                    panics(|| board.complete_many(&items));
                    panics(|| board.complete(item));
                }
                _ => {
                    if let Some(own) = player.pending() {
                        board.complete(own).unwrap();
                        player.completed.push(own);
                    }
                }
            }
        }
        player.verdict(comm, &board);
        let n_completed = board.n_completed().unwrap();
        if let Some(of_all) = player.completed_of_all(comm) {
            assert_eq!(n_completed, of_all);
        }
        comm.barrier().unwrap();
        board.close().unwrap();
    }
}

fn two_tier(comm: &Comm<'_>) {
    for (seed, n_items) in (200..).zip([0, 1, 9, 65, 300]) {
        let mut board = TwoTierBoard::open(comm, 0, n_items).unwrap();
        let mut player = Player::new(comm, seed);
        (0..n_calls(comm)).for_each(|_| player.use_board(&mut board));
        player.verdict(comm, &board);
        board.close().unwrap();
    }
}

/// Words beyond the board that lie beside it in its memory: counters, and which items are completed.
fn words_beyond(comm: &Comm<'_>) {
    let completions = Options {
        completions: true,
        ..Options::default()
    };
    for (n_items, words) in [
        (512, [9, 8, 1 << 61, usize::MAX]),
        (64, [8, 1, 1 << 58, usize::MAX / 8]),
    ] {
        let mut board = BitBoard::open_with(comm, 0, n_items, &completions).unwrap();
        for word in words.into_iter().chain([11, 12, 16]) {
            panics(|| board.claim_word(word).map(|won| won.len()));
        }
        comm.barrier().unwrap();
        assert_eq!(board.n_completed().unwrap(), 0);
        assert_eq!(board.n_claimed().unwrap(), 0);
        comm.barrier().unwrap();
        let mut won = Vec::new();
        while let Some(chunk) = board.claim_next().unwrap() {
            won.extend(chunk.iter().map(|item| item as u64));
        }
        if let Some(mut all) = gather_numbers(comm, &won) {
            all.sort_unstable();
            assert_eq!(all, (0..n_items as u64).collect::<Vec<_>>());
        }
        board.close().unwrap();
    }
}

/// A panic in the middle of a pipeline leaves neither items claimed for nobody nor results for others to take for
/// theirs.
fn caught(comm: &Comm<'_>) {
    let n_items = 300;
    let far: Vec<usize> = (0..200).chain([99_999]).collect();
    fn misuse(board: &mut impl Board, far: &[usize]) {
        for items in [&[0, 99_999][..], far] {
            let mut claims = vec![Claim::Lost { owner: None }; items.len()];
            panics(|| board.claim_many(items, &mut claims));
        }
    }
    fn each_once(comm: &Comm<'_>, mut board: impl Board, far: &[usize]) {
        let rank = comm.rank() as usize;
        let mut player = Player::new(comm, 0);
        if rank == 1 {
            let claim = board.claim(1).unwrap();
            player.claimed(1, Some(Ok(claim)));
            assert!(claim.is_won(), "nobody else claims yet");
        }
        comm.barrier().unwrap();
        misuse(&mut board, far);
        for item in 0..board.n_items() {
            let claim = board.claim(item);
            player.claimed(item, Some(claim));
            if item % 50 == 0 {
                misuse(&mut board, far);
            }
        }
        comm.barrier().unwrap();
        assert_eq!(
            board.account().unwrap().claimed,
            vec![true; board.n_items()]
        );
        player.verdict(comm, &board);
        board.close().unwrap();
    }
    each_once(comm, BitBoard::open(comm, 0, n_items).unwrap(), &far);
    each_once(comm, SpreadBoard::open(comm, n_items).unwrap(), &far);
    each_once(comm, SharedBoard::open(comm, 0, n_items).unwrap(), &far);
    each_once(comm, TwoTierBoard::open(comm, 0, n_items).unwrap(), &far);
    each_once(comm, SlotBoard::open(comm, 0, n_items).unwrap(), &far);
    let spread = SlotBoard::open_spread(comm, n_items, &Options::default());
    each_once(comm, spread.unwrap(), &far);
}

/// One region of each kind.
#[derive(Clone, Copy)]
struct Regions {
    slots: Region<Slot>,
    counters: Region<Counter>,
    bits: Region<Bits>,
    highest: Region<Highest>,
}

fn lay_out(n_ranks: usize, order: bool) -> (Layout, Regions) {
    let mut layout = Layout::dealt(n_ranks);
    let mut regions = Regions {
        slots: layout.region(5),
        counters: layout.region(5),
        bits: layout.region(5),
        highest: layout.region(5),
    };
    if order {
        regions.bits = layout.region(5); // elsewhere than in the other
    }
    (layout, regions)
}

fn windows(comm: &Comm<'_>) {
    window_of(comm, OneHome(comm.size() - 1));
    window_of(comm, Dealt::over(comm, 0));
    let (mut layout, regions) = lay_out(1, false);
    let (_, foreign) = lay_out(1, true);
    let mut dealt = Layout::dealt(2);
    let _ = dealt.region::<Bits>(5);
    panics(|| SharedWindow::open(comm, 0, &dealt).map(drop));
    let window = SharedWindow::open(comm, 0, &layout).unwrap();
    let later = layout.region::<Bits>(5);
    panics(|| window.fetch_or(later, 0, 1));
    panics(|| window.load(later, 0));
    panics(|| window.read(later));
    let mut buffer = RunBuffer::default();
    panics(|| window.or_run(later, 0..2, (1, 1), &mut buffer).len());
    for index in [5, 6, 1 << 61, usize::MAX] {
        panics(|| window.fetch_or(regions.bits, index, 1));
        panics(|| window.fetch_add(regions.counters, index, 1));
        panics(|| window.load(regions.bits, index));
        panics(|| {
            window
                .or_run(regions.bits, 1..index.max(6), (1, 1), &mut buffer)
                .len()
        });
    }
    for run in [3..3, reversed(), 0..6, 0..RUN_WORDS + 1, 7..8] {
        panics(|| window.or_run(regions.bits, run, (1, 1), &mut buffer).len());
    }
    panics(|| window.fetch_or(foreign.bits, 0, 1));
    panics(|| window.fetch_add(foreign.counters, 0, 1));
    panics(|| window.load(foreign.counters, 0));
    panics(|| window.read(foreign.bits));
    panics(|| window.or_run(foreign.bits, 0..1, (1, 1), &mut buffer).len());
    comm.barrier().unwrap();
    assert_eq!(window.read(regions.bits), [0; 5]);
    assert_eq!(window.read(regions.counters), [0; 5]);
    comm.barrier().unwrap();
    window.close().unwrap();
}

/// A run that ends before it begins.
fn reversed() -> Range<usize> {
    let (start, end) = (4, 2);
    start..end
}

fn window_of(comm: &Comm<'_>, homes: impl Homes) {
    let (mut layout, own) = lay_out(homes.n_ranks(), false);
    let (_, foreign) = lay_out(homes.n_ranks(), true);
    let window = Window::open_on(comm, homes, &layout, Hints::default()).unwrap();
    let mut buffer = RunBuffer::default();
    let later = layout.region::<Bits>(5);
    let later_slots = layout.region::<Slot>(5);
    panics(|| window.fetch_or(later, 0, 1));
    panics(|| window.compare_and_swap(later_slots, 0, 0, 1));
    panics(|| window.fetch_or_pipelined(later, &mut [OrOperation { index: 0, bits: 1 }]));
    panics(|| window.or_run(later, 0..2, (1, 1), &mut buffer).map(drop));
    panics(|| window.load_run(later, 0..2, &mut buffer).map(drop));
    panics(|| window.read(later));
    let mut found = [0; 3];
    let or = |index| OrOperation { index, bits: 1 };
    for index in [5, 6, 1 << 61, usize::MAX] {
        let counter = (own.counters, 0);
        panics(|| window.fetch_or(own.bits, index, 1));
        panics(|| window.fetch_add(own.counters, index, 1));
        panics(|| window.fetch_max(own.highest, index, 1));
        panics(|| window.compare_and_swap(own.slots, index, 0, 1));
        panics(|| window.compare_and_swap_and_read((own.slots, index), (0, 1), counter));
        panics(|| window.compare_and_swap_and_read((own.slots, 0), (0, 1), (own.counters, index)));
        let slots = (own.slots, &[0, 1, index][..]);
        panics(|| window.compare_and_swap_pipelined(slots, (0, 1), counter, &mut found));
        let slots = (own.slots, &[0, 1, 2][..]);
        let counter = (own.counters, index);
        panics(|| window.compare_and_swap_pipelined(slots, (0, 1), counter, &mut found));
        let mut operations: Vec<_> = (0..100).map(|i| or(i % 5)).collect();
        operations.push(or(index));
        panics(|| window.fetch_or_pipelined(own.bits, &mut operations));
        let run = 1..index.max(6);
        panics(|| {
            window
                .or_run(own.bits, run.clone(), (1, 1), &mut buffer)
                .map(drop)
        });
        panics(|| window.load_run(own.bits, run, &mut buffer).map(drop));
    }
    for run in [3..3, reversed(), 0..6, 0..RUN_WORDS + 1, 7..8] {
        panics(|| {
            window
                .or_run(own.bits, run.clone(), (1, 1), &mut buffer)
                .map(drop)
        });
        panics(|| window.load_run(own.bits, run, &mut buffer).map(drop));
    }
    panics(|| window.fetch_max(own.highest, 0, 1 << 63));
    let counter = (own.counters, 0);
    let slots = (own.slots, &[0, 1][..]);
    panics(|| window.compare_and_swap_pipelined(slots, (0, 1), counter, &mut found));
    let slots = (own.slots, &[0; 65][..]);
    panics(|| window.compare_and_swap_pipelined(slots, (0, 1), counter, &mut [0; 65]));

    panics(|| window.fetch_or(foreign.bits, 0, 1));
    panics(|| window.fetch_add(foreign.counters, 0, 1));
    panics(|| window.fetch_max(foreign.highest, 0, 1));
    panics(|| window.compare_and_swap(foreign.slots, 0, 0, 1));
    panics(|| window.compare_and_swap_and_read((foreign.slots, 0), (0, 1), counter));
    panics(|| window.compare_and_swap_and_read((own.slots, 0), (0, 1), (foreign.counters, 0)));
    panics(|| window.fetch_or_pipelined(foreign.bits, &mut [or(0)]));
    panics(|| {
        window
            .or_run(foreign.bits, 0..1, (1, 1), &mut buffer)
            .map(drop)
    });
    panics(|| window.load_run(foreign.bits, 0..1, &mut buffer).map(drop));
    panics(|| window.counters_now(foreign.counters));
    panics(|| window.read(foreign.bits));
    panics(|| window.read_in_pieces(foreign.slots, |_, _| {}));

    comm.barrier().unwrap();
    assert_eq!(window.read(own.bits).unwrap(), [0; 5]);
    assert_eq!(window.read(own.counters).unwrap(), [0; 5]);
    assert_eq!(window.read(own.slots).unwrap(), [0; 5]);
    assert_eq!(window.read(own.highest).unwrap(), [0; 5]);
    comm.barrier().unwrap();
    window.close().unwrap();
}

/// Ranks taken as numbers.
fn ranks(comm: &Comm<'_>) {
    let is_home = comm.rank() == 0;
    let none = [-1, -2, Rank::MIN, comm.size(), Rank::MAX];

    let mut board = SlotBoard::open(comm, 0, 2 * comm.size() as usize).unwrap();
    let own = 2 * comm.rank() as usize;
    assert!(board.claim(own).unwrap().is_won());
    assert!(board.claim(own + 1).unwrap().is_won());
    board.complete(own).unwrap();
    comm.barrier().unwrap();
    for item in 0..board.n_items() {
        for from in none {
            panics(|| board.take_over(item, from));
        }
    }
    comm.barrier().unwrap();
    assert!(board.is_completed(own).unwrap());
    board.complete(own + 1).unwrap();
    comm.barrier().unwrap();
    board.close().unwrap();

    let mut muster = Muster::<Window<'_>>::open(comm, 0).unwrap();
    muster.sign(&[7; N_NUMBERS]).unwrap();
    for rank in none {
        panics(|| muster.signs_of(rank));
        panics(|| muster.take_for_dead(rank));
    }
    comm.barrier().unwrap();
    assert!(!muster.is_taken_for_dead().unwrap());
    assert_eq!(muster.signs().unwrap(), vec![1; muster.n_ranks()]);
    if !is_home {
        panics(|| muster.take_for_dead(0));
        panics(|| muster.decide(Decision::Together));
    }
    comm.barrier().unwrap();
    assert_eq!(muster.decision().unwrap(), Decision::None);
    comm.barrier().unwrap();
    if is_home {
        muster.decide(Decision::Together).unwrap();
        panics(|| muster.decide(Decision::Together)); // once more would be another decision
    }
    comm.barrier().unwrap();
    assert_eq!(muster.decision().unwrap(), Decision::Together);
    muster.close().unwrap();

    let mut ledger = Ledger::<Window<'_>>::open(comm, 0, 3).unwrap();
    let earlier = |rank| Entry {
        rank,
        earlier: true,
    };
    for rank in [-1, -2, Rank::MIN] {
        panics(|| ledger.restore(0, earlier(rank)));
        panics(|| earlier(rank).to_word());
    }
    for item in [3, 4, 1 << 61, usize::MAX] {
        panics(|| ledger.enter(item));
        panics(|| ledger.take_over(item));
        panics(|| ledger.restore(item, earlier(0)));
    }
    if !is_home {
        panics(|| ledger.take_over(0));
    }
    comm.barrier().unwrap();
    assert_eq!(ledger.entries().unwrap(), [None; 3]);
    comm.barrier().unwrap();
    ledger.close().unwrap();
}

fn blackboard(comm: &Comm<'_>) {
    for objective in [Objective::Minimum, Objective::Maximum] {
        let mut blackboard = Blackboard::open(comm, 0, objective).unwrap();
        for value in [MAX_VALUE + 1, -MAX_VALUE - 1, i64::MAX, i64::MIN] {
            panics(|| blackboard.offer(value));
        }
        comm.barrier().unwrap();
        assert_eq!(blackboard.best().unwrap(), None);
        comm.barrier().unwrap();
        let worst = match objective {
            Objective::Minimum => MAX_VALUE,
            Objective::Maximum => -MAX_VALUE,
        };
        assert_eq!(blackboard.offer(worst).unwrap().value, worst);
        blackboard.close().unwrap();
    }
}

/// Schedules and permutations, of which all arguments are numbers.
fn numbers(comm: &Comm<'_>) {
    let mut random = ChaCha8Rng::seed_from_u64(comm.rank() as u64);
    let any = |random: &mut ChaCha8Rng| match random.random_range(0..3) {
        0 => random.random_range(0..200),
        1 => usize::MAX - random.random_range(0..3),
        _ => random.random::<u64>() as usize >> random.random_range(0..64),
    };
    for _ in 0..2000 {
        let n = any(&mut random);
        let order = Permutation::new(random.random(), n);
        let i = any(&mut random);
        let item = called(i >= n, || order.apply(i));
        assert!(item.is_none_or(|item| item < n && order.invert(item) == i));
        called(i >= n, || order.invert(i));

        let items = NonZeroUsize::new(any(&mut random).max(1)).unwrap();
        let n_ranks = random.random_range(1..10_000);
        let schedules = [
            Schedule::Fixed { items },
            Schedule::Factoring { at_least: items },
            Schedule::Guided {
                at_least: items.max(NonZeroUsize::new(n / 1000 + 1).unwrap()),
            },
        ];
        for schedule in schedules {
            panics(|| schedule.chunks(n, 0));
            let mut chunks: Chunks = schedule.chunks(n, n_ranks);
            let step = any(&mut random) as u64;
            for step in [step, 0, u64::MAX, step / 2, 1] {
                let chunk = chunks.at(step);
                assert!(chunk.is_none_or(|chunk| chunk.start < chunk.end && chunk.end <= n));
            }
        }
    }
}
