//! Settings.

use std::num::NonZeroU16;
use std::path::PathBuf;

use gnocchi_core::driver::{SACKS_DEFAULT, SackCount};
use gnocchi_core::memory::PENDING_BYTES_MAX_DEFAULT;
use serde::{Deserialize, Serialize};

use crate::disk::RESERVE_BYTES_DEFAULT;
use crate::option::{DriverOption, ValueKind};

/// When a commit of the storage is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// With the next append or acknowledgement that is: right as long as the measures come from the incoming driver of the same
    /// directory. A power failure that takes a commit back takes back the acknowledgement of its measures too, because both
    /// stand in one journal, in that order.
    #[default]
    WithIncoming,
    /// Before the commit returns: for measures that are kept elsewhere.
    EachCommit,
}

/// How the embedded database is set up.
///
/// The sizes of memory that a table may take are recorded when a database is created; later changes of them have no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// The directory of the database; created when absent.
    pub path: PathBuf,
    /// The number of sacks of a new database. An existing one keeps its number.
    #[serde(default = "sacks")]
    pub sacks: NonZeroU16,
    /// How much may wait to be folded, in bytes of memory; appends are refused beyond.
    #[serde(default = "pending_bytes_max")]
    pub pending_bytes_max: usize,
    /// When a commit is on the disk.
    #[serde(default)]
    pub durability: Durability,
    /// How much of what was read stays in memory, in bytes.
    #[serde(default = "cache_bytes")]
    pub cache_bytes: u64,
    /// How much of the log of measures is gathered in memory before it becomes a file, in bytes.
    #[serde(default = "log_memory_bytes")]
    pub log_memory_bytes: u64,
    /// How many frames are gathered in memory before they become a file, in bytes.
    #[serde(default = "frames_memory_bytes")]
    pub frames_memory_bytes: u64,
    /// How large the journal may become, in bytes; at least 64 MiB. A larger one makes opening after a crash slower.
    #[serde(default = "journal_bytes_max")]
    pub journal_bytes_max: u64,
    /// How much of the file system stays free, in bytes, though at most a tenth of it: new measures are refused before less is
    /// left. Zero reserves nothing; then a full disk makes the engine fail, which it comes back from.
    #[serde(default = "disk_reserve_bytes")]
    pub disk_reserve_bytes: u64,
    /// The number of threads that write and merge files in the background.
    #[serde(default = "background_threads")]
    pub background_threads: NonZeroU16,
}

/// The options of `[storage]` in a configuration file.
pub const STORAGE_OPTIONS: [DriverOption; 3] = [
    DriverOption {
        name: "data_dir",
        kind: ValueKind::Path,
        default: Some("gnocchi-data"),
        help: "data directory; created if it does not exist",
        secret: false,
    },
    DriverOption {
        name: "block_cache_bytes",
        kind: ValueKind::Bytes(0, u64::MAX),
        default: Some("16M"),
        help: "memory for the cache of stored blocks",
        secret: false,
    },
    DriverOption {
        name: "disk_reserve_bytes",
        kind: ValueKind::Bytes(0, u64::MAX),
        default: Some("256M"),
        help: "free space below which new data is refused with 507, at most a tenth of the file \
            system; half of it is reserved for folding and deleting. 0 reserves nothing",
        secret: false,
    },
];

/// The options of `[incoming]` in a configuration file.
pub const INCOMING_OPTIONS: [DriverOption; 2] = [
    DriverOption {
        name: "max_pending_bytes",
        kind: ValueKind::Bytes(1, u64::MAX),
        default: Some("256M"),
        help: "maximum memory for pending measures; above it, clients get 503",
        secret: false,
    },
    DriverOption {
        name: "sacks",
        kind: ValueKind::Integer(1, 65_535),
        default: Some("32"),
        help: "number of sacks, the shares of the work, in a new data directory; an existing one keeps its number",
        secret: false,
    },
];

/// The smallest journal that the engine takes.
const JOURNAL_BYTES_MIN: u64 = 64 << 20;

/// How many sacks a new database has: within one process a sack is only what one task folds at a time, so there need not be more
/// than a machine has cores; and each turn on a sack costs something however little is in it.
const SACKS: NonZeroU16 = NonZeroU16::new(32).expect("32 is not zero");

