//! Finds a Costas array: a permutation of which no two pairs of entries are equally far apart both in place
//! and in value. Random, with restarts: ranks claim seeds on a [`BitBoard`], so that none is tried twice;
//! the first success raises the stop flag of a [`Blackboard`], and all end within a restart. Then the same
//! in lockstep: one restart a rank, and an allreduce ends the round. Here rsmpi starts MPI.
//!
//! `just example costas 4`, or `mpirun -n 4 costas [N [SEEDS]]`

mod support;

use mpi::{Threading, collective::SystemOperation, topology::SimpleCommunicator, traits::*};
use onesided::claim::{BitBoard, Blackboard, Board, Objective, Options, UnclaimedPicker};
use onesided::rma::{self, Comm, Progress};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use support::Stopwatch;

fn main() {
    let number = |text: String| text.parse().expect("arguments are numbers");
    let mut arguments = std::env::args().skip(1).map(number);
    let n = arguments.next().unwrap_or(16);
    assert!((1..=32).contains(&n), "of 1 to 32 entries");
    let n_seeds = arguments.next().unwrap_or(1 << 20);

    rma::prepare().expect("MPI has not started"); // tells Open MPI what it needs over TCP
    let threading = Threading::Serialized; // for the helper thread that `Progress::Auto` may take
    let (universe, _) = mpi::initialize_with_threading(threading).expect("MPI starts once");
    // An error or a panic ends the job: or the other ranks would wait for this one in MPI_Finalize.
    rma::run(&universe, |comm| -> rma::Result<()> {
        let one_sided = one_sided(comm, n, n_seeds)?;
        let lockstep = in_lockstep(&universe.world(), comm, n, n_seeds)?;
        if comm.rank() == 0 {
            let ratio = one_sided / lockstep; // times to success are luck, and as random as the search
            println!("one-sided made {ratio:.2} times as many restarts a second");
        }
        Ok(())
    });
}

fn one_sided(comm: &Comm<'_>, n: usize, n_seeds: usize) -> rma::Result<f64> {
    let options = Options {
        progress: Progress::Auto, // rank 0 computes too: what helps the board, helps all windows
        ..Options::default()
    };
    let mut seeds = BitBoard::open_with(comm, 0, n_seeds, &options)?;
    let mut blackboard = Blackboard::open(comm, 0, Objective::Minimum)?;
    let mut rng = ChaCha8Rng::seed_from_u64(comm.rank() as u64); // to each rank its own order
    let mut picker = UnclaimedPicker::new();
    let stopwatch = Stopwatch::start(comm)?;
    while !blackboard.is_stopped()? {
        let is_known = |seed| seeds.is_known_claimed(seed);
        let Some(seed) = picker.pick(n_seeds, is_known, &mut rng) else {
            break; // all were tried
        };
        if seeds.claim(seed)?.is_won() {
            blackboard.add(1)?;
            if seeds.outside_mpi(|| restart(n, seed).is_some())? {
                blackboard.offer(seed as i64)?;
                blackboard.stop()?;
            }
        }
    }
    let took = stopwatch.stop()?;
    let n_restarts = blackboard.count()? as f64;
    let rate = n_restarts / took.seconds;
    if comm.rank() == 0 {
        println!("one-sided    {took}, {n_restarts} restarts, {rate:.0}/s");
        let seed = blackboard.best()?.map(|best| best.value as usize);
        show(n, seed);
    }
    seeds.close()?;
    blackboard.close()?;
    Ok(rate)
}

fn in_lockstep(
    world: &SimpleCommunicator,
    comm: &Comm<'_>,
    n: usize,
    n_seeds: usize,
) -> rma::Result<f64> {
    let (mut stopwatch, mut first) = (Stopwatch::start(comm)?, usize::MAX);
    let (rank, n_ranks) = (world.rank() as usize, world.size() as usize);
    let mut n_restarts = 0;
    while n_restarts < n_seeds && first == usize::MAX {
        let seed = n_restarts + rank;
        let success = (seed < n_seeds).then(|| restart(n, seed)).flatten();
        let own = success.map_or(usize::MAX, |_| seed);
        let minimum = SystemOperation::min();
        stopwatch.waiting(|| world.all_reduce_into(&own, &mut first, minimum));
        n_restarts += n_ranks.min(n_seeds - n_restarts);
    }
    let took = stopwatch.stop()?;
    let rate = n_restarts as f64 / took.seconds;
    if rank == 0 {
        println!("in lockstep  {took}, {n_restarts} restarts, {rate:.0}/s");
        show(n, Some(first).filter(|&first| first < n_seeds));
    }
    Ok(rate)
}

/// Checks by the definition, pair by pair, what a seed leads to.
fn show(n: usize, seed: Option<usize>) {
    let seed = seed.expect("one of the seeds leads to a Costas array");
    let array = restart(n, seed).expect("the same seed leads to the same array");
    let pairs = || (0..n).flat_map(|j| (0..j).map(move |i| (i, j)));
    let vector = |(i, j): (usize, usize)| (j - i, array[j] - array[i]);
    let alike = |pair| {
        pairs()
            .filter(|&other| vector(other) == vector(pair))
            .count()
    };
    assert!(pairs().all(|pair| alike(pair) == 1), "{array:?} is none");
    assert!(
        (0..n as i32).all(|value| array.contains(&value)),
        "{array:?} is no permutation"
    );
    println!("seed {seed} leads to {array:?}");
}

/// Swaps two entries again and again, seldom for the worse, until no two pairs are alike. Gives up after
/// many swaps that brought nothing.
fn restart(n: usize, seed: usize) -> Option<Vec<i32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    let mut array: Vec<i32> = (0..n as i32).collect();
    array.shuffle(&mut rng);
    let mut cost = repeats(&array);
    let (mut best, mut in_vain) = (cost, 0);
    while cost > 0 && in_vain < 5000 {
        let (i, j) = (rng.random_range(0..n), rng.random_range(0..n));
        array.swap(i, j);
        let after = repeats(&array);
        if rng.random_bool((f64::from(cost) - f64::from(after)).exp().min(1.0)) {
            cost = after;
        } else {
            array.swap(i, j);
        }
        in_vain = if cost < best { 0 } else { in_vain + 1 };
        best = best.min(cost);
    }
    (cost == 0).then_some(array)
}

/// How many pairs are like one before.
fn repeats(array: &[i32]) -> u32 {
    let in_row = |distance: usize| {
        let pairs = array.iter().zip(&array[distance..]);
        let set = pairs.fold(0u64, |set, (a, b)| set | 1 << (b - a + 32));
        (array.len() - distance) as u32 - set.count_ones()
    };
    (1..array.len()).map(in_row).sum()
}
