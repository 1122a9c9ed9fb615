//! Ordered pages over anything that has keys.

use std::cmp::Ordering;

use carbonara::Timestamp;

use crate::model::{AttributeValue, NullOrder, SortDirection, SortKey};

/// A value to sort by. Values of one key are always of one variant, or null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    Null,
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    Id(u128),
}

impl From<Option<&str>> for Key {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }
}

impl From<Option<Timestamp>> for Key {
    fn from(timestamp: Option<Timestamp>) -> Self {
        timestamp.map_or(Self::Null, |timestamp| {
            Self::Integer(timestamp.as_nanosecond())
        })
    }
}

impl From<Option<&AttributeValue>> for Key {
    fn from(value: Option<&AttributeValue>) -> Self {
        match value {
            None => Self::Null,
            Some(AttributeValue::String(text)) => Self::Text(text.clone()),
            Some(AttributeValue::Number(number)) => Self::Real(*number),
            Some(AttributeValue::Uuid(uuid)) => Self::Id(uuid.as_u128()),
            Some(AttributeValue::Bool(flag)) => Self::Bool(*flag),
            Some(AttributeValue::Datetime(timestamp)) => Self::Integer(timestamp.as_nanosecond()),
        }
    }
}

impl Key {
    fn compare(&self, other: &Self, sort: &SortKey) -> Ordering {
        let values = match (self, other) {
            (Self::Null, Self::Null) => return Ordering::Equal,
            (Self::Null, _) | (_, Self::Null) => {
                let null_first = if *self == Self::Null {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
                return if sort.nulls == NullOrder::First {
                    null_first
                } else {
                    null_first.reverse()
                };
            }
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Id(a), Self::Id(b)) => a.cmp(b),
            _ => unreachable!("the values of one key are of one kind"),
        };
        if sort.direction == SortDirection::Ascending {
            values
        } else {
            values.reverse()
        }
    }
}

/// Returns the items after the marked one (or the first ones), in order, at most `limit`; `None` when no item is marked.
pub(super) fn page<T>(
    items: Vec<T>,
    order: &[SortKey],
    limit: usize,
    key: impl Fn(&T, &str) -> Key,
    marked: Option<impl Fn(&T) -> bool>,
) -> Option<Vec<T>> {
    let mut keyed: Vec<(Vec<Key>, T)> = items
        .into_iter()
        .map(|item| {
            (
                order.iter().map(|sort| key(&item, &sort.key)).collect(),
                item,
            )
        })
        .collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let keys = a.iter().zip(b).zip(order);
        keys.map(|((a, b), sort)| a.compare(b, sort))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    let start = match marked {
        Some(marked) => keyed.iter().position(|(_, item)| marked(item))? + 1,
        None => 0,
    };
    Some(
        keyed
            .into_iter()
            .skip(start)
            .take(limit)
            .map(|(_, item)| item)
            .collect(),
    )
}
