//! A line chart as SVG: series of points on linear or logarithmic axes, readable on light and dark ground.
//!
//! Each line has its name at its end rather than in a legend. The file is small and has no font, script or
//! picture in it.

use std::fmt::Write;

use super::ticks::{linear_ticks, log_ticks, short};
use super::{escaped, line, text};

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// By their logarithm: values must be above 0.
    Log,
}

/// An axis. The label names the unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it shows, and in which unit.
    pub label: String,
    /// How values become places.
    pub scale: Scale,
    /// Where the ticks are; round numbers, if empty.
    pub ticks: Vec<f64>,
}

/// What a line stands out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emphasis {
    /// What the chart is about: thick and solid.
    Main,
    /// What it is compared with: thin and dashed.
    Other,
}

/// A line through points, in ascending order of x.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// What it stands out as.
    pub emphasis: Emphasis,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// A horizontal line, and what it stands for.
    pub target: Option<(f64, String)>,
}

/// Why a chart cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChartError {
    /// There is no point.
    #[error("there is no point to draw")]
    Empty,
    /// A value is not finite, or not above 0 on a logarithmic axis.
    #[error("{series}: {value} has no place on this axis")]
    NoPlace {
        /// The name of the line.
        series: String,
        value: f64,
    },
}

/// A linear axis has about so many ticks.
const N_TICKS: f64 = 8.0;
const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 276.0; // names of the lines are beyond
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 52.0;
/// Names of lines are at least so far apart.
const NAME_HEIGHT: f64 = 16.0;

/// Okabe and Ito's colours for all kinds of colour vision, darkened for light ground; then for dark ground.
const COLOURS: [(&str, &str); 8] = [
    ("#0060a0", "#56b4e9"),
    ("#b34700", "#ff8c42"),
    ("#00785a", "#2fd0a0"),
    ("#a3407c", "#e695c4"),
    ("#806600", "#e6c229"),
    ("#5b4bb3", "#a99cff"),
    ("#595959", "#b8b8b8"),
    ("#a11d2e", "#ff7a85"),
];

/// An axis with its place on the paper.
struct Placed<'a> {
    axis: &'a Axis,
    low: f64,
    high: f64,
    /// Where `low` and `high` are.
    at: (f64, f64),
}

impl Chart {
    /// The chart as the text of an SVG file.
    ///
    /// # Errors
    /// If there is no point, or a value is not finite or, on a logarithmic axis, not above 0.
    pub fn svg(&self) -> Result<String, ChartError> {
        self.check()?;
        let points = || self.series.iter().flat_map(|series| &series.points);
        let target = self.target.iter().map(|(value, _)| *value);
        let x = Placed::new(&self.x, points().map(|point| point.0), (LEFT, RIGHT));
        let y = Placed::new(
            &self.y,
            points().map(|point| point.1).chain(target),
            (BOTTOM, TOP),
        );
        let mut svg = head();
        text(&mut svg, (LEFT, 24.0), "title", &self.title);
        draw_axes(&mut svg, &x, &y);
        if let Some((value, label)) = &self.target {
            let at = y.place(*value);
            line(&mut svg, (LEFT, at), (RIGHT, at), "target");
            text(&mut svg, (LEFT + 6.0, at - 5.0), "note", label);
        }
        for (index, series) in self.series.iter().enumerate() {
            draw_series(&mut svg, index, series, &x, &y);
        }
        self.draw_names(&mut svg, &x, &y);
        svg += "</svg>\n";
        Ok(svg)
    }

    fn check(&self) -> Result<(), ChartError> {
        let has_place = |axis: &Axis, value: f64| {
            value.is_finite() && (axis.scale == Scale::Linear || value > 0.0)
        };
        let check = |name: &str, axis: &Axis, value: f64| match has_place(axis, value) {
            true => Ok(()),
            false => Err(ChartError::NoPlace {
                series: name.to_owned(),
                value,
            }),
        };
        for series in &self.series {
            for &(x, y) in &series.points {
                check(&series.name, &self.x, x)?;
                check(&series.name, &self.y, y)?;
            }
        }
        if let Some((value, label)) = &self.target {
            check(label, &self.y, *value)?;
        }
        match self.series.iter().all(|series| series.points.is_empty()) {
            true => Err(ChartError::Empty),
            false => Ok(()),
        }
    }

