//! Damaged data directories, as an operator meets them: what the program says, and that looking changes nothing.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod repair;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::{Client, Server, program, run, texts};

const POINTS: i64 = 3000;

/// The metrics that the server created which was killed.
const LATE: [&str; 3] = ["late-1", "late-2", "late-3"];

/// What is in a tree.
fn tree(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Creates metrics with measures and returns their ids.
async fn fill(client: &Client) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..3 {
        let metric = client
            .create("/v1/metric", &json!({"archive_policy_name": "high"}))
            .await;
        let id = metric["id"].as_str().unwrap().to_owned();
        let measures: Vec<Value> = (0..POINTS)
            .map(|second| json!({"timestamp": 1_700_000_000 + second, "value": second}))
            .collect();
        client
            .create(&format!("/v1/metric/{id}/measures"), &json!(measures))
            .await;
        ids.push(id);
    }
    ids
}

async fn rows(client: &Client, id: &str) -> usize {
    let path = format!("/v1/metric/{id}/measures?aggregation=mean");
    client.get(&path).await.as_array().unwrap().len()
}

/// Makes a store that was closed, and one whose server was killed.
async fn stores(root: &Path) -> ([PathBuf; 2], Vec<String>) {
    let (closed, killed) = (root.join("closed"), root.join("killed"));
    let server = Server::start(&closed, &[]);
    let ids = fill(&server.client()).await;
    server.stop();
    // The second start takes the space back that was set aside for the journal.
    Server::start(&closed, &[]).stop();
    copy_tree(&closed, &killed);
    let server = Server::start(&killed, &[]);
    // The log beside the indexer holds these until the server is stopped.
    for name in LATE {
        let metric = json!({"name": name, "archive_policy_name": "low"});
        server.client().create("/v1/metric", &metric).await;
    }
    for id in &ids {
        server
            .client()
            .create(
                &format!("/v1/metric/{id}/measures"),
                &json!([{"timestamp": 1_700_000_000 + POINTS, "value": 1}]),
            )
            .await;
    }
    server.kill();
    ([closed, killed], ids)
}

