//! Checks of request bodies that have no type of their own, with the messages that clients know.
//!
//! A body is walked as a [`Value`]; the first thing that is wrong becomes an [`Invalid`], which says what and where.

use std::fmt;

use gnocchi_core::text::nearest::nearest;
use serde_json::{Map, Value};

use crate::api::response::python;

/// A place inside a request body.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The body itself.
    Root,
    /// The value of a key.
    Key(&'a Path<'a>, &'a str),
    /// The item of a list.
    Index(&'a Path<'a>, usize),
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// The item of a list.
    Index(usize),
    /// The value of a key that is no text, as it would be printed.
    Literal(String),
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The value at a place.
    Value,
    /// The place itself.
    Key,
}

/// What is wrong with a request body, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    message: String,
    steps: Vec<Step>,
    /// Whether the value of a key is wrong, and not the key itself.
    is_value: bool,
    /// What was sent, and what is allowed.
    explanation: Option<String>,
}

/// The outcome of a check.
pub type Checked<T> = Result<T, Invalid>;

/// What a check is: it turns the value at a place into something of the model.
pub trait Check<T>: Fn(&Value, &Path<'_>) -> Checked<T> {}

impl<T, F: Fn(&Value, &Path<'_>) -> Checked<T>> Check<T> for F {}

impl Path<'_> {
    /// Says that the value at this place is wrong.
    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        Invalid {
            message: message.into(),
            steps: self.steps(),
            is_value: matches!(self, Path::Key(..)),
            explanation: None,
        }
    }

    /// Says that this place should not be there, or should be and is not.
    pub fn invalid_key(&self, message: impl Into<String>) -> Invalid {
        Invalid {
            message: message.into(),
            steps: self.steps(),
            is_value: false,
            explanation: None,
        }
    }

    fn steps(&self) -> Vec<Step> {
        match self {
            Path::Root => Vec::new(),
            Path::Key(parent, key) => {
                let mut steps = parent.steps();
                steps.push(Step::Key((*key).to_owned()));
                steps
            }
            Path::Index(parent, index) => {
                let mut steps = parent.steps();
                steps.push(Step::Index(*index));
                steps
            }
        }
    }
}

impl Invalid {
    /// Says what is wrong at a place that was found elsewhere than in a [`Value`].
    pub fn at(message: impl Into<String>, steps: Vec<Step>, subject: Subject) -> Self {
        Self {
            message: message.into(),
            is_value: subject == Subject::Value && matches!(steps.last(), Some(Step::Key(_))),
            steps,
            explanation: None,
        }
    }

    /// Adds what was sent and what is allowed. The message itself is compared by clients.
    #[must_use]
    pub fn explained(self, explanation: impl Into<String>) -> Self {
        Self {
            explanation: Some(explanation.into()),
            ..self
        }
    }

    /// Adds the value that was sent, and what is allowed in its place.
    #[must_use]
    pub fn sent(self, value: &Value, allowed: &str) -> Self {
        self.explained(format!("got {}; expected {allowed}", shown(value)))
    }

    /// Returns what was sent and what is allowed, if that is known.
    #[must_use]
    pub fn into_explanation(self) -> Option<String> {
        self.explanation
    }

    /// Returns the place as texts, outermost first.
    #[must_use]
    pub fn detail(&self) -> Vec<String> {
        self.steps
            .iter()
            .map(|step| match step {
                Step::Key(key) | Step::Literal(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            })
            .collect()
    }
}

/// The message, whether it is about a value of a mapping, and the place, as in `expected str for dictionary value @ data['a']`.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.is_value {
            f.write_str(" for dictionary value")?;
        }
        if !self.steps.is_empty() {
            f.write_str(" @ data")?;
        }
        for step in &self.steps {
            match step {
                Step::Key(key) => write!(f, "[{}]", python::quoted(key))?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Literal(literal) => write!(f, "[{literal}]")?,
            }
        }
        Ok(())
    }
}

/// The longest value that is shown in an explanation, in characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// Shows a value from a request in an explanation: as JSON, shortened if it is long.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        // Bodies may be large, so they are not echoed.
        Value::Array(items) if items.len() > 3 => format!("a list of {} items", items.len()),
        Value::Object(map) if map.len() > 3 => format!("an object of {} keys", map.len()),
        Value::String(text) => shown_text(text),
        other => shortened(&other.to_string()),
    }
}

/// Shows a text from a request in an explanation, in quotes and shortened if it is long.
#[must_use]
pub fn shown_text(text: &str) -> String {
    let start: String = text.chars().take(SHOWN_CHARACTERS_MAX + 1).collect();
    shortened(&Value::from(start).to_string())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The most names that an explanation lists.
const LISTED_MAX: usize = 40;

/// Lists in an explanation the names that are known, of things called `noun`, after the one that was probably meant.
#[must_use]
pub fn listed<'a>(noun: &str, sent: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let names: Vec<&str> = known.clone().take(LISTED_MAX).collect();
    let more = known.clone().count() - names.len();
    let mut text = format!("known {noun}: {}", names.join(", "));
    if more > 0 {
        text = format!("{text} and {more} more");
    }
    match nearest(sent, known) {
        Some(meant) => format!("did you mean '{meant}'? {text}"),
        None => text,
    }
}

