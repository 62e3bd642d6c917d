//! Options of `onesided play` that have names, as a plan may vary them. `cli/play/args.rs` has the same
//! for a single game, in the build that plays; a test holds them beside each other.

use std::fmt;
use std::str::FromStr;

pub use crate::think_time::ThinkBy;
pub use crate::trace::Version;

/// An option that is one of several names.
macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$what])* $variant,)* }

        named! { $name { $($variant = $text,)* } }
    )*};
}

/// Names for what may be defined elsewhere.
macro_rules! named {
    ($name:ident { $($variant:ident = $text:literal,)* }) => {
        impl Named for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($text, $name::$variant)),*];
        }
    };
}

/// What has a name on the command line.
pub trait Named: Copy + PartialEq + 'static {
    const ALL: &'static [(&'static str, Self)];

    fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, value)| *value == self);
        named.map_or("", |(name, _)| name)
    }

    /// What has this name.
    fn of_name(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|&(_, value)| value).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

choices! {
    /// The atomic operation that claims a digit.
    ClaimWith {
        /// One bit a digit, by `MPI_Fetch_and_op`.
        FetchAndOp = "fetch-and-op",
        /// One slot a digit, by `MPI_Compare_and_swap`.
        CompareAndSwap = "compare-and-swap",
        /// One bit a digit, by CPU atomics: one node only.
        SharedMemory = "shared-memory",
        /// One bit a digit, decided within each node first.
        TwoTier = "two-tier",
    }
    /// Where the claims lie.
    Home {
        /// All on rank 0.
        Rank0 = "rank0",
        /// Dealt over the memory of all ranks.
        Spread = "spread",
    }
    /// Which digits ranks guess.
    Guess {
        /// Any digit, or 0.
        Uniform = "uniform",
        /// Any digit that the rank does not know to be claimed.
        Unclaimed = "unclaimed",
        /// The next of a random order that all ranks share; one-sided only.
        Ticket = "ticket",
    }
    /// What keeps claims moving while rank 0 thinks.
    Progress {
        /// Whatever is found to do.
        Auto = "auto",
        /// Nothing but the library.
        None = "none",
        /// Rank 0 enters MPI now and then.
        Poll = "poll",
        /// A helper thread on rank 0.
        Thread = "thread",
    }
}

named! { Version { Rma = "rma", Collective = "collective", } }
named! { ThinkBy { Sleep = "sleep", Spin = "spin", } }

/// `true` or `false`: a flag that is there or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flag(pub bool);

impl Named for Flag {
    const ALL: &'static [(&'static str, Self)] = &[("false", Flag(false)), ("true", Flag(true))];
}

/// Think times that single ranks add: `none`, `3=200ms`, or several joined by `+`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stragglers(pub Vec<crate::think_time::Straggler>);

impl FromStr for Stragglers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Stragglers::default());
        }
        let all: Result<Vec<_>, String> = text.split('+').map(str::parse).collect();
        all.map(Stragglers).map_err(|why| {
            format!("{why} (several of them in one game are joined by +, and none is 'none')")
        })
    }
}

impl fmt::Display for Stragglers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, straggler) in self.0.iter().enumerate() {
            let extra = humantime::format_duration(straggler.extra).to_string();
            let plus = if index > 0 { "+" } else { "" };
            write!(f, "{plus}{}={}", straggler.rank, extra.replace(' ', ""))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        fn check<T: Named + fmt::Debug>() {
            for &(name, value) in T::ALL {
                assert_eq!((value.name(), T::of_name(name)), (name, Ok(value)));
            }
            let error = T::of_name("other").unwrap_err();
            assert!(
                T::ALL.iter().all(|(name, _)| error.contains(name)),
                "{error}"
            );
        }
        check::<ClaimWith>();
        check::<Home>();
        check::<Guess>();
        check::<Progress>();
        check::<Version>();
        check::<ThinkBy>();
        check::<Flag>();
        for text in ["none", "3=200ms", "1=1m30s+2=1us"] {
            assert_eq!(text.parse::<Stragglers>().unwrap().to_string(), text);
        }
        for text in ["", "3", "1=1s+", "1=1s,2=1s"] {
            assert!(text.parse::<Stragglers>().is_err(), "{text}");
        }
    }
}
