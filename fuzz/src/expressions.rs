//! Expressions: no panic for any text, and what is read prints as something that reads back.

use carbonara::expression::{Expression, Grammar, Item, ParseErrorKind};

/// Text of expressions: it is read or refused with a place inside the text, and what is read is printed, as the same.
pub fn expression(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read: Expression = match text.parse() {
        Ok(read) => read,
        Err(error) => {
            let place = error.place.expect("text has places");
            assert!(text.is_char_boundary(place.offset));
            assert!(place.line <= text.len() + 1 && place.column <= text.len() + 1);
            assert!(!error.to_string().is_empty());
            // A list that is no expression is none either when it comes as one.
            match Item::parse(&text) {
                Ok(item) => assert!(Grammar::default().expression(&item).is_err()),
                Err(again) => assert!(matches!(again.kind, ParseErrorKind::Unreadable(_))),
            }
            return;
        }
    };
    let printed = read.to_string();
    let again: Expression = printed.parse().expect("our own text");
    // Not by equality, which NaN does not have.
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
    assert_eq!(again.to_string(), printed);
    assert_eq!(again.references(), read.references());
    let item = Item::parse(&printed).expect("our own text");
    assert_eq!(item.to_string(), printed);
}
