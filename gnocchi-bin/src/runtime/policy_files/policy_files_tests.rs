use gnocchi_core::policy::{Action, Caller, NoTarget};

use super::*;
use crate::api::auth::HttpChecksSettings;

/// A directory of files, looked up there.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fixture.write(name, text);
        }
        fixture
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn files(&self, missing: Missing) -> PolicyFiles {
        let named = |path: &str| PolicyPath {
            path: path.into(),
            missing,
        };
        PolicyFiles::new(PolicySettings {
            file: named("policy.yaml"),
            directories: vec![named("policy.d")],
            search: vec![self.0.path().join("nowhere"), self.0.path().to_owned()],
            default_rule: "default".to_owned(),
            remote: HttpChecksSettings::default(),
        })
    }

    /// Returns the names of the users who may see the status.
    fn allowed(&self) -> Vec<&'static str> {
        allowed(&self.files(Missing::Fine).load().unwrap())
    }

    fn error(&self, missing: Missing) -> String {
        let error = self.files(missing).load().unwrap_err();
        let prefix = format!("{}/", self.0.path().display());
        with_causes(&error).replace(&prefix, "")
    }
}

fn allowed(enforcer: &Enforcer) -> Vec<&'static str> {
    let allows = |name: &&str| enforcer.allows(Action::GetStatus, &Caller::named(*name), &NoTarget);
    ["admin", "a", "b"].into_iter().filter(allows).collect()
}

#[test]
fn without_files_the_default_rules_hold() {
    assert_eq!(Fixture::new(&[]).allowed(), ["admin"]);
}

#[test]
fn files_replace_default_rules_and_directories_replace_files() {
    let rule = |user: &str| format!("get status: user:{user}\n");
    let fixture = Fixture::new(&[("policy.yaml", &rule("a"))]);
    assert_eq!(fixture.allowed(), ["a"]);
    fixture.write("policy.d/20.json", r#"{"get status": "user:b"}"#);
    fixture.write("policy.d/10.yaml", &rule("admin"));
    fixture.write("policy.d/.30.yaml.swp", "\0");
    assert_eq!(fixture.allowed(), ["b"]);
}

#[test]
fn rules_of_several_files_refer_to_each_other() {
    let fixture = Fixture::new(&[
        ("policy.yaml", "get status: rule:watchers\n"),
        ("policy.d/x", "watchers: user:a or user:b\n"),
    ]);
    assert_eq!(fixture.allowed(), ["a", "b"]);
    fixture.write("policy.d/x", "default: user:b\n");
    assert_eq!(fixture.allowed(), ["b"], "a missing rule means the default");
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let check = |file: &str, text: &str, expected: &str| {
        let fixture = Fixture::new(&[(file, text)]);
        assert_eq!(fixture.error(Missing::Fine), expected, "{text}");
    };
    check(
        "policy.yaml",
        "get metric: '@'\nget status: (role:a\n",
        "policy.yaml:2: rule `get status` cannot be read: unexpected end in a rule",
    );
    check(
        "policy.d/x",
        "\nget status: admin\n",
        "policy.d/x:2: rule `get status` cannot be read: admin is not a check: it has no colon",
    );
    check(
        "policy.yaml",
        "get metric: '@'\nget status: not rol:x\n",
        "policy.yaml:2: rule `get status` cannot be read: got `rol:x`; did you mean `role:x`?",
    );
    check(
        "policy.d/x",
        "get status: not colour:red\n",
        "policy.d/x:1: rule `get status` negates a check of `colour`, which no caller has, so it would hold for every caller: got `colour`; expected one of user, user_id, project_id, domain_id, roles, system",
    );
    check(
        "policy.yaml",
        "creator: rule:creator\n",
        "policy.yaml:1: rule `creator` refers to itself",
    );
    check(
        "policy.yaml",
        "get metric: '@'\nget statsu: user:a\n",
        "policy.yaml:2: rule `get statsu` decides nothing: no request asks for it and no rule refers to it; did you mean `get status`?",
    );
    check(
        "policy.d/x",
        "get status: rule:wacthers\nwatchers: user:a\nget metric: rule:watchers\n",
        "policy.d/x:1: rule `get status` refers to rule `wacthers`, which does not exist; did you mean `watchers`?",
    );
    let doubling: Vec<String> = (0..40)
        .map(|number| format!("r{number}: rule:r{0} or rule:r{0}", number + 1))
        .collect();
    let doubling = format!(
        "{}\nr40: role:x\nget status: rule:r0\n",
        doubling.join("\n")
    );
    check(
        "policy.yaml",
        &doubling,
        "policy.yaml:32: rule `r31` takes more than 1000 checks, those of the rules that it refers to counted each time",
    );
    check(
        "policy.yaml",
        "- a\n",
        "policy.yaml:1: is not a mapping of names to rules",
    );
    let missing = Fixture::new(&[]).error(Missing::Refused);
    assert_eq!(
        missing,
        "there is no file or directory policy.yaml of access rules"
    );
    let endless = "#".repeat(1 + usize::try_from(FILE_BYTES_MAX).unwrap());
    check(
        "policy.yaml",
        &endless,
        "policy.yaml has more than 1048576 bytes",
    );
}

#[test]
fn pipes_are_refused_and_never_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    for name in ["policy.yaml", "policy.d/x"] {
        let fixture = Fixture::new(&[("policy.d/a", "")]);
        let path = fixture.0.path().join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(
            fixture.error(Missing::Fine),
            format!("cannot read the access rules {name}: it is a named pipe, not a regular file")
        );
    }
}

#[test]
fn changed_files_count_unless_they_are_broken() {
    let fixture = Fixture::new(&[("policy.yaml", "get status: user:a\n")]);
    let files = fixture.files(Missing::Fine);
    let watched = WatchedPolicy {
        policy: Policy::new(files.load().unwrap()),
        files,
    };
    let check = |text: &str, expected: &[&str]| {
        fixture.write("policy.yaml", text);
        watched.reload();
        assert_eq!(allowed(&watched.policy.current()), expected, "{text}");
    };
    check("get status: user:b\n", &["b"]);
    check("get status: (user:a\n", &["b"]);
    check("get status: not rol:x\n", &["b"]);
    check("get status: user:a\n", &["a"]);
    let stamps = || super::super::watch::Stamps::of(watched.paths());
    let before = stamps();
    fixture.write("policy.d/new.yaml", "get status: user:b\n");
    assert_ne!(stamps(), before, "a new file in the directory is seen");
}
