//! The name of an enum's variant, as serde has it: what is stored keeps its name where the variant gets another one with
//! `#[serde(rename)]`. A serializer that writes nothing.

use std::fmt;

use serde::ser::{Impossible, Serialize, Serializer};

/// The name of the variant that a value is of; none where it is of no enum, or of one that serde tags in another way.
pub(crate) fn variant_of<T: Serialize>(value: &T) -> Option<&'static str> {
    match value.serialize(Names) {
        Err(Name(name)) => name,
        Ok(never) => match never {},
    }
}

struct Names;

enum Never {}

/// Ends every serialization, with the name where there is one.
#[derive(Debug)]
struct Name(Option<&'static str>);

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.unwrap_or("no variant"))
    }
}

impl std::error::Error for Name {}

impl serde::ser::Error for Name {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

/// What is no variant.
macro_rules! nameless {
    ($($method:ident($($argument:ty),*) -> $answer:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$answer, Name> {
            Err(Name(None))
        })*
    };
}

type Compound = Impossible<Never, Name>;

impl Serializer for Names {
    type Ok = Never;
    type Error = Name;
    type SerializeSeq = Compound;
    type SerializeTuple = Compound;
    type SerializeTupleStruct = Compound;
    type SerializeTupleVariant = Compound;
    type SerializeMap = Compound;
    type SerializeStruct = Compound;
    type SerializeStructVariant = Compound;

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Never, Name> {
        Err(Name(Some(name)))
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: &T,
    ) -> Result<Never, Name> {
        Err(Name(Some(name)))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, name: &'static str, _: usize) -> Result<Compound, Name> {
        Err(Name(Some(name)))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, name: &'static str, _: usize) -> Result<Compound, Name> {
        Err(Name(Some(name)))
    }

    fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<Never, Name> {
        Err(Name(None))
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, _: &T) -> Result<Never, Name> {
        Err(Name(None))
    }

    nameless! {
        serialize_bool(bool) -> Never;
        serialize_i8(i8) -> Never;
        serialize_i16(i16) -> Never;
        serialize_i32(i32) -> Never;
        serialize_i64(i64) -> Never;
        serialize_u8(u8) -> Never;
        serialize_u16(u16) -> Never;
        serialize_u32(u32) -> Never;
        serialize_u64(u64) -> Never;
        serialize_f32(f32) -> Never;
        serialize_f64(f64) -> Never;
        serialize_char(char) -> Never;
        serialize_str(&str) -> Never;
        serialize_bytes(&[u8]) -> Never;
        serialize_none() -> Never;
        serialize_unit() -> Never;
        serialize_unit_struct(&'static str) -> Never;
        serialize_seq(Option<usize>) -> Compound;
        serialize_tuple(usize) -> Compound;
        serialize_tuple_struct(&'static str, usize) -> Compound;
        serialize_map(Option<usize>) -> Compound;
        serialize_struct(&'static str, usize) -> Compound;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(u8, u8),
        #[serde(rename = "Old")]
        Struct {
            number: u8,
        },
    }

    /// Stored for good.
    #[test]
    fn a_variant_is_called_as_serde_calls_it() {
        let shapes = [Shape::Unit, Shape::New(1), Shape::Tuple(1, 2), Shape::Struct { number: 1 }];
        assert_eq!(shapes.map(|shape| variant_of(&shape).unwrap()), ["Unit", "New", "Tuple", "Old"]);
        assert_eq!(
            (variant_of(&7), variant_of(&"text"), variant_of(&vec![1]), variant_of(&Some(1))),
            (None, None, None, None)
        );
    }
}
