//! Every operation against every kind of caller, in every way to say who calls, and under own rules: the tables are `default.txt`, and
//! `negative.txt`, `attribute.txt` and `role.txt`, which say what their rules change.

mod table;
mod world;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use world::RESOURCE;

use crate::support::App;
use table::{Body, Cell, Request, Row, Table};
use world::{Caller, Mode, World, address, prepare as prepare_names};

const DEFAULT: &str = include_str!("default.txt");

/// The redirection to version 1 stands beside it, not in its description.
const BESIDE_VERSION_1: [&str; 1] = ["/v1"];

/// How many requests of a table are sent at the same time.
const SENT_AT_ONCE: usize = 8;

fn default_table() -> Table {
    Table::parse(DEFAULT, Caller::NAMES.len() + Caller::PROJECTS.len())
}

impl Row {
    /// Returns what callers by name or by project get.
    fn cells_of(&self, mode: Mode) -> &[Cell] {
        let (names, projects) = self.cells.split_at(Caller::NAMES.len());
        match mode {
            Mode::Basic | Mode::RemoteUser => names,
            Mode::Projects => projects,
        }
    }
}

/// A request that the administrator may send in basic mode.
pub(crate) struct Valid {
    pub(crate) method: &'static str,
    request: Request,
    body: Option<Body>,
}

impl Valid {
    /// Returns the path, with names in braces.
    pub(crate) fn path(&self) -> &'static str {
        self.request.path()
    }

    pub(crate) fn address(&self, metric: &str) -> String {
        fill(&address(self.request.address, metric), metric)
    }

    /// Returns the content type and the bytes of the body.
    pub(crate) fn body(&self, metric: &str) -> Option<(&'static str, Vec<u8>)> {
        let body = self.body.as_ref()?;
        Some((body.content_type, body.bytes(|text| fill(text, metric))))
    }
}

fn fill(text: &str, metric: &str) -> String {
    text.replace("METRIC", metric).replace("RESOURCE", RESOURCE)
}

/// Returns the plain request of every operation.
pub(crate) fn valid_requests() -> Vec<Valid> {
    let table = default_table();
    let plain = table.rows.iter().filter(|row| !row.variant);
    plain
        .map(|Row { request, .. }| Valid {
            method: request.method,
            request: *request,
            body: request.body.map(|name| table.bodies[name]),
        })
        .collect()
}

/// Fills a store that tells callers apart by their names, and returns the id of the metric.
pub(crate) async fn prepare(app: &App) -> String {
    prepare_names(app).await
}

/// One cell of a table: a request of one caller and what it must lead to. What opened things show counts only where `exact`.
#[derive(Debug, Clone, Copy)]
struct Expected {
    request: Request,
    caller: Caller,
    cell: Cell,
    exact: bool,
}

