//! Games: the invariants of both versions, over many games with random think time.

use std::num::NonZeroUsize;
use std::time::Duration;

use onesided::claim::{
    BitBoard, Board, Memory, Options, Schedule, SharedBoard, SharedTickets, SlotBoard, SpreadBoard,
    Tickets, TwoTierBoard,
};
use onesided::internals::game::{
    Collective, GuessBy, OneSided, Results, Series, Straggler, Sums, ThinkBy, ThinkPlan, ThinkTime,
    Ticketed,
};
use onesided::rma::{Comm, Rank, Result};

use crate::harness::Body;
use crate::support::is_campaign;

pub const BODIES: &[Body] = &[
    Body {
        name: "games::fetch_and_op::every_digit_once_home_idle",
        run: |comm| one_sided(comm, BitBoard::open, Known::ToTheRank, Home::Idle),
    },
    Body {
        name: "games::fetch_and_op::every_digit_once_home_busy",
        run: |comm| one_sided(comm, BitBoard::open, Known::ToTheRank, Home::Busy),
    },
    Body {
        name: "games::compare_and_swap::every_digit_once_home_idle",
        run: |comm| one_sided(comm, SlotBoard::open, Known::ToTheRank, Home::Idle),
    },
    Body {
        name: "games::compare_and_swap::every_digit_once_home_busy",
        run: |comm| one_sided(comm, SlotBoard::open, Known::ToTheRank, Home::Busy),
    },
    Body {
        name: "games::shared_memory::every_digit_once_home_idle",
        run: |comm| one_sided(comm, SharedBoard::open, Known::ToTheRank, Home::Idle),
    },
    Body {
        name: "games::shared_memory::every_digit_once_home_busy",
        run: |comm| one_sided(comm, SharedBoard::open, Known::ToTheRank, Home::Busy),
    },
    Body {
        name: "games::two_tier::every_digit_once_home_idle",
        run: |comm| one_sided(comm, TwoTierBoard::open, Known::ToTheNode, Home::Idle),
    },
    Body {
        name: "games::two_tier::every_digit_once_home_busy",
        run: |comm| one_sided(comm, TwoTierBoard::open, Known::ToTheNode, Home::Busy),
    },
    Body {
        name: "games::spread::every_digit_once_home_busy",
        run: |comm| {
            one_sided(
                comm,
                |comm, _, n| SpreadBoard::open(comm, n),
                Known::ToTheRank,
                Home::Busy,
            )
        },
    },
    Body {
        name: "games::fetch_and_op::unclaimed_digits_are_guessed",
        run: |comm| thrifty(comm, BitBoard::open),
    },
    Body {
        name: "games::compare_and_swap::unclaimed_digits_are_guessed",
        run: |comm| thrifty(comm, SlotBoard::open),
    },
    Body {
        name: "games::shared_memory::unclaimed_digits_are_guessed",
        run: |comm| thrifty(comm, SharedBoard::open),
    },
    Body {
        name: "games::tickets::no_guess_is_lost",
        run: |comm| {
            ticketed(comm, Tickets::open);
            ticketed(comm, SharedTickets::open_shared);
        },
    },
    Body {
        name: "games::collective::lockstep",
        run: lockstep,
    },
    Body {
        name: "games::both_versions_guess_the_same",
        run: same_guesses,
    },
];

/// What the home rank does while the others play.
#[derive(Clone, Copy, PartialEq)]
enum Home {
    /// Plays as the others do: it is in MPI most of the time.
    Idle,
    /// Computes between guesses: it is outside MPI most of the time.
    Busy,
}

/// Who knows what an operation has shown.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    ToTheRank,
    /// So that a rank may find a game over before its first guess, and lose one without an operation.
    ToTheNode,
}

/// Games of each number of digits in a campaign: with five rank counts, five methods and two homes some 10,000
/// one-sided games on each library.
const GAMES: [(u32, u64); 3] = [(9, 200), (64, 12), (150, 8)];

/// How many of them are played: half in the gate, and few where nobody contends.
fn some_of(comm: &Comm<'_>, n_games: u64) -> u64 {
    match comm.size() {
        1 => n_games.div_ceil(10),
        _ if is_campaign() => n_games,
        _ => n_games.div_ceil(2),
    }
}

