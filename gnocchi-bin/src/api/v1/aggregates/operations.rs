//! Expressions as clients write them: lists in JSON, or text in parentheses.

use carbonara::expression::{
    Expression, Grammar, Item, ParseError, ParseErrorKind, Reference, TextPlace, Unreadable,
};
use gnocchi_core::model::MetricId;
use serde_json::{Value, json};

use super::misread;
use crate::api::request::schema::Path;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::timespan;

/// The operator whose arguments are references.
const METRIC: &str = "metric";

/// What a body says is to be computed.
#[derive(Debug, Clone)]
pub(super) struct Operations {
    item: Item,
}

impl Operations {
    /// Takes the list, or the list that a text spells.
    pub(super) fn of(value: &Value, _: &Path<'_>) -> ApiResult<Self> {
        let item = match value {
            Value::String(text) => Item::parse(text).map_err(|error| refused(&error, None))?,
            // What is no list is named by its kind.
            Value::Number(number) if !number.is_f64() => Item::Other("int"),
            Value::Bool(_) => Item::Other("bool"),
            other => item(other),
        };
        Ok(Self { item })
    }

    /// Returns the expression whose references are patterns for names.
    pub(super) fn by_names(&self) -> ApiResult<Expression> {
        let grammar = Grammar {
            read_timespan: |text| timespan::parse(text).ok(),
        };
        let expression = grammar
            .expression(&self.item)
            .map_err(|error| refused(&error, Some(&self.item)))?;
        if expression.references().is_empty() {
            return Err(ApiError::bad_data(json!({
                "cause": "Operations is invalid",
                "reason": "At least one 'metric' is required",
                "detail": echo(&self.item),
            })));
        }
        Ok(expression)
    }

    /// Returns the expression whose references are ids of metrics, each id written in one way.
    pub(super) fn by_ids(mut self) -> ApiResult<Expression> {
        let as_written = self.by_names()?;
        let references = as_written.references();
        let known = |one: &&Reference| one.name.parse::<MetricId>().is_ok();
        if !references.iter().all(known) {
            return Err(ApiError::bad_data(json!({
                "cause": "Invalid metric references",
                "reason": "badly formed hexadecimal UUID string",
                "detail": pairs(&references),
            })));
        }
        normalise(&mut self.item);
        self.by_names()
    }
}

/// Returns references as an error shows them.
pub(super) fn pairs(references: &[&Reference]) -> Value {
    references
        .iter()
        .map(|one| json!([one.name, one.method]))
        .collect()
}

/// Turns JSON into what the grammar reads.
fn item(value: &Value) -> Item {
    match value {
        Value::Null => Item::Other("NoneType"),
        Value::Bool(truth) => Item::Number(f64::from(u8::from(*truth))),
        Value::Number(number) => match number.as_f64() {
            Some(number) => Item::Number(number),
            None => Item::Other("int"),
        },
        Value::String(text) => Item::Word(text.clone()),
        Value::Array(items) => Item::List(items.iter().map(item).collect()),
        Value::Object(_) => Item::Other("dict"),
    }
}

fn echo(item: &Item) -> Value {
    match item {
        Item::Number(number) => json!(number),
        // A number in a text is a word that reads as one.
        Item::Word(text) => text
            .parse()
            .map_or_else(|_| json!(text), |number: f64| json!(number)),
        Item::List(items) => items.iter().map(echo).collect(),
        Item::Other(_) => Value::Null,
    }
}

/// Writes every id in references in the usual way, so that one metric has one name.
fn normalise(item: &mut Item) {
    let Item::List(items) = item else {
        return;
    };
    let Some((head, arguments)) = items.split_first_mut() else {
        return;
    };
    if !matches!(head, Item::Word(word) if word == METRIC) {
        arguments.iter_mut().for_each(normalise);
        return;
    }
    let rename = |name: &mut Item| {
        if let Item::Word(text) = name
            && let Ok(id) = text.parse::<MetricId>()
        {
            *text = id.to_string();
        }
    };
    for argument in arguments {
        match argument {
            Item::List(pair) => pair.first_mut().into_iter().for_each(rename),
            name => rename(name),
        }
    }
}

/// Says why a text does not spell a list, in the form that clients know.
fn unreadable(why: Unreadable, place: Option<TextPlace>) -> String {
    let what = match why {
        Unreadable::NoOpening => "Expected '('".to_owned(),
        Unreadable::NoClosing => "Expected ')', found end of text".to_owned(),
        other => other.to_string(),
    };
    match place {
        Some(place) => format!("{what}  {place}"),
        None => what,
    }
}

/// Says why an expression cannot be read; `item` is the list that it was to be made of, if there is one.
fn refused(error: &ParseError, item: Option<&Item>) -> ApiError {
    let reason = match &error.kind {
        ParseErrorKind::Unreadable(why) => {
            return ApiError::bad_data(json!({
                "cause": "Invalid operations",
                "reason": "Fail to parse the operations string",
                "detail": unreadable(*why, error.place),
            }));
        }
        ParseErrorKind::MalformedReference { index } => {
            return ApiError::bad_data(json!({
                "cause": "Invalid input",
                "reason": format!("expected a metric and an aggregation method @ data['operations'][{index}]"),
                "detail": ["operations", index.to_string()],
            }));
        }
        ParseErrorKind::Empty => "Operation must not be empty".to_owned(),
        ParseErrorKind::NotAList { found } => {
            format!("Expected a tuple/list, got a <class '{found}'>")
        }
        ParseErrorKind::NoArgument => "Operation need at least one argument".to_owned(),
        ParseErrorKind::InvalidOperation { name, .. } => format!("'{name}' operation invalid"),
        other => other.to_string(),
    };
    ApiError::bad_data(json!({
        "cause": "Invalid input",
        "reason": format!("{reason} for dictionary value @ data['operations']"),
        "detail": ["operations"],
        // Clients know the reason above, which names the outermost operation only; this is for people.
        "explanation": item.map_or_else(|| error.to_string(), |item| misread::explanation(error, item)),
    }))
}
