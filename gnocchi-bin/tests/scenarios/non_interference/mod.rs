//! What one tenant sees does not depend on what another one does: neither on what it has, nor on whether it has anything.
//!
//! A world is a row of requests of two tenants, `A` and `B`. It is played twice: once entirely, and once without what `B` does. The
//! responses to `A` must be the same to the byte, headers included. Ids of new metrics are numbered and the clock stands still, so
//! nothing has to be masked but the id of each request.
//!
//! What may differ, because the contract says so:
//!
//! - Who names the id of a thing of the other tenant, be it known or guessed, may be told that it exists: 403 instead of 404 (a
//!   batch or a new metric: 400; a search of values: left out). The response says nothing else. The resource itself, its history and its
//!   metrics are hidden (404) where callers have projects; names of metrics are hidden everywhere.
//! - Where callers are bare names (basic, remoteuser), listings and searches show everything to every caller, and computing or deleting by a
//!   filter says 403 when there is nothing but what belongs to others. Such worlds have no listings.
//!
//! What is not played, because it is no secret between tenants:
//!
//! - Archive policies, their rules and resource types are shared by all; only administrators and services change them.
//! - A caller that chooses the UUID of a new resource learns by 409 that it is taken. Here each caller chooses UUIDs of their own; the names
//!   that all of them use stand for different UUIDs. In some worlds `A` begins with taking the UUIDs that names of the service stand
//!   for, which works for `B`.
//! - What happens between the steps of one request; see `overtaken`.
//! - A resource that `B` gives to the project of `A` is what `A` may see.
//! - Limits of the whole server (pending bytes, connections) and durations.
//!
//! `GNOCCHI_WORLDS` says how many worlds are played: `GNOCCHI_WORLDS=2000 cargo test --release -p gnocchi-server --test scenarios
//! non_interference`.

mod act;
mod numbering;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gnocchi_core::driver::Indexer;
use gnocchi_core::memory::MemoryIndexer;
use gnocchi_core::{Drivers, Gnocchi, Settings};
use gnocchi_drivers::sql::SqlIndexer;
use gnocchi_server::api::auth::{AccessControl, Authenticator};
use gnocchi_server::api::{self, ApiSettings, ApiState};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use crate::support::{Answer, App, drivers, settings};
use act::{METRICS, Mode, Request, Step, steps};
use numbering::NumberingIndexer;

/// How many worlds are played unless `GNOCCHI_WORLDS` says otherwise.
const WORLDS: u32 = 32;

/// What is answered to those who may not.
const DENIED: &str = "{\"code\": 403, \"description\": \"The access rules do not allow this request\", \"title\": \"Forbidden\"}";

/// Headers that are different for each request.
const OF_THE_REQUEST: [&str; 2] = ["x-request-id", "x-openstack-request-id"];

/// Where a world keeps its resources and metrics.
#[derive(Debug, Clone, Copy)]
enum Index {
    Memory,
    Sql,
}

impl Index {
    async fn open(self) -> Arc<dyn Indexer> {
        let indexer: Arc<dyn Indexer> = match self {
            Self::Memory => Arc::new(MemoryIndexer::default()),
            Self::Sql => Arc::new(SqlIndexer::in_memory()),
        };
        indexer.upgrade().await.unwrap();
        indexer
    }
}

/// A store with an archive policy for all metrics and the resource types that are used.
struct World {
    app: App,
    mode: Mode,
}

impl World {
    async fn new(mode: Mode, index: Index) -> Self {
        let indexer = NumberingIndexer::new(index.open().await);
        let drivers = Drivers {
            indexer: Arc::new(indexer),
            ..drivers()
        };
        let gnocchi = Gnocchi::new(drivers, Settings::default());
        let access = AccessControl {
            authenticator: match mode {
                Mode::Names => Authenticator::default(),
                Mode::Projects => Authenticator::IdentityHeaders,
            },
            ..AccessControl::default()
        };
        let settings = ApiSettings {
            max_limit: 1000,
            ..settings()
        };
        let state = ApiState::with_access(gnocchi.clone(), settings, access, None);
        let router = api::router(state);
        let world = Self {
            app: App { gnocchi, router },
            mode,
        };
        let policy = json!({"name": "second", "definition": [{"granularity": 1}]});
        world.make("/v1/archive_policy", policy).await;
        let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
        world.make("/v1/archive_policy_rule", rule).await;
        let note = json!({"type": "string", "required": false});
        let server = json!({"name": "server", "attributes": {"note": note}});
        world.make("/v1/resource_type", server).await;
        let text = json!({"type": "string", "required": true, "min_length": 1});
        let prometheus =
            json!({"name": "prometheus", "attributes": {"job": text, "instance": text}});
        world.make("/v1/resource_type", prometheus).await;
        world
    }

    async fn make(&self, path: &str, body: serde_json::Value) {
        let call = self.app.call("POST", path);
        let call = match self.mode {
            Mode::Names => call.user("admin"),
            Mode::Projects => call.identity("admin", "admins", "admin"),
        };
        call.json(&body).await.is(201);
    }

    /// Does what a step says and returns all responses, the pages that follow a first one included.
    async fn play(&self, step: &Step) -> Vec<Seen> {
        let Request {
            method,
            address,
            body,
            pages,
        } = step.request(self.mode);
        let mut seen = Vec::new();
        let mut next = Some(address);
        for _ in 0..=pages {
            let Some(address) = next else {
                break;
            };
            let (user, project, role) = step.who.identity();
            let call = self.app.call(method, &address).wants_json();
            let mut call = match self.mode {
                Mode::Names => call.user(user),
                Mode::Projects => call.identity(user, project, role),
            };
            if let Some((content_type, bytes)) = &body {
                call = call
                    .header("content-type", content_type)
                    .body(bytes.clone());
            }
            let answer = call.send().await;
            next = following(&answer);
            seen.push(Seen::of(&answer));
        }
        seen
    }
}

