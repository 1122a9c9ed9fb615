//! The arguments of `gnocchi import`.

use std::path::PathBuf;

use clap::Args;

use super::columns::{Column, ColumnChoice};
use super::delimiter::Delimiter;
use super::form::FileOptions;
use super::number::Decimal;
use super::timestamp::{EpochUnit, TimestampForm};

/// Sends measures of CSV files to a running server.
///
/// A file has the columns `timestamp,value`, in any order, named by its first line; without such a line it has just these two
/// columns. Its metric is named after the file (`cpu.csv` gives `cpu`), or by a column `metric` when there is one. A file without a
/// column `value` has a metric in each column beside the timestamp, named by the first line (see --wide).
///
/// The separator (comma, semicolon, tab or |) and the decimal mark are detected from the first lines. UTF-16, byte order marks,
/// the line `sep=;` of spreadsheets and gzip are understood. `-` is the standard input, whose only metric --metric names.
///
/// Timestamps are ISO 8601 (`2024-05-01 12:00:00`, a `T` instead of the space, fractions of seconds; `Z`, `UTC` or an offset, with
/// or without a space before it; without a zone they are UTC) or count seconds since 1970 (see --epoch-unit). All other forms,
/// `01.05.2024 12:00` or `5/1/2024` among them, are described with --timestamp-format. Of several lines with the same timestamp
/// the last one counts. Cells that are empty or hold NaN, NA, null or - have no measure; they are counted. Lines that cannot be
/// read are reported with file, line, column and text and left out; the rest is sent. A quoted field ends on the line on which it
/// begins.
///
/// The points of a file are sorted by time (4 million at a time, if it has more), and of several files with the same metric the
/// one that begins first is sent first. A metric rejects points that are older than its newest point by more than its back
/// window: import older data into new metrics (--create with another --resource), or create the metrics with an archive policy
/// whose `back_window` is long enough (--create with --policy). A `back_window` that is enlarged later counts for what comes then:
/// points that a metric rejects already, it keeps rejecting.
///
/// All metrics belong to one resource, `import` unless --resource names another one. Without --create it and its metrics must
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
    /// The archive policy of metrics that are created; without it the rules of the server choose. Metrics that exist keep theirs.
    #[arg(long, value_name = "NAME", requires = "create")]
    pub(super) policy: Option<String>,
    /// Create the resource (of type `generic`) and its metrics where they are missing.
    #[arg(long)]
    pub(super) create: bool,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// How the files are written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Form of the files")]
struct FormArgs {
    /// The separator of columns: `tab`, `space`, or a punctuation mark that occurs neither in numbers nor in timestamps
    /// [default: detected].
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<Delimiter>,
    /// The decimal mark of numbers [default: detected].
    #[arg(long, value_name = "MARK", value_enum)]
    decimal: Option<Decimal>,
    /// The column with the timestamps: its name in the first line, or its number, counted from 1
    /// [default: the one named timestamp, time, date or the like].
    #[arg(long, value_name = "COLUMN")]
    timestamp_column: Option<Column>,
    /// The column with the values; when given several times, each column is a metric of its name
    /// [default: the one named value].
    #[arg(long, value_name = "COLUMN")]
    value_column: Vec<Column>,
    /// The column that names the metric of each line [default: the one named metric or name].
    #[arg(long, value_name = "COLUMN", conflicts_with = "wide")]
    metric_column: Option<Column>,
    /// Every column beside the timestamp, or every --value-column, is a metric of its name.
    #[arg(long)]
    wide: bool,
    /// The name of the metric of a file, instead of the name of the file. For one file, with one column of values.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["wide", "metric_column"])]
    metric: Option<String>,
    /// What a timestamp that is a plain number counts.
    #[arg(long, value_name = "UNIT", value_enum, default_value_t = EpochUnit::Seconds)]
    epoch_unit: EpochUnit,
    /// The form of all timestamps, in the conversions of strftime: `%d.%m.%Y %H:%M:%S`. Without `%z` they are UTC.
    #[arg(long, value_name = "FORMAT", conflicts_with = "epoch_unit")]
    timestamp_format: Option<String>,
}

/// The server, and the credentials for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// The address of the server, http or https, without `/v1`.
    #[arg(
        long,
        value_name = "URL",
        env = "GNOCCHI_ENDPOINT",
        default_value = "http://127.0.0.1:8041"
    )]
    pub(super) endpoint: String,
    /// The user to call the server as. The password is taken from --password-file or the environment
    /// variable `GNOCCHI_PASSWORD`.
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
    /// A file whose first line is a token of Keystone, which is sent instead of user and password. The
    /// environment variable `GNOCCHI_TOKEN` may hold the token itself.
    #[arg(long, value_name = "FILE", env = "GNOCCHI_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// A token of Keystone. Other users of this machine can see arguments: prefer --token-file.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    pub(super) token: Option<String>,
    /// A file of certificates in PEM to trust, instead of those of the system.
    #[arg(long, value_name = "FILE", env = "GNOCCHI_CACERT")]
    pub(super) cacert: Option<PathBuf>,
    /// Accept any certificate of the server. Everyone on the network path can then read and change what is sent.
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
