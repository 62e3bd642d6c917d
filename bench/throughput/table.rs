//! The table of a contest.

use onesided::internals::analysis::Spread;

use super::contender::Kind;
use super::samples::{Row, Sample, best_of_ours, verdict, wanted};
use onesided::internals::report::svg::short;

/// The contest of `n_digits` on `n_ranks`, with what the targets make of it.
pub fn of(n_digits: u32, n_ranks: u32, rows: &[Row]) -> String {
    let best = best_of_ours(rows);
    let mut table = format!(
        "\ngames of {n_digits} digits, {n_ranks} ranks\n  {:<40} {:>9}  {:<19} {:>9} {:>10} {:>9}  {}\n",
        "contender",
        "claims/s",
        "95 % interval",
        "ns/claim",
        "digits/s",
        "in all",
        "our best is so many times as fast"
    );
    for row in rows {
        let (Some(claims), Some(digits)) = (
            row.spread(Sample::claims_per_s),
            row.spread(Sample::digits_per_s),
        ) else {
            let trouble = row.trouble.as_deref().unwrap_or("not played");
            table += &format!("  {:<40} {trouble}\n", row.name);
            continue;
        };
        let interval = interval_of(&claims);
        let in_all = row.in_all().map_or_else(|| "-".to_owned(), rounded);
        let ahead = best.and_then(|best| Some((best.name, best.ahead_of(row)?)));
        let ahead = match (ahead, wanted(row.kind, n_ranks)) {
            (None, _) => "-".to_owned(),
            (Some((best, _)), None) if best == row.name => "our best".to_owned(),
            (Some((_, ahead)), None) => format!("{:.2}", ahead.median),
            (Some((_, ahead)), Some(wanted)) => format!(
                "{} ({}), {}",
                rounded(ahead.median),
                interval_of(&ahead),
                verdict(&ahead, wanted)
            ),
        };
        table += &format!(
            "  {:<40} {:>9}  {:<19} {:>9} {:>10} {in_all:>9}  {ahead}\n",
            row.name,
            rounded(claims.median),
            interval,
            rounded(1e9 / claims.median),
            rounded(digits.median),
        );
        if let Some(trouble) = &row.trouble {
            table += &format!("    later: {trouble}\n");
        }
    }
    if let Some(ratios) = in_all_ratios(rows) {
        table += &format!("  with everything between games, our best of {ratios}\n");
    }
    table
}

/// How our best compares when barriers, clearing and gathering between games count as well.
fn in_all_ratios(rows: &[Row]) -> Option<String> {
    let of_ours = rows.iter().filter(|row| row.kind == Kind::Ours);
    let best = of_ours.filter_map(Row::in_all).max_by(f64::total_cmp)?;
    let ratios = rows
        .iter()
        .filter(|row| row.kind != Kind::Ours)
        .filter_map(|row| Some(format!("{} × {}", rounded(best / row.in_all()?), row.name)));
    let ratios: Vec<String> = ratios.collect();
    Some(format!(
        "{} claims/s is {}",
        rounded(best),
        ratios.join(", ")
    ))
}

/// Where the median of all rounds lies, with 95 % confidence.
fn interval_of(spread: &Spread) -> String {
    match spread.is_bounded() {
        true => format!("{} to {}", rounded(spread.low), rounded(spread.high)),
        false => "too few rounds".to_owned(),
    }
}

/// With three digits that count.
fn rounded(value: f64) -> String {
    if !value.is_finite() || value <= 0.0 {
        return value.to_string();
    }
    let power = 10f64.powi(value.log10().floor() as i32 - 2);
    short((value / power).round() * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, kind: Kind, claims_per_s: f64) -> Row {
        let sample = |round| Sample {
            round,
            n_games: 2,
            guesses: 1000,
            digits_claimed: 128,
            play_s: 1000.0 / claims_per_s,
            beyond_start_s: 1.0,
        };
        Row {
            name,
            kind,
            samples: (0..8).map(sample).collect(),
            trouble: None,
        }
    }

    #[test]
    fn the_table_has_all_rows_targets_and_troubles() {
        let mut absent = row("absent", Kind::Collective, 1.0);
        absent.samples.clear();
        absent.trouble = Some("not within 60 s".into());
        let rows = [
            row("fast", Kind::Ours, 12_345_678.0),
            row("faster", Kind::Ours, 2e7),
            row("step", Kind::Collective, 1e5),
            row("slow step", Kind::Collective, 4e5),
            row("peer", Kind::Peer, 4e7),
            absent,
        ];
        let table = of(64, 8, &rows);
        let line = |name: &str| {
            let found = table
                .lines()
                .find(|line| line.trim_start().starts_with(name));
            found
                .unwrap_or_else(|| panic!("{name}: {table}"))
                .to_owned()
        };
        assert!(line("fast ").contains("12.3 M") && line("fast ").ends_with("1.62"));
        assert!(line("faster").ends_with("our best"));
        assert!(line("step").contains("200 (200 to 200), holds: 100"));
        assert!(line("slow step").contains("MISSED by 50 %"));
        assert!(line("peer").contains("0.5 (0.5 to 0.5), MISSED by 50 %: 1 times"));
        assert!(line("absent").ends_with("not within 60 s"));
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!(
            [1234.0, 86_543.0, 0.0123, 999.6].map(rounded),
            ["1230", "86.5 k", "0.012", "1000"]
        );
    }
}