/// A mapping whose keys are all known.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    map: &'a Map<String, Value>,
    path: &'a Path<'a>,
}

impl<'a> Object<'a> {
    /// Opens a mapping whose keys are all among `known`.
    ///
    /// # Errors
    /// [`Invalid`] when the value is not an object, or has another key.
    pub fn open(value: &'a Value, path: &'a Path<'a>, known: &[&str]) -> Checked<Self> {
        let object = Self::open_any(value, path)?;
        match object.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Path::Key(path, key)
                .invalid_key("extra keys not allowed")
                .explained(listed("keys", key, known.iter().copied()))),
            None => Ok(object),
        }
    }

    /// Opens a mapping of any keys.
    ///
    /// # Errors
    /// [`Invalid`] when the value is none.
    pub fn open_any(value: &'a Value, path: &'a Path<'a>) -> Checked<Self> {
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            other => Err(path
                .invalid("expected a dictionary")
                .sent(other, "an object")),
        }
    }

    /// Checks the value of a key, if the key is there.
    ///
    /// # Errors
    /// What `check` says.
    pub fn optional<T>(&self, key: &str, check: impl Check<T>) -> Checked<Option<T>> {
        let value = self.map.get(key);
        value
            .map(|value| check(value, &Path::Key(self.path, key)))
            .transpose()
    }

    /// Insists on the outcome of [`optional`](Self::optional).
    ///
    /// It is a second step because a wrong value anywhere is reported before a missing key.
    ///
    /// # Errors
    /// [`Invalid`] when the key was missing.
    pub fn require<T>(&self, key: &str, found: Option<T>) -> Checked<T> {
        found.ok_or_else(|| Path::Key(self.path, key).invalid_key("required key not provided"))
    }

    /// Iterates over the keys and values.
    pub fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }
}

/// Checks every item of a list of at least `length_min` items.
///
/// # Errors
/// [`Invalid`] when the value is no list or too short, and what `check` says.
pub fn list<T>(
    value: &Value,
    path: &Path<'_>,
    length_min: usize,
    check: impl Check<T>,
) -> Checked<Vec<T>> {
    let Value::Array(items) = value else {
        return Err(path.invalid("expected a list").sent(value, "a list"));
    };
    if items.len() < length_min {
        let invalid = path.invalid(format!("length of value must be at least {length_min}"));
        return Err(invalid.explained(format!("the list has {} items", items.len())));
    }
    let checked = items
        .iter()
        .enumerate()
        .map(|(index, item)| check(item, &Path::Index(path, index)));
    checked.collect()
}

/// Takes a text.
///
/// # Errors
/// [`Invalid`] when the value is none.
pub fn string(value: &Value, path: &Path<'_>) -> Checked<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(path.invalid("expected str").sent(other, "a string")),
    }
}

/// Takes a text of at most so many characters.
///
/// # Errors
/// [`Invalid`] when the value is no text, or too long.
#[must_use]
pub fn string_up_to(characters_max: usize) -> impl Check<String> {
    move |value, path| {
        let text = string(value, path)?;
        let characters = text.chars().count();
        if characters > characters_max {
            let invalid = path.invalid(format!("length of value must be at most {characters_max}"));
            return Err(invalid.explained(format!(
                "got {}, which has {characters} characters",
                shown(value)
            )));
        }
        Ok(text)
    }
}

/// Takes a name of at most so many characters. An empty one has no address, so what it names could neither be shown nor deleted.
///
/// # Errors
/// [`Invalid`] when the value is no text, empty, or too long.
#[must_use]
pub fn name_up_to(characters_max: usize) -> impl Check<String> {
    move |value, path| {
        let name = string_up_to(characters_max)(value, path)?;
        if name.is_empty() {
            return Err(path.invalid("length of value must be at least 1"));
        }
        Ok(name)
    }
}

/// Lets null through as `None`.
///
/// # Errors
/// What `check` says.
pub fn nullable<T>(check: impl Check<T>) -> impl Check<Option<T>> {
    move |value, path| {
        if value.is_null() {
            return Ok(None);
        }
        check(value, path).map(Some)
    }
}

