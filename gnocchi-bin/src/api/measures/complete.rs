//! The parser for every body that is allowed, which also says what is wrong with the others.
//!
//! It streams: a body never becomes a tree of values. After the first fault it reads on without keeping anything, because
//! a body that is no JSON at all is reported as that.

use carbonara::{Series, Timestamp};
use gnocchi_core::model::{MetricId, ResourceId};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess};

use super::fault::{Fault, Faults, Sent, Wrong};
use super::shape::{ByShape, Shape};
use super::{BodyError, Columns, Context, NamedMeasures, ResourceMeasures, quote_bare_tokens};
use crate::api::request::schema::{Invalid, Path, listed};
use crate::api::request::storable;
use crate::api::timestamp::{self, Style};

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
    /// How many measures were read.
    read: usize,
    style: Option<Style>,
    faults: Faults,
}

impl ListState {
    fn add(&mut self, measure: Option<Measure>) {
        let index = self.read;
        self.read += 1;
        match self.point(measure) {
            Ok((timestamp, value)) => self.columns.push(timestamp, value),
            Err(wrong) => self.faults.add(index, wrong),
        }
    }

    fn point(&mut self, measure: Option<Measure>) -> Result<(Timestamp, f64), Wrong> {
        let Measure { timestamp, value } = measure.ok_or(Wrong::NoObject)?;
        let (timestamp, found) = timestamp.ok_or(Wrong::NoTimestamp(Sent::Nothing))??;
        let before = *self.style.get_or_insert(found);
        if before != found {
            return Err(Wrong::Style { before, found });
        }
        let value = value.ok_or(Wrong::Value(Sent::Nothing))?;
        Ok((timestamp, value.map_err(Wrong::Value)?))
    }
}

impl<'de> Shape<'de> for List<'_> {
    type Value = Series;

    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<Series, A::Error> {
        let mut state = ListState::default();
        while let Some(measure) = items.next_element_seed(ByShape::new(MeasureShape {
            now: self.reader.now,
            details: state.faults.wants_details(),
        }))? {
            self.reader.count()?;
            state.add(measure);
        }
        if let Some(invalid) = state.faults.report(self.path) {
            self.reader.refuse(invalid);
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
        let invalid = self.path.invalid(Fault::Format.to_string());
        self.reader.refuse(invalid.explained(NO_LIST));
        Series::new()
    }
}

/// What is said when measures are no list.
const NO_LIST: &str = "a list of objects with a timestamp and a value is expected";

/// What an object says of one measure.
#[derive(Default)]
struct Measure {
    timestamp: Option<Result<(Timestamp, Style), Wrong>>,
    value: Option<Result<f64, Sent>>,
}

struct MeasureShape {
    now: Timestamp,
    /// Whether it is shown what cannot be used.
    details: bool,
}

impl<'de> Shape<'de> for MeasureShape {
    type Value = Option<Measure>;

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Measure>, A::Error> {
        let mut measure = Measure::default();
        while let Some(key) = members.next_key_seed(ByShape::new(KeyShape))? {
            match key {
                Key::Timestamp => {
                    measure.timestamp =
                        Some(members.next_value_seed(ByShape::new(TimestampShape {
                            now: self.now,
                            details: self.details,
                        }))?);
                }
                Key::Value => {
                    let details = self.details;
                    let value = members.next_value_seed(ByShape::new(Value { details }))?;
                    measure.value = Some(value);
                }
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

struct TimestampShape {
    now: Timestamp,
    details: bool,
}

impl Shape<'_> for TimestampShape {
    type Value = Result<(Timestamp, Style), Wrong>;

    fn number(self, seconds: f64) -> Self::Value {
        timestamp::from_seconds(seconds)
            .map(|timestamp| (timestamp, Style::Number))
            .map_err(|error| Wrong::Timestamp(error, Sent::Number(seconds)))
    }

    fn bool(self, yes: bool) -> Self::Value {
        self.number(f64::from(u8::from(yes)))
    }

    fn text(self, text: &str) -> Self::Value {
        let sent = |error| Wrong::Timestamp(error, sent(text, self.details));
        timestamp::parse_styled(text, self.now).map_err(sent)
    }

    fn other(self) -> Self::Value {
        Err(Wrong::NoTimestamp(Sent::Other))
    }
}

fn sent(text: &str, details: bool) -> Sent {
    if details {
        Sent::text(text)
    } else {
        Sent::Other
    }
}

struct Value {
    details: bool,
}

impl Shape<'_> for Value {
    type Value = Result<f64, Sent>;

    fn number(self, value: f64) -> Self::Value {
        Ok(value)
    }

    fn bool(self, yes: bool) -> Self::Value {
        Ok(f64::from(u8::from(yes)))
    }

    fn text(self, text: &str) -> Self::Value {
        let refused = || sent(text, self.details);
        let value: f64 = text.trim().parse().map_err(|_| refused())?;
        // `inf` means infinity; 1e999 is a number that no double holds.
        let overflows = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
        if overflows { Err(refused()) } else { Ok(value) }
    }

    fn other(self) -> Self::Value {
        Err(Sent::Other)
    }
}

/// What is said when metrics or resources are no mapping.
const NO_MAPPING: &str = "an object is expected whose keys are metrics or resources";

/// What is said when the metrics of a resource are no mapping.
const NO_NAMES: &str = "an object is expected whose keys are names of metrics of the resource";

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
                let invalid = path.invalid_key("not a valid value");
                self.reader
                    .refuse(invalid.explained("keys are ids of metrics, which are UUIDs"));
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
        let invalid = Path::Root.invalid("expected a dictionary");
        self.reader.refuse(invalid.explained(NO_MAPPING));
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
        let invalid = Path::Root.invalid("expected a dictionary");
        self.reader.refuse(invalid.explained(NO_MAPPING));
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
        let invalid = self.path.invalid("expected a dictionary");
        self.reader.refuse(invalid.explained(NO_NAMES));
        Vec::new()
    }
}

/// The keys of an object with a list and what the metric is created with.
const NAMED_KEYS: [&str; 3] = ["measures", "archive_policy_name", "unit"];

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
                    let known = listed("keys", &key, NAMED_KEYS.into_iter());
                    self.reader
                        .refuse(path.invalid_key("extra keys not allowed").explained(known));
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
        let invalid = self.path.invalid(Fault::Format.to_string());
        self.reader.refuse(invalid.explained(NO_LIST));
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
