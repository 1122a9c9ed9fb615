//! Lines of the access log.

use std::fmt::Write;
use std::time::Duration;

use carbonara::Timestamp;
use http::Version;
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::config::AccessLogFormat;

/// What is logged of a request. Its texts are of bounded length and hold no secret.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// When it arrived.
    pub(super) time: Timestamp,
    /// Until the last byte of the response.
    pub(super) duration: Duration,
    pub(super) client: Option<String>,
    pub(super) user: Option<String>,
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) version: Version,
    pub(super) status: u16,
    /// The length of the body of the response, as it was sent.
    pub(super) bytes: u64,
    pub(super) referer: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<String>,
}

/// A line in JSON.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    client: Option<&'a str>,
    user: Option<&'a str>,
    method: &'a str,
    target: &'a str,
    version: String,
    status: u16,
    bytes: u64,
    seconds: f64,
    referer: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl Entry {
    /// Appends the line, with its end.
    pub(super) fn write(&self, format: AccessLogFormat, lines: &mut String) {
        match format {
            AccessLogFormat::Combined => self.write_combined(lines),
            AccessLogFormat::Json => self.write_json(lines),
        }
        lines.push('\n');
    }

    fn write_combined(&self, lines: &mut String) {
        push_word(lines, self.client.as_deref());
        lines.push_str(" - ");
        push_word(lines, self.user.as_deref());
        let time = zoned(self.time)
            .strftime("%d/%b/%Y:%H:%M:%S %z")
            .to_string();
        lines.push_str(" [");
        lines.push_str(&time);
        lines.push_str("] \"");
        push_escaped(lines, &self.method, |_| false);
        lines.push(' ');
        push_escaped(lines, &self.target, |_| false);
        let (status, bytes) = (self.status, self.bytes);
        write!(lines, " {:?}\" {status} {bytes} ", self.version).unwrap_or_default();
        push_quoted(lines, self.referer.as_deref());
        lines.push(' ');
        push_quoted(lines, self.user_agent.as_deref());
    }

    fn write_json(&self, lines: &mut String) {
        let line = JsonLine {
            time: zoned(self.time)
                .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
                .to_string(),
            client: self.client.as_deref(),
            user: self.user.as_deref(),
            method: &self.method,
            target: &self.target,
            version: format!("{:?}", self.version),
            status: self.status,
            bytes: self.bytes,
            seconds: self.duration.as_secs_f64(),
            referer: self.referer.as_deref(),
            user_agent: self.user_agent.as_deref(),
            request_id: self.request_id.as_deref(),
        };
        // Texts and numbers are always JSON.
        lines.push_str(&serde_json::to_string(&line).unwrap_or_default());
    }
}

fn zoned(time: Timestamp) -> Zoned {
    let time = jiff::Timestamp::from_nanosecond(time.as_nanosecond().into());
    time.unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// Appends a field without quotes, in which a space would begin the next one.
fn push_word(lines: &mut String, word: Option<&str>) {
    match word {
        None | Some("") => lines.push('-'),
        Some(word) => push_escaped(lines, word, |character| character == ' '),
    }
}

fn push_quoted(lines: &mut String, text: Option<&str>) {
    lines.push('"');
    match text {
        None => lines.push('-'),
        Some(text) => push_escaped(lines, text, |_| false),
    }
    lines.push('"');
}

/// Appends a text that cannot end its field or line: quotes, backslashes, control characters and bytes beyond ASCII are escaped, as
/// nginx does it.
fn push_escaped(lines: &mut String, text: &str, also: impl Fn(char) -> bool) {
    for character in text.chars() {
        let is_plain = matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
        if is_plain && !also(character) {
            lines.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            write!(lines, "\\x{byte:02X}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A usual request.
    pub(in crate::runtime::request_log) fn entry() -> Entry {
        Entry {
            time: Timestamp::from_nanosecond(1_700_000_000_123_456_789).unwrap(),
            duration: Duration::from_millis(1500),
            client: Some("10.0.0.1".to_owned()),
            user: Some("jd".to_owned()),
            method: "GET".to_owned(),
            target: "/v1/metric?limit=2".to_owned(),
            version: Version::HTTP_11,
            status: 200,
            bytes: 17,
            referer: None,
            user_agent: Some("curl/8".to_owned()),
            request_id: Some("req-1".to_owned()),
        }
    }

    fn line(entry: &Entry, format: AccessLogFormat) -> String {
        let mut lines = String::new();
        entry.write(format, &mut lines);
        lines
    }

    #[test]
    fn combined_lines_are_those_of_other_servers() {
        assert_eq!(
            line(&entry(), AccessLogFormat::Combined),
            "10.0.0.1 - jd [14/Nov/2023:22:13:20 +0000] \"GET /v1/metric?limit=2 HTTP/1.1\" 200 17 \"-\" \"curl/8\"\n"
        );
        let unknown = Entry {
            client: None,
            user: None,
            referer: Some("http://h/\"\\".to_owned()),
            user_agent: Some("é\u{1}\n".to_owned()),
            version: Version::HTTP_2,
            ..entry()
        };
        assert_eq!(
            line(&unknown, AccessLogFormat::Combined),
            "- - - [14/Nov/2023:22:13:20 +0000] \"GET /v1/metric?limit=2 HTTP/2.0\" 200 17 \"http://h/\\x22\\x5C\" \"\\xC3\\xA9\\x01\\x0A\"\n"
        );
        let forged = Entry {
            client: Some("10.0.0.1 - admin [x] \"GET / HTTP/1.1\" 200".to_owned()),
            user: Some("a [x] \"GET".to_owned()),
            ..entry()
        };
        let forged = line(&forged, AccessLogFormat::Combined);
        let (fields, _) = forged.split_once(" [14/").unwrap();
        assert_eq!(
            fields,
            "10.0.0.1\\x20-\\x20admin\\x20[x]\\x20\\x22GET\\x20/\\x20HTTP/1.1\\x22\\x20200 - a\\x20[x]\\x20\\x22GET"
        );
    }

    #[test]
    fn json_lines_hold_everything() {
        let text = line(&entry(), AccessLogFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "time": "2023-11-14T22:13:20.123456Z", "client": "10.0.0.1", "user": "jd", "method": "GET",
            "target": "/v1/metric?limit=2", "version": "HTTP/1.1", "status": 200, "bytes": 17,
            "seconds": 1.5, "referer": null, "user_agent": "curl/8", "request_id": "req-1",
        });
        assert_eq!(value, expected);
        assert_eq!(text.matches('\n').count(), 1);
    }
}
