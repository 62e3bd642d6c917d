//! What this process is in just now: for a watchdog, which another thread reads it by.
//!
//! The thread that calls MPI says what it is about to do, by a store into one word; nobody reads a clock
//! and nobody waits. Each store has a number of its own, so whoever looks twice and sees the same word
//! knows that the process has been in that one thing all the while.
//!
//! Slow calls are [`within`] a guard, in `rma/`. A step of the game is a plain [`step`]; the claims of the
//! library say nothing themselves, as a nanosecond would count there.
//!
//! Process-wide, as MPI is. Where several threads call MPI, what is seen is what one of them said last.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Bits 0–23: the argument plus one, or 0; 24–31: the call; 32–63: the number of the store.
static NOW: AtomicU64 = AtomicU64::new(0);
/// Bits 0–7: the place; 8–63: its game.
static PLACE: AtomicU64 = AtomicU64::new(0);
/// What a claim is: bits 0–7 the means, 8–15 items a word, 16–39 over how many ranks words are dealt.
static CLAIMS: AtomicU64 = AtomicU64::new(0);

const ARGUMENT_BITS: u32 = 24;
const CALL_BITS: u32 = 8;
const NUMBER_SHIFT: u32 = ARGUMENT_BITS + CALL_BITS;
const MAX_ARGUMENT: u32 = (1 << ARGUMENT_BITS) - 2;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            const ALL: &[$name] = &[$($name::$variant,)*];

            fn of_code(code: u64) -> Self {
                Self::ALL.get(code as usize & 0xff).copied().unwrap_or(Self::ALL[0])
            }

            fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

named! {
    /// What a process can wait in.
    Call {
        /// Nothing of MPI.
        Nothing = "its own work",
        /// Thinking, which is no waiting.
        Think = "its think time",
        /// A claim of the game; the argument is the digit, 0 or none where it is only looked or drawn.
        Claim = "a claim",
        /// Work on a claim board outside the game.
        Board = "operations on the board",
        /// The trial of what keeps claims moving.
        Trial = "the trial of progress",
        Init = "MPI_Init_thread",
        Finalize = "MPI_Finalize",
        /// After all of MPI.
        Exit = "the end of its process",
        /// Ending the job.
        Abort = "MPI_Abort",
        Barrier = "MPI_Barrier",
        Allreduce = "MPI_Allreduce",
        Bcast = "MPI_Bcast",
        Gather = "MPI_Gather",
        CommDup = "MPI_Comm_dup",
        CommSplit = "MPI_Comm_split_type",
        CommFree = "MPI_Comm_free",
        WinAllocate = "MPI_Win_allocate",
        WinAllocateShared = "MPI_Win_allocate_shared",
        /// Opens an epoch on all ranks.
        WinLockAll = "MPI_Win_lock_all",
        /// Completes what is under way, on all ranks.
        WinUnlockAll = "MPI_Win_unlock_all",
        WinFree = "MPI_Win_free",
        /// To one rank.
        Send = "MPI_Send",
        /// For a message of any rank.
        Mprobe = "MPI_Mprobe",
        /// A moment in MPI, for the sake of others.
        Iprobe = "MPI_Iprobe",
        /// On the home rank's memory, so that it knows of this rank, or this of others.
        Muster = "a sign of life",
    }
}

named! {
    /// Where in a run a process is.
    Place {
        /// Before all else.
        Start = "at the start",
        /// Where memory for claims is made.
        Opening = "while the boards are opened",
        /// Around the files of a trace.
        Recording = "while the trace is begun or ended",
        /// Between the game before and this one.
        BeforeGame = "before game",
        Game = "in game",
        /// Where what was played is gathered.
        AfterGame = "after game",
        /// Where memory for claims is freed.
        Closing = "while the boards are closed",
        /// After all else.
        End = "at the end",
    }
}

named! {
    Means {
        /// Not said.
        Unknown = "",
        /// Bits.
        FetchAndOp = "MPI_Fetch_and_op",
        /// Slots.
        CompareAndSwap = "MPI_Compare_and_swap",
        /// Memory that ranks share.
        CpuAtomics = "atomics of the processor",
        /// Shared memory first, then bits.
        TwoTier = "atomics of the processor, then MPI_Fetch_and_op",
    }
}

impl Call {
    /// Whether one who is in it may wait for others.
    pub fn waits(self) -> bool {
        !matches!(self, Call::Nothing | Call::Think)
    }

    /// Whether all ranks must come to it.
    pub fn is_collective(self) -> bool {
        use Call::*;
        matches!(
            self,
            Init | Finalize
                | Barrier
                | Allreduce
                | Bcast
                | Gather
                | CommDup
                | CommSplit
                | CommFree
                | WinAllocate
                | WinAllocateShared
                | WinFree
        )
    }
}

/// Says that this process is in `call` from now on, with what that is about: the digit of a claim. One load
/// and one store.
#[inline(always)]
pub fn step(call: Call, argument: u32) {
    put((call as u64) << ARGUMENT_BITS | u64::from(argument.min(MAX_ARGUMENT) + 1));
}

/// Says that this process is in `call` from now on, whatever it was in.
#[inline(always)]
pub fn enter(call: Call) {
    put((call as u64) << ARGUMENT_BITS);
}

#[inline(always)]
fn put(what: u64) {
    let number = (NOW.load(Relaxed) >> NUMBER_SHIFT).wrapping_add(1);
    NOW.store(number << NUMBER_SHIFT | what, Relaxed);
}

