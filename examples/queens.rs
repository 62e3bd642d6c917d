//! Counts the ways to place N queens so that none attacks another. [`Tickets`] hand out the beginnings of
//! three rows: a rank draws the next ones when it is done with its own, and waits for nobody. Then the
//! same in lockstep: each rank takes one beginning, and an allreduce ends the round.
//!
//! `just example queens 4`, or `mpirun -n 4 queens [N [SOLUTIONS]]`

mod support;

use onesided::claim::{Options, Tickets};
use onesided::rma::{Comm, Mpi, Progress, Result, ThreadLevel};
use support::{Stopwatch, Took};

/// For 0 queens, 1 queen and so on (OEIS A000170).
#[rustfmt::skip]
const KNOWN: [u64; 17] = [1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14_200, 73_712, 365_596,
                          2_279_184, 14_772_512];

fn main() -> Result<()> {
    let number = |text: String| text.parse().expect("arguments are numbers");
    let mut arguments = std::env::args().skip(1).map(number);
    let n = arguments.next().unwrap_or(15) as usize;
    assert!(n < KNOWN.len(), "known for up to 16 queens");
    let known = arguments.next().unwrap_or(KNOWN[n]);

    // The level that the helper thread needs which `Progress::Auto` may take.
    let mpi = Mpi::init_up_to(ThreadLevel::Serialized)?;
    let world = mpi.world()?;
    let beginnings = Board::beginnings(n);
    let (solutions, one_sided) = one_sided(&world, n, &beginnings)?;
    let (in_rounds, lockstep) = in_lockstep(&world, n, &beginnings)?;
    if world.rank() == 0 {
        let (n_beginnings, n_ranks) = (beginnings.len(), world.size());
        println!("{n} queens, {n_beginnings} beginnings, {n_ranks} ranks: {solutions} solutions");
        println!("one-sided    {one_sided}");
        let ratio = lockstep.seconds / one_sided.seconds;
        println!("in lockstep  {lockstep}, {ratio:.2} times as long");
        assert_eq!([solutions, in_rounds], [known; 2], "found and known");
    }
    world.free()?;
    mpi.finalize_at_last(0)
}

/// Each beginning is drawn by one rank: the sum over ranks is the number of solutions.
fn one_sided(world: &Comm<'_>, n: usize, beginnings: &[Board]) -> Result<(u64, Took)> {
    let options = Options {
        progress: Progress::Auto, // rank 0, where the tickets are, computes too
        ..Options::default()
    };
    let mut tickets = Tickets::open(world, 0, beginnings.len(), &options)?;
    let stopwatch = Stopwatch::start(world)?;
    let mut solutions = 0;
    while let Some(items) = tickets.draw()? {
        for &beginning in &beginnings[items] {
            // One at a time: between them rank 0 may enter MPI, for those who draw meanwhile.
            solutions += tickets.outside_mpi(|| beginning.solutions(n))?;
        }
    }
    let took = stopwatch.stop()?;
    let mut all = [0];
    world.allreduce_sum(&[solutions], &mut all)?;
    tickets.close()?;
    Ok((all[0], took))
}

/// One beginning a rank and round.
fn in_lockstep(world: &Comm<'_>, n: usize, beginnings: &[Board]) -> Result<(u64, Took)> {
    let mut stopwatch = Stopwatch::start(world)?;
    let (mut solutions, mut all) = (0, [0]);
    for round in beginnings.chunks(world.size() as usize) {
        if let Some(beginning) = round.get(world.rank() as usize) {
            solutions += beginning.solutions(n);
        }
        stopwatch.waiting(|| world.allreduce_sum(&[solutions], &mut all))?;
    }
    Ok((all[0], stopwatch.stop()?))
}

/// Queens in the first rows, as the next row sees them: bit c is set where column c is taken, or attacked
/// along a diagonal.
#[derive(Clone, Copy, Default)]
struct Board {
    columns: u32,
    left: u32,
    right: u32,
}

impl Board {
    /// All ways to fill the first three rows.
    fn beginnings(n: usize) -> Vec<Board> {
        let grow = |boards: Vec<Board>| boards.iter().flat_map(|board| board.next(n)).collect();
        (0..n.min(3)).fold(vec![Board::default()], |boards, _| grow(boards))
    }

    /// With one more queen.
    fn next(self, n: usize) -> impl Iterator<Item = Board> {
        let mut free = !(self.columns | self.left | self.right) & ((1 << n) - 1);
        std::iter::from_fn(move || {
            let queen = free & free.wrapping_neg(); // the lowest bit
            free ^= queen;
            (queen != 0).then_some(Board {
                columns: self.columns | queen,
                left: (self.left | queen) << 1,
                right: (self.right | queen) >> 1,
            })
        })
    }

    fn solutions(self, n: usize) -> u64 {
        if self.columns == (1 << n) - 1 {
            return 1;
        }
        self.next(n).map(|board| board.solutions(n)).sum()
    }
}
