//! `onesided doctor`: what it finds, what it says of what it cannot find, and that it ends.

use std::process::{Command, Output};
use std::sync::OnceLock;

use onesided::internals::doctor::{
    Away, ClaimMethod, DOCTOR_SCHEMA, Document, Finding, Measured, Policy, Severity,
};
use onesided::internals::rma::faults;
use onesided::rma::{self, Family};
use serde_json::Value;

use crate::started_wrongly::skip;
use crate::support::{best_of_three, quoted, until};
use crate::{ONESIDED, onesided, support};

/// The doctor outside of a job; with nothing beside it where what it measures, which is time, is looked at.
fn doctor(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let _turn = match args.starts_with(HEALTHY) {
        true => support::Turn::alone(),
        false => support::Turn::of(3),
    };
    Command::new(ONESIDED)
        .arg("doctor")
        .args(args)
        .envs(variables.iter().copied())
        .output()
        .expect("the program starts")
}

/// Its document, which is all of stdout and fits the schema.
fn document_of(output: &Output) -> Document {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let value: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let schema: Value = serde_json::from_str(DOCTOR_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?} in {value:#}");
    let document = Document::from_json(&text).unwrap();
    assert_eq!(
        output.status.code(),
        Some(i32::from(document.verdict.exit_code)),
        "the verdict's exit code: {document:#?}"
    );
    document
}

fn json(args: &[&str], variables: &[(&str, &str)]) -> Document {
    document_of(&doctor(&[args, &["--format", "json"]].concat(), variables))
}

fn findings_of<'a>(document: &'a Document, probe: &str) -> Vec<&'a Finding> {
    let of_probe = document
        .findings
        .iter()
        .filter(|finding| finding.probe == probe);
    of_probe.collect()
}

/// Two ranks, and six times as long as a user gives, for each probe too: the machine may have other things to do.
const HEALTHY: &[&str] = &["--ranks", "2", "--within", "120s"];

/// What it finds where the library is provoked.
fn provoked() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| json(HEALTHY, provoking()))
}

/// Variables that take back what this crate sets so that Open MPI 4.1 has no fault: Debian's own choice.
fn provoking() -> &'static [(&'static str, &'static str)] {
    match faults::OPEN_MPI_CAS_64.is_in(&rma::library().unwrap()) {
        true => &[("OMPI_MCA_osc", "^ucx,pt2pt")],
        false => &[],
    }
}

#[test]
fn each_probe_tells_something_and_what_the_library_is_known_for_is_found() {
    best_of_three(|| {
        let document = json(HEALTHY, &[]);
        assert_all_was_probed(&document);
        // What stalls is told by times.
        let wrong = cells_that_are_not_as_known(&document);
        match (wrong.is_empty(), document.verdict.exit_code) {
            (true, 0) => Ok(()),
            (_, code) => Err(format!("exit code {code}, {wrong:#?}")),
        }
    });
}

fn assert_all_was_probed(document: &Document) {
    for probe in onesided::internals::doctor::plan() {
        let found = findings_of(document, &probe.name());
        assert!(!found.is_empty(), "{probe:?} told nothing: {document:#?}");
    }
    let library = rma::library().unwrap();
    assert_eq!(document.mpi_library, library.to_string());
    // What the suite's other tests rely on is right here too.
    for probe in [
        "fetch-and-op-64-allocated",
        "compare-and-swap-32-allocated",
        "memory-model", // the standard ABI's too
        "thread-multiple",
    ] {
        for finding in findings_of(document, probe) {
            assert_eq!(finding.severity, Severity::Ok, "{finding:#?}");
        }
    }
    for finding in findings_of(document, "fetch-and-op-64-allocated") {
        let Some(Measured::Atomic { phases, .. }) = &finding.measured else {
            panic!("{finding:#?}");
        };
        let ranks: Vec<u32> = phases.iter().map(|phase| phase.ranks).collect();
        assert_eq!(ranks, [1, 1, 2], "home, others, all");
        assert!(phases.iter().all(|phase| phase.tickets > 0), "{phases:?}");
    }
    let claims = document.findings.iter().filter_map(|finding| {
        let measured = finding.measured.as_ref()?;
        let Measured::Claims {
            each_once, latency, ..
        } = measured
        else {
            return None;
        };
        Some(*each_once && latency.operations > 0)
    });
    let claims: Vec<bool> = claims.collect();
    // Two methods under three policies and one under none, each asleep and computing, and all at once.
    assert_eq!(claims, [true; 2 * (3 * 2 + 1) + 2 + 1], "{document:#?}");
}

