//! A chart of few points with their intervals, beside lines of theory: SVG within a page, drawn in the
//! page's own colours, so that it is readable on light and dark ground. No script.

use std::fmt::Write;

use super::html::escape;

/// Points that belong together.
pub(super) struct Series {
    pub(super) name: String,
    /// Class of the page's style: `one-sided`, `collective`, `theory`, or one of `other-0` and so on.
    pub(super) class: String,
    /// Theory: a dashed line without points.
    pub(super) is_theory: bool,
    pub(super) points: Vec<Point>,
}

/// A value, and the interval that it lies in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) interval: Option<(f64, f64)>,
}

pub(super) struct Chart {
    /// Its file's name, without the end.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    /// Distances by ratio, for numbers of ranks.
    pub(super) x_is_log: bool,
    /// Values below the axis say as percent.
    pub(super) y_is_percent: bool,
    pub(super) series: Vec<Series>,
}

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 490.0;
/// Longest name that has room beside its line, in characters; the point's title has all of it.
const MAX_NAME: usize = 40;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 288.0;

/// From values to places.
struct Scale {
    from: f64,
    to: f64,
    at: (f64, f64),
    is_log: bool,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        let of = |value: f64| if self.is_log { value.ln() } else { value };
        let share = match of(self.to) - of(self.from) {
            0.0 => 0.5,
            span => (of(value) - of(self.from)) / span,
        };
        self.at.0 + share * (self.at.1 - self.at.0)
    }
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.into(),
    }
}

/// Round numbers from 0 to at least `to`, at most seven.
fn round_ticks(to: f64) -> Vec<f64> {
    let rough = (to / 6.0).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * power);
    let step = step
        .into_iter()
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let n = (to / step - 1e-9).ceil().max(1.0) as u32;
    (0..=n).map(|index| f64::from(index) * step).collect()
}

impl Chart {
    /// The chart as a file of its own, in its own colours.
    pub(super) fn file(&self) -> String {
        const STYLE: &str = include_str!("chart.css");
        let head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\""
        );
        let ground = "<rect width=\"100%\" height=\"100%\" fill=\"var(--ground)\"/>";
        let svg = self.svg().replacen("<svg", &head, 1);
        svg.replacen(
            ">\n",
            &format!(">\n<style>\n{STYLE}</style>\n{ground}\n"),
            1,
        )
    }

    /// The chart; empty if no series has a point.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let mut xs: Vec<f64> = points().map(|point| point.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let (Some(&first), Some(&last)) = (xs.first(), xs.last()) else {
            return String::new();
        };
        let highest = points().map(|point| {
            point
                .interval
                .map_or(point.y, |(_, high)| high.max(point.y))
        });
        let y_ticks = round_ticks(highest.fold(0.0, f64::max));
        let x = Scale {
            from: first,
            to: last,
            at: (LEFT + 24.0, RIGHT - 24.0),
            is_log: self.x_is_log && first > 0.0,
        };
        let y = Scale {
            from: 0.0,
            to: *y_ticks.last().unwrap_or(&1.0),
            at: (BOTTOM, TOP),
            is_log: false,
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escape(&self.title)
        );
        let words = |class: &str, x: f64, y: f64, text: &str| {
            format!(
                "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n",
                escape(text)
            )
        };
        svg += &words("chart-title", LEFT, 18.0, &self.title);
        for &tick in &y_ticks {
            let at = y.place(tick);
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>");
            let label = match self.y_is_percent {
                true => format!("{:.0} %", 100.0 * tick),
                false => format!("{}", (tick * 1e6).round() / 1e6),
            };
            svg += &words("tick end", LEFT - 8.0, at + 4.0, &label);
        }
        let measured = self.series.iter().filter(|series| !series.is_theory);
        let mut x_ticks: Vec<f64> = measured
            .flat_map(|series| series.points.iter().map(|point| point.x))
            .collect();
        x_ticks.sort_by(f64::total_cmp);
        let mut drawn = f64::NEG_INFINITY;
        for tick in x_ticks {
            let at = x.place(tick);
            if at - drawn >= 30.0 {
                let label = format!("{}", (tick * 100.0).round() / 100.0);
                svg += &words("tick middle", at, BOTTOM + 18.0, &label);
                drawn = at;
            }
        }
        svg += &words(
            "label middle",
            LEFT.midpoint(RIGHT),
            BOTTOM + 40.0,
            &self.x_label,
        );
        let _ = writeln!(
            svg,
            "<text class=\"label middle\" transform=\"translate(16 {:.1}) rotate(-90)\">{}</text>",
            TOP.midpoint(BOTTOM),
            escape(&self.y_label)
        );
        for series in &self.series {
            svg += &series.svg(&x, &y);
        }
        svg += &self.names(&y);
        svg + "</svg>\n"
    }

    /// Each name beside the end of its line, no two upon each other.
    fn names(&self, y: &Scale) -> String {
        let ends = self.series.iter().filter_map(|series| {
            let last = series.points.iter().max_by(|a, b| a.x.total_cmp(&b.x))?;
            Some((y.place(last.y), series))
        });
        let mut ends: Vec<(f64, &Series)> = ends.collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut text = String::new();
        let mut at = f64::NEG_INFINITY;
        let n = ends.len() as f64;
        for (index, (wanted, series)) in (0u32..).zip(ends) {
            // Room for those below.
            let lowest = BOTTOM - 17.0 * (n - 1.0 - f64::from(index));
            at = wanted.min(lowest).max(at + 17.0);
            let _ = writeln!(
                text,
                "<path class=\"{} {}\" d=\"M{:.1} {at:.1}h14\"/><text class=\"name\" x=\"{:.1}\" \
                 y=\"{:.1}\">{}</text>",
                series.kind(),
                series.class,
                RIGHT + 6.0,
                RIGHT + 25.0,
                at + 4.0,
                escape(&shortened(&series.name))
            );
        }
        text
    }
}

