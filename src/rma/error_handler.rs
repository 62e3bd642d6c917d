//! The error handler that makes MPI return codes, by the number that the loaded library gives it.

use mpi::ffi;

/// `MPI_ERRORS_RETURN`. MPI is initialised when this is called.
///
/// In a build against the standard ABI the header has the standard's number, and the library may have
/// that of a draft: see [`INTEL_ABI_ERROR_HANDLERS`](super::faults::INTEL_ABI_ERROR_HANDLERS).
pub(super) fn errors_return() -> ffi::MPI_Errhandler {
    #[cfg(mpi_standard_abi)]
    if draft::is_loaded() {
        return draft::ERRORS_RETURN;
    }
    // SAFETY: a constant of the library, written once when `mpi-sys` is loaded.
    unsafe { ffi::RSMPI_ERRORS_RETURN }
}

/// A draft of the ABI, which differs from MPI-5.0 in some numbers.
#[cfg(mpi_standard_abi)]
mod draft {
    use std::ffi::{c_int, c_uint};
    use std::ptr;

    use mpi::ffi;

    /// What the draft calls so; MPI-5.0 calls it `MPI_ERRORS_ABORT`, and its `MPI_ERRORS_RETURN` is the
    /// draft's `MPI_ERRORS_ABORT`.
    pub const ERRORS_RETURN: ffi::MPI_Errhandler =
        ffi::MPI_Errhandler(ptr::without_provenance_mut(0x142));

    /// `MPI_LASTUSEDCODE` of the draft. MPI-5.0 has `MPI_UNIVERSE_SIZE` here.
    const LAST_USED_CODE: c_uint = 507;

    /// Whether the library has the draft's numbers. A version would tell until it is mended; this tells
    /// it afterwards too: attributes were numbered anew together with the error handlers, and the last
    /// used error code, which is there always and is `MPI_ERR_LASTCODE` or more (MPI-5.0 §9.5), is
    /// found under its old number only.
    pub fn is_loaded() -> bool {
        let is_code =
            |key| attribute(key).is_some_and(|value| value >= ffi::MPI_ERR_LASTCODE as c_int);
        !is_code(ffi::MPI_LASTUSEDCODE) && is_code(LAST_USED_CODE)
    }

    /// A predefined attribute of `MPI_COMM_WORLD` that is an int, where it is set.
    fn attribute(key: c_uint) -> Option<c_int> {
        let mut value: *const c_int = ptr::null();
        let mut is_set: c_int = 0;
        // SAFETY: MPI is initialised (caller). The keys are predefined in MPI-5.0 and in the draft; the
        // value of each is a pointer to an int that lives as long as MPI.
        unsafe {
            let code = ffi::MPI_Comm_get_attr(
                ffi::RSMPI_COMM_WORLD,
                key as c_int,
                (&raw mut value).cast(),
                &mut is_set,
            );
            // A failure is an answer: the attribute is not to be had.
            (code == ffi::MPI_SUCCESS as c_int && is_set != 0).then(|| *value)
        }
    }
}
