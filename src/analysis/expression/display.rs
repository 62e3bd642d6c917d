//! From an expression back to text, with the parentheses that it needs.

use std::fmt;

use super::{Arithmetic, Condition, Expression, Name, Number};

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(qualifier) = &self.qualifier {
            write!(f, "{qualifier}.")?;
        }
        f.write_str(&self.metric)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Condition::Any(parts) => (parts, " or "),
            Condition::All(parts) => (parts, " and "),
            Condition::Not(inner) => {
                let is_loose = matches!(**inner, Condition::Any(_) | Condition::All(_));
                f.write_str("not ")?;
                return write_part(f, inner, is_loose);
            }
            Condition::Compare(left, (symbol, _), right) => {
                return write!(f, "{left} {symbol} {right}");
            }
        };
        for (i, part) in parts.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { word })?;
            let is_loose = match part {
                Condition::Any(_) => true,
                Condition::All(_) => matches!(self, Condition::All(_)),
                _ => false,
            };
            write_part(f, part, is_loose)?;
        }
        Ok(())
    }
}

impl Number {
    /// How tightly it binds: sums, products, the rest.
    fn level(&self) -> u8 {
        match self {
            Number::Chain(_, rest) if rest.iter().all(|(operator, _)| operator.is_sum()) => 0,
            Number::Chain(..) => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Chain(first, rest) => {
                write_part(f, first, first.level() <= self.level())?;
                for (operator, number) in rest {
                    write!(f, " {operator} ")?;
                    write_part(f, number, number.level() <= self.level())?;
                }
                Ok(())
            }
            Number::Negative(inner) => {
                f.write_str("-")?;
                write_part(f, inner, inner.level() < 2)
            }
            Number::Literal(_, written) => f.write_str(written),
            Number::Metric(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
        })
    }
}

/// Writes a part in parentheses where it binds too loosely to stand without.
fn write_part(f: &mut fmt::Formatter<'_>, part: &dyn fmt::Display, is_loose: bool) -> fmt::Result {
    if is_loose {
        write!(f, "({part})")
    } else {
        part.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_parentheses_that_change_something_are_printed() {
        let as_they_are = "not a < b, not not 1 < 2, not (a < b or c < d), -(a + b) * --c < 100ms, \
            a - (b - c) < (d / e) * (f + 50%), (a + b) + c < a-b.x - 1.50e+3, \
            (a < 1 or b < 1) and c != 1, a < 1 and b < 1 or c >= 1, (a < 1 and b < 1) and c < 1";
        for text in as_they_are.split(", ") {
            assert_eq!(Expression::parse(text).unwrap().to_string(), text);
        }
        let long_winded = "(((!(a)<((b*c)))||((d-1>2)&&x==-(y))))";
        let short = "not a < b * c or d - 1 > 2 and x == -y";
        assert_eq!(Expression::parse(long_winded).unwrap().to_string(), short);
    }

    fn number() -> impl Strategy<Value = String> {
        let literal = "[0-9]{1,3}(\\.[0-9]{1,2})?(e-?[0-9])?(ns|us|ms|s|min|h|%)?";
        let leaf = prop_oneof![
            literal,
            "m[a-z0-9_]{0,3}",
            "[A-Za-z0-9_][A-Z0-9_-]{0,3}\\.m"
        ];
        leaf.prop_recursive(4, 16, 2, |inner| {
            prop_oneof![
                (inner.clone(), "[-+*/]", inner.clone())
                    .prop_map(|(a, o, b)| format!("{a} {o} {b}")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.prop_map(|a| format!("-{a}")),
            ]
        })
    }

    fn condition() -> impl Strategy<Value = String> {
        let leaf =
            (number(), "[<>]=?|[=!]=", number()).prop_map(|(a, o, b)| format!("{a} {o} {b}"));
        leaf.prop_recursive(4, 16, 2, |inner| {
            prop_oneof![
                (inner.clone(), "and|or", inner.clone())
                    .prop_map(|(a, o, b)| format!("{a} {o} {b}")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.prop_map(|a| format!("not {a}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same_expression(text in condition()) {
            let expression = Expression::parse(&text).unwrap();
            prop_assert_eq!(Expression::parse(&expression.to_string()), Ok(expression));
        }
    }
}
