//! Which columns hold timestamps, names of metrics, and values.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::str::FromStr;

use gnocchi_core::model::METRIC_NAME_CHARACTERS_MAX;

use super::record::Record;
use crate::plural::counted;

/// Names of a column with timestamps, the plainest first; upper and lower case are the same.
const TIMESTAMP_NAMES: [&str; 13] = [
    "timestamp",
    "datetime",
    "date_time",
    "date time",
    "time",
    "date",
    "ts",
    "_time",
    "@timestamp",
    "time_stamp",
    "epoch",
    "unixtime",
    "unix_time",
];

/// Names of the column with values.
const VALUE_NAMES: [&str; 1] = ["value"];

/// Names of a column that names metrics.
const METRIC_NAMES: [&str; 2] = ["metric", "name"];

/// A column as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// By its place, counted from one.
    Number(NonZeroUsize),
    /// By its name in the header.
    Name(String),
}

impl FromStr for Column {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text
            .parse()
            .map_or_else(|_| Self::Name(text.to_owned()), Self::Number))
    }
}

/// Which columns the user has named.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnChoice {
    pub(super) timestamp: Option<Column>,
    pub(super) metric: Option<Column>,
    pub(super) values: Vec<Column>,
    /// Whether every column of values is a metric.
    pub(super) wide: bool,
}

/// Where a file has what. Columns are counted from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// How many fields the first line has.
    pub(super) fields: usize,
    pub(super) timestamp: usize,
    pub(super) values: Values,
    /// The names of all columns; none when the file has no header.
    pub(super) header: Vec<String>,
}

/// Where the values are, and which metrics they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// One column, of one metric that is named after the file.
    OfFile(usize),
    /// One column, of the metrics that another one names.
    Named { value: usize, metric: usize },
    /// Each column is a metric of its name.
    Wide(Vec<usize>),
}

/// Why the columns of a file are not known.
pub(super) type ColumnsProblem = String;

impl Layout {
    /// Returns whether the first line of a file may be what it is taken for: names of columns, or a measure.
    pub(super) fn is_plausible(
        first: &Record,
        choice: &ColumnChoice,
        is_timestamp: impl Fn(&str) -> bool,
    ) -> bool {
        let timestamp = match choice.timestamp {
            Some(Column::Number(number)) => number.get() - 1,
            _ => 0,
        };
        Header::of(first, choice, &is_timestamp).is_some()
            || first.get(timestamp).is_some_and(is_timestamp)
    }

    /// Finds the columns of a file by its first line and the one after it; `is_timestamp` returns whether a field can be read as a
    /// timestamp.
    ///
    /// # Errors
    /// What is missing or ambiguous.
    pub(super) fn of(
        first: &Record,
        second: Option<&Record>,
        choice: &ColumnChoice,
        is_timestamp: impl Fn(&str) -> bool,
    ) -> Result<Self, ColumnsProblem> {
        if let Some(header) = Header::of(first, choice, &is_timestamp) {
            return header.layout(choice);
        }
        // Data frames are written with an index whose name is empty.
        let is_indexed = choice.timestamp.is_none()
            && first.len() > 1
            && first.get(0) == Some("")
            && second
                .and_then(|second| second.get(0))
                .is_some_and(&is_timestamp);
        if is_indexed {
            let choice = ColumnChoice {
                timestamp: Some(Column::Number(NonZeroUsize::MIN)),
                ..choice.clone()
            };
            return Header { names: first }.layout(&choice);
        }
        Self::without_header(first, choice, is_timestamp)
    }

    fn without_header(
        first: &Record,
        choice: &ColumnChoice,
        is_timestamp: impl Fn(&str) -> bool,
    ) -> Result<Self, ColumnsProblem> {
        let fields = first.len();
        let number = |column: &Column| match column {
            Column::Number(number) if number.get() <= fields => Ok(number.get() - 1),
            Column::Number(number) => Err(format!(
                "there is no column {number}: the line has {}",
                counted(fields, "field")
            )),
            Column::Name(name) => Err(format!(
                "there is no column {name:?}: the first line names no columns ({})",
                listed(first)
            )),
        };
        let timestamp = choice
            .timestamp
            .as_ref()
            .map(number)
            .transpose()?
            .unwrap_or(0);
        if !first.get(timestamp).is_some_and(&is_timestamp) {
            return Err(format!(
                "no column has a known name (timestamp, time, date and the like) and the first line is not a measure; found: {}; see --timestamp-column and --timestamp-format",
                listed(first)
            ));
        }
        if choice.wide || choice.values.len() > 1 {
            return Err(
                "a file with a metric in each column needs a first line that names them".into(),
            );
        }
        let metric = choice.metric.as_ref().map(number).transpose()?;
        let value = match choice.values.first().map(number).transpose()? {
            Some(column) => column,
            None => Self::only_value(first, timestamp, metric)?,
        };
        let layout = Self {
            fields,
            timestamp,
            values: match metric {
                Some(metric) => Values::Named { value, metric },
                None => Values::OfFile(value),
            },
            header: Vec::new(),
        };
        layout.with_distinct_columns()
    }

