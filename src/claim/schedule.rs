//! Self-scheduling without a master: which items a chunk has follows from the chunk's number alone.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::str::FromStr;

/// How the items `0..n_items` are cut into chunks, which ranks then draw one after the other.
///
/// A large chunk costs few draws; a small one leaves little to wait for at the end. So chunks shrink as
/// the rest `R` does. With `P` ranks:
///
/// | schedule | items of the next chunk | source |
/// |---|---|---|
/// | [`Fixed`](Schedule::Fixed) | `items` | fixed-size chunking: Kruskal and Weiss, IEEE Trans. Softw. Eng. SE-11(10), 1985 |
/// | [`Guided`](Schedule::Guided) | ⌈`R`/`P`⌉ | guided self-scheduling, GSS(k): Polychronopoulos and Kuck, IEEE Trans. Comput. C-36(12), 1987 |
/// | [`Factoring`](Schedule::Factoring) | ⌈`R`/2`P`⌉, the same for `P` chunks | factoring with x = 2, FAC2: Hummel, Schonberg and Flynn, Commun. ACM 35(8), 1992 |
///
/// As text: `fixed:100`, `guided`, `guided:8`, `factoring`, `factoring:8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// All chunks are of one size, but for the last.
    Fixed {
        /// Items of a chunk.
        items: NonZeroUsize,
    },
    /// Each chunk is the `P`-th part of what is left. The first ones are large: where the items of one
    /// of them take long, everybody waits for it.
    Guided {
        /// Items that a chunk has at least, but for the last.
        at_least: NonZeroUsize,
    },
    /// Batches of `P` equal chunks, each batch half of what is left when it begins. Without knowledge of
    /// what the items take, the safe choice, and the default.
    Factoring {
        /// Items that a chunk has at least, but for the last.
        at_least: NonZeroUsize,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule::Factoring {
            at_least: NonZeroUsize::MIN,
        }
    }
}

impl Schedule {
    /// The chunks of `n_items` items for `n_ranks` ranks.
    ///
    /// # Panics
    /// If there are no ranks.
    pub fn chunks(self, n_items: usize, n_ranks: usize) -> Chunks {
        let n_ranks = NonZeroUsize::new(n_ranks).expect("a loop has at least one rank");
        Chunks {
            schedule: self,
            n_items,
            n_ranks,
            stretch: self.first_stretch(n_items, n_ranks),
        }
    }

    fn first_stretch(self, n_items: usize, n_ranks: NonZeroUsize) -> Stretch {
        let (items, n_chunks) = self.next_chunks(n_items, n_ranks);
        Stretch {
            first_step: 0,
            n_chunks,
            start: 0,
            items,
        }
    }

    /// With `rest` items left: the size of the next chunk, and how many chunks of that size follow each
    /// other; the last of them may be cut short by the end.
    #[inline]
    fn next_chunks(self, rest: usize, n_ranks: NonZeroUsize) -> (usize, u64) {
        let until_the_end = |items: NonZeroUsize| (items.get(), rest.div_ceil(items.get()) as u64);
        let p = n_ranks.get();
        match self {
            Schedule::Fixed { items } => until_the_end(items),
            Schedule::Guided { at_least } => {
                let items = rest.div_ceil(p);
                if items <= at_least.get() {
                    return until_the_end(at_least);
                }
                // The chunk has this size while more than (items − 1)·P items are left.
                let surplus = rest - (items - 1) * p;
                (items, surplus.div_ceil(items) as u64)
            }
            Schedule::Factoring { at_least } => {
                // ⌈R/2P⌉ = ⌈⌈R/P⌉/2⌉, which cannot overflow.
                let items = rest.div_ceil(p).div_ceil(2);
                if items <= at_least.get() {
                    return until_the_end(at_least);
                }
                (items, p as u64)
            }
        }
    }
}

