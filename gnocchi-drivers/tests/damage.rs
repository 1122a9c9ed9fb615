//! Damage of every file of a store: it is refused, reported, or harmless, and never loses other data without a word.
//!
//! `GNOCCHI_DAMAGE_MUTATIONS` sets how many places are damaged by chance, beside those that always are; `GNOCCHI_DAMAGE_SEED` repeats a
//! run.
#![cfg(all(feature = "embedded", feature = "sqlite"))]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests panic like tests; a run tells what it found"
)]

#[path = "support/populated.rs"]
mod populated;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gnocchi_drivers::embedded::{Store, StoreConfig, StoreFiles};
use populated::{Content, Random, copy_tree, files_below, populate, read_all, scratch};
use tokio::task::JoinSet;

/// What is done to a file or folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// One byte is changed.
    Flip { offset: u64, mask: u8 },
    /// What is behind is gone.
    Cut { length: u64 },
    /// Zeros from here on, as of pages that were never written.
    Zero { from: u64, length: u64 },
    /// It is gone.
    Remove,
    /// It is that of another store.
    Swap,
    /// It is that of the same store at an earlier time.
    Older,
}

/// What became of a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    ReadFails,
    Harmless,
}

/// Stores of the same kind, closed.
struct Samples {
    whole: PathBuf,
    other: PathBuf,
    older: PathBuf,
    content: Content,
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number"))
    })
}

/// Returns what is in a tree.
fn tree(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_below(path)
        .into_iter()
        .map(|file| {
            let bytes = fs::read(path.join(&file)).unwrap();
            (file, bytes)
        })
        .collect()
}