fn sacks() -> NonZeroU16 {
    SACKS
}

fn pending_bytes_max() -> usize {
    PENDING_BYTES_MAX_DEFAULT
}

fn cache_bytes() -> u64 {
    16 << 20
}

fn log_memory_bytes() -> u64 {
    16 << 20
}

fn frames_memory_bytes() -> u64 {
    // The newest frames of a metric are replaced again and again; what is replaced in memory is never written to a file.
    48 << 20
}

fn journal_bytes_max() -> u64 {
    4 * JOURNAL_BYTES_MIN
}

fn disk_reserve_bytes() -> u64 {
    RESERVE_BYTES_DEFAULT
}

fn background_threads() -> NonZeroU16 {
    // One writes files while the other merges them.
    NonZeroU16::new(2).unwrap_or(NonZeroU16::MIN)
}

impl EmbeddedConfig {
    /// Makes the default settings for a directory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            sacks: sacks(),
            pending_bytes_max: pending_bytes_max(),
            durability: Durability::default(),
            cache_bytes: cache_bytes(),
            log_memory_bytes: log_memory_bytes(),
            frames_memory_bytes: frames_memory_bytes(),
            journal_bytes_max: journal_bytes_max(),
            disk_reserve_bytes: disk_reserve_bytes(),
            background_threads: background_threads(),
        }
    }

    /// Returns the number of sacks of a new database.
    pub(super) fn sack_count(&self) -> SackCount {
        SackCount::new(self.sacks.get()).unwrap_or(SACKS_DEFAULT)
    }

    /// Returns how large the journal may become, as the engine takes it.
    pub(super) fn journal_bytes(&self) -> u64 {
        self.journal_bytes_max.max(JOURNAL_BYTES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_settings_have_the_documented_defaults() {
        let config: EmbeddedConfig =
            serde_json::from_str(r#"{"path": "/var/lib/gnocchi"}"#).unwrap();
        assert_eq!(config, EmbeddedConfig::new("/var/lib/gnocchi"));
        assert_eq!(config.sack_count().count(), SACKS.get());
        assert_eq!(config.durability, Durability::WithIncoming);
    }

    /// Writes a default as the table of the documentation does.
    fn shown(value: &serde_json::Value, name: &str) -> String {
        match value.as_u64() {
            Some(number) if name.contains("bytes") => format!("{} MiB", number >> 20),
            Some(number) => number.to_string(),
            None => format!("`{}`", value.as_str().unwrap()),
        }
    }

    #[test]
    fn the_documented_defaults_are_the_real_ones() {
        let table: Vec<Vec<&str>> = include_str!("docs.md")
            .lines()
            .skip_while(|line| !line.starts_with("| setting |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        let documented: std::collections::BTreeMap<String, String> = table
            .iter()
            .map(|row| (row[1].trim_matches('`').to_owned(), row[2].to_owned()))
            .collect();
        let serde_json::Value::Object(config) =
            serde_json::to_value(EmbeddedConfig::new("")).unwrap()
        else {
            panic!("a struct is an object")
        };
        let real = config
            .iter()
            .map(|(name, value)| match name.as_str() {
                "path" => (name.clone(), String::new()),
                _ => (name.clone(), shown(value, name)),
            })
            .collect();
        assert_eq!(documented, real);
    }

    #[test]
    fn unknown_and_impossible_settings_are_refused() {
        let check = |text: &str| {
            assert!(
                serde_json::from_str::<EmbeddedConfig>(text).is_err(),
                "{text}"
            );
        };
        check("{}");
        check(r#"{"path": "p", "sack": 3}"#);
        check(r#"{"path": "p", "sacks": 0}"#);
        check(r#"{"path": "p", "durability": "never"}"#);
    }

    #[test]
    fn a_journal_is_never_smaller_than_the_engine_takes() {
        let config = EmbeddedConfig {
            journal_bytes_max: 1,
            ..EmbeddedConfig::new("p")
        };
        assert_eq!(config.journal_bytes(), JOURNAL_BYTES_MIN);
    }
}
