//! The parser for every body that is allowed, which also says what is wrong with the others.
//!
//! It streams: a body never becomes a tree of values. After the first fault it reads on without keeping anything, because
//! a body that is no JSON at all is reported as that.

use carbonara::{Series, Timestamp};
use gnocchi_core::model::{MetricId, ResourceId};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess};

use super::shape::{ByShape, Shape};
use super::{
    BodyError, Columns, Context, Fault, NamedMeasures, ResourceMeasures, quote_bare_tokens,
};
use crate::api::schema::{Invalid, Path};
use crate::api::storable;
use crate::api::timestamp::{self, Style, TimestampError};

pub(super) fn list(body: &[u8], context: Context) -> Result<Series, BodyError> {
    parse(body, context, |reader, json| {
        ByShape::new(List {
            reader,
            path: &Path::Root,
        })
        .deserialize(json)
    })
}

pub(super) fn by_metric(
    body: &[u8],
    context: Context,
) -> Result<Vec<(MetricId, Series)>, BodyError> {
    parse(body, context, |reader, json| {
        ByShape::new(Metrics { reader }).deserialize(json)
    })
}

pub(super) fn by_resource(
    body: &[u8],
    context: Context,
) -> Result<Vec<ResourceMeasures>, BodyError> {
    parse(body, context, |reader, json| {
        ByShape::new(Resources { reader }).deserialize(json)
    })
}

type Json<'a, 'de> = &'a mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>;

/// What all parts of one parse share.
struct Reader {
    now: Timestamp,
    points_left: usize,
    metrics_left: usize,
    /// Which limit the body goes beyond.
    excess: Option<BodyError>,
    invalid: Option<Invalid>,
}

impl Reader {
    /// Keeps the first thing that is wrong.
    fn refuse(&mut self, invalid: Invalid) {
        self.invalid.get_or_insert(invalid);
    }

    /// Counts a point; no more are read when there are too many.
    fn count<E: Error>(&mut self) -> Result<(), E> {
        let Some(points_left) = self.points_left.checked_sub(1) else {
            self.excess = Some(BodyError::TooManyPoints);
            return Err(E::custom("too many points"));
        };
        self.points_left = points_left;
        Ok(())
    }

    /// Counts a metric, or a resource without any; no more are read when there are too many.
    fn count_metric<E: Error>(&mut self) -> Result<(), E> {
        let Some(metrics_left) = self.metrics_left.checked_sub(1) else {
            self.excess = Some(BodyError::TooManyMetrics);
            return Err(E::custom("too many metrics"));
        };
        self.metrics_left = metrics_left;
        Ok(())
    }
}

fn parse<T>(
    body: &[u8],
    context: Context,
    read: impl Fn(&mut Reader, Json<'_, '_>) -> Result<T, serde_json::Error>,
) -> Result<T, BodyError> {
    let attempt = |body: &[u8]| {
        let mut reader = Reader {
            now: context.now,
            points_left: context.points_max,
            metrics_left: context.metrics_max,
            excess: None,
            invalid: None,
        };
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let outcome = read(&mut reader, &mut deserializer)
            .and_then(|parsed| deserializer.end().map(|()| parsed));
        if let Some(excess) = reader.excess {
            return Err(excess);
        }
        match (outcome, reader.invalid) {
            (Err(error), _) => Err(BodyError::Malformed(error.to_string())),
            (Ok(_), Some(invalid)) => Err(BodyError::Invalid(invalid)),
            (Ok(parsed), None) => Ok(parsed),
        }
    };
    match attempt(body) {
        Err(BodyError::Malformed(_)) if body.trim_ascii().is_empty() => {
            Err(BodyError::Malformed("Expected object or value".to_owned()))
        }
        Err(BodyError::Malformed(reason)) => match quote_bare_tokens(body) {
            Some(quoted) => attempt(&quoted),
            None => Err(BodyError::Malformed(reason)),
        },
        outcome => outcome,
    }
}

/// A list of measures.
struct List<'a> {
    reader: &'a mut Reader,
    path: &'a Path<'a>,
}

/// What was read of a list so far.
#[derive(Default)]
struct ListState {
    columns: Columns,
    style: Option<Style>,
    fault: Option<Fault>,
}

impl ListState {
    /// Keeps the fault that is reported first.
    fn refuse(&mut self, fault: Fault) {
        self.fault = Some(self.fault.map_or(fault, |before| before.min(fault)));
    }

