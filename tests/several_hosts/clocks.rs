//! Hosts whose clocks differ by a known time, to which the measured offset must fit.

use std::time::Duration;

use onesided::internals::trace::Trace;

use crate::Test;
use crate::games::record;
use crate::hosts::{Hosts, Setup, name};
use crate::launchers::Within;
use crate::support::{is_campaign, scratch};

pub const TESTS: &[Test] = &[(
    "clocks::offsets_are_right_within_their_errors",
    offsets_are_right_within_their_errors,
)];

fn offsets_are_right_within_their_errors() {
    const STEP_S: u64 = 1234;
    // Far more than a ping-pong takes, and far less than the clocks differ by.
    let max_error_ns: u64 = match is_campaign() {
        true => 50_000_000,
        false => 10_000_000_000,
    };
    let hosts = Hosts::like(
        3,
        Setup {
            clock_step: Duration::from_secs(STEP_S),
            ..Setup::default()
        },
    );
    for version in ["rma --claim-with compare-and-swap", "collective"] {
        let folder = scratch();
        let folder = folder.path().join("run");
        let args = format!("{version} --think uniform:300us..1ms --games 5 --seed 1");
        let (_, run) = record(&hosts, 2, Within::SharedMemory, &args, &folder);
        let clocks = Trace::open(&folder).expect("a run").run.clocks;
        assert_eq!(
            clocks.of_rank,
            [0, 0, 1, 1, 2, 2],
            "a clock a host: {clocks:#?}"
        );
        for (host, clock) in (0..).zip(&clocks.clocks) {
            assert_eq!(clock.host, name(host));
            let (Some(before), Some(after)) = (clock.before, clock.after) else {
                assert_eq!(
                    host, 0,
                    "only the first clock, the reference, is not measured"
                );
                continue;
            };
            for offset in [before, after] {
                let truth_ns = i64::from(host) * STEP_S as i64 * 1_000_000_000;
                let off_ns = offset.offset_ns.abs_diff(truth_ns);
                assert!(
                    off_ns <= offset.error_ns,
                    "{host} is off by {off_ns}: {clocks:#?}"
                );
                assert!(offset.error_ns < max_error_ns, "{clocks:#?}");
            }
        }
        // And what rests on it: an order of claims that fits real time, waits that know their error.
        let recorded = run.recorded.as_ref().expect("a recording");
        assert_eq!(
            (recorded.clocks, recorded.clock_violations),
            (3, 0),
            "{run:#?}"
        );
        assert!(
            run.order
                .as_ref()
                .is_none_or(|order| order.n_violations == 0),
            "{run:#?}"
        );
        let errors = run.per_rank.iter().map(|rank| rank.wait_error_ns);
        if version == "collective" {
            assert!(errors.flatten().any(|error_ns| error_ns > 0), "{run:#?}");
        }
    }
}
