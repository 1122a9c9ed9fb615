//! SQLite.

use gnocchi_core::error::BackendErrorKind;
use gnocchi_core::search::{LikePart, like_parts};
use sqlx::error::DatabaseError;
use uuid::Uuid;

use super::Dialect;
use crate::sql::statement::Statement;

/// The dialect of SQLite.
pub(in crate::sql) const SQLITE: Sqlite = Sqlite;

#[derive(Debug, Clone, Copy)]
pub(in crate::sql) struct Sqlite;

/// Sets up to this size are spelt out as places, their number rounded up to a power of two so that few different statements
/// are prepared. Larger ones travel as one JSON text: any number of items makes one and the same statement.
const PLACES_MAX: usize = 8;

impl Dialect for Sqlite {
    fn driver(&self) -> &'static str {
        "sqlite"
    }

    fn migrations(&self) -> &'static [&'static str] {
        &[
            include_str!("../migrations/sqlite/0001_initial.sql"),
            include_str!("../migrations/sqlite/0002_search.sql"),
            include_str!("../migrations/sqlite/0003_revision_numbers.sql"),
            include_str!("../migrations/sqlite/0004_store.sql"),
        ]
    }

    fn push_ids(&self, statement: &mut Statement, ids: &mut dyn ExactSizeIterator<Item = Uuid>) {
        if ids.len() <= PLACES_MAX {
            push_places(statement, ids);
            return;
        }
        let mut document = String::with_capacity(2 + ids.len() * 35);
        for id in ids {
            document.push(if document.is_empty() { '[' } else { ',' });
            document.push('"');
            document.push_str(id.simple().encode_lower(&mut Uuid::encode_buffer()));
            document.push('"');
        }
        document.push(']');
        statement.push("(SELECT unhex(value) FROM json_each(");
        statement.push_value(document);
        statement.push("))");
    }

    fn push_texts(
        &self,
        statement: &mut Statement,
        texts: &mut dyn ExactSizeIterator<Item = &str>,
    ) {
        if texts.len() <= PLACES_MAX {
            push_places(statement, texts);
            return;
        }
        let document: serde_json::Value = texts.collect();
        statement.push("(SELECT value FROM json_each(");
        statement.push_value(document.to_string());
        statement.push("))");
    }

    fn push_named(&self, statement: &mut Statement, names: &mut dyn Iterator<Item = (Uuid, &str)>) {
        let document: serde_json::Value = names
            .map(|(id, name)| serde_json::json!([id.simple().to_string(), name]))
            .collect();
        statement.push("(SELECT unhex(value ->> 0) AS id, value ->> 1 AS name FROM json_each(");
        statement.push_value(document.to_string());
        statement.push("))");
    }

    fn push_attribute(&self, statement: &mut Statement, column: &str, name: &str) {
        // A JSON path cannot spell every name; looking at each entry can.
        let spellable =
            |character: char| character.is_ascii_alphanumeric() || "-_. ".contains(character);
        if name.chars().all(spellable) {
            statement.push("json_extract(");
            statement.push(column);
            statement.push(", ");
            statement.push_value(format!("$.\"{name}\""));
            statement.push(")");
        } else {
            statement.push("(SELECT value FROM json_each(");
            statement.push(column);
            statement.push(") WHERE key = ");
            statement.push_value(name);
            statement.push(")");
        }
    }

    fn json_row(&self) -> &'static str {
        "json_array"
    }

    fn json_list(&self) -> &'static str {
        "json_group_array"
    }

    fn hexadecimal(&self) -> &'static str {
        "hex"
    }

    fn named_metrics(&self) -> &'static str {
        // Joined with nothing it is a text among others, and not a part of the document around it.
        "json_group_object(metric.name, hex(metric.id)) || ''"
    }

    fn push_like(&self, statement: &mut Statement, pattern: &str) {
        // LIKE of SQLite takes no notice of case, GLOB does.
        let mut glob = String::with_capacity(pattern.len());
        for part in like_parts(pattern) {
            match part {
                LikePart::AnyText => glob.push('*'),
                LikePart::AnyCharacter => glob.push('?'),
                LikePart::Literal(special @ ('*' | '?' | '[')) => {
                    glob.extend(['[', special, ']']);
                }
                LikePart::Literal(other) => glob.push(other),
            }
        }
        statement.push(" GLOB ");
        statement.push_value(glob);
    }

    fn push_before_colon(&self, statement: &mut Statement, column: &str) {
        statement.push(&format!(
            "CASE instr({column}, ':') WHEN 0 THEN {column} ELSE substr({column}, 1, instr({column}, ':') - 1) END"
        ));
    }

    fn push_after_colon(&self, statement: &mut Statement, column: &str) {
        statement.push(&format!(
            "CASE instr({column}, ':') WHEN 0 THEN '' ELSE substr({column}, instr({column}, ':') + 1) END"
        ));
    }

    fn push_changed_attributes(
        &self,
        statement: &mut Statement,
        column: &str,
        fills: String,
        removed: String,
    ) {
        // A merge patch (RFC 7396) overwrites what it names and removes what it gives null; values are never objects.
        statement.push("json_patch(json_patch(");
        statement.push_value(fills);
        statement.push(", ");
        statement.push(column);
        statement.push("), ");
        statement.push_value(removed);
        statement.push(")");
    }

    fn file_check(&self) -> &'static str {
        "PRAGMA integrity_check"
    }

    fn reference_check(&self) -> &'static str {
        "SELECT broken.\"table\", broken.\"rowid\", broken.parent, reference.\"from\" \
         FROM pragma_foreign_key_check AS broken \
         LEFT JOIN pragma_foreign_key_list(broken.\"table\") AS reference ON reference.id = broken.fkid \
         LIMIT 100"
    }

    fn attribute_index_check(&self) -> &'static str {
        "SELECT resource.rowid, entry.key \
         FROM resource, json_each(iif(json_valid(resource.attributes), resource.attributes, '{}')) AS entry \
         LEFT JOIN resource_attribute AS hit ON hit.type = resource.resource_type AND hit.attribute = entry.key \
         AND hit.value = entry.value AND hit.resource_id = resource.id \
         WHERE entry.value IS NOT NULL AND hit.type IS NULL LIMIT 100"
    }

    fn error_kind(&self, error: &dyn DatabaseError) -> BackendErrorKind {
        const NO_SCHEMA: &str = "no such table";
        let code = error
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .unwrap_or_default();
        // The low byte is the primary code: https://www.sqlite.org/rescode.html
        match code & 0xff {
            // Without `upgrade` there are no tables.
            1 if error.message().starts_with(NO_SCHEMA) => BackendErrorKind::Config,
            // PERM, AUTH
            3 | 23 => BackendErrorKind::Denied,
            // READONLY
            8 => BackendErrorKind::ReadOnly,
            // BUSY, LOCKED: another connection held the lock for too long.
            5 | 6 => BackendErrorKind::Conflict,
            // CORRUPT, NOTADB, and of IOERR: DATA, CORRUPTFS
            11 | 26 => BackendErrorKind::Corrupt,
            10 if matches!(code >> 8, 32 | 33) => BackendErrorKind::Corrupt,
            // INTERRUPT, IOERR: what was written is written again by the next attempt, so it may succeed.
            9 | 10 => BackendErrorKind::Unavailable,
            // FULL
            13 => BackendErrorKind::Full,
            // CANTOPEN
            14 => BackendErrorKind::Config,
            _ => BackendErrorKind::Unexpected,
        }
    }
}

fn push_places<T>(statement: &mut Statement, items: &mut dyn ExactSizeIterator<Item = T>)
where
    T: Into<crate::sql::statement::Value>,
{
    let places = items.len().next_power_of_two();
    let values: Vec<crate::sql::statement::Value> = items.map(Into::into).collect();
    let last = values.last().cloned();
    let padded = values
        .into_iter()
        .chain(last.into_iter().cycle())
        .take(places);
    statement.push("(");
    statement.push_list(", ", padded, |statement, value| {
        statement.push("?");
        statement.values.push(value);
    });
    statement.push(")");
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