type Open<'mpi, B> = fn(&Comm<'mpi>, Rank, usize) -> Result<B>;

fn series(n_digits: u32, n_games: u64, home: Home) -> Series {
    let (stragglers, by) = match home {
        Home::Idle => (vec![], ThinkBy::Sleep),
        Home::Busy => (
            vec![Straggler {
                rank: 0,
                extra: Duration::from_micros(300),
            }],
            ThinkBy::Spin,
        ),
    };
    let base = ThinkTime::Uniform {
        low: Duration::ZERO,
        high: Duration::from_micros(60),
    };
    let think = ThinkPlan {
        base,
        per_rank: Duration::ZERO,
        stragglers,
        by,
    };
    Series {
        n_digits,
        n_games,
        seed: 20 + u64::from(n_digits),
        think,
        ..Series::default()
    }
}

/// The series itself checks each game: every digit has one winner, the home rank's memory has it
/// claimed, by that winner where it keeps owners. Here: that the sums are those of such games, and
/// that no game was left out.
fn one_sided<'mpi, B: Board>(comm: &Comm<'mpi>, open: Open<'mpi, B>, known: Known, home: Home) {
    for (n_digits, n_games) in GAMES {
        let n_games = some_of(comm, n_games);
        let mut referee = OneSided::open(comm, 0, |comm| open(comm, 0, n_digits as usize)).unwrap();
        let results = series(n_digits, n_games, home)
            .play(comm, &mut referee, &mut ())
            .unwrap();
        referee.close().unwrap();
        let Some(results) = results else {
            assert_ne!(comm.rank(), 0);
            continue;
        };
        let points: u64 = results.per_rank.iter().map(|rank| rank.points).sum();
        assert_eq!((results.n_games, results.double_scores), (n_games, 0));
        assert_eq!(points, n_games * u64::from(n_digits));
        assert_eq!(results.scored.len(), n_digits as usize);
        for rank in &results.per_rank {
            if known == Known::ToTheRank {
                assert!(rank.guesses >= n_games, "every rank guesses in every game");
                assert!(rank.operations >= rank.guesses);
            } else {
                // And one where it fills a word, or finds one full.
                assert!(rank.operations <= 2 * rank.guesses, "{rank:?}");
            }
            assert!(rank.think_ns + rank.operation_ns <= rank.play_ns);
        }
        if home == Home::Busy && comm.size() > 1 {
            let home = results.per_rank[0].think_ns;
            assert!(
                home >= 300_000 * results.per_rank[0].guesses,
                "the home rank was away: {home}"
            );
        }
    }
}

/// Known digits cost nothing, or are not guessed at all.
fn thrifty<'mpi, B: Board>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    for (guess, skip_known) in [
        (GuessBy::Uniform, true),
        (GuessBy::Unclaimed, false),
        (GuessBy::Unclaimed, true),
    ] {
        for (n_digits, n_games) in GAMES {
            let n_games = n_games / 4;
            let mut referee =
                OneSided::open(comm, 0, |comm| open(comm, 0, n_digits as usize)).unwrap();
            referee.skip_known(skip_known);
            let series = Series {
                guess,
                ..series(n_digits, n_games, Home::Idle)
            };
            let results = series.play(comm, &mut referee, &mut ()).unwrap();
            referee.close().unwrap();
            let Some(results) = results else { continue };
            let n_points = n_games * u64::from(n_digits);
            let sum = |of: fn(&Sums) -> u64| results.per_rank.iter().map(of).sum::<u64>();
            assert_eq!(
                (sum(|rank| rank.points), results.double_scores),
                (n_points, 0)
            );
            // No rank asks for what it knows: each asks for a digit once at most.
            let n_ranks = u64::from(comm.size().unsigned_abs());
            let (guesses, operations) = (sum(|rank| rank.guesses), sum(|rank| rank.operations));
            if guess == GuessBy::Unclaimed {
                assert!(
                    guesses <= n_ranks * (n_points + n_games),
                    "{guesses} guesses"
                );
            }
            // A claim takes two or three operations, where items have slots or a word is full. With one
            // rank, N·H_N guesses that all cost one would be more, from 64 digits on.
            assert!(
                operations <= 3 * n_ranks * (n_points + n_games),
                "{operations}"
            );
        }
    }
}

