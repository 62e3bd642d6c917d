//! What curing a rank saves, held against replaying the run.

use onesided::internals::analysis::read_run;
use onesided::internals::trace::{Trace, Version};

use super::replay::assert_savings_are_those_of_a_replay;
use super::{Synthetic, compare};

#[test]
fn savings_are_wall_time() {
    for (ranks, games, seed) in [
        (1, 2, 1),
        (2, 3, 2),
        (3, 2, 3),
        (4, 5, 4),
        (7, 2, 5),
        (20, 2, 6),
    ] {
        let folder = tempfile::tempdir().unwrap();
        Synthetic::new(Version::Collective, ranks, games, seed).write(folder.path());
        let trace = Trace::open(folder.path()).unwrap();
        let run = read_run(folder.path()).unwrap();
        assert_savings_are_those_of_a_replay(&trace, &run);
        // Nobody can save more than all that the run took, whoever waited for it, and however many.
        let most = run.per_rank.iter().filter_map(|rank| rank.saving_ns).max();
        assert!(most < run.wall_ns, "{most:?}");
        assert_eq!(most > Some(0), ranks > 1, "the last rank is slow");
    }
}

/// Three ranks wait for the fourth at once: what curing it saves is not what they wait together.
#[test]
fn what_many_wait_is_not_saved_many_times() {
    let folder = tempfile::tempdir().unwrap();
    let run = Synthetic::new(Version::Collective, 4, 1, 2);
    run.write(&folder.path().join("before"));
    let before = read_run(&folder.path().join("before")).unwrap();
    let last = before.per_rank[3].clone();
    let (waited_ns, saving_ns) = (last.blame.unwrap().last_ns, last.saving_ns.unwrap());
    assert!(waited_ns > 2 * saving_ns && saving_ns > 0, "{last:?}");
    let text = compare(folder.path(), "before --format csv").done();
    let line = text.lines().find(|line| line.contains(",3,saving_s,"));
    let said: f64 = line
        .and_then(|line| line.rsplit(',').next())
        .unwrap()
        .parse()
        .unwrap();
    assert!((said * 1e9 - saving_ns as f64).abs() < 1.0, "{line:?}");
}
