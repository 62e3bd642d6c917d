//! On which ranks the words of a window lie.

use super::comm::{Comm, Rank};

/// Where each word of a window lies. A type parameter of [`Window`](super::Window), so that windows
/// with one home pay nothing for the others.
pub trait Homes: Copy + sealed::Sealed {
    /// The rank that holds word `index` of a region, and how many words of the region it holds before.
    fn place(&self, index: usize) -> (Rank, usize);

    /// The rank that holds word 0 of every region.
    fn first(&self) -> Rank;

    /// How many ranks hold words.
    fn n_ranks(&self) -> usize;

    /// Whether `rank` holds words.
    fn holds(&self, rank: Rank) -> bool;

    /// The `i`-th of the ranks that hold words: word `i` of every region lies there.
    fn rank(&self, i: usize) -> Rank {
        self.place(i).0
    }
}

/// All words lie on one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneHome(pub Rank);

/// Words are dealt over all ranks, word by word: word `i` of each region lies on rank
/// `(first + i) mod n_ranks`. So no rank's memory and no rank's network port has more than its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dealt {
    first: Rank,
    n_ranks: Rank,
}

impl Dealt {
    /// Over all ranks of `comm`, from rank `first` on.
    pub fn over(comm: &Comm<'_>, first: Rank) -> Self {
        let n_ranks = comm.size();
        Dealt { first, n_ranks }
    }
}

impl Homes for OneHome {
    #[inline(always)]
    fn place(&self, index: usize) -> (Rank, usize) {
        (self.0, index)
    }

    #[inline(always)]
    fn first(&self) -> Rank {
        self.0
    }

    fn n_ranks(&self) -> usize {
        1
    }

    fn holds(&self, rank: Rank) -> bool {
        rank == self.0
    }
}

impl Homes for Dealt {
    #[inline(always)]
    fn place(&self, index: usize) -> (Rank, usize) {
        let n_ranks = self.n_ranks as usize;
        let (local, offset) = (index / n_ranks, index % n_ranks);
        let rank = self.first as usize + offset;
        let rank = if rank < n_ranks { rank } else { rank - n_ranks };
        (rank as Rank, local)
    }

    #[inline(always)]
    fn first(&self) -> Rank {
        self.first
    }

    fn n_ranks(&self) -> usize {
        self.n_ranks as usize
    }

    fn holds(&self, rank: Rank) -> bool {
        (0..self.n_ranks).contains(&rank)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::OneHome {}
    impl Sealed for super::Dealt {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_dealt_one_by_one_from_the_first_rank_on() {
        let homes = Dealt {
            first: 2,
            n_ranks: 3,
        };
        let places: Vec<_> = (0..7).map(|index| homes.place(index)).collect();
        let expected = [(2, 0), (0, 0), (1, 0), (2, 1), (0, 1), (1, 1), (2, 2)];
        assert_eq!(places, expected);
        assert_eq!((homes.rank(0), homes.rank(1), homes.rank(2)), (2, 0, 1));
        assert!(homes.holds(0) && homes.holds(2) && !homes.holds(3));
        assert!(OneHome(1).holds(1) && !OneHome(1).holds(0));
    }
}