    /// Returns the only column without header that may hold the values.
    fn only_value(
        first: &Record,
        timestamp: usize,
        metric: Option<usize>,
    ) -> Result<usize, ColumnsProblem> {
        // A delimiter at the end of every line makes a field that is empty.
        let others: Vec<usize> = (0..first.len())
            .filter(|index| *index != timestamp && Some(*index) != metric)
            .filter(|index| first.get(*index) != Some(""))
            .collect();
        match others.as_slice() {
            [] => Err("the lines have a timestamp and nothing else".into()),
            [one] => Ok(*one),
            _ => Err(format!(
                "the first line names no columns and has {} fields ({}); name the one that holds the values with --value-column",
                first.len(),
                listed(first)
            )),
        }
    }

    /// Makes sure that no column is used twice.
    fn with_distinct_columns(self) -> Result<Self, ColumnsProblem> {
        let mut used = vec![self.timestamp];
        match &self.values {
            Values::OfFile(value) => used.push(*value),
            Values::Named { value, metric } => used.extend([*value, *metric]),
            Values::Wide(columns) => used.extend(columns),
        }
        used.sort_unstable();
        match used.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!(
                "{} is chosen twice, for different things",
                self.column(pair[0])
            )),
            None => Ok(self),
        }
    }

    /// Makes the layout of a file whose only metric the user has named.
    ///
    /// # Errors
    /// The columns that make several metrics.
    pub(super) fn of_one_metric(mut self, name: &str) -> Result<Self, ColumnsProblem> {
        match &self.values {
            Values::OfFile(_) => Ok(self),
            Values::Wide(columns) if columns.len() == 1 => {
                self.values = Values::OfFile(columns[0]);
                Ok(self)
            }
            Values::Wide(columns) => {
                let columns: Vec<_> = columns.iter().map(|column| self.column(*column)).collect();
                Err(format!(
                    "--metric {name} names one metric, and each of these columns is one: {}; choose one with --value-column",
                    columns.join(", ")
                ))
            }
            Values::Named { metric, .. } => Err(format!(
                "--metric {name} names one metric, and {} names the one of each line: leave out --metric, or the column",
                self.column(*metric)
            )),
        }
    }

    /// Returns whether several metrics may be in the file.
    pub(super) fn has_several_metrics(&self) -> bool {
        !matches!(self.values, Values::OfFile(_))
    }

    /// Describes a column to people: its number, and its name if it has one.
    pub(super) fn column(&self, index: usize) -> String {
        match self.header.get(index) {
            Some(name) if !name.is_empty() => format!("column {} ({name})", index + 1),
            _ => format!("column {}", index + 1),
        }
    }

    /// Returns the columns with values.
    pub(super) fn value_columns(&self) -> &[usize] {
        match &self.values {
            Values::OfFile(value) | Values::Named { value, .. } => std::slice::from_ref(value),
            Values::Wide(columns) => columns,
        }
    }
}

fn listed(record: &Record) -> String {
    record.iter().collect::<Vec<_>>().join(" | ")
}

/// A first line that names columns.
struct Header<'a> {
    names: &'a Record,
}