/// Returns the address of the page that follows.
fn following(answer: &Answer) -> Option<String> {
    let link = answer.headers.get("link")?.to_str().unwrap();
    let address = link.strip_prefix("<http://example.org")?;
    address
        .split_once('>')
        .map(|(address, _)| address.to_owned())
}

/// A response as its caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn of(answer: &Answer) -> Self {
        let headers = answer.headers.iter();
        let headers = headers.filter(|(name, _)| !OF_THE_REQUEST.contains(&name.as_str()));
        let mut headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_string(), format!("{value:?}")))
            .collect();
        headers.sort_unstable();
        Self {
            status: answer.status.as_u16(),
            headers,
            body: answer.text(),
        }
    }
}

/// What `A` saw of one step.
struct Entry<'a> {
    step: &'a Step,
    seen: Vec<Seen>,
}

/// Plays steps in a new world and returns what `A` saw.
async fn transcript<'a>(
    mode: Mode,
    index: Index,
    steps: impl Iterator<Item = &'a Step>,
) -> Vec<Entry<'a>> {
    let world = World::new(mode, index).await;
    let mut transcript = Vec::new();
    for step in steps.filter(|step| mode == Mode::Projects || !step.lists()) {
        let seen = world.play(step).await;
        if step.who.is_of_a() {
            transcript.push(Entry { step, seen });
        }
    }
    transcript
}

/// Returns whether what `A` saw in company says no more than what it saw alone.
fn says_nothing(step: &Step, mode: Mode, alone: &[Seen], in_company: &[Seen]) -> bool {
    if alone == in_company {
        return true;
    }
    let ([alone], [in_company]) = (alone, in_company) else {
        return false;
    };
    if !step.may_tell_existence(mode) || ![200, 400, 404].contains(&alone.status) {
        return false;
    }
    let said = step.request(mode).said_ids();
    let is_refused = in_company.status == 403 && in_company.body == DENIED;
    // Which metrics a resource has stands in listings, where callers are bare names.
    let lacks_metric = mode == Mode::Names
        && (alone.status, in_company.status) == (404, 404)
        && METRICS.iter().any(|name| {
            in_company
                .body
                .contains(&format!("\"Metric {name} does not exist\""))
        });
    is_refused
        || lacks_metric
        || in_company.status == alone.status
            && alone.status != 200
            && without(&in_company.body, &said) == without(&alone.body, &said)
}

/// Leaves out ids, and of a list of them all but the first: an error may name some of those that the caller has named.
fn without(body: &str, said: &[String]) -> String {
    let masked = |body: String, id: &String| body.replace(id, "_");
    let mut body = said.iter().fold(body.to_owned(), masked);
    let entry = "{\"original_resource_id\": \"_\", \"resource_id\": \"_\"}";
    for one in ["_/cpu", "_/disk.read", "_/disk.write", "\"_\"", "_", entry] {
        let two = format!("{one}, {one}");
        while body.contains(&two) {
            body = body.replace(&two, one);
        }
    }
    body
}

/// How many requests of `A` succeeded, of how many.
#[derive(Debug, Default)]
struct Successes {
    succeeded: AtomicUsize,
    all: AtomicUsize,
}

async fn check(
    mode: Mode,
    index: Index,
    steps: &[Step],
    successes: &Successes,
) -> Result<(), TestCaseError> {
    let in_company = transcript(mode, index, steps.iter()).await;
    let alone = transcript(mode, index, steps.iter().filter(|step| step.who.is_of_a())).await;
    for (alone, in_company) in alone.iter().zip(&in_company) {
        let step = alone.step;
        let succeeded = alone
            .seen
            .iter()
            .filter(|seen| (200..300).contains(&seen.status));
        successes
            .succeeded
            .fetch_add(succeeded.count(), Ordering::Relaxed);
        successes.all.fetch_add(alone.seen.len(), Ordering::Relaxed);
        let says_nothing = says_nothing(step, mode, &alone.seen, &in_company.seen);
        prop_assert!(
            says_nothing,
            "{step:?}\n{:?}\nalone: {:#?}\nin company: {:#?}",
            step.request(mode).address,
            alone.seen,
            in_company.seen
        );
    }
    Ok(())
}

fn worlds() -> u32 {
    std::env::var("GNOCCHI_WORLDS").map_or(WORLDS, |text| text.parse().unwrap())
}

fn check_worlds(mode: Mode) {
    let config = Config {
        cases: worlds(),
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    // Every fourth world is kept in SQL.
    let index = (0..4_u8).prop_map(|index| {
        if index == 0 {
            Index::Sql
        } else {
            Index::Memory
        }
    });
    let mut runner = TestRunner::new(config);
    let successes = Successes::default();
    let outcome = runner.run(&(index, steps()), |(index, steps)| {
        runtime.block_on(check(mode, index, &steps, &successes))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (succeeded, all) = (successes.succeeded.into_inner(), successes.all.into_inner());
    eprintln!("{succeeded} of {all} requests succeeded");
    assert!(succeeded * 4 > all, "the worlds hardly do anything");
}

#[test]
fn a_project_sees_nothing_of_another() {
    check_worlds(Mode::Projects);
}

#[test]
fn a_name_sees_nothing_of_another_beside_listings() {
    check_worlds(Mode::Names);
}
