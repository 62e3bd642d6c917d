//! From tokens to an expression: recursive descent, one function a level of binding.

use super::tokens::{Lexeme, Token, clipped, lexemes};
use super::{Arithmetic, Condition, Expression, Name, Number, ParseError};

/// Longest expression that is read.
const MAX_BYTES: usize = 10_000;

/// Deepest nesting of parentheses and prefix operators, so that no input exhausts the stack.
const MAX_DEPTH: usize = 64;

/// Reads an expression; see [`Expression::parse`].
pub(super) fn parse(text: &str) -> Result<Expression, ParseError> {
    if text.len() > MAX_BYTES {
        let bytes = format!("expected at most {MAX_BYTES} bytes, found {}", text.len());
        return Err(error(1, bytes));
    }
    let mut parser = Parser {
        lexemes: lexemes(text),
        at: 0,
        depth: 0,
        names: Vec::new(),
    };
    let operand = parser.any()?;
    if *parser.token() != Token::End {
        return Err(parser.expected("an operator or the end"));
    }
    let condition = operand.condition()?;
    let names = parser.names;
    Ok(Expression { condition, names })
}

fn error(column: usize, message: impl Into<String>) -> ParseError {
    let message = message.into();
    ParseError { column, message }
}

struct Parser<'a> {
    lexemes: Vec<Lexeme<'a>>,
    at: usize,
    depth: usize,
    names: Vec<Name>,
}

/// A part of the text, with its first column.
enum Operand {
    Number(usize, Number),
    Condition(usize, Condition),
}

type Parsed = Result<Operand, ParseError>;

impl Operand {
    fn number(self) -> Result<Number, ParseError> {
        match self {
            Operand::Number(_, number) => Ok(number),
            Operand::Condition(column, _) => {
                Err(error(column, "expected a number, found a condition"))
            }
        }
    }

    fn condition(self) -> Result<Condition, ParseError> {
        const WHY: &str = "expected a condition such as 'wait_s > 0', found a number";
        match self {
            Operand::Condition(_, condition) => Ok(condition),
            Operand::Number(column, _) => Err(error(column, WHY)),
        }
    }
}

