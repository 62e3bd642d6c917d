//! `onesided batch --slurm`: a job script on stdout.

use std::path::Path;

use super::super::{Failure, print};
use super::args::PlanArgs;
use crate::batch::{Estimates, JobScript, Plan};

/// Prints the script that plays the plan with `program`.
pub(super) fn print_script(args: &PlanArgs, plan: &Plan, program: &Path) -> Result<(), Failure> {
    let Some(folder) = &plan.out else {
        return Err(Failure::Usage(
            "--out: name the folder that the batch is to be in; all nodes must see it".into(),
        ));
    };
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| {
            Failure::Usage(format!("cannot tell where {} is: {error}", path.display()))
        })
    };
    let folder = absolute(folder)?;
    let library = library();
    let launcher = match (&plan.launcher, &library) {
        (Some(launcher), _) => launcher.text().to_owned(),
        (None, Some((_, srun))) => (*srun).to_owned(),
        (None, None) => {
            return Err(Failure::Usage(
                "this build has no MPI, so the kind of ranks is not known: name --launcher \
                 'srun --mpi=pmix -n {ranks}' for Open MPI, or 'srun --mpi=pmi2 -n {ranks}' for MPICH"
                    .into(),
            ));
        }
    };
    let this = std::env::current_exe()
        .map_err(|error| Failure::Run(format!("cannot tell where this program is: {error}")))?;
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            let why = "its name is no UTF-8, and a job script is a text";
            Failure::Usage(format!(
                "cannot name {} in a job script: {why}",
                path.display()
            ))
        })
    };
    let mut words = vec![text(&this)?, "batch".into()];
    if let Some(file) = &args.file {
        words.push(text(&absolute(file)?)?);
    }
    for (name, texts) in args.flags() {
        if !["launcher", "out"].contains(&name) && !texts.is_empty() {
            words.push(format!("--{name}={}", texts.join(",")));
        }
    }
    if program != this {
        words.extend(["--program".into(), text(program)?]);
    }
    words.extend([
        "--launcher".into(),
        launcher,
        "--out".into(),
        text(&folder)?,
    ]);
    let script = JobScript {
        plan,
        command: &words,
        folder: &folder,
        left_s: Estimates::new(&plan.cells).left(plan.schedule().map(|run| run.cell)),
        library: library.as_ref().map(|(name, _)| name.as_str()),
    };
    print(&script.text().map_err(Failure::Usage)?)
}

/// The MPI library in words, and the command that starts its ranks.
fn library() -> Option<(String, &'static str)> {
    #[cfg(feature = "mpi")]
    {
        use crate::{batch, rma};
        let library = rma::library().ok()?;
        let srun = batch::srun_of(library.family == rma::Family::OpenMpi);
        Some((library.to_string(), srun))
    }
    #[cfg(not(feature = "mpi"))]
    None
}
