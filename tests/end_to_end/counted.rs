//! What the game calls of MPI, counted by interposition: absence is tested, and so is presence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{all_at_once, library_to_preload, mpicc, quoted, scratch};
use crate::{ONESIDED, onesided};

/// Functions that neither communicate nor wait, and are not counted.
const LOCAL: &[&str] = &[
    "MPI_Abort",
    "MPI_Comm_rank",
    "MPI_Comm_set_errhandler",
    "MPI_Comm_size",
    "MPI_Comm_test_inter",
    "MPI_Comm_get_attr",
    "MPI_Error_class",
    "MPI_Error_string",
    "MPI_Finalized",
    "MPI_Get_library_version",
    "MPI_Get_processor_name",
    "MPI_Info_create",
    "MPI_Info_free",
    "MPI_Info_set",
    "MPI_Initialized",
    "MPI_Query_thread",
    "MPI_Win_get_attr",
    "MPI_Win_set_errhandler",
    "MPI_Win_shared_query",
    "MPI_Win_sync",
];

/// The counting library, compiled once with the wrapper of this MPI.
fn counter() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| library_to_preload(&mpicc(), "pmpi/count.c"))
}

/// The MPI functions that a file defines or imports.
fn mpi_symbols(file: &Path, which: &str) -> BTreeSet<String> {
    let output = Command::new("nm")
        .args(["-D", which])
        .arg(file)
        .output()
        .expect("nm runs");
    assert!(output.status.success(), "nm reads {}", file.display());
    let text = String::from_utf8(output.stdout).expect("names are plain");
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    names
        .filter(|name| name.starts_with("MPI_"))
        .map(str::to_owned)
        .collect()
}

/// What one rank called: function to (in games, elsewhere), and in how many games.
struct Counts {
    n_games: u64,
    calls: BTreeMap<String, (u64, u64)>,
}

impl Counts {
    fn in_games(&self) -> BTreeMap<&str, u64> {
        let called = self.calls.iter().filter(|(_, (in_games, _))| *in_games > 0);
        called
            .map(|(name, (in_games, _))| (name.as_str(), *in_games))
            .collect()
    }
}

/// Plays under the counter; the JSON document and every rank's counts.
fn play(n_ranks: u32, args: &str) -> (Value, Vec<Counts>) {
    let folder = scratch();
    let job = onesided(n_ranks, &format!("play {args} --format json"))
        .env("LD_PRELOAD", counter())
        .env("COUNT_DIR", folder.path().display().to_string());
    let ended = job.run().expect_success();
    let counts = (0..n_ranks).map(|rank| {
        let text = std::fs::read_to_string(folder.path().join(format!("rank-{rank}")));
        let text = text.unwrap_or_else(|error| panic!("rank {rank} counted: {error}"));
        let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let n_games = match lines.next().as_deref() {
            Some(["games", n_games]) => n_games.parse().expect("a number"),
            other => panic!("the first line counts games: {other:?}"),
        };
        let calls = lines.map(|line| match line.as_slice() {
            [name, in_games, elsewhere] => (
                name.to_string(),
                (
                    in_games.parse().expect("a number"),
                    elsewhere.parse().expect("a number"),
                ),
            ),
            other => panic!("a line of counts: {other:?}"),
        });
        Counts {
            n_games,
            calls: calls.collect(),
        }
    });
    let document = serde_json::from_str(&ended.stdout).expect("stdout is one JSON document");
    let said = ended
        .stderr
        .matches("a library says something on stdout")
        .count();
    assert_eq!(
        said,
        2 * n_ranks as usize,
        "what libraries print is kept apart: {ended:#?}"
    );
    (document, counts.collect())
}

#[test]
fn nothing_that_the_program_calls_goes_uncounted() {
    let mut uncounted = mpi_symbols(Path::new(ONESIDED), "--undefined-only");
    assert!(
        uncounted.contains("MPI_Fetch_and_op"),
        "nm sees what the program imports: {uncounted:?}"
    );
    for counted in mpi_symbols(counter().as_ref(), "--defined-only") {
        uncounted.remove(&counted);
    }
    uncounted.retain(|name| !LOCAL.contains(&name.as_str()));
    assert!(
        uncounted.is_empty(),
        "count these, or say why they are local: {uncounted:?}"
    );
}

