//! What the process takes from the system, under the names that every program for Prometheus uses.

use std::fmt::Write;
use std::fs;
use std::io;

use async_trait::async_trait;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::task::spawn_blocking;

use crate::api::Collector;

/// Reads the figures of this process from the system.
#[derive(Debug)]
pub(in crate::runtime) struct ProcessCollector {
    /// When the process began, in seconds since 1970.
    start_seconds: Option<f64>,
}

/// The figures at one point in time.
#[derive(Debug)]
struct Figures {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: u64,
    files_max: Option<u64>,
}

impl ProcessCollector {
    pub(in crate::runtime) fn new() -> Self {
        Self {
            start_seconds: start_seconds().ok(),
        }
    }
}

#[async_trait]
impl Collector for ProcessCollector {
    async fn collect(&self, text: &mut String) {
        match spawn_blocking(Figures::read).await {
            Ok(Ok(figures)) => figures.write(text),
            Ok(Err(error)) => tracing::debug!(%error, "cannot read the figures of this process"),
            Err(error) => tracing::debug!(%error, "cannot read the figures of this process"),
        }
        if let Some(seconds) = self.start_seconds {
            let help = "Start time of the process, in seconds since 1970.";
            metric(text, "process_start_time_seconds", "gauge", help, seconds);
        }
    }
}

impl Figures {
    fn read() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let kib = |field| {
            let kib = field_of(&status, field)?.strip_suffix(" kB")?;
            kib.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        // One of them is the directory that is being read.
        let open_files = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
        Ok(Self {
            cpu_seconds: seconds_of(ClockId::ProcessCPUTime),
            resident_bytes: kib("VmRSS").ok_or_else(missing)?,
            virtual_bytes: kib("VmSize").ok_or_else(missing)?,
            open_files: u64::try_from(open_files).unwrap_or(u64::MAX),
            files_max: getrlimit(Resource::Nofile).current,
        })
    }

    fn write(&self, text: &mut String) {
        let Self {
            cpu_seconds,
            resident_bytes,
            virtual_bytes,
            open_files,
            files_max,
        } = self;
        metric(
            text,
            "process_cpu_seconds_total",
            "counter",
            "Processor time used by the process, in seconds.",
            cpu_seconds,
        );
        let mut gauge = |name, help, value: &u64| metric(text, name, "gauge", help, value);
        gauge(
            "process_resident_memory_bytes",
            "Resident memory of the process, in bytes.",
            resident_bytes,
        );
        gauge(
            "process_virtual_memory_bytes",
            "Virtual memory of the process, in bytes.",
            virtual_bytes,
        );
        gauge(
            "process_open_fds",
            "Number of open file descriptors.",
            open_files,
        );
        if let Some(files_max) = files_max {
            gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
                files_max,
            );
        }
    }
}

/// Appends a metric without labels.
fn metric(text: &mut String, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
    // A text takes everything.
    let _ = write!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n"
    );
}

fn field_of<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(field, _)| *field == name)?;
    Some(value.trim())
}

/// Returns when this process began: so long ago as it is old.
fn start_seconds() -> io::Result<f64> {
    let missing = || io::Error::from(io::ErrorKind::InvalidData);
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program is in parentheses, and may hold anything. The time follows as the 20th field.
    let (_, fields) = stat.rsplit_once(')').ok_or_else(missing)?;
    let ticks = fields.split_ascii_whitespace().nth(19);
    let ticks: f64 = ticks
        .and_then(|ticks| ticks.parse().ok())
        .ok_or_else(missing)?;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred a second")]
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let age = seconds_of(ClockId::Boottime) - ticks / ticks_per_second;
    Ok(seconds_of(ClockId::Realtime) - age)
}

fn seconds_of(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds stay below 2^53, and microseconds are enough"
    )]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}

#[cfg(test)]
mod tests {
    use gnocchi_core::clock::{Clock, SystemClock};

    use super::*;

    #[test]
    fn figures_of_this_process_are_plausible() {
        let figures = Figures::read().unwrap();
        assert!(figures.cpu_seconds > 0.0, "{figures:?}");
        assert!(figures.resident_bytes > 1 << 20, "{figures:?}");
        assert!(
            figures.virtual_bytes >= figures.resident_bytes,
            "{figures:?}"
        );
        assert!((3..1000).contains(&figures.open_files), "{figures:?}");
        assert!(
            figures.files_max.unwrap() >= figures.open_files,
            "{figures:?}"
        );
        let opened = fs::File::open("/proc/self/stat").unwrap();
        // Other tests of this process open and close files too.
        assert!(Figures::read().unwrap().open_files > 0);
        drop(opened);

        let now = SystemClock.now().as_second();
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let age = now as f64 - start_seconds().unwrap();
        assert!((-1.0..3600.0).contains(&age), "{age}");
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tx\nVmRSSx:\t1 kB\nVmRSS:\t 20 kB\n";
        assert_eq!(field_of(status, "VmRSS"), Some("20 kB"));
        assert_eq!(field_of(status, "Vm"), None);
    }
}
