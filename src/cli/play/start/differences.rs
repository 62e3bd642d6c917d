//! What ranks brought to the start, compared. Pure.

use std::fmt::Write as _;

use super::super::super::Failure;
use super::{Brought, Ending, Settings};

/// How many different failures, settings, values and ranks are shown.
const N_SHOWN: usize = 4;

/// How the job ends where not all ranks play the same. `None` of a rank is what another version of this program
/// has brought.
pub(super) fn ending(all: &[Option<Brought>]) -> Option<Ending> {
    if let Some(Some(Brought::Ending(first))) = all.first() {
        let same = |of: &Option<Brought>| matches!(of, Some(Brought::Ending(of)) if of == first);
        if all.iter().all(same) {
            return Some(first.clone());
        }
    }
    let failures = groups(all.iter().map(|of| match of {
        Some(Brought::Ending(ending)) if ending.code != 0 => Some(ending),
        _ => None,
    }));
    if let Some((first, _)) = failures.first() {
        let mut text = String::new();
        for (failure, ranks) in failures.iter().take(N_SHOWN) {
            let _ = writeln!(text, "onesided: {} cannot play:", in_words(ranks));
            let _ = writeln!(text, "{}", failure.text.trim_end());
        }
        return Some(Ending {
            code: first.code,
            text,
        });
    }
    let differs = |what: String| {
        let message = format!("all ranks of a job need the same arguments, and here {what}");
        Some(Ending::from(&Failure::Usage(message)))
    };
    let of_help = ranks_where(all, |of| matches!(of, Some(Brought::Ending(_))));
    if !of_help.is_empty() {
        return differs(format!("{} asked for help alone", in_words(&of_help)));
    }
    let settings: Vec<Option<&Settings>> = all
        .iter()
        .map(|of| match of {
            Some(Brought::Settings(settings)) => Some(settings),
            _ => None,
        })
        .collect();
    let unread = ranks_where(&settings, Option::is_none);
    if !unread.is_empty() {
        return differs(format!(
            "{} runs another version of onesided",
            in_words(&unread)
        ));
    }
    let first = (*settings.first()?)?;
    if settings.iter().all(|of| *of == Some(first)) {
        return None;
    }
    let versions = groups(settings.iter().map(|of| of.map(|of| &of.version)));
    if versions.len() > 1 {
        let plays = |(version, ranks): &(&String, Vec<usize>)| {
            format!("`play {version}` on {}", in_words(ranks))
        };
        let plays: Vec<String> = versions.iter().map(plays).collect();
        return differs(plays.join(", and "));
    }
    let names = first.options.iter().map(|(name, _)| name);
    let mut differing = Vec::new();
    for (index, name) in names.enumerate() {
        let values = groups(settings.iter().map(|of| {
            let of = of.and_then(|of| of.options.get(index));
            of.map(|(_, value)| value)
        }));
        if values.len() > 1 {
            differing.push(format!("{name} is {}", values_in_words(&values)));
        }
    }
    let n_more = differing.len().saturating_sub(N_SHOWN);
    differing.truncate(N_SHOWN);
    if n_more > 0 {
        differing.push(format!("{n_more} more differ"));
    }
    differs(differing.join("; "))
}

/// `1 on rank 0, and not given on ranks 1, 2`.
fn values_in_words(values: &[(&Option<String>, Vec<usize>)]) -> String {
    let shown = values.iter().take(N_SHOWN).map(|(value, ranks)| {
        let value = value.as_deref().unwrap_or("not given");
        format!("{value} on {}", in_words(ranks))
    });
    let shown: Vec<String> = shown.collect();
    match values.len().saturating_sub(N_SHOWN) {
        0 => shown.join(", and "),
        n => format!("{}, and {n} more values", shown.join(", ")),
    }
}

/// The different values, each with the ranks that have it.
fn groups<T: PartialEq>(of_ranks: impl Iterator<Item = Option<T>>) -> Vec<(T, Vec<usize>)> {
    let mut groups: Vec<(T, Vec<usize>)> = Vec::new();
    for (rank, value) in of_ranks.enumerate() {
        let Some(value) = value else { continue };
        match groups.iter_mut().find(|(of, _)| *of == value) {
            Some((_, ranks)) => ranks.push(rank),
            None => groups.push((value, vec![rank])),
        }
    }
    groups
}