impl Series {
    fn kind(&self) -> &'static str {
        if self.is_theory {
            "line dashed"
        } else {
            "line"
        }
    }

    fn svg(&self, x: &Scale, y: &Scale) -> String {
        let mut points = self.points.clone();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let mut path = String::new();
        for (index, point) in points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(
                path,
                "{command}{:.1} {:.1}",
                x.place(point.x),
                y.place(point.y)
            );
        }
        let kind = self.kind();
        let mut svg = format!("<path class=\"{kind} {}\" d=\"{path}\"/>\n", self.class);
        for point in points.iter().filter(|_| !self.is_theory) {
            let at = x.place(point.x);
            if let Some((low, high)) = point.interval {
                let (low, high) = (y.place(low), y.place(high));
                let _ = writeln!(
                    svg,
                    "<path class=\"whisker {}\" d=\"M{at:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h8M{:.1} \
                     {high:.1}h8\"/>",
                    self.class,
                    at - 4.0,
                    at - 4.0
                );
            }
            let _ = writeln!(
                svg,
                "<circle class=\"point {}\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"4\"><title>{}: {}</title></circle>",
                self.class,
                y.place(point.y),
                escape(&self.name),
                (point.y * 1e4).round() / 1e4
            );
        }
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_highest() {
        for (to, last, n) in [
            (1.0, 1.0, 6),
            (0.93, 1.0, 6),
            (2.72, 3.0, 7),
            (37.0, 40.0, 5),
            (0.0, 0.0, 2),
        ] {
            let ticks = round_ticks(to);
            assert!(
                (ticks[ticks.len() - 1] - last).abs() < 1e-9 && ticks.len() == n,
                "{to}: {ticks:?}"
            );
        }
    }

    #[test]
    fn points_lie_where_their_values_are_and_names_apart() {
        let point = |x, y| Point {
            x,
            y,
            interval: Some((y - 0.1, y + 0.1)),
        };
        let series = |name: &str, points| Series {
            name: name.into(),
            class: "collective".into(),
            is_theory: false,
            points,
        };
        let chart = Chart {
            name: "chart".into(),
            title: "a <b> & \"c\"".into(),
            x_label: "ranks".into(),
            y_label: "efficiency".into(),
            x_is_log: true,
            y_is_percent: true,
            series: vec![
                series(
                    "one",
                    vec![point(2.0, 0.9), point(8.0, 0.5), point(4.0, 0.7)],
                ),
                series("two", vec![point(2.0, 0.9), point(8.0, 0.5)]),
            ],
        };
        let svg = chart.svg();
        assert!(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;"));
        // 4 is halfway from 2 to 8 by ratio; 0.5 is halfway up.
        let (x, y) = (LEFT.midpoint(RIGHT), TOP.midpoint(BOTTOM));
        assert!(
            svg.contains(&format!("<circle class=\"point collective\" cx=\"{x:.1}\"")),
            "{svg}"
        );
        assert!(svg.contains(&format!("cy=\"{y:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("y=\"{:.1}\">one<", y + 4.0)), "{svg}");
        assert!(
            svg.contains(&format!("y=\"{:.1}\">two<", y + 21.0)),
            "{svg}"
        );
        let file = chart.file();
        assert!(
            file.starts_with("<svg xmlns=") && file.contains("--collective: #cc79a7"),
            "{file}"
        );
        assert_eq!(file.matches("<svg").count(), 1);
        let empty = Chart {
            series: Vec::new(),
            ..chart
        };
        assert_eq!(empty.svg(), "");
    }
}
