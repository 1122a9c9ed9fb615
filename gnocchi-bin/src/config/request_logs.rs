//! The options of `[api]` that say which requests are logged, and where.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::reader::{Section, defaulted};
use crate::api::timespan;

/// What stands for the standard output in place of a file.
const STANDARD_OUTPUT: &str = "-";

/// How a line of the access log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// The "combined" format of Apache and nginx, which tools for logs read.
    Combined,
    /// A JSON object.
    Json,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// The standard output.
    StandardOutput,
    /// A file, which is opened anew at SIGHUP.
    File(PathBuf),
}

/// The path of the file.
impl fmt::Display for AccessLogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardOutput => f.write_str("on the standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A log with a line for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// How its lines look.
    pub format: AccessLogFormat,
    /// Where it goes.
    pub target: AccessLogTarget,
}

/// Which requests are logged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestLogs {
    /// A log of every request.
    pub access: Option<AccessLogSettings>,
    /// Requests that take longer are named in the log of the program.
    pub slow: Option<Duration>,
}

impl RequestLogs {
    /// Returns whether the access log is the standard output, which then must hold nothing else.
    #[must_use]
    pub fn take_standard_output(&self) -> bool {
        let target = self.access.as_ref().map(|access| &access.target);
        target == Some(&AccessLogTarget::StandardOutput)
    }

    pub(super) fn read(api: Section<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            access: api.with("access_log", access_log).map(defaulted)?,
            slow: api
                .with("slow_request_threshold", threshold)
                .map(defaulted)?,
        })
    }
}

/// Reads the format and the file; `None` when there is no log.
fn access_log(text: &str) -> Result<Option<AccessLogSettings>, String> {
    if is_none(text) {
        return Ok(None);
    }
    let problem = "must be combined:FILE, json:FILE (- as the file is the standard output) or none";
    let (format, file) = text.split_once(':').ok_or(problem)?;
    let format = match format.trim().to_lowercase().as_str() {
        "combined" => AccessLogFormat::Combined,
        "json" => AccessLogFormat::Json,
        _ => return Err(problem.into()),
    };
    let target = match file.trim() {
        "" => return Err(problem.into()),
        STANDARD_OUTPUT => AccessLogTarget::StandardOutput,
        path => AccessLogTarget::File(path.into()),
    };
    Ok(Some(AccessLogSettings { format, target }))
}

/// Reads how long a request may take without being logged; `None` when none is.
fn threshold(text: &str) -> Result<Option<Duration>, String> {
    if is_none(text) {
        return Ok(None);
    }
    let span = timespan::parse(text)
        .map_err(|_| "must be a duration above zero, in seconds (0.5) or like 1 minute, or none")?;
    Ok(Some(Duration::from_nanos(
        span.as_nanosecond().unsigned_abs(),
    )))
}

fn is_none(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "none" | "off")
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixture;
    use super::*;

    fn read(option: &str, value: &str) -> Result<RequestLogs, String> {
        let fixture = Fixture::new().file("a.conf", &format!("[api]\n{option} = {value}\n"));
        fixture.try_load().map(|config| config.api.request_logs)
    }

    #[test]
    fn access_logs_have_a_format_and_a_place() {
        let check = |value: &str, format, target| {
            let access = Some(AccessLogSettings { format, target });
            assert_eq!(read("access_log", value).unwrap().access, access, "{value}");
        };
        let file = |path: &str| AccessLogTarget::File(path.into());
        check("json:/var/log/a", AccessLogFormat::Json, file("/var/log/a"));
        check(
            "Combined : a:b.log",
            AccessLogFormat::Combined,
            file("a:b.log"),
        );
        check(
            "combined:-",
            AccessLogFormat::Combined,
            AccessLogTarget::StandardOutput,
        );
        for value in ["none", "Off", ""] {
            assert_eq!(read("access_log", value), Ok(RequestLogs::default()));
        }
        for value in ["/var/log/a", "json", "json:", "xml:/var/log/a", "true"] {
            let error = read("access_log", value).unwrap_err();
            let expected = format!(
                "a.conf:2: [api] access_log = {value}: must be combined:FILE, json:FILE (- as the file is the standard output) or none"
            );
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn slow_requests_take_a_time() {
        let check = |value: &str, milliseconds: Option<u64>| {
            let slow = milliseconds.map(Duration::from_millis);
            assert_eq!(
                read("slow_request_threshold", value).unwrap().slow,
                slow,
                "{value}"
            );
        };
        check("2", Some(2000));
        check("0.5", Some(500));
        check("1 minute", Some(60_000));
        check("none", None);
        for value in ["0", "-1", "soon"] {
            let error = read("slow_request_threshold", value).unwrap_err();
            assert!(
                error.contains(
                    "must be a duration above zero, in seconds (0.5) or like 1 minute, or none"
                ),
                "{error}"
            );
        }
    }
}