impl Parser<'_> {
    fn any(&mut self) -> Parsed {
        self.joined(&Token::Or, Self::all, Condition::Any)
    }

    fn all(&mut self) -> Parsed {
        self.joined(&Token::And, Self::negation, Condition::All)
    }

    fn negation(&mut self) -> Parsed {
        let column = self.column();
        if !self.takes(&Token::Not) {
            return self.comparison();
        }
        let inner = Box::new(self.nested(column, Self::negation)?.condition()?);
        Ok(Operand::Condition(column, Condition::Not(inner)))
    }

    fn comparison(&mut self) -> Parsed {
        let column = self.column();
        let left = self.sum()?;
        let Token::Compare(comparison) = *self.token() else {
            return Ok(left);
        };
        self.at += 1;
        let left = Box::new(left.number()?);
        let right = Box::new(self.sum()?.number()?);
        if matches!(self.token(), Token::Compare(_)) {
            return Err(self.expected("no second comparison (write 'a < b and b < c')"));
        }
        let condition = Condition::Compare(left, comparison, right);
        Ok(Operand::Condition(column, condition))
    }

    fn sum(&mut self) -> Parsed {
        self.chain(Arithmetic::is_sum, Self::product)
    }

    fn product(&mut self) -> Parsed {
        self.chain(|operator| !operator.is_sum(), Self::factor)
    }

    fn factor(&mut self) -> Parsed {
        let (column, written) = (self.column(), self.lexemes[self.at].written);
        let number = match self.token().clone() {
            Token::Open => {
                self.at += 1;
                let inner = self.nested(column, Self::any)?;
                if !self.takes(&Token::Close) {
                    return Err(self.expected("an operator or ')'"));
                }
                return Ok(inner);
            }
            Token::Arithmetic(Arithmetic::Subtract) => {
                self.at += 1;
                let inner = Box::new(self.nested(column, Self::factor)?.number()?);
                return Ok(Operand::Number(column, Number::Negative(inner)));
            }
            Token::Number(value) => Number::Literal(value, written.to_owned()),
            Token::Name(name) => {
                if !self.names.contains(&name) {
                    self.names.push(name.clone());
                }
                Number::Metric(name)
            }
            _ => return Err(self.expected("a number, a name or '('")),
        };
        self.at += 1;
        Ok(Operand::Number(column, number))
    }

    /// Conditions with a word between them; or one operand of either kind without it.
    fn joined(
        &mut self,
        word: &Token,
        part: fn(&mut Self) -> Parsed,
        join: fn(Vec<Condition>) -> Condition,
    ) -> Parsed {
        let column = self.column();
        let first = part(self)?;
        if self.token() != word {
            return Ok(first);
        }
        let mut parts = vec![first.condition()?];
        while self.takes(word) {
            parts.push(part(self)?.condition()?);
        }
        Ok(Operand::Condition(column, join(parts)))
    }

    /// Numbers with operators of one level between them; or one operand of either kind without.
    fn chain(&mut self, belongs: fn(Arithmetic) -> bool, part: fn(&mut Self) -> Parsed) -> Parsed {
        let column = self.column();
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Token::Arithmetic(operator) = *self.token() {
            if !belongs(operator) {
                break;
            }
            self.at += 1;
            rest.push((operator, part(self)?.number()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let chain = Number::Chain(Box::new(first.number()?), rest);
        Ok(Operand::Number(column, chain))
    }

    /// One level deeper, for what opens at `column`.
    fn nested(&mut self, column: usize, part: fn(&mut Self) -> Parsed) -> Parsed {
        if self.depth == MAX_DEPTH {
            let levels = format!("expected at most {MAX_DEPTH} levels of nesting, found more");
            return Err(error(column, levels));
        }
        self.depth += 1;
        let operand = part(self)?;
        self.depth -= 1;
        Ok(operand)
    }

    fn token(&self) -> &Token {
        &self.lexemes[self.at].token
    }

    fn column(&self) -> usize {
        self.lexemes[self.at].column
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.token() == token;
        self.at += usize::from(is_next);
        is_next
    }

    /// The error that something else comes next.
    fn expected(&self, what: &str) -> ParseError {
        let found = clipped(self.lexemes[self.at].written);
        let message = match self.token() {
            Token::Bad(why) => why.clone(),
            Token::End => format!("expected {what}, found the end"),
            _ => format!("expected {what}, found '{found}'"),
        };
        error(self.column(), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error_of(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn an_error_says_in_one_line_where_it_is_and_what_was_expected() {
        let no_condition = "a condition such as 'wait_s > 0', found a number";
        let no_chain = "no second comparison (write 'a < b and b < c'), found '<'";
        let cases = [
            ("", 1, "a number, a name or '(', found the end"),
            ("a <", 4, "a number, a name or '(', found the end"),
            ("a < )", 5, "a number, a name or '(', found ')'"),
            ("a < not b", 5, "a number, a name or '(', found 'not'"),
            ("(a < 1", 7, "an operator or ')', found the end"),
            ("a < 1)", 6, "an operator or the end, found ')'"),
            ("a < 5 ms", 7, "an operator or the end, found 'ms'"),
            ("5", 1, no_condition),
            ("a > 1 and (b + 1)", 12, no_condition),
            ("a or b > 1", 1, no_condition),
            ("not a", 5, no_condition),
            ("a < b < c", 7, no_chain),
            ("1 + (a < b) > 2", 6, "a number, found a condition"),
            ("(a < b) == (c < d)", 2, "a number, found a condition"),
            ("-(a < b) > 2", 3, "a number, found a condition"),
            ("\u{2003}a = 1", 4, "'==', found one '='"),
            ("a < ) and §", 5, "a number, a name or '(', found ')'"),
        ];
        for (text, column, expected) in cases {
            assert_eq!(
                error_of(text),
                format!("column {column}: expected {expected}")
            );
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |open: &str, n, close: &str| {
            let (open, close) = (open.repeat(n), close.repeat(n));
            parse(&format!("{open}a < 1{close}"))
        };
        for (open, close) in [("(", ")"), ("not ", ""), ("1 < 1 or (", ")"), ("-", "")] {
            assert!(nested(open, MAX_DEPTH, close).is_ok(), "{open}");
            for n in [MAX_DEPTH + 1, 900] {
                let message = nested(open, n, close).unwrap_err().message;
                assert_eq!(message, "expected at most 64 levels of nesting, found more");
            }
        }
        let long = format!("0 < {}1", "1+".repeat((MAX_BYTES - 5) / 2));
        let expression = parse(&long).unwrap();
        assert_eq!(expression.holds(&mut |_| None), Some(true));
        let message = "column 1: expected at most 10000 bytes, found 10001";
        assert_eq!(error_of(&format!("{long:10001}")), message);
    }

    proptest! {
        #[test]
        fn no_text_panics(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_sequence_of_likely_words_panics_and_what_is_read_is_printed(
            words in prop::collection::vec("[ab1]|[-+*/<>()!.%§ ]|ms|or|not|&&|==|a-b\\.x|9s", 0..9)
        ) {
            match parse(&words.concat()) {
                Ok(expression) => prop_assert_eq!(parse(&expression.to_string()), Ok(expression)),
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }
}
