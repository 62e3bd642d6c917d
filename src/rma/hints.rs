//! Info hints for windows: a whitelist per library, used where it was measured to pay.

use std::ffi::CString;

use mpi::ffi;

use super::environment::library;
use super::error::{Result, check};
use super::library::{Family, Library};

/// Which hints a window gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hints {
    /// None. The default: on one node, none of the whitelisted hints made a claim faster on Open MPI
    /// 4.1.4 (1 % slower), 5.0.11 or MPICH 5.0.2 (no difference within 1 %). `just bench claims`
    /// measures it anew.
    #[default]
    None,
    /// All that are true of our windows, and that the library at hand is known to take.
    Whitelisted,
}

/// The hints that are true of our windows, as keys and values, by library.
///
/// True of our windows: each word sees one kind of operation (`same_op`), and what is in flight together
/// needs no order. Not `acc_single_intrinsic` or `accumulate_max_bytes`: runs of words are accumulated
/// by one call. Never `no_locks`: `lock_all` is then refused. A whitelist, because an unknown *token* in
/// MPICH's `which_accumulate_ops` aborts MPICH 4.0.2.
fn whitelist(library: &Library) -> &'static [(&'static str, &'static str)] {
    match library.family {
        Family::OpenMpi => &[
            ("accumulate_ops", "same_op"),
            ("accumulate_ordering", "none"),
            ("same_disp_unit", "true"),
        ],
        Family::Mpich if library.version[0] >= 5 => &[
            ("accumulate_ops", "same_op"),
            ("accumulate_ordering", "none"),
            ("which_accumulate_ops", "sum,bor,max,cswap"),
        ],
        Family::Mpich | Family::Intel | Family::Mvapich | Family::Other => &[],
    }
}

/// The whitelisted hints of the library that was loaded, as keys and values.
///
/// # Errors
/// What MPI returns.
pub fn whitelisted_hints() -> Result<Vec<(&'static str, &'static str)>> {
    Ok(whitelist(&library()?).to_vec())
}

/// An `MPI_Info` of our own, or none.
pub(super) struct Info {
    raw: ffi::MPI_Info,
    is_own: bool,
}

impl Info {
    pub(super) fn for_window(library: &Library, hints: Hints) -> Result<Self> {
        let pairs = match hints {
            Hints::None => &[],
            Hints::Whitelisted => whitelist(library),
        };
        // SAFETY: a constant of the library.
        let mut raw = unsafe { ffi::RSMPI_INFO_NULL };
        if pairs.is_empty() {
            return Ok(Info { raw, is_own: false });
        }
        // SAFETY: `raw` is where the handle goes.
        check("MPI_Info_create", unsafe { ffi::MPI_Info_create(&mut raw) })?;
        for (key, value) in pairs {
            let key = CString::new(*key).expect("the keys above have no NUL");
            let value = CString::new(*value).expect("the values above have no NUL");
            // SAFETY: live info; MPI copies both strings before it returns (MPI-4.1 §10).
            check("MPI_Info_set", unsafe {
                ffi::MPI_Info_set(raw, key.as_ptr(), value.as_ptr())
            })?;
        }
        Ok(Info { raw, is_own: true })
    }

    pub(super) fn raw(&self) -> ffi::MPI_Info {
        self.raw
    }

    pub(super) fn free(mut self) -> Result<()> {
        if !self.is_own {
            return Ok(());
        }
        // SAFETY: made by `for_window`, freed once since `self` is consumed.
        check("MPI_Info_free", unsafe {
            ffi::MPI_Info_free(&mut self.raw)
        })
    }
}
