//! Filters as text.

use carbonara::Timestamp;
use gnocchi_core::model::ResourceType;
use gnocchi_core::search::{Filter, SearchContext};

/// Whatever text there is, it is read or refused; what is read is printed as a text that is read as the same filter, and can be
/// checked against a type.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(filter) = text.parse::<Filter>() else {
        return;
    };
    let printed = filter.to_string();
    match printed.parse::<Filter>() {
        Ok(again) => assert_eq!(again, filter, "{text:?} is printed as {printed:?}"),
        Err(error) => panic!("{text:?} is printed as {printed:?}: {error:?}"),
    }
    let context = SearchContext {
        resource_type: &ResourceType::generic(),
        history: true,
        creator: Some("me"),
        now: Timestamp::EPOCH,
    };
    // Most names are unknown; what matters is that no value makes it panic.
    let _ = filter.bind(&context);
}
