//! The one statement of the query language of `InfluxDB` that senders begin with.

use winnow::Parser;
use winnow::ascii::{Caseless, multispace0, multispace1, take_escaped};
use winnow::combinator::{alt, delimited, opt};
use winnow::error::EmptyError;
use winnow::token::{any, one_of, take_till, take_while};

/// A statement that means something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A database is created unless it exists.
    CreateDatabase {
        /// Its name.
        name: String,
    },
}

/// Reads a statement; `None` when it is any other.
#[must_use]
pub fn statement(text: &str) -> Option<Statement> {
    let words = (
        multispace0,
        Caseless("create"),
        multispace1,
        Caseless("database"),
        multispace1,
    );
    let end = (multispace0, opt((';', multispace0)));
    let name = delimited(words, name, end).parse(text).ok()?;
    Some(Statement::CreateDatabase { name })
}

fn name(input: &mut &str) -> Result<String, EmptyError> {
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let more = take_while(0.., move |c: char| letter(c) || c.is_numeric());
    let plain = (one_of(letter), more).take().map(ToOwned::to_owned);
    let inside = take_escaped(take_till(1.., ['"', '\\']), '\\', any);
    let quoted = delimited('"', inside, '"')
        .map(|raw: &str| raw.replace("\\\"", "\"").replace("\\\\", "\\"))
        .verify(|name: &String| !name.is_empty());
    alt((quoted, plain)).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creating_a_database_is_understood() {
        let check = |text: &str, expected: Option<&str>| {
            let name = statement(text).map(|Statement::CreateDatabase { name }| name);
            assert_eq!(name.as_deref(), expected, "{text}");
        };
        check("create database influxdbtest", Some("influxdbtest"));
        check("CREATE  Database _x9;", Some("_x9"));
        check(" create database \"my db\" ; ", Some("my db"));
        check(r#"create database "say \"hi\"""#, Some(r#"say "hi""#));
        check("create database größe", Some("größe"));
        check("create database", None);
        check("create database ", None);
        check("create database \"\"", None);
        check("create database 9x", None);
        check("create database a-b", None);
        check("create database a with duration 1d", None);
        check("create database a; drop database b", None);
        check("createdatabase a", None);
        check("select metrics plz", None);
        check("", None);
    }
}
