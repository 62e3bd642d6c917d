//! Two tiers beside fetch-and-op alone, over two hosts of two ranks: operations on the home rank, and time.
//!
//! `just bench two_tier`, or `cargo bench --bench two_tier`, as root: the hosts are namespaces of this
//! machine (`tests/several_hosts/hosts.sh`). Ranks guess uniformly, with no think time and with the same
//! random numbers on every board, until all is known to be claimed. Boards take turns game by game,
//! in all six orders; each game's answer is checked. Raw samples go to a CSV file.

#![allow(dead_code, reason = "other benchmarks use the rest of what they share")]

#[path = "../../tests/several_hosts/hosts.rs"]
mod hosts;
#[path = "../../tests/several_hosts/launchers.rs"]
mod launchers;
mod play;
#[path = "../support/samples.rs"]
mod samples;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use onesided::internals::analysis::Spread;
use onesided::rma;

use hosts::{Hosts, Setup};
use launchers::Within;
use play::{Game, Method};
use samples::{Samples, spread};

/// The program, which tests of hosts start.
const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");

const RANKS_PER_HOST: u32 = 2;
/// How much later a frame comes to the other host.
const DELAYS: [Duration; 2] = [Duration::ZERO, Duration::from_micros(500)];
const SIZES: [u32; 3] = [9, 64, 1000];
/// How long games of a size are played on a network, all boards together.
const PLAY_FOR: Duration = Duration::from_secs(12);
const DEADLINE: Duration = Duration::from_secs(300);

/// Games of one size on one network.
struct Series {
    delay: Duration,
    n_items: u32,
    games: Vec<Game>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some("--play") = args.get(1).map(String::as_str) {
        return play::run(args[2].parse().expect("a number of items"), PLAY_FOR);
    }
    if let Some(why) = Hosts::impossible() {
        eprintln!("no hosts can be made here: {why}");
        std::process::exit(1);
    }
    let library = rma::library().expect("the library names itself");
    println!(
        "{library}, 2 hosts of {RANKS_PER_HOST} ranks, {} s a row of boards, interleaved",
        PLAY_FOR.as_secs()
    );
    println!(
        "{:<8} {:>6} {:>6}  {:<26} {:>16} {:>14} {:>12}  ratio to two-tier, 95 % interval",
        "delay", "items", "games", "board", "operations a", "worst", "game, ms"
    );
    println!(
        "{:<8} {:>6} {:>6}  {:<26} {:>16} {:>14}",
        "", "", "", "", "item and node", "node"
    );
    let mut all = Vec::new();
    for delay in DELAYS {
        let hosts = Hosts::like(
            2,
            Setup {
                delay,
                ..Setup::default()
            },
        );
        for n_items in SIZES {
            let games = play_on(&hosts, n_items);
            let series = Series {
                delay,
                n_items,
                games,
            };
            series.report();
            all.push(series);
        }
    }
    write_csv(&all);
}

fn play_on(hosts: &Hosts, n_items: u32) -> Vec<Game> {
    let program = std::env::current_exe().expect("a running program");
    let job = hosts.job(RANKS_PER_HOST, Within::SharedMemory, program);
    let job = job.args(["--play", &n_items.to_string()]);
    let ended = job.deadline(DEADLINE).run().expect_success();
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}

impl Series {
    fn report(&self) {
        let of = |method: Method| self.games.iter().filter(move |game| game.method == method);
        for method in Method::ALL {
            let per_node: Vec<f64> = of(method)
                .flat_map(|game| &game.operations_of_nodes)
                .map(|&operations| operations as f64 / f64::from(self.n_items))
                .collect();
            let mean = per_node.iter().sum::<f64>() / per_node.len() as f64;
            let worst = per_node.iter().copied().fold(0.0, f64::max);
            if method == Method::TwoTier {
                // Of several words each is counted once, by some node.
                let n_words = self.n_items.div_ceil(64);
                let n_counted = if n_words > 1 { n_words } else { 0 };
                let at_most = 1.0 + f64::from(n_counted) / f64::from(self.n_items);
                assert!(worst <= at_most, "a node asked {worst} times an item");
            }
            let times: Vec<f64> = of(method).map(|game| game.ns as f64 / 1e6).collect();
            let neighbours = of(method).zip(of(Method::TwoTier));
            let ratios: Vec<f64> = neighbours
                .map(|(game, two)| game.ns as f64 / two.ns as f64)
                .collect();
            let Spread { median, low, high } = spread(&ratios);
            println!(
                "{:<8} {:>6} {:>6}  {:<26} {mean:>16.3} {worst:>14.3} {:>12.3}  {median:.2} ({low:.2} to {high:.2})",
                format!("{} us", self.delay.as_micros()),
                self.n_items,
                times.len(),
                method.name(),
                spread(&times).median,
            );
        }
    }
}

fn write_csv(all: &[Series]) {
    let mut csv = Samples::with_columns(
        "delay_us,items,round,board,ns,guesses,operations_node_0,operations_node_1",
    );
    for series in all {
        for game in &series.games {
            let [first, second] = game.operations_of_nodes;
            csv.push(format_args!(
                "{},{},{},{},{},{},{first},{second}",
                series.delay.as_micros(),
                series.n_items,
                game.round,
                game.method.name(),
                game.ns,
                game.guesses
            ));
        }
    }
    csv.write();
}
