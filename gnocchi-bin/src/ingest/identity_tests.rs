use proptest::prelude::*;

use super::*;

const ROOM: Room = Room::Bytes(255);

#[test]
fn texts_without_special_characters_stay_as_they_are() {
    let check = |text: &str, expected: &str| {
        let mut name = String::new();
        push_text(&mut name, text, &['@']);
        assert_eq!(name, expected, "{text}");
    };
    check("cpu_usage", "cpu_usage");
    check("_internal", "_internal");
    check("größe", "größe");
    check("", "");
    check("a/b_c", r"a\_b_c");
    check(r"a\b@c,d", r"a\\b\@c,d");
}

#[test]
fn values_may_be_paths() {
    let check = |value: &str, expected: &str| {
        let mut name = String::new();
        push_value(&mut name, value, &[',']);
        assert_eq!(name, expected, "{value}");
    };
    check("/var/lib", "_var_lib");
    check("/var/my_dir", r"_var_my\_dir");
    check("/", "_");
    check("_var_lib", r"\_var\_lib");
    check("my_value", "my_value");
    check("text/html_x", r"text\_html_x");
    check("a,b=c@d", r"a\,b=c@d");
}

fn full(name: &Name) -> Option<String> {
    name.full.as_ref().map(ToString::to_string)
}

#[test]
fn names_of_a_series_are_those_of_their_texts_and_share_the_key() {
    for room in [ROOM, Room::Characters(255)] {
        for length in [0, 200, 249, 250, 251, 300, 2000] {
            for letter in ["a", "é", "𝄞"] {
                let key = Arc::new(SeriesKey {
                    prefix: "m.".to_owned(),
                    suffix: letter.repeat(length),
                });
                let name = Name::fit_in_series(&key, "own".to_owned(), room);
                let whole = format!("m.own{}", key.suffix);
                assert_eq!(name.text, Name::fit(whole.clone(), room).text);
                if let Some(full_name) = &name.full {
                    assert_eq!(full_name.to_string(), whole);
                    assert!(Arc::ptr_eq(full_name.key.as_ref().unwrap(), &key));
                }
            }
        }
    }
}

#[test]
fn long_names_end_with_a_digest() {
    let fits = "a".repeat(255);
    assert_eq!(Name::fit(fits.clone(), ROOM).text, fits);
    assert_eq!(Name::fit(fits.clone(), ROOM).full, None);

    let long = "a".repeat(256);
    let name = Name::fit(long.clone(), ROOM);
    // The digest is SHA-256, cut to 128 bits.
    let digest = "02d7160d77e18c6447be80c2e355c7ed";
    assert_eq!(name.text, format!("{}~{digest}", "a".repeat(222)));
    assert_eq!(full(&name), Some(long));

    // Characters are not cut in two.
    let wide = "é".repeat(128);
    let name = Name::fit(wide.clone(), ROOM);
    assert_eq!(name.text.len(), 255);
    assert!(name.text.starts_with(&"é".repeat(111)));
    assert_eq!(Name::fit(wide.clone(), Room::Characters(255)).text, wide);
    let wide = "é".repeat(256);
    let name = Name::fit(wide, Room::Characters(255));
    assert_eq!(name.text.chars().count(), 255);
}

#[test]
fn a_name_that_looks_shortened_is_no_other_name() {
    let long = Name::fit("a".repeat(300), ROOM);
    let posing = Name::fit(long.text.clone(), ROOM);
    assert_ne!(posing.text, long.text);
    assert_eq!(full(&posing), Some(long.text));
    let short = format!("cpu~{}", "0".repeat(32));
    assert_ne!(Name::fit(short.clone(), ROOM).text, short);
    let harmless = format!("cpu~{}", "0".repeat(31));
    assert_eq!(Name::fit(harmless.clone(), ROOM).text, harmless);
}

/// Takes a name apart again: the inverse of [`push_text`] and [`push_value`] up to an end.
fn read(name: &mut &str, is_value: bool, ends: &[char]) -> String {
    let is_path = is_value && (name.starts_with('_') || name.starts_with(r"\_"));
    let mut text = String::new();
    let mut rest = name.char_indices();
    let mut end = name.len();
    while let Some((at, c)) = rest.next() {
        let (c, is_escaped) = match c {
            '\\' => (rest.next().map_or('\\', |(_, c)| c), true),
            c => (c, false),
        };
        if !is_escaped && ends.contains(&c) {
            end = at;
            break;
        }
        text.push(if c == '_' && is_escaped != is_path {
            '/'
        } else {
            c
        });
    }
    *name = &name[end..];
    text
}

fn text() -> impl Strategy<Value = String> {
    // Few characters, so that different texts are often nearly the same.
    r"[ab/_\\.@,=~]{0,6}"
}

proptest! {
    #[test]
    fn what_is_written_reads_back(text in text(), value in text()) {
        let mut name = String::new();
        push_text(&mut name, &text, &[',', '=']);
        name.push('=');
        push_value(&mut name, &value, &[',']);
        name.push(',');
        let mut rest = name.as_str();
        prop_assert_eq!(read(&mut rest, false, &[',', '=']), text, "{}", name);
        rest = &rest[1..];
        prop_assert_eq!(read(&mut rest, true, &[',']), value, "{}", name);
        prop_assert_eq!(rest, ",");
        prop_assert!(!name.contains('/'));
    }

    #[test]
    fn different_names_stay_different(one in "[ab~0]{0,40}", other in "[ab~0]{0,40}") {
        let room = Room::Characters(36);
        let (first, second) = (Name::fit(one.clone(), room), Name::fit(other.clone(), room));
        prop_assert_eq!(one == other, first.text == second.text);
        prop_assert!(first.text.len() <= 36);
    }
}
