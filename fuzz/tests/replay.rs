//! Replays every saved input of every property.

use std::fs;
use std::path::Path;

/// Runs a property on all files of its folder, which must not be empty.
fn replay(name: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        property(&fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[test]
fn frame_codec() {
    replay("frame_codec", gnocchi_fuzz::frame_codec);
}

#[test]
fn points_codec() {
    replay("points_codec", gnocchi_fuzz::points_codec);
}

#[test]
fn measures_codec() {
    replay("measures_codec", gnocchi_fuzz::measures_codec);
}

#[test]
fn aggregate() {
    replay("aggregate", gnocchi_fuzz::aggregate);
}

#[test]
fn expression() {
    replay("expression", gnocchi_fuzz::expression);
}

/// The programs for the fuzzer and the folders of saved inputs are those of the properties.
#[test]
fn every_folder_has_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            root.join("fuzz_targets")
                .join(format!("{name}.rs"))
                .exists(),
            "{name}"
        );
    }
}

/// Changes saved inputs at random, always in the same way, and runs the property on the results.
fn mutate(name: &str, property: fn(&[u8])) {
    const ROUNDS: usize = 2_000;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for _ in 0..ROUNDS {
        let mut input = inputs[random(inputs.len())].clone();
        for _ in 0..=random(3) {
            let at = random(input.len());
            match random(5) {
                0 => input.truncate(at),
                1 => input.insert(at, u8::try_from(random(256)).unwrap()),
                _ if input.is_empty() => {}
                2 => input[at] = [0x00, 0x01, 0x7f, 0x80, 0xff][random(5)],
                3 => input[at] ^= 1 << random(8),
                _ => {
                    let other = &inputs[random(inputs.len())];
                    let from = random(other.len());
                    let to = from + random(16.min(other.len() - from + 1));
                    input.splice(at..at, other[from..to.min(other.len())].iter().copied());
                }
            }
        }
        property(&input);
    }
}

#[test]
fn mutated_inputs() {
    mutate("frame_codec", gnocchi_fuzz::frame_codec);
    mutate("points_codec", gnocchi_fuzz::points_codec);
    mutate("measures_codec", gnocchi_fuzz::measures_codec);
    mutate("aggregate", gnocchi_fuzz::aggregate);
    mutate("expression", gnocchi_fuzz::expression);
}
