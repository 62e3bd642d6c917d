//! Starting jobs by their launcher, and ending them with all that they started. Starts no MPI itself, and
//! needs none.

mod group;
mod template;

pub use group::{end, end_all_marked, has_ended, in_own_group, status_in_words};
pub use template::{Template, find_program};