fn ranks_where<T>(of_ranks: &[T], is_so: impl Fn(&T) -> bool) -> Vec<usize> {
    let ranks = of_ranks.iter().enumerate();
    ranks
        .filter(|(_, of)| is_so(of))
        .map(|(rank, _)| rank)
        .collect()
}

/// `rank 3`, or `ranks 1, 2, 5 and 12 more`.
fn in_words(ranks: &[usize]) -> String {
    let shown: Vec<String> = ranks.iter().take(N_SHOWN).map(usize::to_string).collect();
    let noun = if ranks.len() == 1 { "rank" } else { "ranks" };
    match ranks.len().saturating_sub(N_SHOWN) {
        0 => format!("{noun} {}", shown.join(", ")),
        n => format!("{noun} {} and {n} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(version: &str, options: &[(&str, Option<&str>)]) -> Option<Brought> {
        let options = options
            .iter()
            .map(|&(name, value)| (name.into(), value.map(Into::into)));
        Some(Brought::Settings(Settings {
            version: version.into(),
            options: options.collect(),
        }))
    }

    fn ends(code: u8, text: &str) -> Option<Brought> {
        Some(Brought::Ending(Ending {
            code,
            text: text.into(),
        }))
    }

    fn seed(seed: Option<&str>) -> Option<Brought> {
        settings("rma", &[("--games", None), ("--seed", seed)])
    }

    #[test]
    fn only_ranks_that_were_asked_for_the_same_play() {
        assert_eq!(ending(&vec![seed(Some("1")); 3]), None);
        let help = ends(0, "Usage");
        assert_eq!(
            ending(&vec![help.clone(); 2]).map(Brought::Ending),
            help.clone()
        );
        let bad = ends(2, "error: bad");
        assert_eq!(
            ending(&vec![bad.clone(); 2]).map(Brought::Ending),
            bad.clone()
        );
        let other_failure = ends(1, "no thread");
        let many: Vec<_> = (0..20).map(|n| seed(Some(&n.to_string()))).collect();
        type Case<'a> = (&'a [Option<Brought>], u8, &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (
                &[seed(Some("1")), seed(None), seed(Some("2")), seed(None)],
                2,
                &["--seed is 1 on rank 0, and not given on ranks 1, 3, and 2 on rank 2"],
            ),
            (
                &many,
                2,
                &[
                    "--seed is 0 on rank 0, 1 on rank 1,",
                    ", and 16 more values",
                ],
            ),
            (
                &[seed(None), settings("collective", &[("--seed", None)])],
                2,
                &["`play rma` on rank 0, and `play collective` on rank 1"],
            ),
            (
                &[seed(None), bad.clone(), other_failure.clone(), bad.clone()],
                2,
                &[
                    "onesided: ranks 1, 3 cannot play:\nerror: bad\n",
                    "onesided: rank 2 cannot play:\nno thread\n",
                ],
            ),
            (&[help.clone(), other_failure], 1, &["rank 1 cannot play"]),
            (&[seed(None), help], 2, &["rank 1 asked for help alone"]),
            (&[seed(None), None], 2, &["rank 1 runs another version"]),
        ];
        for (all, code, expected) in cases {
            let ending = ending(all).expect("they do not play");
            assert_eq!(ending.code, *code, "{ending:?}");
            for words in *expected {
                assert!(ending.text.contains(words), "{words}: {}", ending.text);
            }
        }
    }

    #[test]
    fn a_message_is_short_however_many_differ() {
        let options = |value: &str| -> Option<Brought> {
            let names: Vec<String> = (0..20).map(|n| format!("--option-{n}")).collect();
            let options: Vec<_> = names.iter().map(|name| (&**name, Some(value))).collect();
            settings("rma", &options)
        };
        let mut all = vec![options("1"); 1000];
        all.extend(vec![options("2"); 1000]);
        let text = ending(&all).expect("they do not play").text;
        assert!(text.contains("ranks 0, 1, 2, 3 and 996 more"), "{text}");
        assert!(
            text.contains("16 more differ") && text.len() < 600,
            "{text}"
        );
    }
}
