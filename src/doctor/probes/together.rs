//! Values that ranks tell each other, as JSON: the doctor's ranks need no speed here.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::rma::{Comm, Result};

/// A value of every rank, at rank 0 in the order of ranks. Collective.
pub(super) fn gather<T: Serialize + DeserializeOwned>(
    comm: &Comm<'_>,
    value: &T,
) -> Result<Option<Vec<T>>> {
    let bytes = serde_json::to_vec(value).expect("plain values");
    let all = comm.gather(0, &bytes)?;
    Ok(all.map(|all| {
        all.iter()
            .map(|bytes| serde_json::from_slice(bytes).expect("written by this program"))
            .collect()
    }))
}

/// Rank 0's value, on all ranks. Collective; only rank 0 gives one.
pub(super) fn share<T: Serialize + DeserializeOwned>(
    comm: &Comm<'_>,
    value: Option<T>,
) -> Result<T> {
    let bytes = match &value {
        Some(value) => serde_json::to_vec(value).expect("plain values"),
        None => Vec::new(),
    };
    let bytes = comm.broadcast_all_of(0, bytes)?;
    Ok(serde_json::from_slice(&bytes).expect("written by rank 0"))
}
