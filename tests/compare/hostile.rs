//! Files that are whole and say what cannot be: no sum overflows, and none takes long.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use onesided::internals::analysis::{Findings, Waterfall, of_summary, read_run};
use onesided::internals::analysis::{METRICS, RunSummary};
use onesided::internals::report;
use onesided::internals::trace::{Clock, Kind, MAX_TIME_NS, Offset, Outcome, Record};

use super::{Synthetic, Version};

fn read(run: &Synthetic) -> Result<Findings, String> {
    let folder = tempfile::tempdir().unwrap();
    run.write(folder.path());
    read_run(folder.path())
}

fn say_all(run: &Findings) {
    let runs = [run.clone(), run.clone()];
    report::compare(&runs, "");
    Waterfall::new(&runs[0], &runs[1]);
    METRICS.iter().for_each(|metric| {
        metric.of(run);
    });
}

/// Every rank's last think time ends with all time; only the last rank comes to the allreduce late.
#[test]
fn sums_over_ranks_that_waited_for_146_years_stop_at_the_largest_number() {
    let mut run = Synthetic::new(Version::Collective, 7, 1, 3);
    for (rank, records) in run.records.iter_mut().enumerate() {
        let last = records.len() - 2;
        assert_eq!(records[last].kind, Kind::Allreduce);
        records[last].end_ns = MAX_TIME_NS - 2000;
        records[last + 1].begin_ns = MAX_TIME_NS - 1000;
        records[last + 1].end_ns = MAX_TIME_NS;
        // A longer time than 48 bits hold is written in pieces.
        let mut begin_ns = records[last].begin_ns;
        if rank == 6 {
            begin_ns = MAX_TIME_NS - 3000;
        }
        (records[last].begin_ns, records[last].end_ns) = (begin_ns, MAX_TIME_NS - 2000);
    }
    let info = run.info.clone();
    let records = run.records;
    let findings = onesided::internals::analysis::analyse(&info, |rank| {
        records[rank as usize].clone().into_iter()
    });
    assert_eq!(findings.sum_ns(|rank| rank.wait_ns), Some(u64::MAX));
    assert_eq!(
        findings.sum_ns(|rank| Some(rank.blame?.last_ns)),
        Some(u64::MAX)
    );
    say_all(&findings);
}

#[test]
fn times_up_to_the_last_one_are_read_and_later_ones_are_refused() {
    let mut run = Synthetic::new(Version::Rma, 3, 2, 3);
    for (shift, is_good) in [(0, true), (MAX_TIME_NS / 2, true), (MAX_TIME_NS / 2, false)] {
        for record in &mut run.records[1] {
            (record.begin_ns, record.end_ns) = (record.begin_ns + shift, record.end_ns + shift);
        }
        let findings = read(&run).unwrap();
        assert_eq!(
            findings.recorded.as_ref().unwrap().incomplete_ranks == 0,
            is_good
        );
        say_all(&findings);
    }
}

#[test]
fn clocks_that_are_off_by_all_time_overflow_nothing() {
    let most = i64::try_from(MAX_TIME_NS).unwrap();
    let offset = |at_ns, offset_ns, error_ns| {
        Some(Offset {
            at_ns,
            offset_ns,
            error_ns,
        })
    };
    for version in [Version::Rma, Version::Collective] {
        for (before, after) in [
            (offset(0, most, MAX_TIME_NS), None),
            (offset(0, -most, MAX_TIME_NS), None),
            (offset(0, -most, 0), offset(MAX_TIME_NS, most, MAX_TIME_NS)),
            (offset(0, 0, 0), offset(1, 0, MAX_TIME_NS)),
            (offset(0, -1, MAX_TIME_NS), offset(1, 0, 0)),
            (offset(1_000_000_000, 0, 0), offset(1_000_000_001, most, 0)),
            (offset(1_000_000_000, most, 0), offset(0, 0, 0)),
        ] {
            let mut run = Synthetic::new(version, 4, 3, 3);
            run.info.home = 2;
            run.info.clocks.of_rank = vec![0, 1, 0, 1];
            run.info.clocks.clocks.push(Clock {
                host: "b".into(),
                before,
                after,
            });
            say_all(&read(&run).unwrap());
        }
        let mut run = Synthetic::new(version, 2, 1, 3);
        let before = offset(0, i64::MIN, 0);
        run.info.clocks.clocks.push(Clock {
            host: "b".into(),
            before,
            after: None,
        });
        assert!(read(&run).unwrap_err().contains("off by an absurd time"));
    }
}

