//! Whether a document comes back from JSON as it is. `serde_json` writes `null` for what JSON has not, so asking it
//! is not enough.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize, Serializer};

/// How deep arrays and objects may lie within each other: reading them ends at 127, of which some are the
/// document's own.
const MAX_DEPTH: usize = 100;

/// Goes through `document` as JSON has it, and says where it would come back as something else.
pub(super) fn check(document: &impl Serialize) -> Result<(), Inexact> {
    document.serialize(Check { depth: 0 }).map(drop)
}

/// What does not come back as it is, and where it is.
#[derive(Debug)]
pub(super) struct Inexact {
    place: String,
    why: String,
}

impl Inexact {
    fn new(why: impl Display) -> Self {
        Inexact {
            place: String::new(),
            why: why.to_string(),
        }
    }

    fn within(mut self, part: impl Display) -> Self {
        self.place.insert_str(0, &part.to_string());
        self
    }
}

impl Display for Inexact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.trim_start_matches('.') {
            "" => write!(f, "the document {}", self.why),
            place => write!(f, "its {place} {}", self.why),
        }
    }
}

impl std::error::Error for Inexact {}

impl ser::Error for Inexact {
    fn custom<T: Display>(why: T) -> Self {
        Inexact::new(format!("cannot be written: {why}"))
    }
}

/// Whether what was gone through is written as `null`.
type IsNull = bool;

/// Goes through a value that lies in so many arrays and objects.
#[derive(Clone, Copy)]
struct Check {
    depth: usize,
}

impl Check {
    /// What lies within one more array or object.
    fn parts(self) -> Result<Parts, Inexact> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            let why = format!("lies within more than {MAX_DEPTH} others, which could not be read");
            return Err(Inexact::new(why));
        }
        Ok(Parts {
            check: Check { depth },
            n: 0,
            key: String::new(),
        })
    }

    /// A float, of which `is_same` says whether it is what was read.
    fn float<T: Serialize + Display + Copy>(
        value: T,
        is_finite: bool,
        is_same: impl Fn(f64) -> bool,
    ) -> Result<IsNull, Inexact> {
        if !is_finite {
            return Err(Inexact::new(format!(
                "is {value}, a number that JSON has not: save it as its bits (`to_bits`), or as none"
            )));
        }
        // That is so with the feature `float_roundtrip` of `serde_json`; without, one float in ten is off by a unit
        // in the last place.
        let text = serde_json::to_string(&value).map_err(Inexact::new)?;
        match serde_json::from_str(&text).is_ok_and(is_same) {
            true => Ok(false),
            false => Err(Inexact::new(format!(
                "is {value}, which is read as another number"
            ))),
        }
    }

    fn large(value: impl Display, fits: bool) -> Result<IsNull, Inexact> {
        match fits {
            true => Ok(false),
            false => Err(Inexact::new(format!(
                "is {value}, which would be read as a float: save it as two numbers of 64 bits, or as text"
            ))),
        }
    }
}

macro_rules! exact {
    ($($method:ident: $of:ty),*) => {$(
        fn $method(self, _: $of) -> Result<IsNull, Inexact> {
            Ok(false)
        }
    )*};
}

