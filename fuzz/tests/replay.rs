//! Replays every saved input of every property, and many changes of each.
//!
//! `GNOCCHI_FUZZ_ROUNDS` sets how many changed inputs each property gets.

use std::fs;
use std::path::{Path, PathBuf};

/// How many changed inputs each property gets. The fuzzer tries as many in a second.
const ROUNDS: usize = 2_000;

/// How many a property gets that opens a store for each.
const STORE_ROUNDS: usize = 60;

macro_rules! properties {
    ($($name:ident: $rounds:expr),* $(,)?) => {
        const PROPERTIES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                let inputs = saved(stringify!($name));
                for (path, input) in &inputs {
                    println!("{}", path.display());
                    gnocchi_fuzz::$name(input);
                }
                mutate(&inputs, gnocchi_fuzz::$name, $rounds);
            }
        )*
    };
}

properties![
    frame_codec: ROUNDS,
    points_codec: ROUNDS,
    measures_codec: ROUNDS,
    aggregate: ROUNDS,
    expression: ROUNDS,
    filter: ROUNDS,
    line_protocol: ROUNDS,
    remote_write: ROUNDS,
    timestamp: ROUNDS,
    timespan: ROUNDS,
    router: ROUNDS,
    damaged_store: STORE_ROUNDS,
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files of the folder of a property, which must not be empty.
fn saved(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.sort();
    let read = |path: PathBuf| {
        let input = fs::read(&path).unwrap();
        (path, input)
    };
    paths.into_iter().map(read).collect()
}

/// The folders of saved inputs and the programs for the fuzzer are those of the properties.
#[test]
fn every_property_has_a_program_and_a_folder() {
    let names = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        names.sort();
        names
    };
    let mut expected: Vec<&str> = PROPERTIES.to_vec();
    expected.sort_unstable();
    assert_eq!(names("corpus"), expected);
    assert_eq!(names("fuzz_targets"), expected);
}

/// Changes saved inputs at random, always in the same way, and runs the property on the results.
fn mutate(saved: &[(PathBuf, Vec<u8>)], property: fn(&[u8]), rounds: usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let rounds = std::env::var("GNOCCHI_FUZZ_ROUNDS").map_or(rounds, |text| text.parse().unwrap());
    for _ in 0..rounds {
        let mut input = saved[random(saved.len())].1.clone();
        for _ in 0..=random(3) {
            let at = random(input.len());
            match random(5) {
                0 => input.truncate(at),
                1 => input.insert(at, u8::try_from(random(256)).unwrap()),
                _ if input.is_empty() => {}
                2 => input[at] = [0x00, 0x01, 0x7f, 0x80, 0xff][random(5)],
                3 => input[at] ^= 1 << random(8),
                _ => {
                    let other = &saved[random(saved.len())].1;
                    let from = random(other.len());
                    let to = from + random(16.min(other.len() - from + 1));
                    input.splice(at..at, other[from..to.min(other.len())].iter().copied());
                }
            }
        }
        property(&input);
    }
}
