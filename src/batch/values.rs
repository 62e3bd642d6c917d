//! What a plan says, before it is known whether it means anything: texts, each with where it was written.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

/// A value that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Where it was written: `plan.toml:3`, or `--ranks`.
    pub place: String,
    /// What is wrong with it, in one line.
    pub what: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) place: String,
}

#[derive(Debug)]
pub struct Key {
    /// Its name, in files and, after `--`, as a flag.
    pub name: &'static str,
    /// Whether it may have several values, each of which makes cells of its own.
    pub is_axis: bool,
}

const fn axis(name: &'static str) -> Key {
    Key {
        name,
        is_axis: true,
    }
}

const fn one(name: &'static str) -> Key {
    Key {
        name,
        is_axis: false,
    }
}

pub const KEYS: &[Key] = &[
    axis("ranks"),
    axis("versions"),
    axis("digits"),
    axis("games"),
    axis("think"),
    axis("think-per-rank"),
    axis("straggler"),
    axis("think-by"),
    axis("guess"),
    axis("claim-with"),
    axis("home"),
    axis("skip-known"),
    axis("progress"),
    one("repeat"),
    one("seed"),
    one("trace-records"),
    one("time-limit"),
    one("timeout"),
    one("launcher"),
    one("out"),
];

/// The values of a plan by key, and what is known to be bad before any is understood.
#[derive(Debug, Clone, Default)]
pub struct Values {
    pub(super) by_key: BTreeMap<&'static str, Vec<Value>>,
    pub(super) bad: Vec<Bad>,
}

impl Values {
    /// Those of a file that is called `name`. What is no TOML, no key, or no value is kept as bad.
    pub fn of_toml(name: &str, text: &str) -> Self {
        let mut values = Values::default();
        // Counted from the start for each value, lines would take the square of the file's length.
        let line_ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let place = |at: usize| {
            let line = 1 + line_ends.partition_point(|&end| end < at);
            format!("{name}:{line}")
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            values.refuse(place(at), format!("not TOML: {what}"));
        }
        for (key, value) in table.get_ref() {
            let at = place(key.span().start);
            let Some(key) = values.key(key.get_ref(), &at) else {
                continue;
            };
            let mut texts = Vec::new();
            match value.get_ref() {
                DeValue::Array(_) if !key.is_axis => {
                    let what = format!("'{}' has one value, and no list of them", key.name);
                    values.refuse(at.clone(), what);
                }
                DeValue::Array(items) => {
                    for item in items {
                        let at = place(item.span().start);
                        texts.extend(values.text_of(key, item.get_ref(), at));
                    }
                    if items.is_empty() {
                        values.refuse(at.clone(), format!("'{}' has no value", key.name));
                    }
                }
                single => {
                    let at = place(value.span().start);
                    texts.extend(values.text_of(key, single, at));
                }
            }
            values.by_key.insert(key.name, texts);
        }
        values
    }

    /// Adds a flag's value; with an axis, its values parted by commas. The flag replaces what a file said.
    pub fn flag(&mut self, name: &str, texts: &[String]) {
        let place = format!("--{name}");
        let Some(key) = self.key(name, &place) else {
            return;
        };
        let value = |text: &str| Value {
            text: text.trim().into(),
            place: place.clone(),
        };
        let values: Vec<Value> = match key.is_axis {
            true => texts
                .iter()
                .flat_map(|text| text.split(','))
                .map(value)
                .collect(),
            false => texts.last().map(|text| value(text)).into_iter().collect(),
        };
        self.by_key.insert(key.name, values);
        // What a file said badly, and was replaced, is bad all the same: nobody knows what was meant.
    }

    pub(super) fn refuse(&mut self, place: String, what: String) {
        // Reasons quote what they are about, whatever is in it, and are one line all the same.
        let what = what.replace(char::is_control, " ");
        self.bad.push(Bad { place, what });
    }

    fn key(&mut self, name: &str, place: &str) -> Option<&'static Key> {
        let key = KEYS.iter().find(|key| key.name == name);
        if key.is_none() {
            let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            let what = format!("there is no key {name:?}; there are {}", names.join(", "));
            self.refuse(place.into(), what);
        }
        key
    }

    fn text_of(&mut self, key: &Key, value: &DeValue<'_>, place: String) -> Option<Value> {
        let text = match value {
            DeValue::String(text) => text.trim().to_owned(),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix())
            {
                Ok(number) => number.to_string(),
                Err(_) => number.as_str().to_owned(),
            },
            DeValue::Boolean(truth) => truth.to_string(),
            other => {
                let what = format!(
                    "'{}' is a {}: expected a number, a text in quotes, or a list of them",
                    key.name,
                    other.type_str()
                );
                self.refuse(place, what);
                return None;
            }
        };
        Some(Value { text, place })
    }
}