/// No collective, no message, nothing but atomics and their flushes; and of those as many as the
/// summary says.
#[test]
fn a_one_sided_game_calls_atomics_and_flushes_and_nothing_else() {
    let cases = [
        ("", 9),
        ("", 150),
        ("--claim-with compare-and-swap", 9),
        ("--home spread", 150),
        ("--home spread --claim-with compare-and-swap", 9),
        ("--skip-known", 150),
        ("--guess unclaimed", 150),
        ("--guess ticket", 150),
    ];
    all_at_once(cases, |(options, digits)| {
        let args = format!("rma {options} --digits {digits} --games 5 --think uniform:0s..1ms");
        let (document, counts) = play(4, &args);
        for (rank, counts) in counts.iter().enumerate() {
            assert_eq!(counts.n_games, 5, "rank {rank}");
            let mut in_games = counts.in_games();
            let of = |calls: &BTreeMap<&str, u64>, name| calls.get(name).copied().unwrap_or(0);
            let atomics = of(&in_games, "MPI_Fetch_and_op") + of(&in_games, "MPI_Compare_and_swap");
            assert_eq!(
                document["per_rank"][rank]["operations"], atomics,
                "rank {rank} {args}"
            );
            let flushes = of(&in_games, "MPI_Win_flush");
            assert!(
                0 < flushes && flushes <= atomics,
                "rank {rank}: {flushes} for {atomics}"
            );
            for atomic in ["MPI_Fetch_and_op", "MPI_Compare_and_swap", "MPI_Win_flush"] {
                in_games.remove(atomic);
            }
            let is_home = rank == 0 || document["spread"] == true;
            if is_home && document["progress"]["means"] != "library" {
                in_games.remove("MPI_Iprobe"); // the home rank lets others through while it thinks
            }
            assert!(
                in_games.is_empty(),
                "rank {rank} also called {in_games:?} in {args}"
            );
            assert!(
                counts.calls["MPI_Allreduce"].1 >= 5,
                "the allreduces that games begin with are seen elsewhere"
            );
        }
    });
}

/// Scores are entered by atomics, and read on the home rank by atomics: still no collective.
#[test]
fn a_game_with_checkpoints_calls_atomics_and_flushes_and_nothing_else() {
    let folder = scratch();
    let file = folder.path().join("checkpoint");
    let every = "--think 1ms --checkpoint-every 3ms --checkpoint";
    let (document, counts) = play(
        3,
        &format!("rma --digits 30 --games 3 {every} {}", quoted(&file)),
    );
    for (rank, counts) in counts.iter().enumerate() {
        let mut in_games = counts.in_games();
        let atomics = in_games.remove("MPI_Fetch_and_op").unwrap_or(0);
        let operations = document["per_rank"][rank]["operations"].as_u64().unwrap();
        match rank {
            0 => assert!(
                atomics >= operations + 30,
                "it reads the ledger: {atomics} for {operations}"
            ),
            _ => assert_eq!(atomics, operations, "rank {rank}"),
        }
        in_games.remove("MPI_Win_flush");
        if rank == 0 {
            in_games.remove("MPI_Iprobe");
        }
        assert!(in_games.is_empty(), "rank {rank} also called {in_games:?}");
    }
}

