//! A recorded claim beside an unrecorded one.

use std::hint::black_box;
use std::path::Path;

use onesided::claim::{BitBoard, Board};
use onesided::internals::analysis::Spread;
use onesided::internals::trace::{
    self, Header, Kind, Outcome, Record, RecordLayer, Recorder, TracerCost, now_ns,
};
use onesided::rma::Comm;

const N_ITEMS: usize = 64;
/// Claims of a batch.
const N_CLAIMS: u64 = 20_000;
/// Batches of each kind, interleaved.
const N_BATCHES: usize = 101;
/// A recorded claim may cost so much more.
const TARGET_NS: f64 = 50.0;

/// How a batch claims.
#[derive(Clone, Copy)]
enum How {
    /// Nothing but claims.
    Bare,
    /// Reading the clock after each, as an unrecorded game does.
    Timed,
    /// Reading the clock after each, and recording it, as a recorded game does.
    Recorded,
}

/// Measures on the last rank, while the others wait inside MPI.
pub fn run(world: &Comm<'_>, layer: &RecordLayer, folder: &Path) {
    let path = folder.join(format!("claims-{}.records", world.rank()));
    let header = Header {
        run_id: 0,
        rank: 0,
        n_ranks: 1,
        capacity: N_CLAIMS * (N_BATCHES as u64 + 1),
        dropped: 0,
        recorded: None,
    };
    let recorder = Recorder::create(&path, &header).expect("a file for records");
    let recorder = layer.start(recorder).expect("one recorder");
    let cost = recorder.measure_cost(trace::record);
    let mut board = BitBoard::open(world, 0, N_ITEMS).expect("a board");
    let kinds = [How::Bare, How::Timed, How::Recorded];
    let mut samples = kinds.map(|_| Vec::with_capacity(N_BATCHES));
    batch(world, &mut board, How::Recorded); // warms up
    for round in 0..N_BATCHES {
        for index in 0..kinds.len() {
            let index = (index + round) % kinds.len();
            let ns = batch(world, &mut board, kinds[index]);
            samples[index].extend(ns);
        }
    }
    board.close().expect("closed");
    assert_eq!(recorder.n_dropped(), 0, "there was room for all");
    if world.rank() == world.size() - 1 {
        let n = recorder.close().expect("closed");
        assert_eq!(
            n,
            N_CLAIMS * (N_BATCHES as u64 + 1),
            "each claim has a record"
        );
        report(&samples, cost);
    }
    std::fs::remove_file(&path).expect("removed");
    world.barrier().expect("barrier");
}

/// Nanoseconds a claim; on the last rank.
fn batch(world: &Comm<'_>, board: &mut BitBoard<'_>, how: How) -> Option<f64> {
    world.barrier().expect("barrier");
    if world.rank() == 0 {
        board.clear().expect("cleared");
    }
    board.forget();
    world.barrier().expect("barrier");
    let mut sample = None;
    if world.rank() == world.size() - 1 {
        let mut won = 0;
        let begin_ns = now_ns();
        let mut now = begin_ns;
        for i in 0..black_box(N_CLAIMS) {
            let item = i as usize % N_ITEMS;
            let claim = board.claim(item).expect("a claim");
            won += u64::from(claim.is_won());
            let end_ns = match how {
                How::Bare => continue,
                How::Timed | How::Recorded => now_ns(),
            };
            if let How::Recorded = how {
                trace::record(&Record {
                    kind: Kind::Claim,
                    outcome: if claim.is_won() {
                        Outcome::Won
                    } else {
                        Outcome::Lost
                    },
                    game: 0,
                    item: item as u32 + 1,
                    begin_ns: now,
                    end_ns,
                    word: board.evidence(item),
                });
            }
            now = black_box(end_ns);
        }
        sample = Some((now_ns() - begin_ns) as f64 / N_CLAIMS as f64);
        assert_eq!(won, N_ITEMS as u64, "every item is won once");
    }
    world.barrier().expect("barrier"); // the home rank waits inside MPI
    sample
}

fn report(samples: &[Vec<f64>; 3], cost: TracerCost) {
    let [bare, timed, recorded] = samples;
    let median = |sample: &[f64]| Spread::of(sample).expect("samples").median;
    println!(
        "{N_BATCHES} batches of {N_CLAIMS} claims each way, interleaved; median ns a claim: {:.1} bare, \
         {:.1} with the clock read, {:.1} recorded",
        median(bare),
        median(timed),
        median(recorded)
    );
    let differ =
        |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
    for (name, than) in [("a bare one", bare), ("one of an unrecorded game", timed)] {
        let more = Spread::of(&differ(recorded, than)).expect("samples");
        let target = match more.median <= TARGET_NS {
            true => "ok",
            false => "MISSES",
        };
        println!(
            "a recorded claim costs {:.1} ns more than {name} ({:.1} to {:.1}); at most {TARGET_NS}: {target}",
            more.median, more.low, more.high
        );
    }
    save(samples);
    println!(
        "the recorder's own measurement at start: {:.1} ns a record, {:.1} ns a look at the clock",
        cost.record_ns, cost.clock_ns
    );
}

/// Raw samples, where `just bench trace` names a file for them.
fn save([bare, timed, recorded]: &[Vec<f64>; 3]) {
    let Ok(path) = std::env::var("ONESIDED_BENCH_CSV") else {
        return;
    };
    let mut csv = String::from("batch,bare_ns,timed_ns,recorded_ns\n");
    for (batch, ((bare, timed), recorded)) in bare.iter().zip(timed).zip(recorded).enumerate() {
        csv += &format!("{batch},{bare},{timed},{recorded}\n");
    }
    match std::fs::write(&path, csv) {
        Ok(()) => println!("raw samples: {path}"),
        Err(error) => eprintln!("cannot write {path}: {error}"),
    }
}
