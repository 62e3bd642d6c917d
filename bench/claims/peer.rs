//! The C peer, loaded as a shared library.

use std::ffi::c_void;

use libloading::{Library, Symbol};

use super::Contender;

type Open = unsafe extern "C" fn(usize) -> *mut c_void;
type Clear = unsafe extern "C" fn(*mut c_void);
type Claim = unsafe extern "C" fn(*mut c_void, u64) -> u64;

/// `peer.c`, compiled.
pub struct PeerLibrary(Library);

/// How the peer claims.
#[derive(Clone, Copy)]
pub enum Method {
    Bits,
    BitsAndRemember,
    Slots,
}

/// A window of the peer's.
pub struct Peer {
    handle: *mut c_void,
    clear: Clear,
    claim: Claim,
    close: Clear,
}

impl PeerLibrary {
    pub fn load(path: &str) -> Self {
        // SAFETY: our own C file, whose loading runs no code of its own.
        PeerLibrary(unsafe { Library::new(path) }.expect("the C peer loads"))
    }

    fn symbol<T: Copy>(&self, name: &str) -> T {
        // SAFETY: the types above are those of `peer.c`.
        let symbol: Symbol<'_, T> =
            unsafe { self.0.get(name.as_bytes()) }.expect("the C peer has it");
        *symbol
    }
}

impl Peer {
    /// Opens a window of `n_bytes`. Collective. Closed before `library` is unloaded.
    pub fn open(library: &PeerLibrary, n_bytes: usize, method: Method) -> Self {
        let open: Open = library.symbol("peer_open");
        Peer {
            // SAFETY: MPI runs.
            handle: unsafe { open(n_bytes) },
            clear: library.symbol("peer_clear"),
            claim: library.symbol(match method {
                Method::Bits => "peer_claim_bits",
                Method::BitsAndRemember => "peer_claim_bits_and_remember",
                Method::Slots => "peer_claim_slots",
            }),
            close: library.symbol("peer_close"),
        }
    }

    /// Closes the window. Collective.
    pub fn close(self) {
        // SAFETY: a handle of `peer_open`, used no more.
        unsafe { (self.close)(self.handle) }
    }
}

impl Contender for Peer {
    fn claim(&mut self, n: u64) -> u64 {
        // SAFETY: a live handle of `peer_open`.
        unsafe { (self.claim)(self.handle, n) }
    }
    fn clear(&mut self) {
        // SAFETY: a live handle of `peer_open`.
        unsafe { (self.clear)(self.handle) }
    }
}
