//! What recording costs, and how fast records are analysed: beside peers where there are any.
//!
//! `just bench trace`. Recorded and unrecorded claims are interleaved batch by batch in one process, and
//! each batch checks that every item was won once. The analysis reads a run made up for the purpose,
//! whose numbers are known, and is checked against them.

mod analysing;
mod made_up;
mod peers;
mod recording;

use onesided::internals::trace::RecordLayer;
use onesided::rma::{self, Mpi, ThreadLevel};
use tracing_subscriber::prelude::*;

fn main() {
    // As the program has it: diagnostics beside records.
    let layer = RecordLayer::new();
    let filter = tracing_subscriber::EnvFilter::new("warn,onesided::record=off");
    let diagnostics = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    tracing_subscriber::registry()
        .with(diagnostics)
        .with(Some(layer.clone()))
        .init();
    let folder = std::env::var("ONESIDED_BENCH_FOLDER").expect("`just bench trace` names a folder");
    let folder = std::path::Path::new(&folder);

    let mpi = Mpi::init(ThreadLevel::Funneled).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    if world.rank() == 0 {
        println!("{}", rma::library().expect("the library names itself"));
    }
    recording::run(&world, &layer, folder);
    let is_first = world.rank() == 0;
    world.free().expect("freed");
    mpi.finalize().expect("ended");
    // After MPI, so that no rank polls beside it.
    if is_first {
        analysing::run(folder);
        peers::run(folder);
    }
}
