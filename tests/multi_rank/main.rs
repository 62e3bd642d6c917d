//! Tests that run on several ranks: windows, boards, games, and what happens when a rank fails.

mod blackboard;
mod boards;
mod checkpoints;
mod failures;
mod faults;
mod games;
mod harness;
mod library;
mod memory;
mod misuse;
mod numbers;
mod openings;
mod poisoned;
mod programs;
mod progress;
#[path = "../support/mod.rs"]
mod support;
mod together;
mod windows;

use libtest_mimic::Arguments;
use onesided::rma::ThreadLevel;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, program, name] = &args[..] {
        if program == "--program" {
            return programs::run(name);
        }
    }
    if args.get(1).is_some_and(|arg| arg == "--body") {
        let by_level = [
            (ThreadLevel::Funneled, windows::BODIES),
            (ThreadLevel::Funneled, boards::BODIES),
            (ThreadLevel::Funneled, checkpoints::BODIES),
            (ThreadLevel::Funneled, misuse::BODIES),
            (ThreadLevel::Funneled, poisoned::BODIES),
            (ThreadLevel::Funneled, numbers::BODIES),
            (ThreadLevel::Funneled, blackboard::BODIES),
            (ThreadLevel::Funneled, games::BODIES),
            (ThreadLevel::Funneled, failures::BODIES),
            (ThreadLevel::Funneled, faults::BODIES),
            (ThreadLevel::Funneled, library::BODIES),
            (ThreadLevel::Funneled, memory::BODIES),
            (ThreadLevel::Funneled, memory::SMALL_SHM_BODIES),
            (ThreadLevel::Funneled, openings::BODIES),
            (ThreadLevel::Funneled, openings::WITH_FAULTS),
            (ThreadLevel::Funneled, &[openings::SEVERAL_NODES]),
            (ThreadLevel::Funneled, programs::BODIES),
            (ThreadLevel::Funneled, progress::FUNNELED_BODIES),
            (ThreadLevel::Serialized, progress::BODIES),
            (ThreadLevel::Multiple, progress::CONCURRENT_BODIES),
        ];
        return harness::run_body(&by_level, &args[2..]);
    }
    let on_all_counts = [
        windows::BODIES,
        boards::BODIES,
        checkpoints::BODIES,
        misuse::BODIES,
        numbers::BODIES,
        blackboard::BODIES,
        games::BODIES,
        memory::BODIES,
    ]
    .concat();
    let mut arguments = Arguments::from_args();
    let (mut trials, of_common_jobs) = match arguments.filter {
        // Of a few each runs in a job of its own: what it prints is its own.
        Some(_) => {
            let alone = |body| harness::on_ranks(support::rank_counts(), body);
            (on_all_counts.into_iter().flat_map(alone).collect(), vec![])
        }
        None => together::trials(on_all_counts),
    };
    trials.extend(progress::trials());
    trials.extend(library::trials());
    trials.extend(memory::trials());
    trials.extend(openings::trials());
    trials.extend(programs::trials());
    trials.extend(failures::trials());
    trials.extend(faults::trials());
    trials.extend(poisoned::trials());
    trials.extend(of_common_jobs);
    if !arguments.list {
        let library = onesided::rma::library().expect("the library names itself");
        println!(
            "ranks are started by {} and load {library}",
            support::launcher().display()
        );
    }
    // Some jobs wait more than they compute, a launcher that hangs or ranks of which one sleeps: a second one
    // has its turn beside them. Of a third, ranks that poll would take the cores.
    arguments.test_threads = Some(2);
    libtest_mimic::run(&arguments, trials).exit();
}
