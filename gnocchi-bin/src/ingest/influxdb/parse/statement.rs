//! The statements of `InfluxDB` that senders begin with.

use winnow::Parser;
use winnow::ascii::{Caseless, digit1, multispace0, multispace1, take_escaped};
use winnow::combinator::{alt, delimited, opt, preceded, repeat, separated_pair};
use winnow::error::EmptyError;
use winnow::token::{any, one_of, take_till, take_while};

/// A statement that means something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A database is created unless it exists.
    CreateDatabase {
        /// Its name.
        name: String,
        /// How long it would keep what, as the statement says it.
        options: Option<String>,
    },
    /// The databases are listed.
    ShowDatabases,
}

/// Reads a statement; `None` when it is any other.
#[must_use]
pub fn statement(text: &str) -> Option<Statement> {
    let end = (multispace0, opt((';', multispace0)));
    let statement = alt((create_database, show_databases));
    delimited(multispace0, statement, end).parse(text).ok()
}

fn create_database(input: &mut &str) -> Result<Statement, EmptyError> {
    (
        keyword("create"),
        multispace1,
        keyword("database"),
        multispace1,
    )
        .void()
        .parse_next(input)?;
    // The first versions had this.
    let unless = (
        keyword("if"),
        multispace1,
        keyword("not"),
        multispace1,
        keyword("exists"),
        multispace1,
    );
    opt(unless).parse_next(input)?;
    let name = name(input)?;
    let with = (
        keyword("with"),
        repeat::<_, _, (), _, _>(1.., preceded(multispace1, option)),
    );
    let options = opt(preceded(multispace1, with.take())).parse_next(input)?;
    Ok(Statement::CreateDatabase {
        name,
        options: options.map(ToOwned::to_owned),
    })
}

fn show_databases(input: &mut &str) -> Result<Statement, EmptyError> {
    (keyword("show"), multispace1, keyword("databases"))
        .void()
        .parse_next(input)?;
    Ok(Statement::ShowDatabases)
}

/// Takes one option of a database.
fn option(input: &mut &str) -> Result<(), EmptyError> {
    let limit = |word| separated_pair(keyword(word), multispace1, keyword("limit"));
    let span = |word| (keyword(word), multispace1, duration).void();
    alt((
        span("duration"),
        (keyword("replication"), multispace1, digit1).void(),
        (keyword("shard"), multispace1, span("duration")).void(),
        (alt((limit("past"), limit("future"))), multispace1, duration).void(),
        (keyword("name"), multispace1, name).void(),
    ))
    .parse_next(input)
}

/// Takes a duration as in `1h30m`, or one without end.
fn duration(input: &mut &str) -> Result<(), EmptyError> {
    let unit = alt(("ns", "ms", "u", "µ", "s", "m", "h", "d", "w"));
    let part = (digit1, unit);
    alt((
        keyword("inf"),
        repeat::<_, _, (), _, _>(1.., part),
        digit1.void(),
    ))
    .parse_next(input)
}

/// Takes a word in any case.
fn keyword<'a>(word: &'static str) -> impl Parser<&'a str, (), EmptyError> {
    Caseless(word).void()
}

fn name(input: &mut &str) -> Result<String, EmptyError> {
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let more = take_while(0.., move |c: char| letter(c) || c.is_numeric());
    let plain = (one_of(letter), more).take().map(ToOwned::to_owned);
    let inside = take_escaped(take_till(1.., ['"', '\\']), '\\', any);
    let quoted = delimited('"', inside, '"')
        .map(|raw: &str| raw.replace("\\\"", "\"").replace("\\\\", "\\"));
    alt((quoted, plain)).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name and the options of a database that is created.
    fn created(text: &str) -> Option<(String, Option<String>)> {
        match statement(text)? {
            Statement::CreateDatabase { name, options } => Some((name, options)),
            Statement::ShowDatabases => None,
        }
    }

    #[test]
    fn creating_a_database_is_understood() {
        let check = |text: &str, expected: Option<&str>| {
            let name = created(text).map(|(name, _)| name);
            assert_eq!(name.as_deref(), expected, "{text}");
        };
        check("create database influxdbtest", Some("influxdbtest"));
        check("CREATE  Database _x9;", Some("_x9"));
        check(" create database \"my db\" ; ", Some("my db"));
        check(r#"create database "say \"hi\"""#, Some(r#"say "hi""#));
        check("create database größe", Some("größe"));
        check("create database if not exists a", Some("a"));
        check("create database", None);
        check("create database ", None);
        // Refused as a name, not as a statement.
        check("create database \"\"", Some(""));
        check("create database 9x", None);
        check("create database a-b", None);
        check("create database a; drop database b", None);
        check("create database a b", None);
        check("createdatabase a", None);
        check("select metrics plz", None);
        check("", None);
    }

    #[test]
    fn options_of_a_database_are_taken() {
        let check = |options: &str, expected: bool| {
            let created = created(&format!("create database \"a\" {options}"));
            let expected = expected.then(|| ("a".to_owned(), Some(options.to_owned())));
            assert_eq!(created, expected, "{options}");
        };
        check("with duration 30d replication 1 name \"x\"", true);
        check(
            "WITH DURATION INF REPLICATION 2 SHARD DURATION 1h30m NAME autogen",
            true,
        );
        check("with past limit 1w future limit 10ms", true);
        check("with name x", true);
        check("with", false);
        check("with duration", false);
        check("with duration 3y", false);
        check("with colour red", false);
    }

    #[test]
    fn listing_databases_is_understood() {
        for text in ["show databases", "SHOW DATABASES;", "  Show\n databases "] {
            assert_eq!(statement(text), Some(Statement::ShowDatabases), "{text}");
        }
        for text in ["show databases x", "showdatabases", "show database"] {
            assert_eq!(statement(text), None, "{text}");
        }
    }
}
