//! Tables of requests and what they lead to, as text.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a response must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) status: u16,
    /// Whether it shows something of the owner.
    pub(super) secret: bool,
    /// Whether it shows something of what own rules have opened.
    pub(super) open: bool,
}

impl Cell {
    fn parse(text: &str) -> Self {
        let status = text.trim_end_matches(['*', '+']);
        Self {
            status: status.parse().unwrap_or_else(|_| panic!("{text}")),
            secret: text.contains('*'),
            open: text.contains('+'),
        }
    }
}

/// A body that lines name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    pub(super) content_type: &'static str,
    text: &'static str,
}

impl Body {
    /// Returns the bytes, the names of things replaced by `fill`.
    pub(super) fn bytes(&self, fill: impl Fn(&str) -> String) -> Vec<u8> {
        match self.text.strip_prefix("base64:") {
            Some(encoded) => STANDARD.decode(encoded).unwrap(),
            None => fill(self.text).into_bytes(),
        }
    }
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    pub(super) method: &'static str,
    /// Path and maybe a query, with names in braces.
    pub(super) address: &'static str,
    pub(super) body: Option<&'static str>,
}

impl Request {
    /// Returns the path, with names in braces.
    pub(super) fn path(self) -> &'static str {
        self.address.split('?').next().unwrap_or_default()
    }

    /// Returns whether everything stays as it is when it is answered with this status.
    pub(super) fn changes_nothing(self, status: u16) -> bool {
        const READING: [&str; 2] = ["/v1/search/", "/v1/aggregat"];
        // What these create on the way stays when the request is refused later.
        const ON_DEMAND: [&str; 4] = ["/v1/batch/", "/v1/influxdb/", "/v1/prometheus/", "/api/"];
        let is_below = |paths: &[&str]| paths.iter().any(|path| self.address.starts_with(path));
        self.method == "GET" || is_below(&READING) || (status >= 400 && !is_below(&ON_DEMAND))
    }
}

/// A line.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) request: Request,
    pub(super) cells: Vec<Cell>,
    /// Whether it is not the plain form of an operation.
    pub(super) variant: bool,
}

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) bodies: BTreeMap<&'static str, Body>,
    /// Rules by name.
    pub(super) rules: Vec<(&'static str, &'static str)>,
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// Reads a text whose lines have so many cells.
    pub(super) fn parse(text: &'static str, cells: usize) -> Self {
        let mut table = Self::default();
        let mut variant = false;
        let lines = text.lines();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(rest) = line.strip_prefix("body ") {
                let (name, rest) = rest.split_once(' ').unwrap();
                let (content_type, text) = rest.trim_start().split_once(' ').unwrap();
                let text = text.trim_start();
                table.bodies.insert(name, Body { content_type, text });
            } else if let Some(rest) = line.strip_prefix("rule ") {
                let (name, text) = rest.split_once(": ").unwrap();
                table
                    .rules
                    .push((name.trim_matches('"'), text.trim_matches('"')));
            } else if line == "variants" {
                variant = true;
            } else {
                table.rows.push(Row {
                    variant,
                    ..Row::parse(line, cells)
                });
            }
        }
        table
    }
}

impl Row {
    fn parse(line: &'static str, cells: usize) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, address, body, texts @ ..] = words.as_slice() else {
            panic!("{line}: too short");
        };
        assert_eq!(texts.len(), cells, "{line}");
        let request = Request {
            method,
            address,
            body: Some(*body).filter(|body| *body != "-"),
        };
        Self {
            request,
            cells: texts.iter().map(|text| Cell::parse(text)).collect(),
            variant: false,
        }
    }
}