/// The home rank enters MPI while it thinks, if it is to, and nobody else does.
#[test]
fn progress_is_the_home_ranks_visits_and_nothing_else() {
    for (progress, visits) in [("none", false), ("poll", true), ("thread", true)] {
        let args = format!("rma --progress {progress} --games 3 --think 3ms");
        let (document, counts) = play(3, &args);
        assert_eq!(document["progress"]["asked"], progress);
        for (rank, counts) in counts.iter().enumerate() {
            let in_games = counts.in_games();
            let n_visits = in_games.get("MPI_Iprobe").copied().unwrap_or(0);
            let guesses = document["per_rank"][rank]["guesses"].as_u64().unwrap();
            let expected = visits && rank == 0;
            assert_eq!(n_visits > 0, expected, "rank {rank}: {in_games:?}");
            // At most every 50 us of what it took, and one more at the end of a thought.
            let play_us = document["per_rank"][rank]["play_s"].as_f64().unwrap() * 1e6;
            assert!(
                n_visits as f64 <= play_us / 50.0 + 2.0 * guesses as f64,
                "{n_visits} visits in {guesses} thoughts, {play_us} us"
            );
        }
    }
}

/// Claims by CPU atomics call nothing of MPI at all.
#[test]
fn a_game_in_shared_memory_calls_nothing_of_mpi() {
    let (document, counts) = play(4, "rma --claim-with shared-memory --digits 150 --games 3");
    for (rank, counts) in counts.iter().enumerate() {
        assert_eq!(counts.in_games(), BTreeMap::new(), "rank {rank}");
        let of_rank = &document["per_rank"][rank];
        assert!(of_rank["operations"].as_u64() >= of_rank["guesses"].as_u64());
    }
    assert_eq!(document["progress"]["means"], "cpu-atomics");
}

/// Two tiers: what the node decides calls nothing, and what it does not is one atomic and its flush. The
/// home rank enters MPI now and then all the same, for the others.
#[test]
fn a_game_on_two_tiers_calls_as_many_atomics_as_it_says_and_few() {
    let (document, counts) = play(4, "rma --claim-with two-tier --digits 150 --games 3");
    let (mut n_atomics, mut n_guesses) = (0, 0);
    for (rank, counts) in counts.iter().enumerate() {
        let mut in_games = counts.in_games();
        let atomics = in_games.remove("MPI_Fetch_and_op").unwrap_or(0);
        let flushes = in_games.remove("MPI_Win_flush").unwrap_or(0);
        let of_rank = &document["per_rank"][rank];
        assert_eq!(
            (of_rank["operations"].as_u64(), flushes),
            (Some(atomics), atomics)
        );
        if rank == 0 {
            in_games.remove("MPI_Iprobe");
        }
        assert!(in_games.is_empty(), "rank {rank} also called {in_games:?}");
        n_atomics += atomics;
        n_guesses += of_rank["guesses"].as_u64().unwrap();
    }
    // On one node each digit is asked for once; a guess of 0 looks.
    assert!(n_atomics >= 3 * 150, "{n_atomics}");
    assert!(
        n_atomics <= 3 * 150 + n_guesses / 10,
        "{n_atomics} for {n_guesses} guesses"
    );
}

/// The counter does count collectives: the collective version makes as many as its summary says.
#[test]
fn a_collective_game_calls_one_allreduce_a_round_and_nothing_else() {
    let (document, counts) = play(3, "collective --games 2");
    let rounds = document["rounds"].as_u64().expect("a number of rounds");
    for (rank, counts) in counts.iter().enumerate() {
        assert_eq!(
            counts.in_games(),
            BTreeMap::from([("MPI_Allreduce", rounds)]),
            "rank {rank}"
        );
        let of_rank = &document["per_rank"][rank];
        let steps = of_rank["guesses"].as_u64().unwrap() + of_rank["points"].as_u64().unwrap();
        assert_eq!(steps, rounds, "rank {rank}");
    }
}

/// A watched game adds messages to rank 0, and still no collective.
#[test]
fn a_watched_game_adds_messages_only() {
    let (_, counts) = play(3, "rma --verbose");
    for (rank, counts) in counts.iter().enumerate() {
        let mut in_games = counts.in_games();
        for expected in [
            "MPI_Fetch_and_op",
            "MPI_Win_flush",
            "MPI_Send",
            "MPI_Improbe",
            "MPI_Mprobe",
            "MPI_Mrecv",
        ] {
            in_games.remove(expected);
        }
        assert!(in_games.is_empty(), "rank {rank}: {in_games:?}");
    }
}
