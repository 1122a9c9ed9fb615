//! Repairs of damaged data directories.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::support::{Server, run, texts};
use super::{LATE, copy_tree, rows, stores, tree, verify};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repair_saves_what_is_readable() {
    let root = tempfile::tempdir().unwrap();
    let ([closed, killed], ids) = stores(root.path()).await;
    for (number, (data, file)) in [
        (&closed, "measures/version"),
        (&killed, "measures/version"),
        (&closed, "progress"),
        (&killed, "identity"),
        (&closed, "measures/keyspaces/0/current"),
        (&killed, "measures/keyspaces/0/current"),
    ]
    .into_iter()
    .enumerate()
    {
        let damaged = root.path().join(format!("damaged-{number}"));
        copy_tree(data, &damaged);
        fs::remove_file(damaged.join(file)).unwrap();
        let before = tree(&damaged);
        let new = root.path().join(format!("new-{number}"));
        let repair = || run(&["repair", damaged.to_str().unwrap(), new.to_str().unwrap()]);
        let output = repair();
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
        assert!(stdout.contains(file), "{stdout}");
        // A file that is intact is not blamed for one that is not.
        assert!(!stdout.contains(".jnl"), "{stdout}");
        let metrics = if data == &closed { 3 } else { 3 + LATE.len() };
        let saved = format!("saved: {metrics} metrics, ");
        assert!(stdout.contains(&saved), "{stdout}");
        assert!(
            stdout.contains("0 metrics lost something, 0 are unknown"),
            "{stdout}"
        );
        assert!(tree(&damaged) == before, "{stdout}");
        let report = fs::read_to_string(new.join("repair-report.csv")).unwrap();
        assert!(ids.iter().all(|id| report.contains(id)), "{report}");
        // A second time there is no room.
        let output = repair();
        assert_eq!(output.status.code(), Some(2));
        assert!(texts(&output).1.contains("exists already"), "{output:?}");

        assert_eq!(verify(&new).0, Some(0), "{:?}", verify(&new));
        let expected = if data == &closed { 3000 } else { 3001 };
        let server = Server::start(&new, &[]);
        for id in &ids {
            let path = format!("/v1/metric/{id}/measures?aggregation=count&granularity=1");
            let rows = server.client().get(&path).await;
            assert_eq!(rows.as_array().unwrap().len(), expected);
            assert!(rows.as_array().unwrap().iter().all(|row| row[2] == 1.0));
        }
        server.stop();
        assert_eq!(verify(&new).0, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_needs_a_place_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let ([closed, _], _) = stores(root.path()).await;
    let before = tree(&closed);
    let repair = |new: &Path| {
        let output = run(&["repair", closed.to_str().unwrap(), new.to_str().unwrap()]);
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{stdout}{stderr}");
        stderr
    };
    let link = root.path().join("link");
    std::os::unix::fs::symlink(&closed, &link).unwrap();
    for below in [
        closed.clone(),
        closed.join("new"),
        closed.join("measures/a/b"),
        link.join("new"),
        root.path().join("other/../closed/new"),
    ] {
        let error = repair(&below);
        assert!(
            error.contains("expected a directory outside of it"),
            "{error}"
        );
        assert!(tree(&closed) == before, "{error}");
    }
    // The new directory is written beside itself first: not beside a link in the damaged one.
    let (linked, outside) = (root.path().join("linked"), root.path().join("outside"));
    copy_tree(&closed, &linked);
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, linked.join("way-out")).unwrap();
    let files = || {
        let names = fs::read_dir(&linked).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names.collect::<BTreeSet<_>>()
    };
    let names_before = files();
    let output = run(&[
        "repair",
        linked.to_str().unwrap(),
        linked.join("way-out").to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(files(), names_before);
    assert_eq!(verify(&outside).0, Some(0));
    // What a repair leaves that was killed.
    let unfinished = root.path().join("new.unfinished");
    fs::create_dir(&unfinished).unwrap();
    for new in ["new", "new/"] {
        let error = repair(&root.path().join(new));
        let expected = format!(
            "{} was left behind by an interrupted repair",
            unfinished.display()
        );
        assert!(error.contains(&expected), "{error}");
        assert!(error.contains("delete this directory"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_checksums_of_the_indexer_are_reported_and_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    let ([closed, _], ids) = stores(root.path()).await;
    let sums = closed.join("indexer.sums");
    let mut bytes = fs::read(&sums).unwrap();
    bytes[20] ^= 1;
    fs::write(&sums, bytes).unwrap();
    let (status, found) = verify(&closed);
    assert_eq!(status, Some(1), "{found}");
    assert!(found.contains("indexer.sums"), "{found}");
    let new = root.path().join("new");
    let output = run(&["repair", closed.to_str().unwrap(), new.to_str().unwrap()]);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("indexer.sums is damaged"), "{stdout}");
    for data in [&closed, &new] {
        let server = Server::start(data, &[]);
        for id in &ids {
            assert!(rows(&server.client(), id).await >= 3000);
        }
        server.stop();
        assert_eq!(verify(data).0, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_of_halves_of_different_age_tells_it() {
    let root = tempfile::tempdir().unwrap();
    let ([closed, killed], _) = stores(root.path()).await;
    Server::start(&killed, &[]).stop();
    for (number, (measures, indexer, age)) in
        [(&closed, &killed, "newer"), (&killed, &closed, "older")]
            .into_iter()
            .enumerate()
    {
        let mixed = root.path().join(format!("mixed-{number}"));
        copy_tree(measures, &mixed);
        fs::copy(indexer.join("indexer.db"), mixed.join("indexer.db")).unwrap();
        let new = root.path().join(format!("new-{number}"));
        let output = run(&["repair", mixed.to_str().unwrap(), new.to_str().unwrap()]);
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
        let expected = format!("indexer.db is {age} than the measures beside it");
        assert!(stdout.contains(&expected), "{stdout}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_says_what_a_missing_journal_may_have_held() {
    let root = tempfile::tempdir().unwrap();
    let ([_, killed], ids) = stores(root.path()).await;
    for journal in tree(&killed)
        .keys()
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "jnl"))
    {
        fs::remove_file(journal).unwrap();
    }
    let new = root.path().join("new");
    let output = run(&["repair", killed.to_str().unwrap(), new.to_str().unwrap()]);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    let report = fs::read_to_string(new.join("repair-report.csv")).unwrap();
    for id in &ids {
        let line = report.lines().find(|line| line.contains(id)).unwrap();
        assert!(line.contains("may lack measures"), "{line}");
    }
    assert!(!stdout.contains(" 0 metrics lost something"), "{stdout}");
}
