//! Info hints for windows: a whitelist per library, of those that pay for themselves.

use std::ffi::CString;

use mpi::ffi;

use super::environment::library;
use super::error::{Result, check};
use super::library::{Family, Library};

/// Which hints a window gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// Those that were measured to pay on this library.
    Measured,
    /// None, to measure against.
    None,
}

/// The hints that are true of our windows and were measured to pay.
///
/// True of our windows: each word sees one kind of operation (`same_op`), and every operation is
/// flushed before the next, so no order between accumulates is needed. Never `no_locks`: `lock_all`
/// is then refused. A whitelist, because an unknown *token* in MPICH's `which_accumulate_ops`
/// aborts MPICH 4.0.2. `just bench claims` measures each library with and without.
fn whitelist(library: &Library) -> &'static [(&'static str, &'static str)] {
    match library.family {
        Family::OpenMpi => &[
            ("accumulate_ops", "same_op"),
            ("accumulate_ordering", "none"),
            ("same_disp_unit", "true"),
            ("acc_single_intrinsic", "true"),
        ],
        Family::Mpich if library.version[0] >= 5 => &[
            ("accumulate_ops", "same_op"),
            ("accumulate_ordering", "none"),
            ("which_accumulate_ops", "sum,bor,cswap"),
            ("accumulate_max_bytes", "8"),
        ],
        Family::Mpich | Family::Intel | Family::Mvapich | Family::Other => &[],
    }
}

/// The hints that windows get on the library that was loaded, as keys and values.
///
/// # Errors
/// What MPI returns.
pub fn hints_in_use() -> Result<Vec<(&'static str, &'static str)>> {
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
            Hints::Measured => whitelist(library),
            Hints::None => &[],
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
            check("MPI_Info_set", unsafe { ffi::MPI_Info_set(raw, key.as_ptr(), value.as_ptr()) })?;
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
        check("MPI_Info_free", unsafe { ffi::MPI_Info_free(&mut self.raw) })
    }
}
