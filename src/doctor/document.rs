//! All findings of a run of the doctor, as one JSON document.

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Measured};
use super::verdict::{ClaimMethod, Verdict};

/// Value of the field `format`.
pub const DOCTOR_FORMAT: &str = "onesided-doctor/1";

/// JSON schema of [`Document`].
pub const DOCTOR_SCHEMA: &str = include_str!("doctor.schema.json");

/// What a run of the doctor found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// `DOCTOR_FORMAT`.
    pub format: String,
    /// Version of the program.
    pub onesided: String,
    /// Name and version of the MPI library.
    pub mpi_library: String,
    /// The command that started the probes; `None` where they ran in the job that was there.
    pub launcher: Option<String>,
    /// How many ranks were asked for.
    pub ranks: u32,
    /// How claims are made that the verdict is about.
    pub claim_with: ClaimMethod,
    pub took_s: f64,
    /// What it means for claims.
    pub verdict: Verdict,
    /// What was found out.
    pub findings: Vec<Finding>,
}

impl Document {
    /// Puts together what was found, and judges it.
    pub fn new(
        mpi_library: String,
        launcher: Option<String>,
        ranks: u32,
        claim_with: ClaimMethod,
        took_s: f64,
        findings: Vec<Finding>,
    ) -> Self {
        Document {
            format: DOCTOR_FORMAT.into(),
            onesided: env!("CARGO_PKG_VERSION").into(),
            mpi_library,
            launcher,
            ranks,
            claim_with,
            took_s,
            verdict: Verdict::of(&findings, claim_with),
            findings,
        }
    }

    /// Reads a document that this program wrote.
    ///
    /// # Errors
    /// What is wrong with it, in one line for the user.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            // It quotes what it is about, whatever is in it.
            let error = error.to_string().replace(char::is_control, " ");
            format!("it is no document of `onesided doctor --format json`: {error}")
        })?;
        match document.format == DOCTOR_FORMAT {
            true => Ok(document),
            false => Err(format!(
                "its format is '{}', and this program reads '{DOCTOR_FORMAT}'",
                document.format.replace(char::is_control, " ")
            )),
        }
    }

    /// Names of the hosts with their numbers of ranks and cores, if the job got that far.
    pub fn hosts(&self) -> Vec<&super::Host> {
        let job = self
            .findings
            .iter()
            .find_map(|finding| match &finding.measured {
                Some(Measured::Job { hosts, .. }) => Some(hosts),
                _ => None,
            });
        job.into_iter().flatten().collect()
    }
}
