//! The report over all cells: for the terminal, and as a page.

mod chart;
mod charts;
mod html;
mod tables;
mod text;

pub use html::html;
pub use text::text;

use super::results::Results;
use crate::report::{p_in_words, significant};

/// Every chart as a file of its own: its name, and what is in it.
pub(super) fn chart_files(results: &Results) -> Vec<(String, String)> {
    let charts = charts::charts(results);
    charts
        .iter()
        .map(|chart| (format!("{}.svg", chart.name), chart.file()))
        .collect()
}

/// The first sentence: how the versions compare in the pair that was declared in advance.
fn verdict(results: &Results) -> String {
    let played = || format!("{} of {} runs are played.", results.done, results.planned);
    let Some(pair) = results.pairs.iter().find(|pair| pair.declared) else {
        return played();
    };
    let (Some(cell), Some(ratio)) = (results.cell(&pair.one_sided), &pair.time_ratio) else {
        return played();
    };
    let n_ranks = cell.parameters.workload.ranks;
    // Whoever took longer is the subject.
    let is_faster = match (ratio.median, ratio.at_most) {
        (Some(median), _) => median < 1.0,
        (None, most) => most.is_some_and(|most| most < 1.0),
    };
    let (slow, fast, times) = match is_faster {
        true => ("lockstep", cell.variant.as_str(), ratio.inverse()),
        false => (cell.variant.as_str(), "lockstep", *ratio),
    };
    let certainty = match pair.p_adjusted {
        _ if ratio.median == Some(1.0) && pair.p.is_none() => "no difference seen: ",
        Some(_) if pair.significant => "",
        Some(_) if pair.testable => "no difference seen: ",
        _ => "too few runs to tell: ",
    };
    let interval = times.interval().map(|(low, high)| {
        let (low, high) = (significant(low), significant(high));
        format!("95 %: {low} to {high}")
    });
    let evidence = [
        interval,
        pair.p_adjusted.map(p_in_words),
        Some(format!("{} pairs", ratio.n)),
        (ratio.timed_out > 0).then(|| format!("{} of them not in time", ratio.timed_out)),
    ];
    let evidence: Vec<String> = evidence.into_iter().flatten().collect();
    let times = match times.shown(significant) {
        bound if bound.starts_with('>') => format!("more than{}", &bound[1..]),
        bound if bound.starts_with('<') => format!("less than{}", &bound[1..]),
        times if times == "?" => "an unknown number of".into(),
        times => times,
    };
    let alike = results.pairs.iter().filter(|pair| {
        let cell = results.cell(&pair.one_sided);
        cell.is_some_and(|cell| cell.parameters.workload.ranks == n_ranks)
    });
    let others = match alike.count() {
        1 => String::new(),
        n => format!(" The plan's first of {n} comparisons on {n_ranks} ranks; all are below."),
    };
    format!(
        "On {n_ranks} ranks with {}, {certainty}{slow} took {times} times as long as {fast} ({}).{others}",
        cell.family,
        evidence.join(", ")
    )
}

/// What theory leaves out, in sentences.
const LEFT_OUT: &[&str] = &[
    "Operations and the network cost nothing in it. The synchronisation slowdown here is from the trace, and \
     leaves them out too; parallel efficiency has them in.",
    "Every round is taken to be full. A rank that scores makes its second allreduce at once, without thinking: \
     the column “with scores” takes the measured share of such rounds into account.",
    "It is about very many rounds. A game of few rounds ends before luck has evened out, and the one-sided \
     version loses the time from a rank's last claim to the slowest rank's.",
    "A sleeping rank wakes up late, by some 60 µs on a quiet Linux, and all of that counts as thinking: think \
     times near that are more equal than asked for, and lockstep then costs less than by theory.",
    "Each rank is taken to have a core. With more ranks than cores and --think-by spin they take turns, \
     so that thinking takes longer than asked and is no longer independent, in both versions; with \
     --think-by sleep, cores are short only while ranks are awake: waiting in an allreduce is that, on most \
     MPI libraries.",
    "Think times are taken to be independent. What slows down all ranks of a host at once costs lockstep \
     nothing more.",
];

#[cfg(test)]
mod tests {
    use super::super::pair::tests::{plan, results};
    use super::*;