impl Serializer for Check {
    type Ok = IsNull;
    type Error = Inexact;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    exact!(
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_i128(self, value: i128) -> Result<IsNull, Inexact> {
        Self::large(
            value,
            i64::try_from(value).is_ok() || u64::try_from(value).is_ok(),
        )
    }

    fn serialize_u128(self, value: u128) -> Result<IsNull, Inexact> {
        Self::large(value, u64::try_from(value).is_ok())
    }

    fn serialize_f32(self, value: f32) -> Result<IsNull, Inexact> {
        let is_same = |read: f64| (read as f32).to_bits() == value.to_bits();
        Self::float(value, value.is_finite(), is_same)
    }

    fn serialize_f64(self, value: f64) -> Result<IsNull, Inexact> {
        let is_same = |read: f64| read.to_bits() == value.to_bits();
        Self::float(value, value.is_finite(), is_same)
    }

    fn serialize_none(self) -> Result<IsNull, Inexact> {
        Ok(true)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<IsNull, Inexact> {
        match value.serialize(self)? {
            false => Ok(false),
            true => Err(Inexact::new(
                "is `Some` of what is written as null, which would be read as `None`",
            )),
        }
    }

    fn serialize_unit(self) -> Result<IsNull, Inexact> {
        Ok(true)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<IsNull, Inexact> {
        Ok(true)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<IsNull, Inexact> {
        Ok(false)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<IsNull, Inexact> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<IsNull, Inexact> {
        self.parts()?.named(variant, value)?;
        Ok(false)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Inexact> {
        self.parts()
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Inexact> {
        self.parts()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Inexact> {
        self.parts()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, Inexact> {
        self.parts()?.check.parts()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Inexact> {
        self.parts()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Inexact> {
        self.parts()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, Inexact> {
        self.parts()?.check.parts()
    }
}

/// The parts of an array or an object, one after the other.
struct Parts {
    check: Check,
    /// How many elements were gone through.
    n: usize,
    /// Of the value that comes next in a map.
    key: String,
}

impl Parts {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Inexact> {
        let nth = self.n;
        self.n += 1;
        let checked = value.serialize(self.check);
        checked.map_err(|error| error.within(format_args!("[{nth}]")))?;
        Ok(())
    }

    fn named<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Inexact> {
        let checked = value.serialize(self.check);
        checked.map_err(|error| error.within(format_args!(".{name}")))?;
        Ok(())
    }
}

macro_rules! elements {
    ($($kind:ident: $method:ident),*) => {$(
        impl ser::$kind for Parts {
            type Ok = IsNull;
            type Error = Inexact;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Inexact> {
                self.element(value)
            }

            fn end(self) -> Result<IsNull, Inexact> {
                Ok(false)
            }
        }
    )*};
}

elements!(
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
);

macro_rules! fields {
    ($($kind:ident),*) => {$(
        impl ser::$kind for Parts {
            type Ok = IsNull;
            type Error = Inexact;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Inexact> {
                self.named(name, value)
            }

            fn end(self) -> Result<IsNull, Inexact> {
                Ok(false)
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts {
    type Ok = IsNull;
    type Error = Inexact;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Inexact> {
        key.serialize(self.check)?;
        self.key = serde_json::to_string(key).unwrap_or_default();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Inexact> {
        let key = std::mem::take(&mut self.key);
        self.named(key.trim_matches('"'), value)
    }

    fn end(self) -> Result<IsNull, Inexact> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_json::Value;

    use super::*;

    /// As a checkpoint of a board is written, read, told to all ranks and taken out.
    fn there_and_back<T: Serialize + for<'a> Deserialize<'a>>(value: &T) -> T {
        let written = serde_json::to_vec(value).unwrap();
        let read: Value = serde_json::from_slice(&written).unwrap();
        let told = serde_json::to_vec(&Some(read)).unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        T::deserialize(told).unwrap()
    }

    #[derive(Debug, Clone, Serialize, Deserialize)]
    enum Step {
        Nothing,
        One(Option<f64>),
        Two(f64, f32),
        Named { x: f64, y: i64 },
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Search {
        best: f64,
        steps: Vec<Step>,
        unsigned: u64,
        small: f32,
        names: BTreeMap<i32, (char, String)>,
        unit: (),
        large: Option<u128>,
    }

    /// Any bits, half of them of numbers as searches have them.
    fn any_f64() -> impl Strategy<Value = f64> {
        prop_oneof![any::<u64>().prop_map(f64::from_bits), 0.0..1.0, -1e6..1e6]
    }

    fn any_f32() -> impl Strategy<Value = f32> {
        any::<u32>().prop_map(f32::from_bits)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Nothing),
            proptest::option::of(any_f64()).prop_map(Step::One),
            (any_f64(), any_f32()).prop_map(|(x, y)| Step::Two(x, y)),
            (any_f64(), any::<i64>()).prop_map(|(x, y)| Step::Named { x, y }),
        ]
    }

    /// All bits of it, whatever they mean: unlike numbers these are compared as they are.
    fn bits(search: &Search) -> String {
        let steps = search.steps.iter().map(|step| match step {
            Step::Nothing => String::new(),
            Step::One(x) => format!("{:?}", x.map(f64::to_bits)),
            Step::Two(x, y) => format!("{} {}", x.to_bits(), y.to_bits()),
            Step::Named { x, y } => format!("{}, {y}", x.to_bits()),
        });
        let Search {
            best,
            unsigned,
            small,
            names,
            large,
            ..
        } = search;
        format!(
            "{} {:?} {unsigned} {} {names:?} {large:?}",
            best.to_bits(),
            steps.collect::<Vec<_>>(),
            small.to_bits()
        )
    }

    proptest! {
        #[test]
        fn what_passes_comes_back_bit_for_bit(
            (best, small) in (any_f64(), any_f32()),
            steps in proptest::collection::vec(step(), 0..4),
            unsigned: u64,
            names in proptest::collection::btree_map(any::<i32>(), any::<(char, String)>(), 0..3),
            large in proptest::option::of(prop_oneof![any::<u64>().prop_map(u128::from), any::<u128>()]),
        ) {
            let search = Search { best, steps, unsigned, small, names, unit: (), large };
            let is_exact = |search: &Search| {
                let floats = search.steps.iter().flat_map(|step| match *step {
                    Step::Nothing | Step::One(None) => vec![],
                    Step::One(Some(x)) | Step::Named { x, .. } => vec![x],
                    Step::Two(x, y) => vec![x, f64::from(y)],
                });
                let mut floats = floats.chain([search.best, f64::from(search.small)]);
                floats.all(f64::is_finite) && search.large.is_none_or(|n| u64::try_from(n).is_ok())
            };
            let checked = check(&search);
            prop_assert_eq!(checked.is_ok(), is_exact(&search), "{:?}", checked);
            if checked.is_ok() {
                prop_assert_eq!(bits(&there_and_back(&search)), bits(&search));
            }
        }
    }

    #[test]
    fn what_does_not_come_back_is_named() {
        fn refused(document: impl Serialize) -> String {
            check(&document).unwrap_err().to_string()
        }
        let named = BTreeMap::from([("extra", [vec![1.0], vec![0.5, f64::INFINITY]])]);
        assert!(refused(named).starts_with("its extra[1][1] is inf, a number"));
        assert!(refused(Some(f64::NAN)).starts_with("the document is NaN"));
        assert!(refused(Step::One(Some(f64::NAN))).starts_with("its One is NaN"));
        assert!(refused(Some(None::<u8>)).contains("read as `None`"));
        assert!(refused([Some(())]).starts_with("its [0] is `Some` of"));
        assert!(refused(u128::MAX).contains("read as a float"));
        assert!(refused(i128::MIN).contains("read as a float"));
        assert!(check(&(i128::from(i64::MIN), i128::from(u64::MAX))).is_ok());
    }

    #[test]
    fn what_lies_too_deep_to_be_read_is_refused() {
        #[derive(Serialize, Deserialize)]
        struct Nested(Vec<Nested>);
        let nested = |depth| (1..depth).fold(Nested(vec![]), |inner, _| Nested(vec![inner]));
        let _ = there_and_back(&nested(MAX_DEPTH));
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        let refused = check(&nested(MAX_DEPTH + 1)).unwrap_err().to_string();
        assert!(refused.contains("within more than 100"), "{refused}");
    }
}
