//! The arguments of `gnocchi import`.

use std::path::PathBuf;

use clap::Args;

use super::columns::{Column, ColumnChoice};
use super::delimiter::Delimiter;
use super::form::FileOptions;
use super::number::Decimal;
use super::timestamp::{EpochUnit, TimestampForm};

/// Send measures from CSV files to a running server
///
/// A file has the columns `timestamp,value`, in any order, named in its first line; a file without such a line has exactly these two
/// columns. Its metric is named after the file (`cpu.csv` becomes `cpu`), or in a column `metric`. In a file without a column `value`,
/// every column except the timestamp is a metric, named in the first line (see --wide).
///
/// The separator (comma, semicolon, tab or |) and the decimal mark are detected from the first lines. UTF-16, byte order marks,
/// the line `sep=;` of spreadsheets and gzip are supported. `-` is the standard input; --metric names its metric.
///
/// Timestamps are ISO 8601 (`2024-05-01 12:00:00`, or with a `T` instead of the space; fractions of seconds; `Z`, `UTC` or an offset,
/// with or without a space before it; UTC by default) or seconds since 1970 (see --epoch-unit). --timestamp-format describes any
/// other form, such as `01.05.2024 12:00` or `5/1/2024`. If several lines have the same timestamp, the last one counts. Cells that are
/// empty or contain NaN, NA, null or - are skipped and counted. Lines that cannot be read are reported with file, line, column and
/// text and left out; the rest is sent. A quoted field must end on the line on which it begins.
///
/// The points of a file are sorted by time (4 million at a time, if it has more). If several files have the same metric, the one that
/// begins first is sent first. A metric rejects points that are older than its newest point by more than its back window: import
/// older data into new metrics (--create with another --resource), or create the metrics with an archive policy whose `back_window`
/// is long enough (--create with --policy). Enlarging the `back_window` later does not help with old data: points that a metric
/// already rejects, it keeps rejecting.
///
/// All metrics belong to one resource, `import` by default (see --resource). Without --create, the resource and its metrics must
/// exist.
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct ImportArgs {
    /// The CSV files; `-` is the standard input.
    #[arg(required = true, value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
    /// The resource that the metrics belong to: a UUID or a name.
    #[arg(long, value_name = "ID", default_value = "import")]
    pub(super) resource: String,
    /// The archive policy of new metrics; by default, the rules of the server choose one. Existing metrics keep theirs.
    #[arg(long, value_name = "NAME", requires = "create")]
    pub(super) policy: Option<String>,
    /// Create the resource (of type `generic`) and its metrics if they are missing.
    #[arg(long)]
    pub(super) create: bool,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// How the files are written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "File format")]
struct FormArgs {
    /// The column separator: `tab`, `space`, or a punctuation mark that occurs neither in numbers nor in timestamps
    /// [default: detected].
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<Delimiter>,
    /// The decimal mark of numbers [default: detected].
    #[arg(long, value_name = "MARK", value_enum)]
    decimal: Option<Decimal>,
    /// The timestamp column: its name in the first line, or its number, counted from 1
    /// [default: the column named timestamp, time, date or similar].
    #[arg(long, value_name = "COLUMN")]
    timestamp_column: Option<Column>,
    /// The value column; if given several times, each column is a metric with the name of the column
    /// [default: the column named value].
    #[arg(long, value_name = "COLUMN")]
    value_column: Vec<Column>,
    /// The column with the name of the metric [default: the column named metric or name].
    #[arg(long, value_name = "COLUMN", conflicts_with = "wide")]
    metric_column: Option<Column>,
    /// Treat every column except the timestamp, or every --value-column, as a metric with the name of the column.
    #[arg(long)]
    wide: bool,
    /// The name of the metric, instead of the name of the file. For a single file with a single value column.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["wide", "metric_column"])]
    metric: Option<String>,
    /// The unit of timestamps that are plain numbers.
    #[arg(long, value_name = "UNIT", value_enum, default_value_t = EpochUnit::Seconds)]
    epoch_unit: EpochUnit,
    /// The format of all timestamps, as for strftime: `%d.%m.%Y %H:%M:%S`. Without `%z` they are UTC.
    #[arg(long, value_name = "FORMAT", conflicts_with = "epoch_unit")]
    timestamp_format: Option<String>,
}

/// The server, and the credentials for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// The URL of the server, http or https, without `/v1`.
    #[arg(
        long,
        value_name = "URL",
        env = "GNOCCHI_ENDPOINT",
        default_value = "http://127.0.0.1:8041"
    )]
    pub(super) endpoint: String,
    /// The user name. The password is read from --password-file or the environment variable
    /// `GNOCCHI_PASSWORD`.
    #[arg(
        long,
        value_name = "USER",
        env = "GNOCCHI_USER",
        default_value = "admin"
    )]
    pub(super) user: String,
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", env = "GNOCCHI_PASSWORD_FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// A file whose first line is a Keystone token, which is sent instead of user and password. The
    /// environment variable `GNOCCHI_TOKEN` may contain the token itself.
    #[arg(long, value_name = "FILE", env = "GNOCCHI_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// A Keystone token. Other users of this machine can see arguments: prefer --token-file.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    pub(super) token: Option<String>,
    /// A PEM file of trusted certificates, instead of those of the system.
    #[arg(long, value_name = "FILE", env = "GNOCCHI_CACERT")]
    pub(super) cacert: Option<PathBuf>,
    /// Accept any server certificate. Anyone on the network path can then read and change the data.
    #[arg(long, conflicts_with = "cacert")]
    pub(super) insecure: bool,
}

impl ImportArgs {
    /// Returns the form of the files, as far as options name it.
    pub(super) fn file_options(&self) -> FileOptions {
        let form = &self.form;
        FileOptions {
            delimiter: form.delimiter,
            decimal: form.decimal,
            columns: ColumnChoice {
                timestamp: form.timestamp_column.clone(),
                metric: form.metric_column.clone(),
                values: form.value_column.clone(),
                wide: form.wide,
            },
            timestamps: TimestampForm {
                unit: form.epoch_unit,
                format: form.timestamp_format.as_deref().map(Into::into),
            },
            metric: form.metric.clone(),
        }
    }
}