    fn add(&mut self, measure: Option<Measure>) {
        let Some(Measure {
            timestamp: Some(timestamp),
            value,
        }) = measure
        else {
            return self.refuse(Fault::Format);
        };
        let timestamp = timestamp.and_then(|(timestamp, style)| {
            let is_mixed = *self.style.get_or_insert(style) != style;
            if is_mixed {
                Err(Fault::Timestamp(TimestampError::Unparsable))
            } else {
                Ok(timestamp)
            }
        });
        match (timestamp, value) {
            (Err(fault), _) => self.refuse(fault),
            (Ok(_), None) => self.refuse(Fault::Value),
            (Ok(timestamp), Some(value)) => self.columns.push(timestamp, value),
        }
    }
}

impl<'de> Shape<'de> for List<'_> {
    type Value = Series;

    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<Series, A::Error> {
        let mut state = ListState::default();
        while let Some(measure) = items.next_element_seed(ByShape::new(MeasureShape {
            now: self.reader.now,
        }))? {
            self.reader.count()?;
            state.add(measure);
        }
        if let Some(fault) = state.fault {
            self.reader.refuse(self.path.invalid(fault.to_string()));
            return Ok(Series::new());
        }
        Ok(state.columns.into_series())
    }

    /// An empty object counts as an empty list.
    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Series, A::Error> {
        let mut is_empty = true;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(if is_empty {
            Series::new()
        } else {
            self.other()
        })
    }

    fn other(self) -> Series {
        self.reader
            .refuse(self.path.invalid(Fault::Format.to_string()));
        Series::new()
    }
}

/// What an object says of one measure.
#[derive(Clone, Copy, Default)]
struct Measure {
    timestamp: Option<Result<(Timestamp, Style), Fault>>,
    value: Option<f64>,
}

struct MeasureShape {
    now: Timestamp,
}

impl<'de> Shape<'de> for MeasureShape {
    type Value = Option<Measure>;

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Measure>, A::Error> {
        let mut measure = Measure::default();
        while let Some(key) = members.next_key_seed(ByShape::new(KeyShape))? {
            match key {
                Key::Timestamp => {
                    measure.timestamp =
                        Some(members.next_value_seed(ByShape::new(Moment { now: self.now }))?);
                }
                Key::Value => measure.value = members.next_value_seed(ByShape::new(Value))?,
                Key::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(measure))
    }

    fn other(self) -> Option<Measure> {
        None
    }
}

enum Key {
    Timestamp,
    Value,
    Other,
}

struct KeyShape;

impl Shape<'_> for KeyShape {
    type Value = Key;

    fn text(self, text: &str) -> Key {
        match text {
            "timestamp" => Key::Timestamp,
            "value" => Key::Value,
            _ => Key::Other,
        }
    }

    fn other(self) -> Key {
        Key::Other
    }
}

struct Moment {
    now: Timestamp,
}

impl Shape<'_> for Moment {
    type Value = Result<(Timestamp, Style), Fault>;

    fn number(self, seconds: f64) -> Self::Value {
        timestamp::from_seconds(seconds)
            .map(|moment| (moment, Style::Number))
            .map_err(Fault::Timestamp)
    }

    fn bool(self, yes: bool) -> Self::Value {
        self.number(f64::from(u8::from(yes)))
    }

    fn text(self, text: &str) -> Self::Value {
        timestamp::parse_styled(text, self.now).map_err(Fault::Timestamp)
    }

    fn other(self) -> Self::Value {
        Err(Fault::Format)
    }
}

struct Value;

impl Shape<'_> for Value {
    type Value = Option<f64>;

    fn number(self, value: f64) -> Option<f64> {
        Some(value)
    }

    fn bool(self, yes: bool) -> Option<f64> {
        Some(f64::from(u8::from(yes)))
    }

    fn text(self, text: &str) -> Option<f64> {
        let value: f64 = text.trim().parse().ok()?;
        // `inf` means infinity; 1e999 is a number that no double holds.
        let overflows = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
        (!overflows).then_some(value)
    }

    fn other(self) -> Option<f64> {
        None
    }
}

/// A mapping of metrics to lists.
struct Metrics<'a> {
    reader: &'a mut Reader,
}

impl<'de> Shape<'de> for Metrics<'_> {
    type Value = Vec<(MetricId, Series)>;

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut metrics = Vec::new();
        while let Some(key) = members.next_key::<String>()? {
            self.reader.count_metric()?;
            let path = Path::Key(&Path::Root, &key);
            let id = key.parse();
            if id.is_err() {
                self.reader.refuse(path.invalid_key("not a valid value"));
            }
            let series = members.next_value_seed(ByShape::new(List {
                reader: &mut *self.reader,
                path: &path,
            }))?;
            if let Ok(id) = id {
                metrics.push((id, series));
            }
        }
        Ok(metrics)
    }

    fn other(self) -> Self::Value {
        self.reader
            .refuse(Path::Root.invalid("expected a dictionary"));
        Vec::new()
    }
}