fn ticketed<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: fn(&Comm<'mpi>, Rank, usize, &Options) -> Result<Tickets<'mpi, M>>,
) {
    let n_ranks = u64::from(comm.size().unsigned_abs());
    for (n_digits, n_games) in GAMES {
        let options = Options {
            schedule: Schedule::Fixed {
                items: NonZeroUsize::MIN,
            },
            ..Options::default()
        };
        let open = || open(comm, 0, n_digits as usize, &options).unwrap();
        let mut referee = Ticketed::on(comm, 0, [open(), open()], 5);
        let results = series(n_digits, n_games, Home::Idle).play(comm, &mut referee, &mut ());
        referee.close().unwrap();
        let Some(results) = results.unwrap() else {
            continue;
        };
        let n_points = n_games * u64::from(n_digits);
        let sum = |of: fn(&Sums) -> u64| results.per_rank.iter().map(of).sum::<u64>();
        assert_eq!(
            (sum(|rank| rank.points), results.double_scores),
            (n_points, 0)
        );
        // One operation a digit, and one on each rank that finds no more.
        let expected = n_points + n_ranks * n_games;
        assert_eq!(
            (sum(|rank| rank.guesses), sum(|rank| rank.operations)),
            (expected, expected)
        );
    }
}

fn play_collective(comm: &Comm<'_>, series: &Series) -> Option<Results> {
    series
        .play(comm, &mut Collective::new(comm, series.n_digits), &mut ())
        .unwrap()
}

fn lockstep(comm: &Comm<'_>) {
    // Few games: an allreduce of 8 ranks on 2 cores takes MPICH 25 ms.
    for (n_digits, n_games) in [(9, 6), (70, 1)] {
        let Some(results) = play_collective(comm, &series(n_digits, n_games, Home::Idle)) else {
            assert_ne!(comm.rank(), 0);
            continue;
        };
        let steps = |rank: usize| results.per_rank[rank].guesses + results.per_rank[rank].points;
        for (rank, sums) in results.per_rank.iter().enumerate() {
            assert_eq!(
                (steps(rank), sums.operations),
                (steps(0), steps(0)),
                "rank {rank}"
            );
        }
        let points: u64 = results.per_rank.iter().map(|rank| rank.points).sum();
        assert_eq!(
            points,
            n_games * u64::from(n_digits) + results.double_scores
        );
        assert_eq!(
            results.scored.len(),
            n_digits as usize,
            "every digit was scored"
        );
        if comm.size() == 1 {
            assert_eq!(results.double_scores, 0, "one rank does not race itself");
        }
        if comm.size() == 8 && n_digits == 70 {
            assert!(
                results.double_scores > 0,
                "eight ranks in lockstep score some digit twice"
            );
        }
    }
}

/// Each digit of each rank's stream, by an observer, in both versions.
fn same_guesses(comm: &Comm<'_>) {
    #[derive(Default)]
    struct Guesses(Vec<u32>);
    impl onesided::internals::game::Observer for Guesses {
        const WATCHES: bool = true;
        const RECORDS: bool = false;
        fn guessed(
            &mut self,
            digit: u32,
            _guess: u64,
            _points: u64,
        ) -> onesided::internals::game::Result<()> {
            self.0.push(digit);
            Ok(())
        }
    }
    let one_game = series(9, 1, Home::Idle);
    let (mut one_sided, mut collective) = (Guesses::default(), Guesses::default());
    let mut referee = OneSided::open(comm, 0, |comm| BitBoard::open(comm, 0, 9)).unwrap();
    one_game.play(comm, &mut referee, &mut one_sided).unwrap();
    referee.close().unwrap();
    one_game
        .play(comm, &mut Collective::new(comm, 9), &mut collective)
        .unwrap();
    let both = one_sided.0.len().min(collective.0.len());
    assert!(both > 0);
    assert_eq!(
        one_sided.0[..both],
        collective.0[..both],
        "rank {}",
        comm.rank()
    );
    if comm.size() == 1 {
        assert_eq!(
            one_sided.0, collective.0,
            "alone, both versions are one and the same game"
        );
    }
}