/// Sends every request on a fresh store, and fails with all that differ. Those that change nothing share one.
async fn check(
    mode: Mode,
    rules: &[(&str, &str)],
    bodies: &BTreeMap<&'static str, Body>,
    expected: Vec<Expected>,
) {
    use futures::StreamExt;
    let shared = World::new(mode, rules).await;
    let asked = expected.into_iter().map(async |expected| {
        let Expected {
            request,
            caller,
            cell,
            exact,
        } = expected;
        let body = request.body.map(|name| &bodies[name]);
        let mut outcome = if request.changes_nothing(cell.status) {
            shared.ask(request, body, caller).await
        } else {
            let world = World::new(mode, rules).await;
            world.ask(request, body, caller).await
        };
        if caller == Caller::Anonymous && outcome.cell.status == 401 {
            let challenge = outcome.answer.headers.get("www-authenticate");
            let challenge = challenge.map(|value| value.to_str().unwrap());
            assert_eq!(challenge, mode.challenge(), "{request:?}");
        }
        if !exact {
            outcome.cell.open = cell.open;
        }
        (outcome.cell != cell).then(|| {
            let Request {
                method,
                address,
                body,
            } = request;
            let body = body.unwrap_or("-");
            let text: String = outcome.answer.text().chars().take(300).collect();
            let found = outcome.cell;
            format!(
                "{method} {address} {body} as {caller:?}: {found:?} instead of {cell:?}: {text}"
            )
        })
    });
    let sent = futures::stream::iter(asked).buffered(SENT_AT_ONCE);
    let wrong: Vec<String> = sent.filter_map(async |wrong| wrong).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn check_default(mode: Mode) {
    let table = default_table();
    let callers: &[Caller] = match mode {
        Mode::Basic | Mode::RemoteUser => &Caller::NAMES,
        Mode::Projects => &Caller::PROJECTS,
    };
    let cells = table.rows.iter().flat_map(|row| {
        let cells = callers.iter().zip(row.cells_of(mode));
        cells.map(|(caller, cell)| Expected {
            request: row.request,
            caller: *caller,
            cell: *cell,
            exact: true,
        })
    });
    check(mode, &[], &table.bodies, cells.collect()).await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_in_basic_mode() {
    check_default(Mode::Basic).await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_in_remoteuser_mode() {
    check_default(Mode::RemoteUser).await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_in_keystone_mode() {
    check_default(Mode::Projects).await;
}

/// Own rules change what their table says, and nothing else.
async fn check_rules(text: &'static str) {
    let table = Table::parse(text, Caller::PROJECTS.len());
    let default = default_table();
    let changed: BTreeSet<Request> = table.rows.iter().map(|row| row.request).collect();
    assert_eq!(changed.len(), table.rows.len(), "a request stands twice");
    let kept = default.rows.iter();
    let kept = kept.filter(|row| !changed.contains(&row.request));
    let kept = kept.map(|row| (row.request, row.cells_of(Mode::Projects), false));
    let own = table.rows.iter();
    let own = own.map(|row| (row.request, row.cells.as_slice(), true));
    let cells = kept.chain(own).flat_map(|(request, cells, exact)| {
        let cells = Caller::PROJECTS.into_iter().zip(cells);
        cells.map(move |(caller, cell)| Expected {
            request,
            caller,
            cell: *cell,
            exact,
        })
    });
    let mut bodies = default.bodies.clone();
    bodies.extend(&table.bodies);
    check(Mode::Projects, &table.rules, &bodies, cells.collect()).await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_under_rules_with_a_negation() {
    check_rules(include_str!("negative.txt")).await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_under_rules_about_an_attribute() {
    check_rules(include_str!("attribute.txt")).await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_under_rules_about_a_role() {
    check_rules(include_str!("role.txt")).await;
}

/// Method and path of every line.
fn listed() -> BTreeSet<(String, String)> {
    let rows = default_table().rows;
    let plain = rows.iter().filter(|row| !row.variant);
    plain
        .map(|row| (row.request.method.to_owned(), row.request.path().to_owned()))
        .collect()
}

/// A method that no route has makes each of them tell the ones that it has.
#[tokio::test]
async fn every_route_of_the_router_stands_in_the_table() {
    let world = World::new(Mode::Basic, &[]).await;
    let mut routed = BTreeSet::new();
    for path in gnocchi_server::api::paths() {
        let refused = world.trace(path).await.is(405);
        // An address that refuses every method is nothing that a caller could do.
        let Some(allowed) = refused.headers.get("allow") else {
            continue;
        };
        let allowed = allowed.to_str().unwrap().split(',').map(str::trim);
        // What can be read can also be read without its body.
        let methods = allowed.filter(|method| *method != "HEAD");
        routed.extend(methods.map(|method| (method.to_owned(), path.to_owned())));
    }
    assert_eq!(listed(), routed);
}

#[tokio::test]
async fn every_line_of_the_table_is_an_operation_that_is_described() {
    let app = App::new();
    let call = app.call("GET", "/v1/openapi.json").user("admin");
    let document = call.send().await.is(200).json();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        described.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let mut listed = listed();
    listed.retain(|(_, path)| !BESIDE_VERSION_1.contains(&path.as_str()));
    assert_eq!(listed, described);
}