/// A mapping of resources to mappings of names.
struct Resources<'a> {
    reader: &'a mut Reader,
}

impl<'de> Shape<'de> for Resources<'_> {
    type Value = Vec<ResourceMeasures>;

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut resources = Vec::new();
        while let Some(original_id) = members.next_key::<String>()? {
            let path = Path::Key(&Path::Root, &original_id);
            // Whether the id can be used doesn't depend on who asks.
            if let Err(error) = ResourceId::from_original(&original_id, None) {
                self.reader.refuse(path.invalid_key(error.to_string()));
            }
            let metrics = members.next_value_seed(ByShape::new(Names {
                reader: &mut *self.reader,
                path: &path,
            }))?;
            if metrics.is_empty() {
                self.reader.count_metric()?;
            }
            resources.push(ResourceMeasures {
                original_id,
                metrics,
            });
        }
        Ok(resources)
    }

    fn other(self) -> Self::Value {
        self.reader
            .refuse(Path::Root.invalid("expected a dictionary"));
        Vec::new()
    }
}

/// A mapping of names of metrics to lists, or to objects that hold one.
struct Names<'a> {
    reader: &'a mut Reader,
    path: &'a Path<'a>,
}

impl<'de> Shape<'de> for Names<'_> {
    type Value = Vec<NamedMeasures>;

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut metrics = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            self.reader.count_metric()?;
            let path = Path::Key(self.path, &name);
            if let Err(invalid) = storable::check_key(&path, &name) {
                self.reader.refuse(invalid);
            }
            let named = members.next_value_seed(ByShape::new(Named {
                reader: &mut *self.reader,
                path: &path,
            }))?;
            metrics.push(NamedMeasures { name, ..named });
        }
        Ok(metrics)
    }

    fn other(self) -> Self::Value {
        self.reader
            .refuse(self.path.invalid("expected a dictionary"));
        Vec::new()
    }
}

/// A list, or an object with a list and what the metric is created with. The name is filled in by the caller.
struct Named<'a> {
    reader: &'a mut Reader,
    path: &'a Path<'a>,
}

impl<'de> Shape<'de> for Named<'_> {
    type Value = NamedMeasures;

    fn list<A: SeqAccess<'de>>(self, items: A) -> Result<NamedMeasures, A::Error> {
        let series = List {
            reader: self.reader,
            path: self.path,
        }
        .list(items)?;
        Ok(NamedMeasures {
            series,
            ..NamedMeasures::default()
        })
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<NamedMeasures, A::Error> {
        let mut named = NamedMeasures::default();
        let mut has_measures = false;
        let mut is_empty = true;
        while let Some(key) = members.next_key::<String>()? {
            is_empty = false;
            let path = Path::Key(self.path, &key);
            match key.as_str() {
                "measures" => {
                    has_measures = true;
                    named.series = members.next_value_seed(ByShape::new(List {
                        reader: &mut *self.reader,
                        path: &path,
                    }))?;
                }
                "archive_policy_name" => {
                    named.archive_policy_name = members.next_value_seed(ByShape::new(Text {
                        reader: &mut *self.reader,
                        path: &path,
                    }))?;
                }
                "unit" => {
                    named.unit = members.next_value_seed(ByShape::new(Text {
                        reader: &mut *self.reader,
                        path: &path,
                    }))?;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    self.reader
                        .refuse(path.invalid_key("extra keys not allowed"));
                }
            }
        }
        if !has_measures && !is_empty {
            self.reader
                .refuse(Path::Key(self.path, "measures").invalid_key("required key not provided"));
        }
        Ok(named)
    }

    fn other(self) -> NamedMeasures {
        self.reader
            .refuse(self.path.invalid(Fault::Format.to_string()));
        NamedMeasures::default()
    }
}

struct Text<'a> {
    reader: &'a mut Reader,
    path: &'a Path<'a>,
}

impl Shape<'_> for Text<'_> {
    type Value = Option<String>;

    fn text(self, text: &str) -> Option<String> {
        if let Err(invalid) = storable::check_text(self.path, text) {
            self.reader.refuse(invalid);
        }
        Some(text.to_owned())
    }

    fn other(self) -> Option<String> {
        self.reader.refuse(self.path.invalid("expected str"));
        None
    }
}
