//! Every metric of the program that is recorded while it runs: what it means, and that it is there with zero from the start.
//!
//! Why from the start? A counter that appears with its first event hides that event: an increase needs two values.

use gnocchi_core::budget::BudgetError;
use gnocchi_core::model::RejectReason;
use metrics::{
    Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::ingest::Reason;

/// What a metric is, as the text format of Prometheus tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric.
struct Spec {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    /// The sets of labels that are there from the start; none for what is known only when monitoring asks.
    labels: fn() -> Vec<Vec<Label>>,
}

const fn spec(kind: Kind, name: &'static str, help: &'static str) -> Spec {
    Spec {
        kind,
        name,
        help,
        labels: || vec![Vec::new()],
    }
}

impl Spec {
    const fn with_labels(mut self, labels: fn() -> Vec<Vec<Label>>) -> Self {
        self.labels = labels;
        self
    }

    fn register(&self) {
        let (name, help) = (self.name, self.help);
        match self.kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, help),
        }
        for labels in (self.labels)() {
            match self.kind {
                Kind::Counter => counter!(name, labels).increment(0),
                Kind::Gauge => gauge!(name, labels).set(0.0),
                // Being registered is enough.
                Kind::Histogram => drop(histogram!(name, labels)),
            }
        }
    }
}

static SPECS: &[Spec] = &[
    spec(
        Kind::Gauge,
        "gnocchi_build_info",
        "Version of the running program; always 1.",
    )
    .with_labels(Vec::new),
    spec(
        Kind::Gauge,
        "gnocchi_metrics",
        "Number of metrics, updated about once a minute.",
    )
    .with_labels(Vec::new),
    spec(
        Kind::Gauge,
        "gnocchi_resources",
        "Number of resources of all types, updated about once a minute.",
    )
    .with_labels(Vec::new),
    spec(
        Kind::Gauge,
        "gnocchi_data_directory_free_bytes",
        "Free space that the server can use on the file system of the data directory, in bytes.",
    )
    .with_labels(Vec::new),
    spec(
        Kind::Gauge,
        "gnocchi_data_directory_size_bytes",
        "Size of the file system of the data directory, in bytes.",
    )
    .with_labels(Vec::new),
    spec(
        Kind::Histogram,
        "gnocchi_http_request_seconds",
        "Time from the start of an HTTP request to the first byte of its response.",
    )
    .with_labels(scrapes),
    spec(
        Kind::Gauge,
        "gnocchi_connections",
        "Number of open client connections.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_connections_limit",
        "Maximum number of open client connections; further ones wait.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_connections_refused_total",
        "Connections closed because too many were open from their address.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_query_memory_bytes",
        "Memory held by running queries and unsent responses, in bytes.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_query_memory_limit_bytes",
        "Maximum memory that running queries and unsent responses may hold, in bytes.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_queries_running",
        "Number of large queries that are running.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_queries_running_limit",
        "Maximum number of large queries that run at the same time.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_queries_waiting",
        "Number of large queries that are waiting to run.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_queries_waiting_limit",
        "Maximum number of large queries that wait; further ones are refused.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_queries_refused_total",
        "Queries refused or ended by a limit, or abandoned by their client.",
    )
    .with_labels(refused_queries),
    spec(
        Kind::Counter,
        "gnocchi_logins_total",
        "Authenticated requests (success), and requests with wrong credentials (failure).",
    )
    .with_labels(login_results),
    spec(
        Kind::Counter,
        "gnocchi_access_log_lost_total",
        "Lines of the access log that were dropped because they could not be written, or not fast enough.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_measures_accepted_total",
        "Points folded into aggregates.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_measures_rejected_total",
        "Points that were not stored.",
    )
    .with_labels(reject_reasons),
    spec(
        Kind::Gauge,
        "gnocchi_pending_points",
        "Number of points that are stored but not folded into aggregates yet.",
    ),
    spec(
        Kind::Gauge,
        "gnocchi_pending_oldest_seconds",
        "Age of the oldest pending point, in seconds.",
    ),
    spec(
        Kind::Histogram,
        "gnocchi_fold_seconds",
        "Time to fold the pending points of one sack.",
    ),
    spec(
        Kind::Histogram,
        "gnocchi_commit_seconds",
        "Time to store the changes of one fold.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_frames_written_total",
        "Frames of aggregates written.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_blocks_folded_total",
        "Blocks whose frames were merged into one frame.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_damage_found_total",
        "Stored frames that could not be decoded.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_measures_ahead_total",
        "Accepted points with a timestamp more than an hour ahead of the clock.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_writes_refused_total",
        "Writes refused because the disk was full or read-only.",
    )
    .with_labels(refused_writes),
    spec(
        Kind::Counter,
        "gnocchi_storage_failures_total",
        "Failed writes that stopped the storage engine.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_storage_recoveries_total",
        "Times the storage engine was reopened after a failed write.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_journal_tails_cut_total",
        "Unfinished writes that were cut off the journal or the log of the indexer at a start; their bytes are kept in measures/cut.",
    ),
    spec(
        Kind::Counter,
        "gnocchi_journal_bytes_cut_total",
        "Bytes of interrupted writes cut off the journal or the log of the indexer.",
    ),
];

/// Registers every metric with the global recorder.
pub(super) fn register() {
    for spec in SPECS {
        spec.register();
    }
    gauge!("gnocchi_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn refused_queries() -> Vec<Vec<Label>> {
    one_label("reason", BudgetError::REASONS)
}

fn refused_writes() -> Vec<Vec<Label>> {
    one_label("reason", ["disk_full", "read_only"])
}

fn login_results() -> Vec<Vec<Label>> {
    one_label("result", ["success", "failure"])
}

/// Returns why points are rejected: by the store, and by what other senders can send and measures cannot hold.
fn reject_reasons() -> Vec<Vec<Label>> {
    let of_store = RejectReason::ALL.map(RejectReason::as_str);
    let of_receivers = Reason::OF_RECEIVERS.map(Reason::as_str);
    one_label("reason", of_store.into_iter().chain(of_receivers))
}

/// Returns the labels of the one request that is certain to come: that for the metrics themselves.
fn scrapes() -> Vec<Vec<Label>> {
    let labels = [("route", "/metrics"), ("method", "GET"), ("status", "200")];
    vec![labels.iter().map(Label::from).collect()]
}

fn one_label(
    name: &'static str,
    values: impl IntoIterator<Item = &'static str>,
) -> Vec<Vec<Label>> {
    let label = |value| vec![Label::from_static_parts(name, value)];
    values.into_iter().map(label).collect()
}