/// Takes a whole number of at least `minimum`; fractions are cut off, and texts that are numbers are read.
///
/// # Errors
/// [`Invalid`] when the value is no such number.
#[must_use]
pub fn whole_number(minimum: u64) -> impl Check<u64> {
    move |value, path| {
        let number = match value {
            Value::Number(number) => number
                .as_u64()
                .map(i128::from)
                .or_else(|| number.as_i64().map(i128::from))
                .or_else(|| number.as_f64().and_then(cut)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let refuse = |message: String| {
            let allowed = format!("a whole number of at least {minimum} (a fraction is cut off)");
            Err(path.invalid(message).sent(value, &allowed))
        };
        let Some(number) = number else {
            return refuse("expected int".to_owned());
        };
        match u64::try_from(number) {
            Ok(number) if number >= minimum => Ok(number),
            Err(_) if number > 0 => refuse(format!("value must be at most {}", u64::MAX)),
            _ => refuse(format!("value must be at least {minimum}")),
        }
    }
}

fn cut(number: f64) -> Option<i128> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked and the fraction is not wanted"
    )]
    (number.abs() < 1e30).then_some(number as i128)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::request::schema::*;

    fn told<T: fmt::Debug>(outcome: Checked<T>) -> (String, Vec<String>) {
        let invalid = outcome.unwrap_err();
        (invalid.to_string(), invalid.detail())
    }

    fn says(outcome: Checked<impl fmt::Debug>, reason: &str, detail: &[&str]) {
        let (told_reason, told_detail) = told(outcome);
        assert_eq!(told_reason, reason);
        assert_eq!(told_detail, detail, "{reason}");
    }

    fn policy(body: &Value) -> Checked<(String, Vec<u64>)> {
        let object = Object::open(body, &Path::Root, &["name", "points"])?;
        let name = object.optional("name", string_up_to(5))?;
        let points = object.optional("points", |value, path| {
            list(value, path, 1, |item, path| {
                let object = Object::open(item, path, &["n"])?;
                let number = object.optional("n", whole_number(1))?;
                object.require("n", number)
            })
        })?;
        Ok((
            object.require("name", name)?,
            object.require("points", points)?,
        ))
    }

    #[test]
    fn places_are_named() {
        says(policy(&json!([])), "expected a dictionary", &[]);
        says(
            policy(&json!({"cow": 1})),
            "extra keys not allowed @ data['cow']",
            &["cow"],
        );
        says(
            policy(&json!({"name": "x"})),
            "required key not provided @ data['points']",
            &["points"],
        );
        says(
            policy(&json!({"name": 5})),
            "expected str for dictionary value @ data['name']",
            &["name"],
        );
        says(
            policy(&json!({"points": "x"})),
            "expected a list for dictionary value @ data['points']",
            &["points"],
        );
        says(
            policy(&json!({"name": "longer", "points": []})),
            "length of value must be at most 5 for dictionary value @ data['name']",
            &["name"],
        );
        says(
            policy(&json!({"points": []})),
            "length of value must be at least 1 for dictionary value @ data['points']",
            &["points"],
        );
        says(
            policy(&json!({"points": [1]})),
            "expected a dictionary @ data['points'][0]",
            &["points", "0"],
        );
        says(
            policy(&json!({"points": [{"n": 0}]})),
            "value must be at least 1 for dictionary value @ data['points'][0]['n']",
            &["points", "0", "n"],
        );
        says(
            policy(&json!({"points": [{"it's": 0}]})),
            "extra keys not allowed @ data['points'][0][\"it's\"]",
            &["points", "0", "it's"],
        );
    }

    #[test]
    fn what_was_sent_and_what_is_allowed_is_said() {
        let check = |body: &Value, expected: &str| {
            let explanation = policy(body).unwrap_err().into_explanation().unwrap();
            assert_eq!(explanation, expected, "{body}");
        };
        check(&json!([1, 2]), "got [1,2]; expected an object");
        check(
            &json!([1, 2, 3, 4]),
            "got a list of 4 items; expected an object",
        );
        check(
            &json!({"nme": 1}),
            "did you mean 'name'? known keys: name, points",
        );
        check(&json!({"cow": 1}), "known keys: name, points");
        check(&json!({"name": 5}), "got 5; expected a string");
        check(
            &json!({"name": "longer"}),
            "got \"longer\", which has 6 characters",
        );
        check(
            &json!({"points": [{"n": "three"}]}),
            "got \"three\"; expected a whole number of at least 1 (a fraction is cut off)",
        );
        check(&json!({"points": []}), "the list has 0 items");
        let long = "é".repeat(1000);
        let shown = format!("\"{}...", "é".repeat(SHOWN_CHARACTERS_MAX - 1));
        check(
            &json!({"points": long}),
            &format!("got {shown}; expected a list"),
        );
    }

    #[test]
    fn whole_numbers_are_coerced() {
        let check = |value: Value, expected: Result<u64, &str>| {
            let outcome =
                whole_number(0)(&value, &Path::Root).map_err(|invalid| invalid.to_string());
            assert_eq!(
                outcome.as_ref().copied().map_err(String::as_str),
                expected,
                "{value}"
            );
        };
        check(json!(3), Ok(3));
        check(json!(1.9), Ok(1));
        check(json!("3"), Ok(3));
        check(json!(-0.5), Ok(0));
        check(json!(-1), Err("value must be at least 0"));
        check(json!("x"), Err("expected int"));
        check(json!(null), Err("expected int"));
        check(json!(true), Err("expected int"));
        check(json!(1e300), Err("expected int"));
        check(
            json!(1e25),
            Err("value must be at most 18446744073709551615"),
        );
    }
}
