//! Conditions on the numbers of runs, as `--fail-if` takes them.
//!
//! `collective.wall_s / rma.wall_s < 2`, `wait_s > 100ms and not (stalls == 0)`. From loose to
//! tight: `or` (`||`), `and` (`&&`), `not` (`!`), one comparison, `+ -`, `* /`, unary `-`.
//!
//! A number may carry a unit without a blank: `ns us ms s min h` (it is then in seconds) or `%`. A
//! name is a metric or `QUALIFIER.metric`. A qualifier is all of the letters, digits, `_` and `-`
//! that run up to the dot without a blank: `a-b.x` is `x` of `a-b`, and `a - b.x` a difference. A
//! digit after the dot makes it a number: `1.5`.

mod display;
mod parse;
mod tokens;

use std::cmp::Ordering;

/// A condition on metrics.
///
/// It is printed as it was written, but for blanks, the words for `||`, `&&` and `!`, and
/// parentheses that change nothing. Read again it is the same, unless blanks make it too long.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    condition: Condition,
    names: Vec<Name>,
}

/// A metric, of one run or group where it is qualified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// Label of the run or group.
    pub qualifier: Option<String>,
    pub metric: String,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct ParseError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What was expected there, in one line.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Box<Number>, Comparison, Box<Number>),
}

#[derive(Debug, Clone, PartialEq)]
enum Number {
    /// A sum or a product, from left to right: flat, so that a long one takes no stack.
    Chain(Box<Number>, Vec<(Arithmetic, Number)>),
    Negative(Box<Number>),
    /// A value and how it was written: `100ms` is printed as that, and not as 0.1.
    Literal(f64, String),
    Metric(Name),
}

/// How a comparison is written, and the orders of left and right for which it holds.
type Comparison = (&'static str, &'static [Ordering]);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Where values come from: `None` for one that is unknown.
type ValueOf<'a> = dyn FnMut(&Name) -> Option<f64> + 'a;

impl Expression {
    /// Reads an expression, which must be a condition.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text)
    }

    /// The metrics that it speaks of, in order of appearance, each once.
    pub fn names(&self) -> Vec<Name> {
        self.names.clone()
    }

    /// Whether it holds; `None` where that depends on a value that is unknown.
    ///
    /// `false and unknown` is false, `true or unknown` is true. A value that is not finite counts
    /// as unknown, and so does a result: a division by 0 decides nothing.
    pub fn holds(&self, value_of: &mut dyn FnMut(&Name) -> Option<f64>) -> Option<bool> {
        self.condition.holds(value_of)
    }
}

impl Condition {
    fn holds(&self, value_of: &mut ValueOf) -> Option<bool> {
        match self {
            Condition::Any(parts) => decide(parts, true, value_of),
            Condition::All(parts) => decide(parts, false, value_of),
            Condition::Not(inner) => inner.holds(value_of).map(|holds| !holds),
            Condition::Compare(left, (_, orders), right) => {
                let order = left.value(value_of)?.partial_cmp(&right.value(value_of)?)?;
                Some(orders.contains(&order))
            }
        }
    }
}

/// One part that is `decisive` settles it, whatever is unknown.
fn decide(parts: &[Condition], decisive: bool, value_of: &mut ValueOf) -> Option<bool> {
    let mut otherwise = Some(!decisive);
    for part in parts {
        match part.holds(value_of) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => otherwise = None,
        }
    }
    otherwise
}

impl Number {
    fn value(&self, value_of: &mut ValueOf) -> Option<f64> {
        let value = match self {
            Number::Chain(first, rest) => {
                let mut value = first.value(value_of)?;
                for (operator, number) in rest {
                    value = operator.apply(value, number.value(value_of)?);
                }
                value
            }
            Number::Negative(inner) => -inner.value(value_of)?,
            Number::Literal(value, _) => *value,
            Number::Metric(name) => value_of(name)?,
        };
        value.is_finite().then_some(value)
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
        }
    }

    fn is_sum(self) -> bool {
        matches!(self, Arithmetic::Add | Arithmetic::Subtract)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it holds with `two` = 2, `zero` = 0, `a-b.x` = 5, `not.x` = 7, and no other known.
    fn holds(text: &str) -> Option<bool> {
        let mut value_of = |name: &Name| match name.to_string().as_str() {
            "two" => Some(2.0),
            "zero" => Some(0.0),
            "a-b.x" => Some(5.0),
            "not.x" => Some(7.0),
            "infinite" => Some(f64::INFINITY),
            _ => None,
        };
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        expression.holds(&mut value_of)
    }

    #[test]
    fn operators_bind_as_documented() {
        let sums = "1 + 2 * 3 == 7, (1 + 2) * 3 == 9, 8 / 2 / 2 == 2, 8 / (2 / 2) == 8, \
            10 - 4 - 3 == 3, 10 - (4 - 3) == 9, -2 * -3 == 6, --2 == 2, -(1 + 2) == 0 - 3, 2--2==4";
        let logic = "1 > 2 and 1 > 2 or 1 < 2, 1 < 2 or 1 < 2 and 1 > 2, not 1 > 2 and 1 < 2, \
            not (1 < 2 and 1 > 2), not not 1 < 2, !1>2&&1<2, 1>2||1<2, not 1 + 1 > 2 * 2";
        let orders = "1 < 2, 1 <= 1, 2 > 1, 1 >= 1, 1 == 1, 1 != 2, not 1 < 1, not 2 <= 1, \
            not 1 > 1, not 1 >= 2, not 1 == 2, not 1 != 1";
        let units =
            "100ms == 0.1, 3us == 3e-6, 7ns == 7E-9, 2min == 120, 1.5h == 5400s, 50% == 0.5";
        let names = "a-b.x == 5, two - zero == two, two-zero == 2, two-1.5 == 0.5, not.x == 7, \
            two -a-b.x == -3, 2 * two==4";
        for text in [sums, logic, orders, units, names].join(",").split(',') {
            assert_eq!(holds(text), Some(true), "{text}");
        }
    }

    #[test]
    fn the_unknown_decides_nothing_and_does_not_hide_what_is_decided() {
        let cases = [
            ("unknown > 1", None),
            ("not unknown > 1", None),
            ("unknown == unknown", None),
            ("0 * unknown == 0", None),
            ("1 > 2 and unknown > 1", Some(false)),
            ("unknown > 1 and 1 > 2", Some(false)),
            ("1 < 2 and unknown > 1", None),
            ("1 < 2 or unknown > 1", Some(true)),
            ("unknown > 1 or 1 < 2", Some(true)),
            ("1 > 2 or unknown > 1", None),
            ("two / zero > 1", None),
            ("zero / zero != 1", None),
            ("infinite > 1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_listed_once_and_in_order_of_appearance() {
        let text = "rma.wall_s > wait_s and (runA.x < 1 or -rma.wall_s < wait_s * a-b.x)";
        let names = Expression::parse(text).unwrap().names();
        let printed: Vec<String> = names.iter().map(Name::to_string).collect();
        assert_eq!(printed, ["rma.wall_s", "wait_s", "runA.x", "a-b.x"]);
        assert_eq!(names[0].qualifier.as_deref(), Some("rma"));
        assert_eq!(
            (names[1].qualifier.as_ref(), names[1].metric.as_str()),
            (None, "wait_s")
        );
    }
}
