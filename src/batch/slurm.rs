//! The job script with which a batch is played under Slurm.

use std::fmt::Write;
use std::path::Path;

use super::{Plan, about};

/// How long before the end of its time a job is told of it, in seconds. Slurm may be up to a minute late,
/// and the run under way is ended and thrown away.
const NOTICE_S: u32 = 120;
/// Least time that is asked for, in minutes: more than the notice.
const MIN_MINUTES: u64 = 10;

/// What the script needs to know besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct JobScript<'a> {
    pub plan: &'a Plan,
    /// The words that play it in an allocation, from `onesided` on, launcher and folder included.
    pub command: &'a [String],
    /// The batch's folder.
    pub folder: &'a Path,
    /// What is expected to be left of it, in seconds.
    pub left_s: f64,
    /// The MPI library, in words.
    pub library: Option<&'a str>,
}

/// The command that starts `{ranks}` ranks in an allocation, for a library of Open MPI's family or else of
/// MPICH's.
///
/// Open MPI speaks PMIx alone. MPICH 4.0.2 and 5.0.2, as built by Debian and PyPI, speak PMI 1 and 2: under
/// PMIx each rank of 4.0.2 would be alone, and 5.0.2 aborts.
pub fn srun_of(is_open_mpi: bool) -> &'static str {
    match is_open_mpi {
        true => "srun --mpi=pmix -n {ranks}",
        false => "srun --mpi=pmi2 -n {ranks}",
    }
}

impl JobScript<'_> {
    /// The script.
    ///
    /// # Errors
    /// If a word cannot be written for a shell.
    pub fn text(&self) -> Result<String, String> {
        let quoted = |words: &[String]| {
            shlex::try_join(words.iter().map(String::as_str)).map_err(|error| error.to_string())
        };
        let command = quoted(self.command)?;
        let journal = quoted(&[self.folder.join("journal.jsonl").display().to_string()])?;
        let cells = self.plan.cells.iter();
        let ranks = cells.map(|cell| cell.workload.ranks).max().unwrap_or(1);
        // Half as long again: nodes differ, and jobs take a while to start.
        let minutes = (1.5 * self.left_s / 60.0).ceil() as u64 + u64::from(NOTICE_S) / 60;
        let minutes = minutes.max(MIN_MINUTES);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        // In a comment, which ends with its line.
        let library = self.library.unwrap_or("the MPI that it was built with");
        let library = library.replace(char::is_control, " ");
        let mut text = String::new();
        let _ = write!(
            text,
            "\
#!/bin/bash
# Plays {n_runs} runs of {n_cells} cells, {about}. Written by `onesided batch --slurm`; submit it with sbatch.
#
# Told that its time is nearly over, it stops, and goes back into the queue by itself. After a requeue, a
# cancellation or a time limit it goes on where it stopped: submit it again. One job of a batch at a time.

# To be changed: how long the job may take. It need not be enough for all of it, as long as runs fit in.
#SBATCH --time={hours:02}:{minutes:02}:00
# To be changed where your cluster wants it: take away one # of each.
##SBATCH --account=PROJECT
##SBATCH --partition=PARTITION

# The plan's largest number of ranks. Smaller runs use part of the allocation.
#SBATCH --ntasks={ranks}
# Across how many nodes: without these lines as few as Slurm finds.
##SBATCH --nodes=N
##SBATCH --ntasks-per-node=M
# Others' jobs on the same nodes would be measured too.
#SBATCH --exclusive

#SBATCH --job-name=onesided
#SBATCH --output=onesided-%j.out
#SBATCH --open-mode=append
#SBATCH --requeue
# SIGUSR1 to this script so many seconds before the end of its time.
#SBATCH --signal=B:USR1@{NOTICE_S}

# To be changed: the modules of {library}.
# module load openmpi

set -u
journal={journal}
batch=
signalled=
again=

# The run under way is ended and will be played again; those before it are kept.
stop() {{
    signalled=yes
    if [[ $batch ]]; then kill -TERM \"$batch\" 2>/dev/null; fi
}}
trap 'again=yes; stop' USR1
trap stop TERM

runs_over() {{ wc -l 2>/dev/null <\"$journal\" || echo 0; }}

before=$(runs_over)
{command} &
batch=$!
while
    signalled=
    wait \"$batch\"
    code=$?
    [[ $signalled ]] # `wait` ends when a signal comes: on with it
do :; done

if [[ $again ]] && ((code == 143)); then
    if (($(runs_over) > before)); then
        echo \"time is nearly over: back into the queue\"
        scontrol requeue \"$SLURM_JOB_ID\" && sleep 60 # until Slurm ends this script
    else
        echo \"no run was over in the job's time: --time is too short\" >&2
        code=1
    fi
fi
exit \"$code\"
",
            n_runs = self.plan.n_runs(),
            n_cells = self.plan.cells.len(),
            about = about(self.left_s),
        );
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Values;

    fn script(left_s: f64, folder: &str) -> String {
        let text = "ranks = [2, 24, 8]\nthink = \"exp:1ms\"";
        let plan = Plan::new(Values::of_toml("plan", text)).unwrap();
        let words = [
            "onesided",
            "batch",
            "--launcher",
            srun_of(true),
            "--out",
            folder,
        ];
        JobScript {
            plan: &plan,
            command: &words.map(str::to_owned),
            folder: Path::new(folder),
            left_s,
            library: None,
        }
        .text()
        .unwrap()
    }

    /// Lines that sbatch reads.
    fn options(script: &str) -> Vec<&str> {
        script
            .lines()
            .filter_map(|line| line.strip_prefix("#SBATCH "))
            .collect()
    }

    #[test]
    fn it_asks_for_the_largest_number_of_ranks_and_time_enough() {
        let options_of = |left_s| {
            let script = script(left_s, "out");
            let options = options(&script);
            assert_eq!(
                options.iter().filter(|o| o.starts_with("--time")).count(),
                1
            );
            options.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let short = options_of(1.0);
        assert!(short.contains(&"--ntasks=24".to_owned()), "{short:?}");
        assert!(short.contains(&"--time=00:10:00".to_owned()), "{short:?}");
        // Ten hours, and half of it, and the notice.
        let long = options_of(36_000.0);
        assert!(long.contains(&"--time=15:02:00".to_owned()), "{long:?}");
    }

    #[test]
    fn what_a_shell_would_take_for_its_own_is_quoted() {
        let script = script(1.0, "a folder/$(touch x)`'");
        let line = script.lines().find(|line| line.ends_with(" &")).unwrap();
        let words = shlex::split(line.trim_end_matches(" &")).unwrap();
        assert_eq!(words.last().unwrap(), "a folder/$(touch x)`'");
        assert!(words.contains(&"srun --mpi=pmix -n {ranks}".to_owned()));
        let journal = script
            .lines()
            .find_map(|line| line.strip_prefix("journal="));
        let journal = shlex::split(journal.unwrap()).unwrap();
        assert_eq!(journal, ["a folder/$(touch x)`'/journal.jsonl"]);
    }
}
