//! What is said for people of an expression that cannot be read: what stands at the wrong place, and what may stand there.

use std::fmt::Display;

use carbonara::expression::{
    BinaryFunction, CellMethod, InvalidOperation, Item, ParseError, ParseErrorKind, ResampleMethod,
    UnaryFunction,
};
use gnocchi_core::text::{method, nearest::nearest};

use crate::api::request::schema::shown_text;
use crate::api::response::explanation::RESAMPLED_TO;

/// Operations that are not functions of numbers, and how they are written.
const FORMS: [(&str, &str); 7] = [
    (
        "metric",
        "(metric NAME METHOD), or a pair (NAME METHOD) for each metric",
    ),
    ("aggregate", "(aggregate METHOD OPERATION)"),
    ("rolling", "(rolling METHOD ROWS OPERATION)"),
    ("resample", "(resample METHOD SPAN OPERATION)"),
    ("rateofchange", "(rateofchange OPERATION)"),
    ("rateofchangesec", "(rateofchangesec OPERATION)"),
    (
        "clip",
        "(clip OPERATION LOWEST HIGHEST), the last one optional",
    ),
];

/// Names of statistics, of which each operation knows some.
const STATISTICS: [&str; 11] = [
    "mean", "median", "std", "min", "max", "sum", "var", "count", "nunique", "first", "last",
];

/// Explains why an expression cannot be read.
pub(super) fn explanation(error: &ParseError, whole: &Item) -> String {
    let ParseErrorKind::InvalidOperation { reason, .. } = &error.kind else {
        return error.to_string();
    };
    let found = at(whole, &error.path);
    let more = match reason {
        InvalidOperation::UnknownName => unknown_operation(found),
        InvalidOperation::UnknownAggregation => {
            let operation = error
                .path
                .split_last()
                .and_then(|(_, list)| head(at(whole, list)));
            unknown_method(operation, found)
        }
        InvalidOperation::ArgumentCount => match head(found).and_then(form) {
            Some(form) => format!("it is written {form}"),
            None => return error.to_string(),
        },
        InvalidOperation::Window | InvalidOperation::NotAnOperand => {
            format!("got {}", shown(found))
        }
        InvalidOperation::Timespan => {
            format!("got {}; expected {RESAMPLED_TO}", shown(found))
        }
        _ => return error.to_string(),
    };
    format!("{error}: {more}")
}

/// Returns what stands at a place of a list.
fn at<'a>(whole: &'a Item, path: &[usize]) -> Option<&'a Item> {
    path.iter().try_fold(whole, |item, index| match item {
        Item::List(items) => items.get(*index),
        _ => None,
    })
}

/// Returns the name of an operation.
fn head(operation: Option<&Item>) -> Option<&str> {
    match operation {
        Some(Item::List(items)) => match items.first() {
            Some(Item::Word(name)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn shown(item: Option<&Item>) -> String {
    item.map_or_else(
        || "nothing".to_owned(),
        |item| shown_text(&item.to_string()),
    )
}

fn texts<T: Display>(all: impl Iterator<Item = T>) -> Vec<String> {
    all.map(|one| one.to_string()).collect()
}

fn unknown_operation(found: Option<&Item>) -> String {
    let functions = texts(UnaryFunction::all());
    let operators = texts(BinaryFunction::all());
    let names: Vec<&str> = FORMS
        .iter()
        .map(|(name, _)| *name)
        .chain(functions.iter().chain(&operators).map(String::as_str))
        .collect();
    let known = format!("known operations: {}", names.join(", "));
    match found {
        Some(Item::Word(name)) => match nearest(name, names) {
            Some(meant) => format!("got {}; did you mean '{meant}'? {known}", shown_text(name)),
            None => format!("got {}; {known}", shown_text(name)),
        },
        _ => format!("an operation begins with its name; {known}"),
    }
}

fn unknown_method(operation: Option<&str>, found: Option<&Item>) -> String {
    let is_resample = operation == Some("resample");
    let is_known = |name: &str| {
        if is_resample {
            name.parse::<ResampleMethod>().is_ok()
        } else {
            name.parse::<CellMethod>().is_ok()
        }
    };
    let mut names: Vec<&str> = STATISTICS
        .into_iter()
        .filter(|name| is_known(name))
        .collect();
    if is_known("95pct") {
        names.push("1pct to 99pct");
    }
    let known = format!(
        "expected {}; rate:mean and the like take the differences between rows",
        names.join(", ")
    );
    let meant = match found {
        Some(Item::Word(name)) => method::meant(name).map(|meant| meant.to_string()),
        _ => None,
    };
    match meant.filter(|meant| is_known(meant)) {
        Some(meant) => format!("got {}; did you mean '{meant}'? {known}", shown(found)),
        None => format!("got {}; {known}", shown(found)),
    }
}

/// Returns how an operation is written.
fn form(name: &str) -> Option<String> {
    if let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == name) {
        return Some((*form).to_owned());
    }
    let is_unary = name.parse::<UnaryFunction>().is_ok();
    let is_binary = name.parse::<BinaryFunction>().is_ok();
    match (is_unary, is_binary) {
        (true, _) => Some(format!("({name} OPERATION)")),
        (_, true) => Some(format!("({name} LEFT RIGHT)")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use carbonara::expression::Grammar;

    use super::*;

    #[test]
    fn what_stands_there_and_what_may_stand_there() {
        let check = |text: &str, expected: &str| {
            let item = Item::parse(text).unwrap();
            let error = Grammar::default().expression(&item).unwrap_err();
            let explanation = explanation(&error, &item);
            assert!(explanation.contains(expected), "{text}: {explanation}");
        };
        check(
            "(resample foo 86400 (metric x mean))",
            "(at [1]): got \"foo\"; expected mean, median, std, min, max, sum, var, count",
        );
        check(
            "(abs (resample avg 60 (metric x mean)))",
            "did you mean 'mean'?",
        );
        check("(resample p95 60 (metric x mean))", "did you mean '95pct'?");
        check("(aggregate maximum (metric x mean))", "did you mean 'max'?");
        check(
            "(aggregate p95 (metric x mean))",
            "got \"p95\"; expected mean",
        );
        check(
            "(resampl mean 60 (metric x mean))",
            "got \"resampl\"; did you mean 'resample'? known operations: metric, aggregate",
        );
        check("((metric x mean) 2)", "an operation begins with its name");
        check(
            "(resample mean (metric x mean))",
            "it is written (resample METHOD SPAN OPERATION)",
        );
        check("(+ 1 2 3)", "it is written (+ LEFT RIGHT)");
        check("(abs 1 2)", "it is written (abs OPERATION)");
        check("(rolling mean x (metric x mean))", "got \"x\"");
        check(
            "(resample mean month (metric x mean))",
            "got \"month\"; expected seconds",
        );
        check("(+ soon 2)", "got \"soon\"");
    }
}
