//! Texts with places for properties of the target.

use std::borrow::Cow;

use super::Target;

/// A text with places for properties of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Property(String),
}

impl Template {
    pub(super) fn parse(mut text: &str) -> Self {
        let mut pieces = Vec::new();
        while let Some((before, name, after)) = text.split_once("%(").and_then(|(before, rest)| {
            rest.split_once(")s")
                .map(|(name, after)| (before, name, after))
        }) {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Property(name.to_owned()));
            text = after;
        }
        if !text.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        Self(pieces)
    }

    /// Returns whether every place for a property is complete: `%(`, a name, `)s`.
    pub(super) fn is_complete(&self) -> bool {
        self.0.iter().all(|piece| match piece {
            Piece::Text(text) => !text.contains("%("),
            Piece::Property(name) => !name.is_empty(),
        })
    }

    /// Compares with a text; a property that the target lacks makes it differ from everything.
    pub(super) fn equals(&self, text: &str, target: &(impl Target + ?Sized)) -> bool {
        match self.0.as_slice() {
            [Piece::Property(name)] => target.property(name).is_some_and(|value| value == text),
            [Piece::Text(own)] => own == text,
            _ => self.fill(target).is_some_and(|own| own == text),
        }
    }

    /// Returns whether it is nothing but a property that the target has without a value.
    pub(super) fn is_null(&self, target: &(impl Target + ?Sized)) -> bool {
        matches!(self.0.as_slice(), [Piece::Property(name)] if target.is_null(name))
    }

    /// Returns the names of the properties that it has places for.
    pub(super) fn properties(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Property(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Fills the places; `None` when the target lacks a property.
    pub(super) fn fill(&self, target: &(impl Target + ?Sized)) -> Option<String> {
        self.fill_with(target, |value| value)
    }

    /// Fills the places with what `encode` makes of the properties.
    pub(super) fn fill_with(
        &self,
        target: &(impl Target + ?Sized),
        encode: impl for<'a> Fn(Cow<'a, str>) -> Cow<'a, str>,
    ) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Property(name) => filled.push_str(&encode(target.property(name)?)),
            }
        }
        Some(filled)
    }
}