    const ONE: [f64; 8] = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7];

    /// Times of pairs that differ now this way and now that way.
    fn to_and_fro(times: &[f64]) -> Vec<f64> {
        let factors = [0.5, 2.0, 0.7, 1.5, 0.6, 1.8, 0.8, 1.3].into_iter();
        times
            .iter()
            .zip(factors)
            .map(|(time, factor)| time * factor)
            .collect()
    }

    #[test]
    fn the_first_sentence_is_of_the_pair_that_the_plan_has_first_and_not_of_the_largest_effect() {
        let plan = plan(&[("ranks", "2,4"), ("think", "1ms,2ms")]);
        let (noise, tenth) = (to_and_fro(&ONE), ONE.map(|time| time / 10.0));
        let ones = &ONE[..];
        let results = results(
            &plan,
            &[
                (&tenth, ones),
                (&noise, ones),
                (&tenth, ones),
                (&tenth, ones),
            ],
        );
        let text = text(&results);
        let first = text.lines().next().unwrap();
        let expected = "On 4 ranks with think 1ms, digits 1 to 9, no difference seen: one-sided took 1.05 times \
                        as long as lockstep (95 %: 0.50 to 2.00, p = 0.88, 8 pairs). The plan's first of 2 \
                        comparisons on 4 ranks; all are below.";
        assert_eq!(first, expected);
        assert!(
            text.contains("the 3 others are adjusted for their number (Holm)"),
            "{text}"
        );
        assert!(text.contains("~ 1.05"), "{text}");
    }

    #[test]
    fn a_difference_has_its_interval_p_and_number_of_pairs_whichever_way_it_goes() {
        let plan = plan(&[("ranks", "4")]);
        let half = ONE.map(|time| time / 2.0);
        let slower = verdict(&results(&plan, &[(&ONE, &half)]));
        let end = "one-sided took 2.00 times as long as lockstep (95 %: 2.00 to 2.00, p = 0.0078, 8 pairs).";
        assert!(slower.ends_with(end), "{slower}");
        let faster = verdict(&results(&plan, &[(&half, &ONE)]));
        let end = "lockstep took 2.00 times as long as one-sided (95 %: 2.00 to 2.00, p = 0.0078, 8 pairs).";
        assert!(faster.ends_with(end), "{faster}");
        let same = verdict(&results(&plan, &[(&ONE, &ONE)]));
        assert!(
            same.contains("no difference seen: one-sided took 1.00 times"),
            "{same}"
        );
    }

    #[test]
    fn too_few_runs_to_tell_is_said_once_and_what_it_takes() {
        let plan = plan(&[("ranks", "2"), ("think", "1ms,2ms,3ms")]);
        let tenth = ONE.map(|time| time / 10.0);
        let of = |n: usize| results(&plan, &[(&tenth[..n], &ONE[..n]); 3]);
        let few = text(&of(3));
        assert!(
            few.lines()
                .next()
                .unwrap()
                .contains("too few runs to tell: lockstep took 10.0"),
            "{few}"
        );
        let note = "too few runs to tell in 3 of 3 comparisons: no difference between 3 pairs can be \
                    significant, however large; it takes 7 pairs at least (--repeat)";
        assert_eq!(few.matches(note).count(), 1, "{few}");
        assert!(!few.contains('~'), "{few}");
        // Six are enough for the one that was declared, and not for the two others.
        let six = text(&of(6));
        assert!(six.lines().next().unwrap().contains("p = 0.0312"), "{six}");
        assert!(
            six.contains("too few runs to tell in 2 of 3 comparisons"),
            "{six}"
        );
        assert!(!text(&of(7)).contains("too few"), "{}", text(&of(7)));
    }

    /// The first comparison is declared; of the two others one is significant, and the other differs in too few
    /// of its pairs.
    #[test]
    fn the_note_on_too_few_runs_is_of_the_pairs_that_are_neither_significant_nor_testable() {
        let plan = plan(&[("ranks", "2"), ("think", "1ms,2ms,3ms")]);
        let tenth = ONE.map(|time| time / 10.0);
        let differing = |n: usize| [&tenth[..n], &ONE[n..]].concat();
        let note_on = |n: usize| {
            let third = differing(n);
            let times = [(&tenth[..], &ONE[..]), (&tenth, &ONE), (&third, &ONE)];
            let text = text(&results(&plan, &times));
            let note = text.lines().find(|line| line.contains("too few runs"));
            note.map(str::to_owned)
        };
        // Beside what is significant it is the only one left.
        let expected = "too few runs to tell in 1 of 3 comparisons: no difference between 5 pairs can be \
                        significant, however large; it takes 6 pairs at least (--repeat)";
        let note = note_on(5).unwrap();
        assert!(note.contains(expected), "{note}");
        assert_eq!(note_on(6), None, "2 / 2^6 is below 0.05");
        assert_eq!(note_on(0), None, "it is not tested");
    }

    #[test]
    fn a_report_says_how_its_tests_were_computed() {
        let plan = plan(&[("ranks", "2"), ("think", "1ms,2ms")]);
        let ones = [1.0; 600];
        let times: Vec<f64> = (2..602).map(f64::from).collect();
        let note_on = |n_first: usize, n_second: usize| {
            let pairs = |n: usize| (&times[..n], &ones[..n]);
            let text = text(&results(&plan, &[pairs(n_first), pairs(n_second)]));
            let note = text
                .lines()
                .find(|line| line.contains("p: "))
                .expect("a note");
            note.trim().to_owned()
        };
        let test = "signed-rank test of the pairs (Wilcoxon)";
        for (n_first, n_second, expected) in [
            (10, 10, format!("p: two-sided exact {test};")),
            (
                600,
                600,
                format!("p: two-sided {test} by the normal approximation;"),
            ),
            (
                10,
                600,
                format!(
                    "p: two-sided {test}, exact for 1 of 2 comparisons, else by the normal approximation;"
                ),
            ),
        ] {
            let note = note_on(n_first, n_second);
            assert!(note.starts_with(&expected), "{note}");
        }
    }
}
