//! Counters that a processing member tells the others.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value};

/// What this process has done since it started.
///
/// The names are those that clients of the status call know; times are in seconds.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    counters: Mutex<BTreeMap<&'static str, f64>>,
}

impl Statistics {
    /// Adds to a counter and to the time spent on it.
    pub(crate) fn add(
        &self,
        counter: &'static str,
        time_counter: &'static str,
        count: usize,
        elapsed: Duration,
    ) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "counters for people; 2^53 is out of reach"
        )]
        let count = count as f64;
        let mut counters = self.counters.lock();
        *counters.entry(counter).or_default() += count;
        *counters.entry(time_counter).or_default() += elapsed.as_secs_f64();
    }

    /// Writes the counters as this member's capabilities in the group.
    pub(crate) fn to_capabilities(&self) -> Bytes {
        let counters = self.counters.lock();
        let object: Map<String, Value> = counters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        Bytes::from(Value::Object(object).to_string())
    }

    /// Reads the counters of another member; what can't be read is left out.
    pub(crate) fn from_capabilities(capabilities: &[u8]) -> BTreeMap<String, f64> {
        let object: Map<String, Value> = serde_json::from_slice(capabilities).unwrap_or_default();
        object
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_f64()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_travel_through_the_group() {
        let statistics = Statistics::default();
        statistics.add(
            "splits update",
            "splits update time",
            3,
            Duration::from_millis(500),
        );
        statistics.add(
            "splits update",
            "splits update time",
            4,
            Duration::from_millis(250),
        );
        let read = Statistics::from_capabilities(&statistics.to_capabilities());
        let expected = [
            ("splits update".to_owned(), 7.0),
            ("splits update time".to_owned(), 0.75),
        ];
        assert_eq!(read, BTreeMap::from(expected));
        assert!(Statistics::from_capabilities(b"\xff").is_empty());
    }
}