#[test]
fn more_dropped_records_than_numbers_are_as_many_as_there_are_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let run = Synthetic::new(Version::Rma, 3, 1, 3);
    run.write(folder.path());
    for rank in 0..3 {
        let mut bytes = run.file_of(rank);
        bytes[48..56].fill(0xff);
        fs::write(
            folder
                .path()
                .join(onesided::internals::trace::file_name(rank)),
            bytes,
        )
        .unwrap();
    }
    let findings = read_run(folder.path()).unwrap();
    assert_eq!(findings.recorded.as_ref().unwrap().dropped, u64::MAX);
    say_all(&findings);
}

/// Short games take no time that grows with the digits.
#[test]
fn many_games_of_many_digits_with_few_records_are_read_soon() {
    for (claim_with, version) in [
        ("fetch-and-op", Version::Rma),
        ("compare-and-swap", Version::Rma),
        ("", Version::Collective),
    ] {
        let mut run = Synthetic::new(version, 2, 1, 3);
        run.info.claim_with = Some(claim_with.into());
        (run.info.digits, run.info.games) = (1_000_000, 1_000_000);
        for records in &mut run.records {
            let operation = *records.iter().find(|record| record.item > 0).unwrap();
            *records = (0..20_000)
                .map(|game| {
                    let shift_ns = 100_000 * u64::from(game);
                    let (begin_ns, end_ns) =
                        (operation.begin_ns + shift_ns, operation.end_ns + shift_ns);
                    Record {
                        game,
                        begin_ns,
                        end_ns,
                        ..operation
                    }
                })
                .collect();
        }
        let start = Instant::now();
        say_all(&read(&run).unwrap());
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_rank_that_scores_one_digit_for_ever_is_named_once() {
    let mut run = Synthetic::new(Version::Rma, 2, 1, 3);
    for record in run.records.iter_mut().flatten() {
        if record.kind == Kind::Claim {
            (record.outcome, record.item) = (Outcome::Won, 9);
        }
    }
    let findings = read(&run).unwrap();
    assert!(
        findings.double_scores > Some(2),
        "{:?}",
        findings.double_scores
    );
    assert_eq!(findings.double_scored[0].ranks, [0, 1]);
}

#[test]
fn thinking_that_no_allreduce_followed_is_on_the_critical_path() {
    let mut run = Synthetic::new(Version::Collective, 2, 1, 3);
    run.records
        .iter_mut()
        .for_each(|records| records.truncate(2));
    let findings = read(&run).unwrap();
    let efficiency = findings.efficiency.unwrap();
    assert_eq!(efficiency.serialisation, 1.0);
    // All but recording itself.
    assert!(efficiency.transfer > 0.999, "{efficiency:?}");
    say_all(&findings);
}

#[test]
fn numbers_of_a_summary_up_to_the_largest_are_read() {
    let text = include_str!("../golden/collective.json");
    let mut summary = RunSummary::from_json(text).unwrap();
    (summary.wall_s, summary.time_to_complete_s) = (f64::MAX, f64::MAX);
    for rank in &mut summary.per_rank {
        (rank.guesses, rank.operations, rank.play_s) = (u64::MAX, u64::MAX, f64::MAX);
    }
    summary.double_scores = u64::MAX;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary.json");
    fs::write(&path, serde_json::to_string(&summary).unwrap()).unwrap();
    say_all(&read_run(&path).unwrap());
    say_all(&of_summary(&summary));
}

#[test]
fn numbers_of_a_log_up_to_the_largest_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    let most = u64::MAX;
    let line = |rank| format!("rank {rank} got {most} points with {most} guesses\n");
    fs::write(&path, line(0) + &line(1) + &line(999_999)).unwrap();
    say_all(&read_run(&path).unwrap());
}

/// It has no length, and no end.
#[cfg(target_os = "linux")]
#[test]
fn a_device_without_end_is_no_run() {
    let why = read_run(Path::new("/dev/zero")).unwrap_err();
    assert!(why.contains("too many"), "{why}");
}