/// The chunks of a loop, as one rank goes through them; memory of fixed size.
///
/// Ranks share a counter and nothing else: a fetch-and-add of 1 gives a rank the number of its *step*,
/// and each rank computes the same chunk from that number ("distributed chunk calculation": Eleliemy and
/// Ciorba, J. Comput. Sci. 51:101284, 2021, doi:10.1016/j.jocs.2020.101284; over passive-target RMA: the
/// same, PDP 2019, arXiv:1901.02773). The number of the step has to be the only thing that a rank
/// draws, so sizes depend on what is left when the steps before are all drawn, not when they are done.
///
/// ```
/// # use onesided::claim::Schedule;
/// let mut chunks = "guided".parse::<Schedule>()?.chunks(100, 5);
/// assert_eq!(chunks.at(0), Some(0..20)); // ⌈100/5⌉
/// assert_eq!(chunks.at(2), Some(36..49)); // ⌈64/5⌉; step 1 was another rank's
/// assert_eq!(chunks.at(17), None); // all items are given out
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct Chunks {
    schedule: Schedule,
    n_items: usize,
    n_ranks: NonZeroUsize,
    stretch: Stretch,
}

/// Chunks of one size that follow each other: what the cursor passes at once. A batch of factoring is
/// one; so are the chunks to which guided self-scheduling gives the same size.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first_step: u64,
    /// 0 at the end of the loop.
    n_chunks: u64,
    /// The first item.
    start: usize,
    /// Of each chunk, unless the end of the loop comes first.
    items: usize,
}

impl Chunks {
    /// How many items all chunks have together.
    pub fn n_items(&self) -> usize {
        self.n_items
    }

    /// The items of the chunk with number `step`, from 0 on; `None` once all items are given out.
    ///
    /// Any step may be asked for. Where steps ascend, as those that one rank draws do, the cursor passes
    /// each stretch of equal chunks once: one stretch with [`Fixed`](Schedule::Fixed), one for each
    /// halving of the rest with [`Factoring`](Schedule::Factoring), and with
    /// [`Guided`](Schedule::Guided) as many as there are different sizes, no more than there are chunks.
    /// A smaller step than before starts again at the front.
    ///
    /// Measured, release build: 2 to 11 ns a step when all are gone through; of 2^36 items for 10^5 ranks,
    /// the last chunk from the front takes 0.2 µs with `factoring` and 3 ms with `guided`, which each
    /// rank pays once.
    #[inline]
    pub fn at(&mut self, step: u64) -> Option<Range<usize>> {
        if step < self.stretch.first_step {
            self.stretch = self.schedule.first_stretch(self.n_items, self.n_ranks);
        }
        loop {
            let Stretch {
                first_step,
                n_chunks,
                start,
                items,
            } = self.stretch;
            let within = step - first_step;
            if within < n_chunks {
                // Each chunk of a stretch begins before the end of the loop.
                let start = start + within as usize * items;
                return Some(start..start.saturating_add(items).min(self.n_items));
            }
            if n_chunks == 0 {
                return None;
            }
            let passed = (n_chunks as usize).saturating_mul(items);
            let start = start.saturating_add(passed).min(self.n_items);
            let rest = self.n_items - start;
            let (items, next) = self.schedule.next_chunks(rest, self.n_ranks);
            self.stretch = Stretch {
                first_step: first_step + n_chunks,
                n_chunks: next,
                start,
                items,
            };
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(items_of(name, number)?)),
            None => (text, None),
        };
        let at_least = number.unwrap_or(NonZeroUsize::MIN);
        match name {
            "fixed" => match number {
                Some(items) => Ok(Schedule::Fixed { items }),
                None => Err("fixed needs the number of items of a chunk: fixed:100".into()),
            },
            "guided" => Ok(Schedule::Guided { at_least }),
            "factoring" => Ok(Schedule::Factoring { at_least }),
            _ => Err(format!(
                "'{name}' is no schedule: expected fixed:ITEMS, guided, guided:AT_LEAST, factoring or \
                 factoring:AT_LEAST, such as factoring:8"
            )),
        }
    }
}

fn items_of(name: &str, number: &str) -> Result<NonZeroUsize, String> {
    number.parse().map_err(|_| {
        format!("'{number}' is no number of items: expected 1 or more, as in {name}:8")
    })
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, at_least) = match self {
            Schedule::Fixed { items } => return write!(f, "fixed:{items}"),
            Schedule::Guided { at_least } => ("guided", at_least),
            Schedule::Factoring { at_least } => ("factoring", at_least),
        };
        f.write_str(name)?;
        if *at_least > NonZeroUsize::MIN {
            write!(f, ":{at_least}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