/// A created window stalls on every library; claims, by what the library does alone, on MPICH 4.0.
fn cells_that_are_not_as_known(document: &Document) -> Vec<&Finding> {
    let created = findings_of(document, "progress-created").into_iter();
    let mut wrong: Vec<&Finding> = created
        .filter(|finding| finding.severity != Severity::StandsStill)
        .collect();
    let stalls = faults::MPICH_4_0_NO_PROGRESS.is_in(&rma::library().unwrap());
    for finding in &document.findings {
        let Some(Measured::Claims {
            claim_with,
            policy,
            away,
            stalled,
            ..
        }) = &finding.measured
        else {
            continue;
        };
        let may_stall = stalls
            && *policy == Policy::None
            && *away != Away::Claiming
            && *claim_with != ClaimMethod::SharedMemory;
        if *stalled != may_stall {
            wrong.push(finding);
        }
    }
    wrong
}

/// 64-bit compare-and-swap ends the job on Open MPI 4.1.4: a finding of that probe, and the doctor goes on.
#[test]
fn a_crash_of_the_library_is_a_finding_and_not_the_end() {
    let library = rma::library().unwrap();
    let document = provoked();
    let found = findings_of(document, "compare-and-swap-64-allocated");
    let crashed = found
        .iter()
        .any(|finding| finding.severity == Severity::Crashed);
    assert_eq!(
        crashed,
        faults::OPEN_MPI_CAS_64.is_in(&library),
        "{found:#?}"
    );
    let after = findings_of(document, "thread-multiple");
    assert!(!after.is_empty(), "the doctor goes on: {document:#?}");
    let listed = findings_of(document, "known-fault");
    let listed = listed
        .iter()
        .find(|finding| finding.subject == faults::OPEN_MPI_CAS_64.name);
    assert_eq!(listed.is_some(), crashed);
    let seen = |finding: &&Finding| match &finding.measured {
        Some(Measured::Fault { seen, .. }) => *seen,
        _ => None,
    };
    assert_eq!(listed.and_then(seen), crashed.then_some(true));
}

/// Whatever remedy the doctor names here helps when a user applies it.
#[test]
fn every_remedy_that_is_named_works_when_it_is_applied() {
    let before = provoked();
    let mut applied = 0;
    let named: Vec<&Finding> = before
        .findings
        .iter()
        .filter(|finding| finding.remedy.is_some() && finding.probe != "known-fault")
        .collect();
    let mut settings: Vec<&str> = named
        .iter()
        .filter_map(|finding| Some(finding.remedy.as_ref()?.setting.as_str()))
        .collect();
    settings.dedup();
    for setting in settings {
        let variables: Vec<(&str, &str)> = match setting.starts_with("--") {
            true => {
                works_as_flags(setting);
                applied += 1;
                continue;
            }
            false => setting
                .split(' ')
                .map(|word| word.split_once('=').expect("VARIABLE=value"))
                .collect(),
        };
        let of_setting = |finding: &&&Finding| {
            let remedy = finding.remedy.as_ref().expect("of those that have one");
            remedy.setting == setting
        };
        best_of_three(|| {
            let after = json(HEALTHY, &variables);
            for finding in named.iter().filter(of_setting) {
                let same = findings_of(&after, &finding.probe);
                let same = same.iter().find(|after| after.subject == finding.subject);
                let same =
                    same.unwrap_or_else(|| panic!("{} is gone: {after:#?}", finding.subject));
                if same.severity >= Severity::Slow {
                    return Err(format!("{setting} against {finding:#?}: {same:#?}"));
                }
            }
            Ok(())
        });
        applied += named.iter().filter(of_setting).count();
    }
    let library = rma::library().unwrap();
    let needs_some = faults::OPEN_MPI_CAS_64.is_in(&library) || library.family == Family::Mpich;
    assert!(applied > 0 || !needs_some, "{before:#?}");
}

/// Flags of `onesided play`: with a home rank that thinks longest, another claims in the meantime.
fn works_as_flags(flags: &str) {
    let args =
        format!("play rma --digits 50 --think 1ms --straggler 0=300ms --format json {flags}");
    best_of_three(|| {
        let ended = onesided(2, &args).run().expect_success();
        let document: Value = serde_json::from_str(&ended.stdout).unwrap();
        let other = &document["per_rank"][1];
        let mean_s = other["operation_s"].as_f64().unwrap() / other["operations"].as_f64().unwrap();
        match mean_s < 0.1 {
            true => Ok(()),
            false => Err(format!("{flags}: {document:#}")),
        }
    });
}

