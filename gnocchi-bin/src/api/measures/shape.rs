//! Reading JSON of which only the shape is known: a list, an object, or something else.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Defines what to do with each shape. A shape without a method of its own is skipped and counts as [`other`](Self::other).
pub(super) trait Shape<'de>: Sized {
    /// What comes out.
    type Value;

    /// Takes a list.
    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.other())
    }

    /// Takes an object.
    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.other())
    }

    /// Takes a number.
    fn number(self, _: f64) -> Self::Value {
        self.other()
    }

    /// Takes true or false.
    fn bool(self, _: bool) -> Self::Value {
        self.other()
    }

    /// Takes a text.
    fn text(self, _: &str) -> Self::Value {
        self.other()
    }

    /// Takes anything else.
    fn other(self) -> Self::Value;
}

/// Reads whatever comes and hands it to a [`Shape`].
pub(super) struct ByShape<'de, S>(S, PhantomData<&'de ()>);

impl<'de, S: Shape<'de>> ByShape<'de, S> {
    pub(super) fn new(shape: S) -> Self {
        Self(shape, PhantomData)
    }
}

impl<'de, S: Shape<'de>> DeserializeSeed<'de> for ByShape<'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Shape<'de>> Visitor<'de> for ByShape<'de, S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<S::Value, E> {
        Ok(self.0.other())
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<S::Value, E> {
        Ok(self.0.bool(yes))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "measures are doubles; the nearest one is meant"
    )]
    fn visit_i64<E: Error>(self, number: i64) -> Result<S::Value, E> {
        Ok(self.0.number(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "measures are doubles; the nearest one is meant"
    )]
    fn visit_u64<E: Error>(self, number: u64) -> Result<S::Value, E> {
        Ok(self.0.number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<S::Value, E> {
        Ok(self.0.number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<S::Value, E> {
        Ok(self.0.text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<S::Value, A::Error> {
        self.0.list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<S::Value, A::Error> {
        self.0.object(members)
    }
}