impl<'a> Header<'a> {
    /// Takes a first line for a header: when the user names columns, when a known name is among the fields, or when the timestamp
    /// column that the user counted holds no timestamp.
    fn of(
        first: &'a Record,
        choice: &ColumnChoice,
        is_timestamp: &impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let header = Self { names: first };
        let mut chosen = choice
            .timestamp
            .iter()
            .chain(&choice.metric)
            .chain(&choice.values);
        let names_columns = chosen.any(|column| match column {
            Column::Name(name) => header.has(name),
            Column::Number(_) => false,
        });
        let counted = match &choice.timestamp {
            Some(Column::Number(number)) => first
                .get(number.get() - 1)
                .is_some_and(|field| !is_timestamp(field)),
            _ => false,
        };
        let is_header =
            names_columns || counted || TIMESTAMP_NAMES.iter().any(|name| header.has(name));
        is_header.then_some(header)
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|field| is_same(field, name))
    }

    fn layout(&self, choice: &ColumnChoice) -> Result<Layout, ColumnsProblem> {
        let timestamp = match &choice.timestamp {
            Some(column) => self.find(column)?,
            None => self.timestamp()?,
        };
        let metric = match &choice.metric {
            Some(column) => Some(self.find(column)?),
            None if choice.wide || choice.values.len() > 1 => None,
            None => self
                .known(&METRIC_NAMES)?
                .filter(|column| *column != timestamp),
        };
        let chosen: Vec<usize> = choice
            .values
            .iter()
            .map(|column| self.find(column))
            .collect::<Result<_, _>>()?;
        let known = self
            .known(&VALUE_NAMES)?
            .filter(|column| *column != timestamp);
        let values = match (chosen.as_slice(), metric) {
            ([value], None) if !choice.wide => Values::OfFile(*value),
            ([value], Some(metric)) => Values::Named {
                value: *value,
                metric,
            },
            ([], Some(metric)) => {
                let value = known.ok_or_else(|| self.no_value())?;
                Values::Named { value, metric }
            }
            ([], None) => match known {
                Some(value) if !choice.wide => Values::OfFile(value),
                _ => Values::Wide(self.others(timestamp)?),
            },
            (chosen, _) => Values::Wide(chosen.to_vec()),
        };
        let layout = Layout {
            fields: self.names.len(),
            timestamp,
            values,
            header: self.names.iter().map(ToOwned::to_owned).collect(),
        };
        self.check_names(&layout)?;
        layout.with_distinct_columns()
    }

    /// Returns the named columns beside the one with timestamps.
    fn others(&self, timestamp: usize) -> Result<Vec<usize>, ColumnsProblem> {
        let others: Vec<usize> = self
            .names
            .iter()
            .enumerate()
            .filter(|(index, name)| *index != timestamp && !name.is_empty())
            .map(|(index, _)| index)
            .collect();
        if others.is_empty() {
            return Err(self.no_value());
        }
        Ok(others)
    }

    fn no_value(&self) -> ColumnsProblem {
        format!(
            "no column is named value; found: {}; see --value-column",
            listed(self.names)
        )
    }

    fn find(&self, column: &Column) -> Result<usize, ColumnsProblem> {
        let fields = self.names.len();
        match column {
            Column::Number(number) if number.get() <= fields => Ok(number.get() - 1),
            Column::Number(number) => Err(format!(
                "there is no column {number}: the first line has {} ({})",
                counted(fields, "field"),
                listed(self.names)
            )),
            Column::Name(name) => self.only(name)?.ok_or_else(|| {
                format!("there is no column {name:?}; found: {}", listed(self.names))
            }),
        }
    }

    /// Returns the only column of a name.
    fn only(&self, name: &str) -> Result<Option<usize>, ColumnsProblem> {
        let mut columns = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, field)| is_same(field, name));
        let first = columns.next().map(|(index, _)| index);
        match (first, columns.next()) {
            (Some(first), Some((second, _))) => Err(format!(
                "columns {} and {} are both named {name}; choose one by its number",
                first + 1,
                second + 1
            )),
            _ => Ok(first),
        }
    }

    /// Returns the column of the first of some names that is there.
    fn known(&self, names: &[&str]) -> Result<Option<usize>, ColumnsProblem> {
        match names.iter().find(|name| self.has(name)) {
            Some(name) => self.only(name),
            None => Ok(None),
        }
    }

    fn timestamp(&self) -> Result<usize, ColumnsProblem> {
        let is_split = self.has("date")
            && self.has("time")
            && TIMESTAMP_NAMES[..4].iter().all(|name| !self.has(name));
        if is_split {
            return Err("date and time are two columns; join them to one first, or choose one with --timestamp-column".into());
        }
        self.known(&TIMESTAMP_NAMES)?.ok_or_else(|| {
            format!(
                "no column is named timestamp, time or date; found: {}; see --timestamp-column",
                listed(self.names)
            )
        })
    }

    /// Makes sure that the columns that are metrics have names that metrics can have.
    fn check_names(&self, layout: &Layout) -> Result<(), ColumnsProblem> {
        let Values::Wide(columns) = &layout.values else {
            return Ok(());
        };
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for column in columns {
            let name = self.names.get(*column).unwrap_or_default();
            if let Some(problem) = metric_name_problem(name) {
                return Err(format!(
                    "{} cannot be a metric: {problem}",
                    layout.column(*column)
                ));
            }
            if let Some(before) = seen.insert(name, *column)
                && before != *column
            {
                return Err(format!(
                    "columns {} and {} are both named {name}",
                    before + 1,
                    column + 1
                ));
            }
        }
        Ok(())
    }
}

/// Compares a field of a header with a name; upper and lower case are the same.
fn is_same(field: &str, name: &str) -> bool {
    field.eq_ignore_ascii_case(name.trim()) || field.to_lowercase() == name.trim().to_lowercase()
}

/// Returns why a text cannot be the name of a metric.
pub(super) fn metric_name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it has no name".into());
    }
    if name.contains('/') {
        return Some(format!(
            "the name {name:?} has a slash, which names of metrics must not have"
        ));
    }
    // Bytes are counted first since they are never fewer than characters, and known.
    let max = METRIC_NAME_CHARACTERS_MAX;
    if name.len() > max && name.chars().count() > max {
        return Some(format!("its name is longer than {max} characters"));
    }
    None
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
