//! How a file is written: separator, columns, numbers; detected from its first lines where no option says it.

use super::columns::{ColumnChoice, Layout, Values, metric_name_problem};
use super::delimiter::Delimiter;
use super::number::{Decimal, Notation, Sign, is_missing, sign};
use super::piece::Gathered;
use super::record::Record;
use super::timestamp::{TimestampForm, TimestampReader};
use crate::plural::counted;

/// The longest text of a cell that is shown.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// How files are written, as far as options say it; the rest is detected.
#[derive(Debug, Clone, Default)]
pub(super) struct FileOptions {
    pub(super) delimiter: Option<Delimiter>,
    pub(super) decimal: Option<Decimal>,
    pub(super) columns: ColumnChoice,
    pub(super) timestamps: TimestampForm,
    /// The name of the metric, if it is not that of the file.
    pub(super) metric: Option<String>,
}

/// A line with its number, counted from one, and what is wrong with it if it is no text.
pub(super) type StoredLine = (u64, Result<String, String>);

/// How a file is written.
pub(super) struct Form {
    pub(super) delimiter: Delimiter,
    notation: Notation,
    pub(super) layout: Layout,
    /// The line that names the columns, as it stands in the file.
    header: Option<String>,
}

impl Form {
    /// Finds out how a file is written by its first lines, and takes those out that hold no measures.
    ///
    /// # Errors
    /// The number of the line that shows what is missing or ambiguous, and what that is.
    pub(super) fn find(
        lines: &mut Vec<StoredLine>,
        options: &FileOptions,
    ) -> Result<Self, (u64, String)> {
        let mut announced = None;
        if let Some((_, Ok(first))) = lines.first() {
            announced = Delimiter::of_announcement(first);
            if announced.is_some() {
                drop(lines.remove(0));
            }
        }
        let Some((number, first)) = lines.first() else {
            // An empty file is of any form.
            return Ok(Self {
                delimiter: Delimiter::COMMA,
                notation: Notation::Found(Decimal::Point),
                layout: Layout {
                    fields: 2,
                    timestamp: 0,
                    values: Values::OfFile(1),
                    header: Vec::new(),
                },
                header: None,
            });
        };
        let number = *number;
        // Which columns are meant cannot be guessed from later lines.
        let first = first
            .as_deref()
            .map_err(|problem| (number, problem.clone()))?;
        let timestamps = TimestampReader::new(options.timestamps.clone());
        let is_timestamp = |field: &str| timestamps.recognises(field);
        let choice = &options.columns;
        let texts = lines.iter().filter_map(|(_, line)| line.as_deref().ok());
        let fits = |record: &Record| Layout::is_plausible(record, choice, is_timestamp);
        let delimiter = options
            .delimiter
            .or(announced)
            .or_else(|| Delimiter::find(&texts, fits))
            .ok_or_else(|| {
                let text = shown(first);
                let problem = format!(
                    "no separator between fields: neither comma, semicolon, tab nor | is in {text}; see --delimiter"
                );
                (number, problem)
            })?;
        let mut record = Record::default();
        record
            .split(first, delimiter.byte())
            .map_err(|problem| (number, format!("{problem}: {}", shown(first))))?;
        let separated = |problem: String| {
            if record.len() > 1 {
                (number, problem)
            } else {
                let text = shown(first);
                (
                    number,
                    format!("the separator {delimiter} does not occur in {text}; see --delimiter"),
                )
            }
        };
        let mut second = Record::default();
        let second = lines
            .get(1)
            .and_then(|(_, line)| second.split(line.as_deref().ok()?, delimiter.byte()).ok())
            .map(|()| &second);
        let mut layout = Layout::of(&record, second, choice, is_timestamp).map_err(separated)?;
        if let Some(name) = &options.metric {
            layout = layout
                .of_one_metric(name)
                .map_err(|problem| (number, problem))?;
        }
        let has_header = !layout.header.is_empty();
        let header = has_header.then(|| first.to_owned());
        if has_header {
            drop(lines.remove(0));
        }
        let mut form = Self {
            delimiter,
            notation: Notation::Found(Decimal::Point),
            layout,
            header,
        };
        form.look_at_values(lines, options.decimal)?;
        if choice.values.is_empty() {
            form.check_nameless(lines)?;
        }
        Ok(form)
    }

    /// Finds out how numbers are written, and makes sure that columns that are metrics hold some.
    fn look_at_values(
        &mut self,
        lines: &[StoredLine],
        told: Option<Decimal>,
    ) -> Result<(), (u64, String)> {
        let (mut points, mut commas) = (false, false);
        let mut record = Record::default();
        let columns = self.layout.value_columns();
        // For each column its first text that is no number, until a number shows up.
        let mut texts: Vec<Option<Result<(), (u64, String)>>> = vec![None; columns.len()];
        for (number, line) in lines {
            let Ok(line) = line else { continue };
            if record.split(line, self.delimiter.byte()).is_err() {
                continue;
            }
            for (column, seen) in columns.iter().zip(&mut texts) {
                let Some(cell) = record.get(*column) else {
                    continue;
                };
                match sign(cell) {
                    Sign::Point => points = true,
                    Sign::Comma => commas = true,
                    Sign::Neither => {}
                }
                let is_number = || {
                    [Decimal::Point, Decimal::Comma]
                        .map(|decimal| Notation::Told(decimal).read(cell).is_ok())
                };
                match seen {
                    Some(Ok(())) => {}
                    _ if is_missing(cell) => {}
                    _ if is_number().contains(&true) => *seen = Some(Ok(())),
                    Some(Err(_)) => {}
                    None => *seen = Some(Err((*number, shown(cell)))),
                }
            }
        }
        self.notation = match told {
            Some(decimal) => Notation::Told(decimal),
            None if commas && !points => Notation::Found(Decimal::Comma),
            None => Notation::Found(Decimal::Point),
        };
        if let Values::Wide(_) = self.layout.values {
            for (column, seen) in columns.iter().zip(texts) {
                if let Some(Err((number, text))) = seen {
                    let column = self.layout.column(*column);
                    let problem = format!(
                        "{column} holds text ({text}), not numbers; choose the columns with values by --value-column"
                    );
                    return Err((number, problem));
                }
            }
        }
        Ok(())
    }

