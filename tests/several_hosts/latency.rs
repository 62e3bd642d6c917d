//! A network that takes its time: games stay right, and a claim of another host takes a round trip.

use std::ops::Range;
use std::time::{Duration, Instant};

use onesided::internals::trace::{Kind, Trace};
use onesided::rma::Comm;

use crate::games::{one_sided, record};
use crate::harness::Body;
use crate::hosts::{Hosts, Setup};
use crate::launchers::Within;
use crate::support::{is_campaign, scratch};
use crate::{Test, print_all, result_on};

const PING_PONG: Body = Body {
    name: "latency::ping_pong",
    run: ping_pong,
};

pub const BODIES: &[Body] = &[PING_PONG];

pub const TESTS: &[Test] = &[
    ("latency::the_delay_is_there", the_delay_is_there),
    (
        "latency::a_claim_takes_a_round_trip",
        a_claim_takes_a_round_trip,
    ),
    ("latency::games_stay_right", games_stay_right),
];

const DELAY: Duration = Duration::from_millis(1);

fn delayed(n_hosts: u32) -> Hosts {
    Hosts::like(
        n_hosts,
        Setup {
            delay: DELAY,
            ..Setup::default()
        },
    )
}

/// What is taken for a round trip with the delay. The switch adds a little of its own.
const WITH_DELAY_US: Range<u64> = 2000..3000;

/// The shortest round trip between the first two ranks in 2 s, in microseconds.
fn ping_pong(comm: &Comm<'_>) {
    const ONE_MORE: u8 = 1;
    const STOP: u8 = 0;
    const TAG: i32 = 3;
    let mut shortest_us = u64::MAX;
    let mut byte = [ONE_MORE];
    comm.barrier().expect("all are there");
    if comm.rank() == 0 {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(2) {
            // Several: the first ones set up the connection.
            for _ in 0..10 {
                let start = Instant::now();
                comm.send(&[ONE_MORE], 1, TAG).expect("sent");
                comm.receive(&mut byte, TAG).expect("received");
                shortest_us = shortest_us.min(start.elapsed().as_micros() as u64);
            }
        }
        comm.send(&[STOP], 1, TAG).expect("sent");
    } else {
        while {
            comm.receive(&mut byte, TAG).expect("received");
            byte == [ONE_MORE]
        } {
            comm.send(&byte, 0, TAG).expect("sent");
        }
    }
    print_all(comm, &shortest_us);
}

fn the_delay_is_there() {
    let shortest_us = |hosts: Hosts| {
        let of_ranks: Vec<u64> = result_on(&hosts, 1, Within::SharedMemory, PING_PONG);
        of_ranks[0]
    };
    let (without_us, with_us) = (shortest_us(Hosts::up(2)), shortest_us(delayed(2)));
    println!("shortest round trip: {without_us} us, with the delay {with_us} us");
    assert!(with_us >= WITH_DELAY_US.start, "{with_us} us with delay");
    // Where ranks wait for a core, the shortest of all may be as long without.
    assert!(
        !is_campaign() || without_us < WITH_DELAY_US.start && WITH_DELAY_US.contains(&with_us),
        "{without_us} us without delay, {with_us} us with it"
    );
}

fn a_claim_takes_a_round_trip() {
    let hosts = delayed(3);
    for method in ["fetch-and-op", "compare-and-swap"] {
        let folder = scratch();
        let folder = folder.path().join("run");
        let args =
            format!("rma --claim-with {method} --think uniform:300us..1ms --games 8 --seed 6");
        record(&hosts, 1, Within::SharedMemory, &args, &folder);
        let trace = Trace::open(&folder).expect("a run");
        for rank in 1..3 {
            let claims = trace
                .records(rank)
                .filter(|record| record.kind == Kind::Claim);
            let mut took_ns: Vec<u64> = claims.map(|claim| claim.end_ns - claim.begin_ns).collect();
            took_ns.sort_unstable();
            // By one at least it learns that a game is over.
            assert!(took_ns.len() >= 8, "rank {rank}: {took_ns:?}");
            let (shortest_ns, median_ns) = (took_ns[0], took_ns[took_ns.len() / 2]);
            println!("{method}, rank {rank}: shortest {shortest_ns} ns, median {median_ns} ns");
            let round_trip_ns = 2 * DELAY.as_nanos() as u64;
            assert!(
                shortest_ns >= round_trip_ns,
                "{method}, rank {rank}: {took_ns:?}"
            );
        }
    }
}

fn games_stay_right() {
    let hosts = delayed(3);
    for method in ["fetch-and-op", "compare-and-swap", "two-tier"] {
        // The home rank's claims take no round trip: it is to leave something to the others.
        one_sided(&hosts, 1, Within::SharedMemory, method, "uniform:3ms..9ms");
    }
}
