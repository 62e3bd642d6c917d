//! Who plays: our ways and other people's, how each is started, and how its answer is read and checked.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What a contender is to the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of our one-sided ways.
    Ours,
    /// A peer that claims without collectives.
    Peer,
    /// A peer that plays in lockstep; our own collective version is one.
    Collective,
}

/// One way to play.
#[derive(Debug, Clone)]
pub struct Contender {
    pub name: &'static str,
    pub kind: Kind,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    /// `onesided play` with these arguments.
    Onesided(&'static [&'static str]),
    /// A program that takes digits, games and seed: a command and its first arguments.
    Program(Vec<String>),
}

/// A way that cannot be had here, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub name: &'static str,
    pub reason: String,
}

/// What peers are made of.
#[derive(Debug, Clone)]
pub struct PeerTools {
    /// A Python that has mpi4py, or why there is none.
    pub python: Result<PathBuf, String>,
    /// The compiled `manager_worker.c`, or why there is none.
    pub manager_worker: Result<PathBuf, String>,
    /// A variable that our own program sets for itself before MPI starts, and that is set here.
    pub setting: Option<&'static str>,
}

/// The contest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contest {
    pub n_digits: u32,
    pub n_games: u64,
    pub n_ranks: u32,
    pub seed: u64,
}

/// What a job told, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// Guesses of each rank.
    pub guesses: Vec<u64>,
    /// Points of each rank.
    pub points: Vec<u64>,
    /// Seconds from the barrier before a game to the end of it on the rank that left it last, each rank
    /// by its own clock; summed over games.
    pub play_s: f64,
}

impl Played {
    pub fn total_guesses(&self) -> u64 {
        self.guesses.iter().sum()
    }
}