    /// Names at the ends of their lines, pushed apart where they would lie on each other.
    fn draw_names(&self, svg: &mut String, x: &Placed<'_>, y: &Placed<'_>) {
        let ends = self
            .series
            .iter()
            .enumerate()
            .filter_map(|(index, series)| {
                let &(last_x, last_y) = series.points.last()?;
                Some((index, x.place(last_x), y.place(last_y)))
            });
        let mut ends: Vec<(usize, f64, f64)> = ends.collect();
        ends.sort_by(|a, b| a.2.total_cmp(&b.2));
        let wanted: Vec<f64> = ends.iter().map(|end| end.2).collect();
        for (&(index, from_x, from_y), at) in ends.iter().zip(apart(&wanted, NAME_HEIGHT, BOTTOM)) {
            let (from, to) = ((from_x + 6.0, from_y), (RIGHT + 14.0, at));
            let name = &self.series[index].name;
            let index = index % COLOURS.len();
            line(svg, from, to, &format!("leader s{index}"));
            let class = format!("name s{index}");
            text(svg, (RIGHT + 18.0, at + 4.0), &class, name);
        }
    }
}

impl<'a> Placed<'a> {
    /// The axis over all of `values`, with some room.
    fn new(axis: &'a Axis, values: impl Iterator<Item = f64>, at: (f64, f64)) -> Self {
        let all = values.chain(axis.ticks.iter().copied());
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = match axis.scale {
            Scale::Log => (low / 1.3, high * 1.3),
            Scale::Linear => {
                let room = if high > low { 0.05 * (high - low) } else { 1.0 };
                // An axis that begins near 0 begins at 0, so that lengths compare.
                let from_zero = low >= 0.0 && low < 0.5 * high;
                (if from_zero { 0.0 } else { low - room }, high + room)
            }
        };
        Placed {
            axis,
            low,
            high,
            at,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let part = match self.axis.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.at.0 + part * (self.at.1 - self.at.0)
    }

    fn ticks(&self) -> Vec<f64> {
        if !self.axis.ticks.is_empty() {
            return self.axis.ticks.clone();
        }
        match self.axis.scale {
            Scale::Linear => linear_ticks(self.low, self.high, N_TICKS),
            Scale::Log => log_ticks(self.low, self.high),
        }
    }
}

/// Places at least `gap` apart, in the order of `wanted` (ascending) and near it, none beyond `limit` if
/// there is room.
fn apart(wanted: &[f64], gap: f64, limit: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    for i in 1..places.len() {
        places[i] = places[i].max(places[i - 1] + gap);
    }
    let mut below = limit + gap;
    for place in places.iter_mut().rev() {
        *place = place.min(below - gap);
        below = *place;
    }
    places
}

fn head() -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<style>\n"
    );
    let rules = |svg: &mut String,
                 text: &str,
                 grid: &str,
                 of: fn(&(&'static str, &'static str)) -> &'static str| {
        let _ = writeln!(
            svg,
            "text{{fill:{text}}}.grid{{stroke:{grid}}}.axis,.target{{stroke:{text}}}"
        );
        for (index, colours) in COLOURS.iter().enumerate() {
            let colour = of(colours);
            let _ = writeln!(
                svg,
                "path.s{index},line.s{index}{{stroke:{colour}}}text.s{index},circle.s{index}{{fill:{colour}}}"
            );
        }
    };
    rules(&mut svg, "#24292f", "#d0d7de", |colours| colours.0);
    svg += "@media (prefers-color-scheme:dark){\n";
    rules(&mut svg, "#e6edf3", "#3d444d", |colours| colours.1);
    svg += "}\n.title{font-size:15px;font-weight:600}.x{text-anchor:middle}.y{text-anchor:end}\
            path{fill:none}.main{stroke-width:2.6}.other{stroke-width:1.6;stroke-dasharray:6 4}\
            .leader{stroke-width:.7}.target{stroke-dasharray:2 3}\n</style>\n";
    svg
}

fn draw_axes(svg: &mut String, x: &Placed<'_>, y: &Placed<'_>) {
    for tick in x.ticks() {
        let at = x.place(tick);
        line(svg, (at, TOP), (at, BOTTOM), "grid");
        text(svg, (at, BOTTOM + 18.0), "x", &short(tick));
    }
    for tick in y.ticks() {
        let at = y.place(tick);
        line(svg, (LEFT, at), (RIGHT, at), "grid");
        text(svg, (LEFT - 8.0, at + 4.0), "y", &short(tick));
    }
    line(svg, (LEFT, BOTTOM), (RIGHT, BOTTOM), "axis");
    text(
        svg,
        ((LEFT + RIGHT) / 2.0, HEIGHT - 12.0),
        "x",
        &x.axis.label,
    );
    let middle = (TOP + BOTTOM) / 2.0;
    let _ = writeln!(
        svg,
        "<text class=\"x\" transform=\"translate(16 {middle}) rotate(-90)\">{}</text>",
        escaped(&y.axis.label)
    );
}

