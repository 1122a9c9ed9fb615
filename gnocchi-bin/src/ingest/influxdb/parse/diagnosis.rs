//! Why a line cannot be read: a second, slow look at one that was refused.

use std::fmt;

use winnow::Parser;
use winnow::ascii::{space0, space1};

use super::name::{key, measurement, string};
use super::value::value;
use crate::ingest::shortened;

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The character that cannot be read, counted from one.
    pub column: usize,
    /// Why.
    pub cause: Cause,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It begins with a comma or a space.
    NoMeasurement,
    /// After a comma behind the measurement, or behind another tag, there is no name.
    NoTagName,
    /// The name of a tag has no equals sign and value behind it.
    NoTagValue {
        /// The name.
        tag: String,
    },
    /// There is nothing behind measurement and tags.
    NoFields,
    /// Where a field should begin there is no name.
    NoFieldName,
    /// The name of a field has no equals sign behind it.
    NoFieldValue {
        /// The name.
        field: String,
    },
    /// The value of a field is of no type of the protocol.
    Value {
        /// The field.
        field: String,
        /// The value.
        value: String,
    },
    /// A string has no closing quote.
    OpenString {
        /// The field whose value it is.
        field: String,
    },
    /// What stands behind the fields is not a timestamp.
    Timestamp {
        /// What stands there.
        text: String,
    },
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        match &self.cause {
            Cause::NoMeasurement => write!(f, "a measurement is expected"),
            Cause::NoTagName => write!(f, "the name of a tag is expected"),
            Cause::NoTagValue { tag } => {
                write!(f, "the tag {tag} needs a value: {tag}=VALUE")
            }
            Cause::NoFields => write!(
                f,
                "a space and at least one field are expected: MEASUREMENT,TAG=VALUE FIELD=1.5"
            ),
            Cause::NoFieldName => write!(f, "the name of a field is expected"),
            Cause::NoFieldValue { field } => {
                write!(f, "the field {field} needs a value: {field}=1.5")
            }
            Cause::Value { field, value } => write!(
                f,
                "the value {value} of the field {field} is neither a number (1.5, 7i, 7u), nor a boolean, nor a string in double quotes"
            ),
            Cause::OpenString { field } => {
                write!(
                    f,
                    "the string of the field {field} has no closing double quote"
                )
            }
            Cause::Timestamp { text } => write!(
                f,
                "{text} is not a timestamp: a whole number is expected, and nothing behind it"
            ),
        }
    }
}

/// Finds out why a line cannot be read. It may be the beginning of all that follows.
pub(in crate::ingest::influxdb) fn diagnose(line: &str) -> Diagnosis {
    let mut rest = line;
    let cause = cause(&mut rest);
    Diagnosis {
        column: line[..line.len() - rest.len()].chars().count() + 1,
        cause,
    }
}

/// Reads as far as a line can be read, and says what stands there.
fn cause(rest: &mut &str) -> Cause {
    skip_spaces(rest);
    if measurement(rest).is_err() {
        return Cause::NoMeasurement;
    }
    while let Some(behind) = rest.strip_prefix(',') {
        *rest = behind;
        let Ok(tag) = key(rest) else {
            return Cause::NoTagName;
        };
        if !skip_value(rest) {
            let tag = shortened(&tag.text()).into_owned();
            return Cause::NoTagValue { tag };
        }
    }
    if space1::<_, winnow::error::EmptyError>
        .parse_next(rest)
        .is_err()
        || is_end(rest)
    {
        return Cause::NoFields;
    }
    loop {
        let Ok(field) = key(rest) else {
            return Cause::NoFieldName;
        };
        let field = shortened(&field.text()).into_owned();
        let Some(behind) = rest.strip_prefix('=') else {
            return Cause::NoFieldValue { field };
        };
        *rest = behind;
        if rest.starts_with('"') {
            let begin = *rest;
            if string(rest).is_err() {
                *rest = begin;
                return Cause::OpenString { field };
            }
        } else {
            let written = word(rest, &[',', ' ', '\n', '\r']);
            if written.is_empty() {
                return Cause::NoFieldValue { field };
            }
            if value(written).is_none() {
                let value = shortened(written).into_owned();
                return Cause::Value { field, value };
            }
            *rest = &rest[written.len()..];
        }
        match rest.strip_prefix(',') {
            Some(behind) => *rest = behind,
            None => break,
        }
    }
    skip_spaces(rest);
    // What can be read as one is followed by something else.
    let text = word(rest, &['\n', '\r']).trim_end();
    Cause::Timestamp {
        text: shortened(text).into_owned(),
    }
}

fn skip_spaces(rest: &mut &str) {
    let _ = space0::<_, winnow::error::EmptyError>.parse_next(rest);
}

fn skip_value(rest: &mut &str) -> bool {
    let Some(behind) = rest.strip_prefix('=') else {
        return false;
    };
    *rest = behind;
    key(rest).is_ok()
}

fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['\n', '\r'])
}

/// Returns what a text begins with, up to one of some characters.
fn word<'a>(text: &'a str, ends: &[char]) -> &'a str {
    &text[..text.find(ends).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_found() {
        let check = |line: &str, expected: &str| {
            assert_eq!(diagnose(line).to_string(), expected, "{line}");
        };
        check(
            "cpu,host=a",
            "column 11: a space and at least one field are expected: MEASUREMENT,TAG=VALUE FIELD=1.5",
        );
        check(
            "cpu,host=a \nm f=1",
            "column 12: a space and at least one field are expected: MEASUREMENT,TAG=VALUE FIELD=1.5",
        );
        check(
            "cpu,host=a usage=abc",
            "column 18: the value abc of the field usage is neither a number (1.5, 7i, 7u), nor a boolean, nor a string in double quotes",
        );
        check(
            "cpu,host=a usage=\"open 5",
            "column 18: the string of the field usage has no closing double quote",
        );
        check(
            "cpu,host=é usage=1 5 extra\nm f=1",
            "column 20: 5 extra is not a timestamp: a whole number is expected, and nothing behind it",
        );
        check(
            "cpu usage=1 1.5",
            "column 13: 1.5 is not a timestamp: a whole number is expected, and nothing behind it",
        );
        check(",host=a usage=1", "column 1: a measurement is expected");
        check(
            "cpu,host= usage=1",
            "column 10: the tag host needs a value: host=VALUE",
        );
        check(
            "cpu,host usage=1",
            "column 9: the tag host needs a value: host=VALUE",
        );
        check(
            "cpu,host=a,,b=c usage=1",
            "column 12: the name of a tag is expected",
        );
        check(
            "cpu usage=99999999999999999999i",
            "column 11: the value 99999999999999999999i of the field usage is neither a number (1.5, 7i, 7u), nor a boolean, nor a string in double quotes",
        );
        check(
            "cpu usage",
            "column 10: the field usage needs a value: usage=1.5",
        );
        check(
            "cpu usage=",
            "column 11: the field usage needs a value: usage=1.5",
        );
        check("cpu usage=1,", "column 13: the name of a field is expected");
    }
}
