//! What holds on one host holds across hosts: claims in numbers, words dealt over all ranks, and what
//! ranks know together.

use crate::harness::{self, DEADLINE};
use crate::hosts::Hosts;
use crate::launchers::Within;
use crate::{Test, assert_done, blackboard, numbers, openings};

pub const TESTS: &[Test] = &[
    ("in_numbers::claims_in_numbers", || {
        // Memory is shared within one host only.
        let names = numbers::BODIES.iter().map(|body| body.name);
        across_hosts(names.filter(|name| !name.contains("::shared::")));
    }),
    ("in_numbers::the_blackboard", || {
        let names = blackboard::BODIES.iter().map(|body| body.name);
        across_hosts(names);
    }),
    ("in_numbers::memory_is_not_shared", || {
        across_hosts([openings::SEVERAL_NODES.name].into_iter());
    }),
];

/// Runs bodies on two hosts of two ranks, all in one job.
fn across_hosts(names: impl Iterator<Item = &'static str>) {
    let hosts = Hosts::up(2);
    let names: Vec<&str> = names.collect();
    let job = |_, program| hosts.job(2, Within::SharedMemory, program);
    let deadline = DEADLINE * names.len() as u32;
    assert_done(&harness::launch_by(job, 4, &names.join(","), deadline));
}
