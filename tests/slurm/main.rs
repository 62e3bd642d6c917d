//! Job scripts of `onesided batch --slurm`, given to a real Slurm: daemons of this test's own on this machine.
//!
//! `ONESIDED_SLURM` is the script that starts them; `.ci/slurm env` sets it, and installs what is missing.

mod cluster;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use cluster::{Cluster, cluster};

/// The program under test.
const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");
/// Runs here take a second, on a machine with little to do.
const DEADLINE: Duration = Duration::from_secs(240);

/// A plan of `repeat` repetitions on one rank and on three, and the script for it.
struct Batch<'a> {
    cluster: &'a Cluster,
    script: PathBuf,
    out: PathBuf,
    n_runs: usize,
}

impl<'a> Batch<'a> {
    fn new(cluster: &'a Cluster, repeat: usize, think: &str) -> Self {
        let folder = cluster.folder();
        // What a shell could take for its own.
        let (plan, out) = (folder.join("a plan.toml"), folder.join("it's $out"));
        let text = format!("ranks = [1, 3]\nthink = {think:?}\nrepeat = {repeat}\n");
        std::fs::write(&plan, text).expect("a file");
        let written = Command::new(ONESIDED)
            .arg("batch")
            .arg(&plan)
            .args(["--slurm", "--progress", "none", "--out"])
            .arg(&out)
            .output()
            .expect("the program starts");
        assert!(
            written.status.success() && written.stderr.is_empty(),
            "{written:?}"
        );
        assert!(!out.exists(), "nothing is run");
        let script = folder.join("job.sh");
        std::fs::write(&script, written.stdout).expect("a file");
        Batch {
            cluster,
            script,
            out,
            n_runs: 2 * 2 * repeat,
        }
    }

    /// Gives the script to Slurm; the job's number.
    fn submit(&self) -> String {
        let script = self.script.to_str().expect("a path");
        let job = self.cluster.command("sbatch", &["--parsable", script]);
        job.trim().into()
    }

    /// Waits until so many runs are over.
    fn wait_for_runs(&self, n: usize) {
        self.cluster
            .wait(&format!("{n} runs"), || journal(&self.out).len() >= n);
    }

    /// Every run is over, was played well, and once.
    fn assert_whole(&self, job: &str) {
        let said = self.cluster.output_of(job);
        let mut n_played: BTreeMap<String, usize> = BTreeMap::new();
        for line in journal(&self.out) {
            assert_eq!(line["status"], "done", "{line}: {said}");
            *n_played
                .entry(format!("{} {}", line["cell"], line["repetition"]))
                .or_default() += 1;
        }
        assert!(n_played.values().all(|&n| n == 1), "{n_played:?}");
        assert_eq!(n_played.len(), self.n_runs, "{said}");
        let text = std::fs::read_to_string(self.out.join("results.json"));
        let results: Value = serde_json::from_str(&text.expect("results")).expect("JSON");
        assert_eq!(
            [
                &results["planned"],
                &results["failed"],
                &results["timed_out"]
            ],
            [&Value::from(self.n_runs), &Value::from(0), &Value::from(0)],
        );
        assert!(self.out.join("report.html").exists());
    }
}

/// The lines of a batch's journal, but for one that is being written.
fn journal(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("journal.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |line| serde_json::from_str(line).expect("a line of JSON");
    whole.lines().map(parse).collect()
}

#[test]
fn the_script_plays_the_plan() {
    let Some(cluster) = cluster() else { return };
    let batch = Batch::new(&cluster, 2, "exp:1ms");
    let job = batch.submit();
    assert_eq!(
        cluster.end_of(&job),
        "COMPLETED 0:0",
        "{}",
        cluster.output_of(&job)
    );
    batch.assert_whole(&job);
    // Ranks that were each alone would play games of one rank, and say so.
    let traces = glob::glob(&format!(
        "{}/cells/3-ranks*/*/trace/run.json",
        batch.out.display()
    ));
    let runs: Vec<Value> = traces
        .expect("a pattern")
        .map(|path| std::fs::read_to_string(path.expect("a path")).expect("a file"))
        .map(|text| serde_json::from_str(&text).expect("JSON"))
        .collect();
    assert_eq!(runs.len(), batch.n_runs / 2);
    assert!(runs.iter().all(|run| run["ranks"] == 3), "{runs:?}");
}

#[test]
fn after_a_cancellation_it_goes_on_where_it_stopped() {
    let Some(cluster) = cluster() else { return };
    let batch = Batch::new(&cluster, 6, "exp:1ms");
    let first = batch.submit();
    batch.wait_for_runs(3);
    cluster.command("scancel", &[&first]);
    assert!(cluster.end_of(&first).starts_with("CANCELLED"));
    let n_over = journal(&batch.out).len();
    assert!((3..batch.n_runs).contains(&n_over), "{n_over}");
    let second = batch.submit();
    assert_eq!(
        cluster.end_of(&second),
        "COMPLETED 0:0",
        "{}",
        cluster.output_of(&second)
    );
    batch.assert_whole(&second);
}

#[test]
fn when_its_time_is_nearly_over_it_goes_back_into_the_queue() {
    let Some(cluster) = cluster() else { return };
    let batch = Batch::new(&cluster, 6, "exp:1ms");
    let job = batch.submit();
    batch.wait_for_runs(3);
    // What Slurm sends by itself, some time before the end of the job's.
    cluster.command("scancel", &["--batch", "--signal=USR1", &job]);
    cluster.wait("a requeue", || {
        cluster.about(&job).contains("JobState=PENDING")
    });
    assert!(
        cluster.about(&job).contains("Restarts=1"),
        "{}",
        cluster.about(&job)
    );
    assert!(journal(&batch.out).len() < batch.n_runs);
    // It would wait for two minutes. In the second in which its first start was ended Slurm (22.05.8) refuses to start
    // it again: "Job credential revoked", and it has failed.
    std::thread::sleep(Duration::from_secs(2));
    cluster.command(
        "scontrol",
        &["update", &format!("jobid={job}"), "StartTime=now"],
    );
    assert_eq!(
        cluster.end_of(&job),
        "COMPLETED 0:0",
        "{}",
        cluster.output_of(&job)
    );
    batch.assert_whole(&job);
    let said = cluster.output_of(&job);
    assert!(
        said.contains("time is nearly over: back into the queue"),
        "{said}"
    );
}

/// No job would ever get further, and all would be queued for ever.
#[test]
fn where_no_run_fits_into_its_time_it_does_not_come_back() {
    let Some(cluster) = cluster() else { return };
    let batch = Batch::new(&cluster, 1, "1h");
    let job = batch.submit();
    cluster.wait("a run", || batch.out.join("cells").exists());
    cluster.command("scancel", &["--batch", "--signal=USR1", &job]);
    assert_eq!(
        cluster.end_of(&job),
        "FAILED 1:0",
        "{}",
        cluster.output_of(&job)
    );
    assert!(cluster.output_of(&job).contains("--time is too short"));
}