/// All contenders, ours first, and those that are missing.
pub fn all(tools: &PeerTools) -> (Vec<Contender>, Vec<Missing>) {
    let ours = |name, kind, args| Contender {
        name,
        kind,
        how: How::Onesided(args),
    };
    let mut contenders = vec![
        ours(
            "onesided, fetch-and-op",
            Kind::Ours,
            &["rma", "--claim-with", "fetch-and-op"],
        ),
        ours(
            "onesided, compare-and-swap",
            Kind::Ours,
            &["rma", "--claim-with", "compare-and-swap"],
        ),
        ours(
            "onesided, shared-memory",
            Kind::Ours,
            &["rma", "--claim-with", "shared-memory"],
        ),
        ours("onesided, collective", Kind::Collective, &["collective"]),
    ];
    let mut missing = Vec::new();
    let mut add = |name, kind, command: Result<Vec<String>, String>| match command {
        Ok(command) => contenders.push(Contender {
            name,
            kind,
            how: How::Program(command),
        }),
        Err(reason) => missing.push(Missing { name, reason }),
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/throughput");
    let script = |name: &str| {
        let python = tools.python.as_ref().map_err(Clone::clone)?;
        Ok(vec![words(python), format!("{folder}/{name}")])
    };
    add(
        "mpi4py, allreduce",
        Kind::Collective,
        script("game_collective.py"),
    );
    add("mpi4py, Fetch_and_op", Kind::Peer, script("game_rma.py"));
    if let Some(variable) = tools.setting {
        // The same without what our program knows of the library.
        let without = |command: Vec<String>| {
            let env = ["env", "-u", variable].map(String::from);
            env.into_iter().chain(command).collect()
        };
        let name = "mpi4py, Fetch_and_op, default component";
        add(name, Kind::Peer, script("game_rma.py").map(without));
    }
    let manager = tools.manager_worker.as_ref();
    add(
        "C, manager and workers",
        Kind::Peer,
        manager.map(|path| vec![words(path)]).map_err(Clone::clone),
    );
    (contenders, missing)
}

fn words(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Contender {
    /// The program of a rank, and its arguments.
    pub fn command(&self, contest: &Contest) -> (String, Vec<String>) {
        let Contest {
            n_digits,
            n_games,
            seed,
            ..
        } = contest;
        match &self.how {
            How::Onesided(version) => {
                let numbers = [
                    ("--digits", u64::from(*n_digits)),
                    ("--games", *n_games),
                    ("--seed", *seed),
                ];
                let numbers = numbers.map(|(name, value)| format!("{name}={value}"));
                let args = ["play"].iter().chain(*version).map(|&arg| arg.to_owned());
                let last = ["--guess=uniform", "--quiet", "--format", "json"].map(String::from);
                (
                    env!("CARGO_BIN_EXE_onesided").to_owned(),
                    args.chain(numbers).chain(last).collect(),
                )
            }
            How::Program(command) => {
                let numbers = [u64::from(*n_digits), *n_games, *seed];
                let numbers = numbers.iter().map(u64::to_string);
                let rest = command[1..].iter().cloned();
                (command[0].clone(), rest.chain(numbers).collect())
            }
        }
    }

    /// Reads what the job printed, and checks that it played this contest and claimed every digit of every
    /// game: once, or in lockstep at least once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, printed: &str, contest: &Contest) -> Result<Played, String> {
        let played = match self.how {
            How::Onesided(_) => read_ours(printed, contest)?,
            How::Program(_) => read_peer(printed, contest, self.kind)?,
        };
        let n_ranks = contest.n_ranks as usize;
        if played.guesses.len() != n_ranks || played.points.len() != n_ranks {
            return Err(format!(
                "{} ranks told of their guesses",
                played.guesses.len()
            ));
        }
        let points: u64 = played.points.iter().sum();
        let wanted = u64::from(contest.n_digits) * contest.n_games;
        if points < wanted || (points > wanted && self.kind != Kind::Collective) {
            return Err(format!("{points} points for {wanted} digits"));
        }
        if played.total_guesses() < points {
            return Err(format!("more points than guesses: {points}"));
        }
        if !(played.play_s > 0.0 && played.play_s.is_finite()) {
            return Err(format!("played for {} s", played.play_s));
        }
        Ok(played)
    }
}

/// The summary of `onesided play`, which has checked itself that memory and ranks agree for each game, and
/// would have ended with an error.
fn read_ours(printed: &str, contest: &Contest) -> Result<Played, String> {
    #[derive(Deserialize)]
    struct Summary {
        digits: u32,
        games: u64,
        wall_s: f64,
        double_scores: u64,
        per_rank: Vec<Rank>,
    }
    #[derive(Deserialize)]
    struct Rank {
        guesses: u64,
        points: u64,
    }
    let summary: Summary = serde_json::from_str(printed).map_err(|error| error.to_string())?;
    if (summary.digits, summary.games) != (contest.n_digits, contest.n_games) {
        return Err(format!(
            "played {} games of {} digits",
            summary.games, summary.digits
        ));
    }
    let points: u64 = summary.per_rank.iter().map(|rank| rank.points).sum();
    let once = u64::from(contest.n_digits) * contest.n_games;
    if points != once + summary.double_scores {
        return Err(format!(
            "{points} points, {} of them double, for {once} digits",
            summary.double_scores
        ));
    }
    Ok(Played {
        guesses: summary.per_rank.iter().map(|rank| rank.guesses).collect(),
        points: summary.per_rank.iter().map(|rank| rank.points).collect(),
        play_s: summary.wall_s,
    })
}

/// The line of a peer. `outcomes` has points, different digits, and how many games had so many.
fn read_peer(printed: &str, contest: &Contest, kind: Kind) -> Result<Played, String> {
    #[derive(Deserialize)]
    struct Line {
        play_s: f64,
        guesses: Vec<u64>,
        points: Vec<u64>,
        outcomes: Vec<(u64, u32, u64)>,
    }
    let line: Line = serde_json::from_str(printed).map_err(|error| error.to_string())?;
    let n_games: u64 = line.outcomes.iter().map(|(_, _, games)| games).sum();
    if n_games != contest.n_games {
        return Err(format!("played {n_games} games"));
    }
    for &(points, digits, games) in &line.outcomes {
        let is_exact = points == u64::from(digits);
        if digits != contest.n_digits || (!is_exact && kind != Kind::Collective) {
            return Err(format!(
                "{games} games had {points} points for {digits} different digits"
            ));
        }
    }
    let in_games: u64 = line
        .outcomes
        .iter()
        .map(|(points, _, games)| points * games)
        .sum();
    if in_games != line.points.iter().sum::<u64>() {
        return Err(format!(
            "{in_games} points in games, {:?} on ranks",
            line.points
        ));
    }
    Ok(Played {
        guesses: line.guesses,
        points: line.points,
        play_s: line.play_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEST: Contest = Contest {
        n_digits: 3,
        n_games: 2,
        n_ranks: 2,
        seed: 7,
    };

    fn tools() -> PeerTools {
        PeerTools {
            python: Ok("/venv/python".into()),
            manager_worker: Ok("/bench/manager_worker".into()),
            setting: Some("OMPI_MCA_osc"),
        }
    }

    fn contender(name: &str) -> Contender {
        let (contenders, _) = all(&tools());
        contenders
            .into_iter()
            .find(|contender| contender.name == name)
            .expect("that one is there")
    }

    fn line(guesses: &str, points: &str, outcomes: &str) -> String {
        format!(
            r#"{{"play_s": 0.5, "guesses": {guesses}, "points": {points}, "outcomes": {outcomes}}}"#
        )
    }

    #[test]
    fn a_peers_answer_is_read_and_its_faults_are_found() {
        let peer = contender("mpi4py, Fetch_and_op");
        let played = peer
            .read(&line("[9, 8]", "[4, 2]", "[[3, 3, 2]]"), &CONTEST)
            .unwrap();
        assert_eq!((played.total_guesses(), played.play_s), (17, 0.5));

        let faults = [
            (line("[9, 8]", "[3, 0]", "[[3, 3, 1]]"), "played 1 games"),
            (
                line("[9, 8]", "[4, 2]", "[[3, 3, 1], [3, 2, 1]]"),
                "2 different",
            ),
            (
                line("[9, 8]", "[4, 3]", "[[3, 3, 1], [4, 3, 1]]"),
                "4 points",
            ),
            (line("[9, 8]", "[4, 3]", "[[3, 3, 2]]"), "6 points in games"),
            (line("[17]", "[6]", "[[3, 3, 2]]"), "1 ranks"),
            (line("[2, 3]", "[4, 2]", "[[3, 3, 2]]"), "more points"),
            (String::from("Traceback"), "expected"),
        ];
        for (printed, expected) in faults {
            let error = peer.read(&printed, &CONTEST).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn in_lockstep_a_digit_may_score_twice_but_none_may_be_missing() {
        let peer = contender("mpi4py, allreduce");
        let twice = line("[9, 8]", "[4, 3]", "[[3, 3, 1], [4, 3, 1]]");
        assert!(peer.read(&twice, &CONTEST).is_ok());
        let lacking = line("[9, 8]", "[4, 3]", "[[3, 3, 1], [4, 2, 1]]");
        assert!(peer.read(&lacking, &CONTEST).is_err());
    }

    #[test]
    fn our_summary_is_read_and_checked() {
        let summary = |games: u64, points: u64, double: u64| {
            format!(
                r#"{{"digits": 3, "games": {games}, "wall_s": 0.25, "double_scores": {double},
                "per_rank": [{{"guesses": 9, "points": {points}}}, {{"guesses": 8, "points": 2}}]}}"#
            )
        };
        let ours = contender("onesided, fetch-and-op");
        let played = ours.read(&summary(2, 4, 0), &CONTEST).unwrap();
        assert_eq!((played.points, played.play_s), (vec![4, 2], 0.25));
        assert!(ours.read(&summary(1, 4, 0), &CONTEST).is_err());
        assert!(ours.read(&summary(2, 5, 0), &CONTEST).is_err());
        assert!(ours.read(&summary(2, 5, 1), &CONTEST).is_err());
        let collective = contender("onesided, collective");
        assert!(collective.read(&summary(2, 5, 1), &CONTEST).is_ok());
        assert!(collective.read(&summary(2, 5, 2), &CONTEST).is_err());
    }

    #[test]
    fn a_peer_that_cannot_be_had_is_named() {
        let tools = PeerTools {
            python: Err("python3 is missing".into()),
            ..tools()
        };
        let (contenders, missing) = all(&tools);
        assert_eq!((contenders.len(), missing.len()), (5, 3));
        assert!(
            missing
                .iter()
                .all(|missing| missing.reason == "python3 is missing")
        );
    }

    #[test]
    fn commands_carry_the_contest() {
        let (program, args) = contender("C, manager and workers").command(&CONTEST);
        assert_eq!(
            (program.as_str(), args.join(" ").as_str()),
            ("/bench/manager_worker", "3 2 7")
        );
        let (program, args) =
            contender("mpi4py, Fetch_and_op, default component").command(&CONTEST);
        assert_eq!(program, "env");
        assert_eq!(args[..3], ["-u", "OMPI_MCA_osc", "/venv/python"]);
        let (_, args) = contender("onesided, collective").command(&CONTEST);
        assert_eq!(
            args[..5],
            ["play", "collective", "--digits=3", "--games=2", "--seed=7"]
        );
    }
}