fn apply(harm: &Harm, samples: &Samples, file: &Path, target: &Path) {
    let replace_by = |source: &Path| {
        let (from, to) = (source.join(file), target.join(file));
        if to.is_dir() {
            fs::remove_dir_all(&to).unwrap();
        } else if to.exists() {
            fs::remove_file(&to).unwrap();
        }
        if from.is_dir() {
            copy_tree(&from, &to);
        } else if from.exists() {
            fs::copy(&from, &to).unwrap();
        }
    };
    let path = target.join(file);
    match harm {
        Harm::Remove if path.is_dir() => fs::remove_dir_all(path).unwrap(),
        Harm::Remove => fs::remove_file(path).unwrap(),
        Harm::Swap => replace_by(&samples.other),
        Harm::Older => replace_by(&samples.older),
        Harm::Flip { offset, mask } => {
            let mut bytes = fs::read(&path).unwrap();
            bytes[usize::try_from(*offset).unwrap()] ^= mask;
            fs::write(path, bytes).unwrap();
        }
        Harm::Cut { length } => {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_len(*length).unwrap();
        }
        Harm::Zero { from, length } => {
            let mut bytes = fs::read(&path).unwrap();
            let start = usize::try_from(*from).unwrap();
            let end = bytes.len().min(start + usize::try_from(*length).unwrap());
            bytes[start..end].fill(0);
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Returns what is wrong with a store, without opening it.
async fn verify(path: &Path) -> Result<Vec<String>, String> {
    let files = {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || StoreFiles::look(&path))
            .await
            .unwrap()
            .map_err(|error| error.to_string())?
    };
    let mut damage = [files.damage(), files.harmless_damage()].concat();
    damage.extend(files.check_identity().await.unwrap());
    damage.extend(files.check_tables(|| ()).unwrap());
    damage.extend(files.records().unwrap().damage);
    damage.extend(files.frames(|_| ()).unwrap());
    let mut damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
    match files.check_indexer().await {
        Ok(problems) => damage.extend(problems),
        Err(error) => damage.push(error.to_string()),
    }
    Ok(damage)
}

/// Damages a copy of a store and looks what becomes of it.
async fn suffer(samples: &Samples, file: &Path, harm: &Harm) -> Outcome {
    let scratch = scratch();
    let target = scratch.path().join("store");
    copy_tree(&samples.whole, &target);
    apply(harm, samples, file, &target);
    let context = format!("{harm:?} of {}", file.display());
    let before = tree(&target);

    let found = verify(&target).await;
    assert!(
        before == tree(&target),
        "{context}: verify changed something"
    );
    let is_sound = found.as_ref().is_ok_and(Vec::is_empty);

    match Store::open(StoreConfig::new(&target)).await {
        Err(error) => {
            let text = error.to_string();
            assert!(
                before == tree(&target),
                "{context}: changed although refused: {text}"
            );
            assert!(
                text.contains(target.to_str().unwrap()),
                "{context}: names no file: {text}"
            );
            assert!(
                !is_sound,
                "{context}: refused and verified as sound: {text}"
            );
            Outcome::Refused
        }
        Ok(store) => {
            let read = read_all(store.gnocchi()).await;
            store.close().await;
            match read {
                Ok(found_content) => {
                    assert!(
                        found_content == samples.content,
                        "{context}: data is lost without a word; verify said {found:?}"
                    );
                    Outcome::Harmless
                }
                Err(error) => {
                    assert!(
                        !is_sound,
                        "{context}: reading fails and verify says nothing: {error}"
                    );
                    Outcome::ReadFails
                }
            }
        }
    }
}

/// Chooses what is done to each file: its head, its middle, its tail, and `by_chance` places by chance.
fn harms(samples: &Samples, by_chance: usize, random: &mut Random) -> Vec<(PathBuf, Harm)> {
    let files = files_below(&samples.whole);
    let mut harms = Vec::new();
    let mut folders = BTreeSet::new();
    for file in &files {
        for folder in file
            .ancestors()
            .skip(1)
            .filter(|folder| *folder != Path::new(""))
        {
            folders.insert(folder.to_owned());
        }
        for harm in [
            Harm::Remove,
            Harm::Swap,
            Harm::Older,
            Harm::Cut { length: 0 },
        ] {
            harms.push((file.clone(), harm));
        }
        let length = fs::metadata(samples.whole.join(file)).unwrap().len();
        for offset in [0, length / 2, length.saturating_sub(1)] {
            if offset < length {
                harms.push((file.clone(), Harm::Flip { offset, mask: 0x55 }));
            }
        }
        harms.push((file.clone(), Harm::Cut { length: length / 2 }));
    }
    for folder in folders {
        for harm in [Harm::Remove, Harm::Swap, Harm::Older] {
            harms.push((folder.clone(), harm));
        }
    }
    let systematic = harms.len();
    let lengths: Vec<u64> = files
        .iter()
        .map(|file| fs::metadata(samples.whole.join(file)).unwrap().len())
        .collect();
    while harms.len() < systematic + by_chance {
        let index = random.below(files.len());
        let length = lengths[index];
        if length == 0 {
            continue;
        }
        let offset = random.below(usize::try_from(length).unwrap()) as u64;
        let harm = match random.below(4) {
            0 => Harm::Cut { length: offset },
            1 => Harm::Zero {
                from: offset,
                length: 1 + random.below(5000) as u64,
            },
            _ => Harm::Flip {
                offset,
                mask: 1 << random.below(8),
            },
        };
        harms.push((files[index].clone(), harm));
    }
    harms.sort();
    harms.dedup();
    harms
}

/// How many stores are damaged and opened at the same time; most of an opening is waiting for the disk.
const AT_ONCE: usize = 6;

/// Counts panics of all threads, also of those of the engine.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// What is being damaged now. A thread of the engine does not know whose it is: its panic names all that run at the same time.
static RUNNING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn running_cases() -> MutexGuard<'static, BTreeSet<String>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn every_file_suffers(name: &str, samples: Samples, by_chance: usize, random: &mut Random) {
    let mut outcomes: BTreeMap<(PathBuf, Outcome), usize> = BTreeMap::new();
    let harms = harms(&samples, by_chance, random);
    let count = harms.len();
    let panics = PANICS.load(Ordering::Relaxed);
    let samples = Arc::new(samples);
    let mut running = JoinSet::new();
    let mut harms = harms.into_iter();
    loop {
        while running.len() < AT_ONCE
            && let Some((file, harm)) = harms.next()
        {
            let samples = Arc::clone(&samples);
            let case = format!("{name}: {harm:?} of {}", file.display());
            running.spawn(async move {
                running_cases().insert(case.clone());
                let outcome = suffer(&samples, &file, &harm).await;
                running_cases().remove(&case);
                (file, outcome)
            });
        }
        match running.join_next().await {
            Some(Ok(ended)) => *outcomes.entry(ended).or_default() += 1,
            Some(Err(failed)) => std::panic::resume_unwind(failed.into_panic()),
            None => break,
        }
    }
    assert_eq!(
        PANICS.load(Ordering::Relaxed),
        panics,
        "{name}: a thread panicked, see above"
    );
    for ((file, outcome), count) in &outcomes {
        eprintln!("{name}: {} {outcome:?}: {count}", file.display());
    }
    let refused: usize = outcomes
        .iter()
        .filter(|((_, outcome), _)| *outcome == Outcome::Refused)
        .map(|(_, count)| count)
        .sum();
    assert!(
        refused * 4 > count,
        "{name}: only {refused} of {count} refused"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_damage_is_silent() {
    let seed = number_from_environment("GNOCCHI_DAMAGE_SEED")
        .unwrap_or_else(|| RandomState::new().hash_one(0));
    let by_chance = number_from_environment("GNOCCHI_DAMAGE_MUTATIONS").unwrap_or(100);
    let by_chance = usize::try_from(by_chance / 2).unwrap();
    eprintln!("GNOCCHI_DAMAGE_SEED={seed}");
    let mut random = Random::new(seed);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        hook(info);
        eprintln!("it is one of {:#?}", running_cases());
    }));
    // One that was closed, and one whose process was killed.
    for (name, killed) in [("closed", false), ("killed", true)] {
        let folder = scratch();
        let (whole, other) = (folder.path().join("whole"), folder.path().join("other"));
        let older = folder.path().join("older");
        let content = populate(&whole, 1, killed, Some(&older)).await;
        populate(&other, 2, killed, None).await;
        let samples = Samples {
            whole,
            other,
            older,
            content,
        };
        every_file_suffers(name, samples, by_chance, &mut random).await;
    }
}