    /// Makes sure that no column without a name holds anything when the named ones are metrics.
    fn check_nameless(&self, lines: &[StoredLine]) -> Result<(), (u64, String)> {
        let Values::Wide(_) = self.layout.values else {
            return Ok(());
        };
        let names = &self.layout.header;
        let mut record = Record::default();
        for (number, line) in lines {
            let Ok(line) = line else { continue };
            if record.split(line, self.delimiter.byte()).is_err() {
                continue;
            }
            let nameless = record.iter().enumerate().find(|(index, cell)| {
                names.get(*index).is_none_or(String::is_empty) && !cell.is_empty()
            });
            if let Some((index, cell)) = nameless
                && index < self.layout.fields
                && index != self.layout.timestamp
            {
                let problem = format!(
                    "column {} holds {} but has no name in the first line; choose the columns with values by --value-column",
                    index + 1,
                    shown(cell)
                );
                return Err((*number, problem));
            }
        }
        Ok(())
    }

    /// Reads one line.
    pub(super) fn read(
        &self,
        number: u64,
        line: Result<&str, String>,
        record: &mut Record,
        timestamps: &mut TimestampReader,
        gathered: &mut Gathered,
    ) {
        let line = match line {
            Ok(line) => line,
            Err(problem) => {
                gathered.counts.lines += 1;
                return gathered.add_bad(number, problem);
            }
        };
        // Files that were put together repeat their header.
        if self.header.as_deref() == Some(line) {
            return;
        }
        gathered.counts.lines += 1;
        if let Err(problem) = record.split(line, self.delimiter.byte()) {
            return gathered.add_bad(number, format!("{problem}: {}", shown(line)));
        }
        let outcome = self
            .check_length(record)
            .and_then(|()| self.measures(record, timestamps, gathered, number));
        if let Err(problem) = outcome {
            gathered.add_bad(number, problem);
        }
    }

    /// Makes sure that a line has no more fields than the first one, other than empty ones: one of them was cut in two then.
    fn check_length(&self, record: &Record) -> Result<(), String> {
        let expected = self.layout.fields;
        if record.len() <= expected || record.iter().skip(expected).all(str::is_empty) {
            return Ok(());
        }
        Err(format!(
            "the line has {} and the first line {expected}; numbers with commas need quotes, or another separator",
            counted(record.len(), "field")
        ))
    }

    /// Takes the measures of a line.
    fn measures(
        &self,
        record: &Record,
        timestamps: &mut TimestampReader,
        gathered: &mut Gathered,
        number: u64,
    ) -> Result<(), String> {
        let layout = &self.layout;
        let field = |column: usize| {
            record.get(column).ok_or_else(|| {
                format!(
                    "{} is missing: the line has {}",
                    layout.column(column),
                    counted(record.len(), "field")
                )
            })
        };
        let wrong = |column: usize, text: &str, problem: &str| {
            format!("{}: {} {problem}", layout.column(column), shown(text))
        };
        let text = field(layout.timestamp)?;
        if text.is_empty() {
            return Err(format!(
                "{} has no timestamp",
                layout.column(layout.timestamp)
            ));
        }
        let timestamp = timestamps
            .read(text)
            .map_err(|problem| wrong(layout.timestamp, text, &problem))?;
        let timestamp_ns = timestamp.as_nanosecond();
        let value_of = |column: usize, text: &str| {
            self.notation
                .read(text)
                .map_err(|problem| wrong(column, text, &problem))
        };
        match &layout.values {
            Values::OfFile(column) => match value_of(*column, field(*column)?)? {
                Some(value) => gathered.add(0, timestamp_ns, value),
                None => gathered.counts.empty += 1,
            },
            Values::Named {
                value: column,
                metric,
            } => {
                let name = field(*metric)?;
                if let Some(problem) = metric_name_problem(name) {
                    return Err(format!("{}: {problem}", layout.column(*metric)));
                }
                match value_of(*column, field(*column)?)? {
                    Some(value) => {
                        let place = gathered.place(name);
                        gathered.add(place, timestamp_ns, value);
                    }
                    None => gathered.counts.empty += 1,
                }
            }
            Values::Wide(columns) => {
                let mut bad = false;
                for (place, column) in columns.iter().enumerate() {
                    // Lines may leave out cells at their end.
                    match value_of(*column, record.get(*column).unwrap_or_default()) {
                        Ok(Some(value)) => gathered.add(place, timestamp_ns, value),
                        Ok(None) => gathered.counts.empty += 1,
                        Err(problem) => {
                            gathered.describe(number, problem);
                            bad = true;
                        }
                    }
                }
                gathered.counts.bad += usize::from(bad);
            }
        }
        Ok(())
    }
}

/// Quotes a text from a file, shortened if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