fn draw_series(svg: &mut String, index: usize, series: &Series, x: &Placed<'_>, y: &Placed<'_>) {
    let class = match series.emphasis {
        Emphasis::Main => "main",
        Emphasis::Other => "other",
    };
    let index = index % COLOURS.len();
    let places = series
        .points
        .iter()
        .map(|&(px, py)| (x.place(px), y.place(py)));
    let path: Vec<String> = places
        .clone()
        .map(|(px, py)| format!("{px:.1} {py:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<path class=\"s{index} {class}\" d=\"M{}\"/>",
        path.join("L")
    );
    for (px, py) in places {
        let _ = writeln!(
            svg,
            "<circle class=\"s{index}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3.4\"/>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(label: &str, scale: Scale) -> Axis {
        Axis {
            label: label.into(),
            scale,
            ticks: Vec::new(),
        }
    }

    fn chart(points: &[&[(f64, f64)]], scale: Scale) -> Chart {
        let series = points.iter().enumerate().map(|(i, points)| Series {
            name: format!("line <{i}>"),
            points: points.to_vec(),
            emphasis: if i == 0 {
                Emphasis::Main
            } else {
                Emphasis::Other
            },
        });
        Chart {
            title: "a & b".into(),
            x: axis("ranks", Scale::Linear),
            y: axis("claims a second", scale),
            series: series.collect(),
            target: None,
        }
    }

    fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
        let mark = format!(" {attribute}=\"");
        svg.split(&mark)
            .skip(1)
            .filter_map(|rest| rest.split('"').next()?.parse().ok())
            .collect()
    }

    #[test]
    fn points_lie_where_their_values_say() {
        let svg = chart(&[&[(1.0, 10.0), (2.0, 100.0), (3.0, 1000.0)]], Scale::Log)
            .svg()
            .unwrap();
        let (x, y) = (numbers(&svg, "cx"), numbers(&svg, "cy"));
        assert_eq!(x.len(), 3);
        assert!((x[1] - x[0] - (x[2] - x[1])).abs() < 0.2, "{x:?}");
        assert!(
            (y[1] - y[0] - (y[2] - y[1])).abs() < 0.2,
            "a decade is a decade: {y:?}"
        );
        assert!(y[2] < y[1], "more is higher");
        assert!(x.iter().all(|x| (LEFT..=RIGHT).contains(x)));
        assert!(y.iter().all(|y| (TOP..=BOTTOM).contains(y)));
    }

    #[test]
    fn the_file_is_small_escaped_and_has_two_sets_of_colours() {
        let points: Vec<(f64, f64)> = (1..=20).map(|i| (f64::from(i), f64::from(i * i))).collect();
        let mut chart = chart(&[&points[..]; 8], Scale::Log);
        chart.target = Some((50.0, "10 times".into()));
        let svg = chart.svg().unwrap();
        assert!(svg.len() < 20_000, "{} bytes", svg.len());
        assert!(
            svg.contains("a &amp; b") && svg.contains("line &lt;7&gt;") && svg.contains("10 times")
        );
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert_eq!(svg.matches("<path").count(), 8);
        let opened = svg.matches("<text").count();
        assert_eq!(opened, svg.matches("</text>").count());
    }

    #[test]
    fn names_of_lines_do_not_lie_on_each_other() {
        let svg = chart(
            &[&[(1.0, 5.0)], &[(1.0, 5.0)], &[(1.0, 5.1)], &[(1.0, 90.0)]],
            Scale::Log,
        )
        .svg()
        .unwrap();
        let lines = svg.lines().filter(|line| line.contains("class=\"name"));
        let mut places: Vec<f64> = lines.flat_map(|line| numbers(line, "y")).collect();
        places.sort_by(f64::total_cmp);
        assert_eq!(places.len(), 4);
        assert!(
            places
                .windows(2)
                .all(|pair| pair[1] - pair[0] >= NAME_HEIGHT - 0.2),
            "{places:?}"
        );
        assert_eq!(apart(&[1.0, 9.0, 9.0], 4.0, 10.0), [1.0, 6.0, 10.0]);
    }

    #[test]
    fn what_has_no_place_is_an_error() {
        assert_eq!(chart(&[], Scale::Log).svg(), Err(ChartError::Empty));
        assert_eq!(chart(&[&[]], Scale::Log).svg(), Err(ChartError::Empty));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(chart(&[&[(1.0, bad)]], Scale::Log).svg().is_err(), "{bad}");
        }
        assert!(chart(&[&[(1.0, 0.0)]], Scale::Linear).svg().is_ok());
    }
}
