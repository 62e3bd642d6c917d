//! What all ranks agree on in a collective call: that they all mean the same one, and whether it worked.
//!
//! MPI notices neither. Ranks that open boards of different sizes, or on different target ranks, would claim
//! each on its own; ranks that open different kinds would wait for each other in different calls; and a rank
//! that returns early with an error leaves the others waiting in the next call.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::comm::{Comm, Rank};
use super::error::{Error, ErrorKind, Result};
use super::open_at_end::is_on_all_ranks;

/// What this rank is about to open: its kind, then each argument, by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Opening {
    parts: Vec<(String, String)>,
}

impl Opening {
    pub(crate) fn of(kind: &str) -> Self {
        Opening {
            parts: vec![("kind".into(), kind.into())],
        }
    }

    pub(crate) fn with(mut self, argument: &str, value: impl fmt::Debug) -> Self {
        self.parts.push((argument.into(), format!("{value:?}")));
        self
    }

    /// FNV-1a of all parts (Fowler, Noll and Vo): the same in every build of this program, unlike the hashes
    /// of the standard library.
    fn fingerprint(&self) -> u64 {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        const END: [u8; 1] = [0xff]; // no byte of a text in UTF-8
        let texts = self.parts.iter().flat_map(|(name, value)| [name, value]);
        let bytes = texts.flat_map(|text| text.as_bytes().iter().chain(&END));
        bytes.fold(OFFSET_BASIS, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        })
    }

    /// The first part in which `other` differs, as it is here and there.
    fn first_difference(&self, other: &Self) -> Option<(String, String, String)> {
        let mut parts = self.parts.iter().zip(&other.parts);
        let ((name, here), (_, there)) = parts.find(|(here, there)| here != there)?;
        Some((name.clone(), here.clone(), there.clone()))
    }
}

/// Makes sure that all ranks open the same, and returns the bitwise or of the `bytes` that they need: the
/// largest or more. Collective: one allreduce of 24 bytes, and one exchange more where ranks differ.
///
/// # Errors
/// [`ErrorKind::OpenedDifferently`], the same on all ranks; or what MPI returns.
pub(crate) fn agree(comm: &Comm<'_>, opening: &Opening, bytes: u64) -> Result<u64> {
    let own = opening.fingerprint();
    let mut all = [0; 3];
    comm.allreduce_or(&[own, !own, bytes], &mut all)?;
    let [set_somewhere, clear_somewhere, bytes] = all;
    match set_somewhere & clear_somewhere {
        0 => Ok(bytes),
        _ => Err(difference(comm, opening)?),
    }
}

/// Which rank differs in what. Collective.
fn difference(comm: &Comm<'_>, own: &Opening) -> Result<Error> {
    let mut first = None;
    if let Some(all) = comm.gather(0, &to_bytes(own))? {
        let openings = (0..).zip(all.iter().map(|bytes| from_bytes::<Opening>(bytes)));
        let mut different = openings.filter_map(|(rank, opening): (Rank, _)| {
            let (what, on_first, on_other) = own.first_difference(&opening)?;
            Some((rank, what, on_first, on_other))
        });
        first = different.next();
    }
    let first = comm.broadcast_all_of(0, to_bytes(&first))?;
    let first: Option<(Rank, String, String, String)> = from_bytes(&first);
    let (rank, what, on_first, on_other) = first.expect("fingerprints differ, so openings do");
    Ok(ErrorKind::OpenedDifferently {
        what,
        on_first,
        rank,
        on_other,
    }
    .into())
}

/// `own` where it is no error on any rank, else an error on all: a rank's own, or
/// [`ErrorKind::OnOtherRank`]. Collective: one allreduce of 8 bytes, so that nobody leaves before all have
/// come; and one exchange more after an error.
///
/// # Errors
/// The rank's own, that of the lowest rank that has one, or what MPI returns.
pub(crate) fn all_or_none<T>(comm: &Comm<'_>, own: Result<T>) -> Result<T> {
    let mut somewhere = [0];
    comm.allreduce_or(&[u64::from(own.is_err())], &mut somewhere)?;
    match somewhere {
        [0] => own,
        _ => Err(failure(comm, own.err())?),
    }
}

/// The error of this rank where some rank has one: [`all_or_none`] where an exchange of the caller's has told.
/// Collective.
pub(crate) fn failure(comm: &Comm<'_>, own: Option<Error>) -> Result<Error> {
    let text = own.as_ref().map(Error::to_string);
    let mut first = None;
    if let Some(all) = comm.gather(0, &to_bytes(&text))? {
        let mut failures = (0..).zip(all.iter().map(|bytes| from_bytes::<Option<String>>(bytes)));
        first = failures.find_map(|(rank, text): (Rank, _)| Some((rank, text?)));
    }
    let first = comm.broadcast_all_of(0, to_bytes(&first))?;
    let first: Option<(Rank, String)> = from_bytes(&first);
    let (rank, why) = first.expect("some rank has an error");
    let error = own.unwrap_or_else(|| ErrorKind::OnOtherRank { rank, why }.into());
    is_on_all_ranks();
    Ok(error)
}

/// Something as bytes for other ranks of this program.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("numbers and texts")
}

pub(super) fn from_bytes<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> T {
    serde_json::from_slice(bytes).expect("what another rank of this program made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_that_differ_have_other_fingerprints_and_name_the_first_difference() {
        let board = || Opening::of("BitBoard").with("target", 0);
        let one = board().with("n_items", 64);
        let other = board().with("n_items", 65);
        assert_eq!(one.fingerprint(), board().with("n_items", 64).fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        let difference = one.first_difference(&other);
        assert_eq!(
            difference,
            Some(("n_items".into(), "64".into(), "65".into()))
        );
        let slots = Opening::of("SlotBoard").with("n_items", 64);
        let (what, ..) = one.first_difference(&slots).unwrap();
        assert_eq!(what, "kind");
    }

    #[test]
    fn texts_are_apart_in_a_fingerprint() {
        let one = Opening::of("a").with("b", 12).with("c", 3);
        let other = Opening::of("a").with("b", 1).with("2c", 3);
        assert_ne!(one.fingerprint(), other.fingerprint());
    }
}