#[test]
fn a_launcher_that_is_not_there_is_bad_input() {
    let output = doctor(&["--launcher", "/nonexistent/mpirun -n {ranks}"], &[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(
        message.contains("/nonexistent/mpirun") && message.contains("--launcher"),
        "{message}"
    );
}

/// Of a stack of calls as MPICH prints it, the last line says what went wrong.
#[test]
fn the_end_of_a_stack_is_what_is_quoted() {
    let scratch = support::scratch();
    let script = scratch.path().join("launcher");
    let stack = "#!/bin/sh\ncat >&2 <<'END'\n\
        Abort(1094543) on node 0 (rank 0 in comm 0): Fatal error in PMPI_Init_thread: Other MPI error, error stack:\n\
        MPIR_Init_thread(178).......: \n\
        MPID_Init(1532).............: \n\
        create_vni_context(1138)....: OFI endpoint open failed (ofi_init.c:1138:create_vni_context:No such device)\n\
        [cli_0]: readline failed\nEND\nexit 15\n";
    std::fs::write(&script, stack).unwrap();
    let launcher = format!("sh {} #", quoted(&script));
    let document = json(&["--launcher", &launcher], &[]);
    let start = findings_of(&document, "start");
    let detail = &start[0].detail;
    assert!(
        detail.contains("it said: create_vni_context(1138)....: OFI endpoint open failed"),
        "{detail}"
    );
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_probed() {
    let scratch = support::scratch();
    let folder = scratch.path().to_str().unwrap();
    let refused = |code: Option<i32>, stdout: &str, stderr: &str| {
        assert_eq!((code, stdout), (Some(2), ""), "{stderr}");
        let why = format!("cannot write --output {folder}: is a directory");
        assert_eq!(stderr.matches(&why).count(), 1, "{stderr}");
    };
    let output = doctor(&["--ranks", "2", "--output", folder], &[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    refused(
        output.status.code(),
        &text(&output.stdout),
        &text(&output.stderr),
    );
    let ended = onesided(3, &format!("doctor --safe --output {}", quoted(folder))).run();
    refused(ended.code, &ended.stdout, &ended.stderr);
    let left = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(left, 0, "trying leaves nothing behind");
}

/// The launcher takes the folder away in which the document is to be.
#[test]
fn a_report_that_cannot_be_written_is_printed_all_the_same() {
    let scratch = support::scratch();
    let folder = scratch.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("doctor.json");
    let launcher = format!("sh -c 'rmdir \"$0\"' {} #", quoted(&folder));
    let args = ["--launcher", &launcher, "--output", file.to_str().unwrap()];
    let output = doctor(&args, &[]);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write"), "{stderr}");
    assert!(
        stdout.contains("not probed: the job did not start"),
        "{stdout}"
    );
}

#[test]
fn a_launcher_that_ends_at_once_is_a_finding() {
    let document = json(&["--launcher", "false"], &[]);
    let start = findings_of(&document, "start");
    assert_eq!(start.len(), 1, "{start:#?}");
    assert_eq!(start[0].severity, Severity::Crashed, "{start:#?}");
    assert!(start[0].detail.contains("exit code 1"), "{start:#?}");
    assert_eq!(document.verdict.exit_code, 1);
    let told = findings_of(&document, "fetch-and-op-64-allocated");
    assert_eq!(
        told[0].severity,
        Severity::Unknown,
        "nothing is passed over: {told:#?}"
    );
}

/// A launcher that hangs meets the deadline, is ended, and leaves nobody behind.
#[test]
fn a_launcher_that_hangs_is_ended_at_its_deadline() {
    let scratch = support::scratch();
    let pid_file = scratch.path().join("pid");
    let script = format!(
        "sh -c 'echo $$ >\"$0\"; sleep 1000 & sleep 1000' {} #",
        quoted(&pid_file)
    );
    let document = json(&["--launcher", &script], &[]);
    let found = findings_of(&document, "start");
    assert_eq!(found[0].severity, Severity::Hung, "{found:#?}");
    assert!(document.took_s < 120.0, "{} s", document.took_s); // 9 s of its own
    let group = std::fs::read_to_string(&pid_file).unwrap();
    until("nobody is left", || {
        processes_of_group(group.trim()).is_empty()
    });
}

/// Processes of a group that still run, by what the system says of each.
fn processes_of_group(group: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| {
            // `pid (name) state parent group …`; the name may have blanks and parentheses.
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            let fields: Vec<&str> = after_name.split_whitespace().collect();
            fields.get(2) == Some(&group) && fields.first() != Some(&"Z")
        })
        .collect()
}

/// The launcher of the other family of libraries starts as many jobs of one rank.
#[test]
fn the_launcher_of_another_library_is_found_out() {
    let other = match rma::library().unwrap().family {
        Family::OpenMpi => "/usr/bin/mpirun.mpich",
        _ => "/usr/bin/mpirun.openmpi",
    };
    if !std::path::Path::new(other).is_file() {
        return skip("no launcher of the other family of MPI libraries is installed");
    }
    let each = support::WITH_OWN_TMP.map(quoted).join(" ");
    let launcher = format!("{other} -n {{ranks}} {each}");
    let tmp = support::own_tmp();
    let root = [
        ("TMPDIR", tmp.path().to_str().expect("a name in UTF-8")),
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
    ];
    let document = json(&["--ranks", "3", "--launcher", &launcher], &root);
    let start = findings_of(&document, "start");
    assert_eq!(start.len(), 1, "said once: {start:#?}");
    assert_eq!(start[0].severity, Severity::Refused, "{start:#?}");
    assert!(start[0].detail.contains("alone"), "{start:#?}");
    // The remedy is the flag as a shell takes it; without a shell its quotes go.
    let remedy = &start[0]
        .remedy
        .as_ref()
        .expect("the right launcher")
        .setting;
    let (flag, launcher) = remedy.split_once(' ').unwrap();
    let launcher = launcher.trim_matches('\'');
    let document = json(&["--ranks", "3", "--within", "20s", flag, launcher], &[]);
    let start = findings_of(&document, "start");
    assert_eq!(start[0].severity, Severity::Ok, "{start:#?}");
}

/// A launcher that no variable tells of: each rank believes that it is the only one.
#[test]
fn ranks_that_are_alone_under_an_unknown_launcher_are_found_out() {
    let script = r#"sh -c 'for i in 1 2; do "$@" & done; wait' sh"#;
    let document = json(&["--ranks", "2", "--launcher", script], &[]);
    let start = findings_of(&document, "start");
    assert_eq!(start[0].severity, Severity::Refused, "{start:#?}");
    assert!(
        start[0].detail.contains("each of them is alone"),
        "{start:#?}"
    );
}

#[test]
fn what_there_is_no_time_for_is_said_to_be_unknown() {
    let document = json(&["--ranks", "2", "--within", "4s"], &[]);
    assert!(document.took_s < 90.0, "{}", document.took_s); // 6 s of its own
    for probe in onesided::internals::doctor::plan() {
        assert!(
            !findings_of(&document, &probe.name()).is_empty(),
            "{probe:?} is passed over: {document:#?}"
        );
    }
    let last = findings_of(&document, "compare-and-swap-64-allocated");
    assert!(
        last.iter()
            .all(|finding| finding.severity >= Severity::Unknown),
        "{last:#?}"
    );
}

#[test]
fn inside_a_job_it_probes_in_that_job() {
    let scratch = support::scratch();
    let file = scratch.path().join("doctor.json");
    let args = format!("doctor --safe --within 120s --output {}", quoted(&file));
    let ended = onesided(2, &args).run();
    assert!(!ended.timed_out, "{ended:#?}");
    let document = Document::from_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((document.launcher.as_deref(), document.ranks), (None, 2));
    assert_eq!(
        ended.code,
        Some(i32::from(document.verdict.exit_code)),
        "{ended:#?}"
    );
    let found = findings_of(&document, "fetch-and-op-64-allocated");
    assert_eq!(found[0].severity, Severity::Ok, "{found:#?}");
    let left_out = findings_of(&document, "compare-and-swap-64-allocated");
    assert!(left_out[0].detail.contains("--safe"), "{left_out:#?}");
    let verdicts = ended.stdout.matches(&document.verdict.text[..20]).count();
    assert_eq!(verdicts, 1, "rank 0 alone prints: {ended:#?}");
}

/// A job that a probe ends has told what it knew before.
#[test]
fn inside_a_job_what_was_found_is_told_before_a_crash() {
    let scratch = support::scratch();
    let file = scratch.path().join("doctor.json");
    let args = format!(
        "doctor --within 120s --format json --output {}",
        quoted(&file)
    );
    let mut job = onesided(2, &args);
    for (name, value) in provoking() {
        job = job.env(name, *value);
    }
    let ended = job.run();
    let document = Document::from_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let safe = findings_of(&document, "fetch-and-op-64-allocated");
    assert_eq!(safe[0].severity, Severity::Ok, "{safe:#?}");
    let crashes = faults::OPEN_MPI_CAS_64.is_in(&rma::library().unwrap());
    assert_eq!(
        ended.stdout.is_empty(),
        crashes,
        "a whole document or none: {ended:#?}"
    );
    assert!(ended.stderr.contains("found so far"), "{ended:#?}");
}

/// What the doctor wrote elsewhere is shown as it was there, with its exit code.
#[test]
fn a_document_is_shown_again() {
    let scratch = support::scratch();
    let file = scratch.path().join("doctor.json");
    let path = file.to_str().unwrap();
    let first = doctor(&["--launcher", "false", "--output", path], &[]);
    let again = doctor(&["--read", path], &[]);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(again.status.code(), Some(1));
}
