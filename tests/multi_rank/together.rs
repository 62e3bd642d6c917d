//! Many bodies in one job a rank count: starting a job takes longer than most bodies do.
//!
//! A body that all ranks finished there has passed. Whatever the job left undone, because a body failed or
//! hung or time was over, runs in a job of its own, whose verdict is the body's; and a case of its own
//! says whether the common job went well to its end.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::harness::{self, Body, BodyJob, DEADLINE};
use crate::support::rank_counts;

/// How long all bodies together may take.
const TOGETHER: Duration = Duration::from_secs(900);

/// The job of one rank count, started by whichever case asks first.
struct Together {
    n_ranks: u32,
    bodies: Arc<[Body]>,
    job: OnceLock<BodyJob>,
}

impl Together {
    fn job(&self) -> &BodyJob {
        self.job.get_or_init(|| {
            let names: Vec<&str> = self.bodies.iter().map(|body| body.name).collect();
            harness::launch(self.n_ranks, &names.join(","), TOGETHER)
        })
    }

    fn passes(&self, body: Body) -> Result<(), Failed> {
        if self.job().finished_by_all(body.name) {
            return Ok(());
        }
        let alone = harness::launch(self.n_ranks, body.name, DEADLINE);
        alone.verdict().map_err(Failed::from)
    }

    fn went_well(&self) -> Result<(), Failed> {
        let job = self.job();
        job.verdict().map_err(Failed::from)
    }
}

/// Cases that run the common jobs, one a rank count; and one a body and rank count, for when these are over:
/// one that comes before waits for its job.
pub fn trials(bodies: Vec<Body>) -> (Vec<Trial>, Vec<Trial>) {
    let bodies: Arc<[Body]> = bodies.into();
    let (mut jobs, mut cases) = (Vec::new(), Vec::new());
    for &n_ranks in rank_counts() {
        let together = Arc::new(Together {
            n_ranks,
            bodies: Arc::clone(&bodies),
            job: OnceLock::new(),
        });
        for &body in bodies.iter() {
            let together = Arc::clone(&together);
            let name = format!("{}/ranks_{n_ranks}", body.name);
            cases.push(Trial::test(name, move || together.passes(body)));
        }
        let name = format!("all_in_one_job/ranks_{n_ranks}");
        jobs.push(Trial::test(name, move || together.went_well()));
    }
    (jobs, cases)
}
