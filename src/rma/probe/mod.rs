//! What only the doctor needs of MPI: windows of every kind with every atomic of both widths, and
//! questions to the library. Claims use [`Window`](super::Window), which allows far less.

mod ask;
mod window;

pub use super::ending::exit_now;
pub use super::environment::library_text;
pub use super::placement::node_of;
pub use ask::open_mpi_components;
pub use window::{MemoryModel, ProbeWindow, Word};