/// Says that this process is in `call`, on rank `target` where it is on one, until the guard is dropped;
/// then it is again in what it was in before.
#[inline]
pub fn within(call: Call, target: Option<i32>) -> Within {
    let before = NOW.load(Relaxed) & ((1 << NUMBER_SHIFT) - 1);
    match target.and_then(|target| u32::try_from(target).ok()) {
        Some(target) => step(call, target),
        None => enter(call),
    }
    Within { before }
}

/// See [`within`].
#[derive(Debug)]
#[must_use = "what is within ends when this is dropped"]
pub struct Within {
    before: u64,
}

impl Drop for Within {
    #[inline]
    fn drop(&mut self) {
        put(self.before);
    }
}

/// Says where in the run this process is from now on; `game` counts where the place has one.
#[inline]
pub fn at(place: Place, game: u64) {
    PLACE.store(game << 8 | place as u64, Relaxed);
}

/// Says what the game's claims are: by what means; over how many ranks, from rank 0 on, words are dealt;
/// how many digits a word has.
pub fn claims(means: Means, n_homes: u32, digits_a_word: u8) {
    let n_homes = u64::from(n_homes.clamp(1, MAX_ARGUMENT));
    let digits_a_word = u64::from(digits_a_word.max(1));
    CLAIMS.store(n_homes << 16 | digits_a_word << 8 | means as u64, Relaxed);
}

/// What a process was in at one moment. Two that are equal are one stay, and no two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    now: u64,
}

/// Looks. From any thread.
pub fn look() -> Pulse {
    Pulse {
        now: NOW.load(Relaxed),
    }
}

impl Pulse {
    pub fn call(self) -> Call {
        Call::of_code(self.now >> ARGUMENT_BITS)
    }

    fn argument(self) -> Option<u32> {
        (self.now as u32 & ((1 << ARGUMENT_BITS) - 1)).checked_sub(1)
    }

    /// Which rank it is on, where it is on one.
    pub fn target(self) -> Option<u32> {
        match self.call() {
            Call::Claim => {
                let claims = CLAIMS.load(Relaxed);
                let (digits, homes) = (claims >> 8 & 0xff, claims >> 16);
                let by_mpi = Means::of_code(claims) != Means::CpuAtomics;
                let item = u64::from(self.argument().unwrap_or(0).saturating_sub(1));
                (by_mpi && homes > 0).then(|| (item / digits.max(1) % homes) as u32)
            }
            _ => self.argument(),
        }
    }

    /// What it is, on which rank, where in the run as that is now:
    /// `MPI_Barrier before game 7`.
    pub fn in_words(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.call().text())?;
        if self.call() == Call::Claim {
            if let Some(digit @ 1..) = self.argument() {
                write!(f, " of digit {digit}")?;
            }
            match Means::of_code(CLAIMS.load(Relaxed)) {
                Means::Unknown => {}
                means => write!(f, " ({})", means.text())?,
            }
        }
        if let Some(rank) = self.target() {
            match self.call() {
                Call::Send => write!(f, " to rank {rank}")?,
                Call::Bcast => write!(f, " of rank {rank}'s word")?,
                _ => write!(f, " on rank {rank}")?,
            }
        }
        if matches!(self.call(), Call::Init | Call::Finalize | Call::Exit) {
            return Ok(());
        }
        let place = PLACE.load(Relaxed);
        let (kind, game) = (Place::of_code(place), place >> 8);
        write!(f, " {}", kind.text())?;
        match kind {
            Place::BeforeGame | Place::Game | Place::AfterGame => write!(f, " {game}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// There is one pulse in a process, and several tests in this one.
    fn alone() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn what_is_within_is_seen_and_what_was_before_comes_back_as_another_stay() {
        let _turn = alone();
        enter(Call::Think);
        let before = look();
        {
            let _outer = within(Call::Trial, Some(3));
            assert_eq!((look().call(), look().target()), (Call::Trial, Some(3)));
            let first = look();
            drop(within(Call::Barrier, None));
            assert_eq!((look().call(), look().target()), (Call::Trial, Some(3)));
            assert_ne!(look(), first, "it moved meanwhile");
            assert_eq!(look(), look());
        }
        assert_eq!(look().call(), Call::Think);
        assert_ne!(look(), before);
    }

    #[test]
    fn the_words_name_the_operation_its_target_and_the_game() {
        let _turn = alone();
        at(Place::BeforeGame, 7);
        let barrier = within(Call::Barrier, None);
        assert_eq!(look().in_words(), "MPI_Barrier before game 7");
        drop(barrier);
        at(Place::Game, 7);
        claims(Means::CompareAndSwap, 1, 1);
        step(Call::Claim, 5);
        assert_eq!(
            look().in_words(),
            "a claim of digit 5 (MPI_Compare_and_swap) on rank 0 in game 7"
        );
        // Slots are dealt one by one, bits by words of 64.
        claims(Means::CompareAndSwap, 3, 1);
        assert_eq!(look().target(), Some(1));
        claims(Means::FetchAndOp, 3, 64);
        step(Call::Claim, 65);
        assert_eq!(look().target(), Some(1));
        step(Call::Claim, 64);
        assert_eq!(look().target(), Some(0));
        claims(Means::CpuAtomics, 1, 64);
        assert_eq!(look().target(), None, "nobody is asked");
        enter(Call::Nothing);
        assert!(!look().call().waits());
    }

    #[test]
    fn what_does_not_fit_is_cut_and_disturbs_nothing_else() {
        let _turn = alone();
        step(Call::Send, u32::MAX);
        assert_eq!(
            (look().call(), look().target()),
            (Call::Send, Some(MAX_ARGUMENT))
        );
        for &call in Call::ALL {
            let _within = within(call, None);
            assert_eq!(look().call(), call);
        }
    }
}
