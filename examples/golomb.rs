//! Finds all optimal Golomb rulers: marks of which no two pairs are equally far apart, on the shortest
//! ruler that has so many. [`Tickets`] hand out beginnings; the shortest length so far stands on a
//! [`Blackboard`] and cuts everybody's search short. Then the same in lockstep, by an allreduce a round.
//!
//! `just example golomb 4`, or `mpirun -n 4 golomb [MARKS [LENGTH [RULERS]]]`

mod support;

use onesided::claim::{Blackboard, Objective, Options, Permutation, Tickets};
use onesided::rma::{Comm, Mpi, Progress, Result, ThreadLevel};
use support::{Stopwatch, Took};

/// Length, and number of rulers (mirror images are two), with 4 marks, 5 marks and so on.
#[rustfmt::skip]
const KNOWN: [[u64; 2]; 9] =
    [[6, 2], [11, 4], [17, 8], [25, 10], [34, 2], [44, 2], [55, 2], [72, 4], [85, 2]];

fn main() -> Result<()> {
    let number = |text: String| text.parse().expect("arguments are numbers");
    let mut arguments = std::env::args().skip(1).map(number);
    let n_marks = arguments.next().unwrap_or(11) as u32;
    assert!((4..=12).contains(&n_marks), "known for 4 to 12 marks");
    let known = KNOWN[n_marks as usize - 4].map(|known| arguments.next().unwrap_or(known));

    // The level that the helper thread needs which `Progress::Auto` may take.
    let mpi = Mpi::init_up_to(ThreadLevel::Serialized)?;
    let world = mpi.world()?;
    let mut searches = [Search::new(n_marks), Search::new(n_marks)];
    let beginnings = searches[0].beginnings();
    let one_sided = one_sided(&world, &beginnings, &mut searches[0])?;
    let lockstep = in_lockstep(&world, &beginnings, &mut searches[1])?;
    let mut sums = [0; 4];
    let own = (searches.each_ref()).map(|search| [search.n_found, search.n_nodes]);
    world.allreduce_sum(own.as_flattened(), &mut sums)?;
    if world.rank() == 0 {
        let (n_beginnings, n_ranks) = (beginnings.len(), world.size());
        println!("{n_marks} marks, {n_beginnings} beginnings, {n_ranks} ranks");
        println!("one-sided    {one_sided}, {} nodes", sums[1]);
        let ratio = lockstep.seconds / one_sided.seconds;
        let n_nodes = sums[3];
        println!("in lockstep  {lockstep}, {n_nodes} nodes, {ratio:.2} times as long");
        let [a, b] = searches.map(|search| search.limit.into());
        assert_eq!([[a, sums[0]], [b, sums[2]]], [known; 2], "found and known");
    }
    world.free()?;
    mpi.finalize_at_last(0)
}

fn one_sided(comm: &Comm<'_>, beginnings: &[Ruler], search: &mut Search) -> Result<Took> {
    let options = Options {
        progress: Progress::Auto, // rank 0 computes too: what helps the tickets, helps all windows
        ..Options::default()
    };
    let mut tickets = Tickets::open(comm, 0, beginnings.len(), &options)?;
    let mut blackboard = Blackboard::open(comm, 0, Objective::Minimum)?;
    let stopwatch = Stopwatch::start(comm)?;
    while let Some(items) = tickets.draw()? {
        for &ruler in &beginnings[items] {
            if let Some(best) = blackboard.best()? {
                search.shorten(best.value as u32);
            }
            tickets.outside_mpi(|| search.complete(ruler))?;
            if search.n_found > 0 {
                blackboard.offer(search.limit.into())?; // no operation where that is known
            }
        }
    }
    let took = stopwatch.stop()?;
    let best = blackboard.best()?.expect("there is a ruler");
    search.shorten(best.value as u32);
    if best.owner == comm.rank() {
        println!("rank {} found a ruler of length {}", best.owner, best.value);
    }
    tickets.close()?;
    blackboard.close()?;
    Ok(took)
}

fn in_lockstep(comm: &Comm<'_>, beginnings: &[Ruler], search: &mut Search) -> Result<Took> {
    let (mut stopwatch, mut shortest) = (Stopwatch::start(comm)?, [0]);
    for round in beginnings.chunks(comm.size() as usize) {
        if let Some(&ruler) = round.get(comm.rank() as usize) {
            search.complete(ruler);
        }
        stopwatch.waiting(|| comm.allreduce_min(&[search.limit.into()], &mut shortest))?;
        search.shorten(shortest[0] as u32);
    }
    stopwatch.stop()
}

/// Bit d of the first word: a mark lies d before the last one; of the second: two marks are d apart.
type Ruler = [u128; 2];

struct Search {
    n_marks: u32,
    /// No longer ruler matters.
    limit: u32,
    /// Of that length.
    n_found: u64,
    n_nodes: u64,
}

impl Search {
    #[rustfmt::skip]
    fn new(n_marks: u32) -> Self {
        // The first mark that is possible, again and again, makes a ruler: longer ones do not matter.
        let (mut marks, mut distances) = (1u128, 0);
        for _ in 1..n_marks {
            let gap = (1..).find(|gap| marks << gap & distances == 0).expect("there is room");
            (marks, distances) = (marks << gap | 1, distances | marks << gap);
        }
        Search { n_marks, limit: marks.ilog2(), n_found: 0, n_nodes: 0 }
    }

    /// Rulers of three marks, neighbours not alike, so that chunks are.
    fn beginnings(&self) -> Vec<Ruler> {
        let most = self.limit - (self.n_marks - 3) * (self.n_marks - 2) / 2; // as in `complete`
        let pairs = Permutation::new(1, (most * most) as usize);
        let pairs = (0..pairs.n_items()).map(|place| pairs.apply(place) as u32);
        let gaps = pairs.map(|pair| (1 + pair / most, 1 + pair % most));
        let fit = gaps.filter(|(a, b)| a != b && a + b <= most);
        let marks = fit.map(|(a, b)| (1 << a, 1 | 1 << b | 1 << (a + b)));
        marks.map(|(first, marks)| [marks, marks | first]).collect()
    }

    fn shorten(&mut self, limit: u32) {
        if limit < self.limit {
            (self.limit, self.n_found) = (limit, 0);
        }
    }

    fn complete(&mut self, [marks, distances]: Ruler) {
        self.n_nodes += 1;
        let (length, n_to_come) = (marks.ilog2(), self.n_marks - marks.count_ones());
        if n_to_come == 0 {
            self.shorten(length);
            return self.n_found += 1;
        }
        let rest = n_to_come * (n_to_come - 1) / 2; // 1 + 2 + …, since no two gaps are equal
        let mut gap = 1;
        while length + gap + rest <= self.limit {
            let new = marks << gap;
            if new & distances == 0 {
                self.complete([new | 1, distances | new]);
            }
            gap += 1;
        }
    }
}