fn verify(data: &Path) -> (Option<i32>, String) {
    let output = run(&["verify", "--data-dir", data.to_str().unwrap()]);
    let (stdout, stderr) = texts(&output);
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code(), format!("{stdout}{stderr}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (stores, _) = stores(root.path()).await;
    for data in &stores {
        let before = tree(data);
        let (status, said) = verify(data);
        assert_eq!(status, Some(0), "{said}");
        assert!(tree(data) == before, "{}: {said}", data.display());
        // Nor when there is damage.
        let version = data.join("measures/version");
        fs::remove_file(&version).unwrap();
        let before = tree(data);
        let (status, said) = verify(data);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("measures/version"), "{said}");
        assert!(tree(data) == before, "{}: {said}", data.display());
        fs::write(version, b"FJL\x03").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_works_while_a_server_runs() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = Server::start(&data, &[]);
    let client = server.client();
    let ids = fill(&client).await;
    // Idle, then busy.
    let (status, said) = verify(&data);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("3 metrics, "), "{said}");
    let writing = tokio::spawn({
        let (client, id) = (client.clone(), ids[0].clone());
        async move {
            let path = format!("/v1/metric/{id}/measures");
            for second in 0.. {
                let measure = json!([{"timestamp": 1_700_200_000 + second, "value": second}]);
                client.create(&path, &measure).await;
            }
        }
    });
    for _ in 0..3 {
        let data = data.clone();
        let (status, said) = tokio::task::spawn_blocking(move || verify(&data))
            .await
            .unwrap();
        assert_eq!(status, Some(0), "{said}");
    }
    writing.abort();
    server.stop();
    assert_eq!(verify(&data).0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_works_on_a_read_only_file_system() {
    let root = tempfile::tempdir().unwrap();
    let (stores, _) = stores(root.path()).await;
    for data in &stores {
        // A name space of its own, in which the directory is mounted once more.
        let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 99; \
                      touch \"$1/x\" 2>/dev/null && exit 98; exec \"$2\" verify --data-dir \"$1\"";
        let verify = program(&[]);
        let output = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
            .arg(data)
            .arg(verify.get_program())
            .output();
        let output = match output {
            Ok(output) if output.status.code() == Some(0) => output,
            Ok(output) if !matches!(output.status.code(), Some(1 | 99)) => {
                panic!("{:?}", texts(&output))
            }
            other => {
                eprintln!("skipped: this system mounts nothing for tests: {other:?}");
                return;
            }
        };
        assert!(texts(&output).0.contains("no damage"), "{output:?}");
    }
}

/// Starts a server that must not start.
fn serve(data: &Path) -> Output {
    let data_dir = data.to_str().unwrap();
    run(&[
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--data-dir",
        data_dir,
    ])
}

async fn late_metrics(client: &Client) -> usize {
    let metrics = client.get("/v1/metric").await;
    let names = metrics.as_array().unwrap().iter();
    names
        .filter(|metric| LATE.iter().any(|late| metric["name"] == *late))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_of_the_indexer_is_not_opened_and_not_changed() {
    type Harm = fn(&mut Vec<u8>);
    const FRAME: usize = 24 + 4096;
    let harms: [(&str, Harm); 8] = [
        ("damaged", |log| log[0] ^= 1),
        ("damaged", |log| log[20] ^= 1),
        ("damaged", |log| log[32 + FRAME + 1000] ^= 1),
        ("damaged", |log| {
            let middle = log.len() / 2;
            log[middle] ^= 1;
        }),
        ("damaged", |log| {
            let last = log.len() - 1;
            log[last] ^= 1;
        }),
        ("cut off", |log| log.truncate(log.len() / 2)),
        ("cut off", |log| log.truncate(log.len() - 1)),
        ("empty", Vec::clear),
    ];
    let root = tempfile::tempdir().unwrap();
    let ([_, killed], ids) = stores(root.path()).await;
    let data = root.path().join("damaged");
    let name = "indexer.db-wal";
    let refused = |problem: &str| {
        let before = tree(&data);
        let output = serve(&data);
        let (_, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{problem}: {stderr}");
        for expected in [name, problem, "gnocchi verify", "gnocchi repair"] {
            assert!(stderr.contains(expected), "{expected}: {stderr}");
        }
        let (status, found) = verify(&data);
        assert_eq!(status, Some(1), "{problem}: {found}");
        assert!(found.contains(name), "{found}");
        assert!(tree(&data) == before, "{problem}: {stderr}");
    };
    for (problem, harm) in harms {
        copy_tree(&killed, &data);
        let mut log = fs::read(data.join(name)).unwrap();
        harm(&mut log);
        fs::write(data.join(name), log).unwrap();
        refused(problem);
        fs::remove_dir_all(&data).unwrap();
    }
    copy_tree(&killed, &data);
    fs::remove_file(data.join(name)).unwrap();
    refused("missing");
    // Without its index, too.
    fs::remove_file(data.join("indexer.db-shm")).unwrap();
    refused("missing");
    let new = root.path().join("new");
    let output = run(&["repair", data.to_str().unwrap(), new.to_str().unwrap()]);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert!(stdout.contains(name), "{stdout}");
    fs::remove_dir_all(&data).unwrap();

    // The beginning of a transaction that never got its end.
    copy_tree(&killed, &data);
    let mut log = fs::read(data.join(name)).unwrap();
    let mut begun = log[log.len() - FRAME..][..3000].to_vec();
    begun[4..8].fill(0);
    let end = log.len();
    log.extend_from_slice(&begun);
    fs::write(data.join(name), log).unwrap();
    let (status, found) = verify(&data);
    assert_eq!(status, Some(0), "{found}");
    let expected = format!("{name} ends with 3000 bytes, from byte {end} on");
    assert!(found.contains(&expected), "{found}");
    let server = Server::start(&data, &[]);
    assert_eq!(late_metrics(&server.client()).await, LATE.len());
    for id in &ids {
        assert!(rows(&server.client(), id).await > 3000);
    }
    server.stop();
    let kept = fs::read_dir(data.join("measures/cut")).unwrap();
    let kept: Vec<Vec<u8>> = kept
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(kept.contains(&begun), "{} are kept", kept.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_not_opened_and_not_changed() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 9] = [
        ("measures/0.jnl", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[0] ^= 0x55;
            fs::write(file, bytes).unwrap();
        }),
        ("measures/0.jnl", |file| fs::remove_file(file).unwrap()),
        ("measures/0.jnl", |file| fs::write(file, b"").unwrap()),
        ("measures/version", |file| fs::remove_file(file).unwrap()),
        ("measures/keyspaces/2/current", |file| {
            fs::remove_file(file).unwrap();
        }),
        ("progress", |file| fs::remove_file(file).unwrap()),
        ("identity", |file| fs::remove_file(file).unwrap()),
        ("indexer.db", |file| fs::write(file, b"").unwrap()),
        ("indexer.db", |file| fs::remove_file(file).unwrap()),
    ];
    let root = tempfile::tempdir().unwrap();
    let (stores, ids) = stores(root.path()).await;
    let data = root.path().join("damaged");
    for store in &stores {
        for (index, (name, harm)) in harms.iter().enumerate() {
            copy_tree(store, &data);
            for beside in ["indexer.db-wal", "indexer.db-shm"] {
                if *name == "indexer.db" && data.join(beside).exists() {
                    fs::remove_file(data.join(beside)).unwrap();
                }
            }
            harm(&data.join(name));
            let before = tree(&data);
            let output = serve(&data);
            let (_, stderr) = texts(&output);
            let context = format!("harm {index} of {name}: {stderr}");
            assert_eq!(output.status.code(), Some(1), "{context}");
            for expected in [*name, "gnocchi verify", "gnocchi repair"] {
                assert!(stderr.contains(expected), "{context}");
            }
            assert!(tree(&data) == before, "{context}");
            assert_eq!(verify(&data).0, Some(1), "{context}");
            fs::remove_dir_all(&data).unwrap();
        }
    }
    // Nothing of this was in vain: they still work.
    for store in &stores {
        let server = Server::start(store, &[]);
        for id in &ids {
            assert!(rows(&server.client(), id).await > 3000);
        }
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_is_cut_off_and_kept_aside() {
    let root = tempfile::tempdir().unwrap();
    let ([_, data], ids) = stores(root.path()).await;
    // The beginning of a batch that never got its end.
    let journal = data.join("measures/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let begun = [
        &[1, 2, 0, 0, 0][..],
        &[0xff, 0xff, 0, 0, 0, 0, 0, 0],
        b"torn",
    ]
    .concat();
    let mut file = fs::File::create(&journal).unwrap();
    file.write_all(&bytes).unwrap();
    file.write_all(&begun).unwrap();
    drop(file);

    let (status, said) = verify(&data);
    assert_eq!(status, Some(0), "{said}");
    let expected = format!(
        "ends with {} bytes, from byte {} on",
        begun.len(),
        bytes.len()
    );
    assert!(said.contains(&expected), "{said}");

    let log = root.path().join("gnocchi.log");
    let server = Server::start(&data, &["--log-file", log.to_str().unwrap()]);
    for id in &ids {
        assert!(rows(&server.client(), id).await > 3000);
    }
    let metrics = server.client().text("/metrics").await;
    server.stop();
    for expected in [
        "gnocchi_journal_tails_cut_total 1".to_owned(),
        format!("gnocchi_journal_bytes_cut_total {}", begun.len()),
    ] {
        assert!(metrics.contains(&expected), "{expected}: {metrics}");
    }
    let logged = fs::read_to_string(&log).unwrap();
    let line = logged
        .lines()
        .find(|line| line.contains("interrupted by a crash"))
        .unwrap_or_else(|| panic!("{logged}"));
    assert!(line.contains(" WARN "), "{line}");
    assert!(line.contains(&format!("bytes={}", begun.len())), "{line}");
    let kept: Vec<PathBuf> = fs::read_dir(data.join("measures/cut"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), begun);
    assert!(line.contains(kept[0].to_str().unwrap()), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_of_a_closed_indexer_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = Server::start(&data, &[]);
    let metric = json!({"name": "original-name", "archive_policy_name": "low"});
    server.client().create("/v1/metric", &metric).await;
    server.stop();
    let path = data.join("indexer.db");
    let intact = fs::read(&path).unwrap();
    let mut changed = intact.clone();
    // A valid name still, which SQLite cannot know to be another one.
    let (old, new) = (b"original-name", b"0riginal-name");
    let places: Vec<usize> = (0..changed.len() - old.len())
        .filter(|at| changed[*at..].starts_with(old))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        changed[at..at + new.len()].copy_from_slice(new);
    }
    fs::write(&path, changed).unwrap();
    let before = tree(&data);
    let (status, found) = verify(&data);
    assert_eq!(status, Some(1), "{found}");
    assert!(found.contains("since the store was closed"), "{found}");
    let (_, stderr) = texts(&serve(&data));
    for expected in ["indexer.db", "since the store was closed", "gnocchi repair"] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
    assert!(tree(&data) == before, "{stderr}");
    // One that was changed on purpose.
    fs::remove_file(data.join("indexer.sums")).unwrap();
    let server = Server::start(&data, &[]);
    let metrics = server.client().get("/v1/metric").await;
    assert_eq!(metrics[0]["name"], "0riginal-name");
    server.stop();
    assert_eq!(verify(&data).0, Some(0));
}
