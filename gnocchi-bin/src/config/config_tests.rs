use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::api::TrustedProxies;

/// Files of a test, and the sources that read them in this order.
pub(super) struct Fixture {
    directory: TempDir,
    sources: Sources,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Without any file the default places are searched: keep this machine out of the tests.
        let sources = Sources {
            directories: vec![directory.path().join("none.d")],
            ..Sources::default()
        };
        fs::create_dir(directory.path().join("none.d")).unwrap();
        Self { directory, sources }.file("base.conf", "")
    }

    pub(super) fn file(mut self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        self.sources.files.push(path);
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn load(&self) -> Config {
        Config::load(&self.sources).unwrap().config
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        Config::load(&self.sources).unwrap().warnings
    }

    pub(super) fn error(&self) -> String {
        self.try_load().unwrap_err()
    }

    pub(super) fn try_load(&self) -> Result<Config, String> {
        let loaded = Config::load(&self.sources).map_err(|error| error.to_string())?;
        Ok(loaded.config)
    }
}

#[test]
fn everything_has_a_default() {
    let config = Fixture::new().load();
    assert_eq!(
        (config.api.host.as_str(), config.api.port),
        ("127.0.0.1", 8041)
    );
    assert_eq!(config.api.request_logs, RequestLogs::default());
    assert_eq!(
        config.api.settings,
        crate::api::settings::ApiSettings::default(),
        "one set of defaults"
    );
    assert_eq!(config.storage.data_dir, PathBuf::from("gnocchi-data"));
    assert_eq!(config.metricd.reporting_delay, Some(Duration::from_mins(2)));
    assert_eq!(config.incoming.max_future, None);
    let embedded = gnocchi_drivers::embedded::EmbeddedConfig::new("p");
    assert_eq!(config.incoming.sacks, embedded.sacks);
    assert_eq!(
        config.incoming.max_pending_bytes,
        embedded.pending_bytes_max
    );
    assert_eq!(config.storage.block_cache_bytes, embedded.cache_bytes);
    let methods = &config.archive_policy.default_aggregation_methods;
    assert_eq!(*methods, gnocchi_core::model::default_aggregation_methods());
    let core = gnocchi_core::Settings::default();
    assert_eq!(config.storage.window_cache_bytes, core.window_cache_bytes);
    assert_eq!(config.metricd.processing_delay, core.processing_delay);
    assert_eq!(config.metricd.cleanup_delay, core.cleanup_delay);
    assert_eq!(config.metricd.cleanup_batch_size, core.cleanup_batch_size);
    assert_eq!(config.metricd.reporting_delay, core.reporting_delay);
}

#[test]
fn every_listed_default_is_a_value_that_the_option_takes() {
    let mut text = String::new();
    for section in SECTIONS {
        writeln!(text, "[{}]", section.name).unwrap();
        for option in section
            .all()
            .filter(|option| option.effect == Effect::Active)
        {
            if let Some(default) = option.default {
                writeln!(text, "{} = {default}", option.name).unwrap();
            }
        }
    }
    let given = Fixture::new().file("all.conf", &text);
    let (mut with, mut without) = (given.load(), Fixture::new().load());
    // Each fixture has a directory of its own.
    with.policy.search.clear();
    without.policy.search.clear();
    assert_eq!(with, without);
    assert_eq!(given.warnings(), Vec::<String>::new());
}

#[test]
fn the_strongest_source_wins() {
    let mut fixture =
        Fixture::new().file("one.conf", "[api]\nport = 1\nhost = ::1\nmax_limit = 5\n");
    assert_eq!(fixture.load().api.port, 1);
    fixture = fixture.file("two.conf", "[api]\nport = 3\n");
    assert_eq!(fixture.load().api.port, 3, "a later file");
    assert_eq!(
        fixture.load().api.host,
        "::1",
        "what the later file doesn't say stays"
    );
    fixture = fixture.variable("GNOCCHI_API__PORT", "4");
    assert_eq!(fixture.load().api.port, 4);
    fixture.sources.flags.push(FlagValue {
        flag: "--port",
        section: "api",
        option: "port",
        value: "5".into(),
    });
    assert_eq!(fixture.load().api.port, 5);
    assert_eq!(fixture.load().api.settings.max_limit, 5);
}

#[test]
#[cfg(unix)]
fn paths_of_flags_are_taken_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let load = |path: &OsStr, text: &str| {
        let mut fixture = Fixture::new().file("a.conf", text);
        for (flag, section, option) in [
            ("--data-dir", "storage", "data_dir"),
            ("--log-file", "DEFAULT", "log_file"),
        ] {
            fixture.sources.paths.push(FlagPath {
                flag,
                section,
                option,
                path: path.into(),
            });
        }
        Config::load(&fixture.sources).map(|loaded| loaded.config)
    };
    for bytes in [&b" sp "[..], b"a$b", b"$$", b"a\\$b", b"\xff"] {
        let path = OsStr::from_bytes(bytes);
        let config = load(path, "[storage]\ndata_dir = weaker\n").unwrap();
        assert_eq!(config.storage.data_dir, PathBuf::from(path));
        assert_eq!(config.general.log_file, Some(PathBuf::from(path)));
    }
    let config = load(OsStr::new(""), "[storage]\ndata_dir = file\n").unwrap();
    assert_eq!(config.storage.data_dir, PathBuf::from("file"));
    assert_eq!(config.general.log_file, None);

    let reference = "log_dir = ${storage.data_dir}/log\n";
    let config = load(OsStr::new("a$b"), reference).unwrap();
    assert_eq!(
        config.general.log_file,
        Some(PathBuf::from("a$b/log").join("a$b"))
    );
    let error = load(OsStr::from_bytes(b"\xff"), reference)
        .unwrap_err()
        .to_string();
    assert!(error.contains("a path that is not text"), "{error}");
}

#[test]
fn a_delay_of_zero_is_no_error() {
    let config = Fixture::new()
        .file(
            "a.conf",
            "[metricd]\nmetric_processing_delay = 0\nmetric_reporting_delay = 0\nmetric_cleanup_delay = 0\n",
        )
        .load();
    assert_eq!(config.metricd.processing_delay, Duration::ZERO);
    assert_eq!(config.metricd.cleanup_delay, Duration::ZERO);
    assert_eq!(config.metricd.reporting_delay, None);
}

#[test]
fn directories_are_read_after_files_in_the_order_of_names() {
    let mut fixture = Fixture::new().file("one.conf", "[api]\nport = 1\n");
    let directory = fixture.path("conf.d");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("20.conf"), "[api]\nport = 20\n").unwrap();
    fs::write(
        directory.join("10.conf"),
        "[api]\nport = 10\nmax_limit = 10\n",
    )
    .unwrap();
    fs::write(directory.join("30.conf.orig"), "[api]\nport = 30\n").unwrap();
    fixture.sources.directories.push(directory);
    let config = fixture.load();
    assert_eq!((config.api.port, config.api.settings.max_limit), (20, 10));
}

#[test]
fn default_files_are_those_of_the_user_or_else_of_the_system() {
    let home = tempfile::tempdir().unwrap();
    let home_path = home.path().to_str().unwrap().to_owned();
    let sources = Sources {
        environment: vec![
            ("HOME".into(), home_path.clone()),
            ("XDG_CONFIG_HOME".into(), format!("{home_path}/xdg")),
        ],
        ..Sources::default()
    };
    fs::create_dir_all(home.path().join("xdg/gnocchi/gnocchi.conf.d")).unwrap();
    fs::write(
        home.path().join("xdg/gnocchi/gnocchi.conf"),
        "[api]\nport = 1\nmax_limit = 9\n",
    )
    .unwrap();
    fs::write(
        home.path().join("xdg/gnocchi/gnocchi.conf.d/a.conf"),
        "[api]\nport = 2\n",
    )
    .unwrap();
    let config = Config::load(&sources).unwrap().config;
    assert_eq!((config.api.port, config.api.settings.max_limit), (2, 9));
    fs::create_dir_all(home.path().join(".gnocchi")).unwrap();
    fs::write(
        home.path().join(".gnocchi/gnocchi.conf"),
        "[api]\nmax_limit = 8\n",
    )
    .unwrap();
    assert_eq!(
        Config::load(&sources)
            .unwrap()
            .config
            .api
            .settings
            .max_limit,
        8
    );
}

#[test]
fn values_refer_to_each_other() {
    let check = |text: &str, expected: &str| {
        let fixture = Fixture::new().file("a.conf", text);
        assert_eq!(
            fixture.load().storage.data_dir,
            PathBuf::from(expected),
            "{text}"
        );
    };
    check(
        "root = /srv\n[storage]\ndata_dir = $root/data\n",
        "/srv/data",
    );
    check(
        "root = /srv\n[storage]\nroot = /own\ndata_dir = ${root}data\n",
        "/owndata",
    );
    check(
        "[api]\nhost = h\n[storage]\ndata_dir = /x/${api.host}/$driver\n",
        "/x/h/embedded",
    );
    check("[storage]\ndata_dir = a$$b\\$c$1$\n", "a$b$c$1$");
    check("a = $b\nb = $c\nc = d\n[storage]\ndata_dir = $a\n", "d");
    let problem = |text: &str, expected: &str| {
        let error = Fixture::new().file("a.conf", text).error();
        assert!(
            error.contains("a.conf:2: [storage] data_dir") && error.contains(expected),
            "{error}"
        );
    };
    problem(
        "[storage]\ndata_dir = $nothing\n",
        "refers to an option that has no value",
    );
    problem("[storage]\ndata_dir = ${x\n", "no }");
    problem("[storage]\ndata_dir = ${}\n", "not the name");
    problem("[storage]\ndata_dir = $data_dir\n", "circle");
}

#[test]
fn a_bad_value_names_its_place() {
    let check = |text: &str, expected: &str| {
        let fixture = Fixture::new().file("a.conf", text);
        let place = fixture.path("a.conf").display().to_string();
        assert_eq!(fixture.error(), expected.replace("FILE", &place), "{text}");
    };
    check(
        "[api]\nport = 70000\n",
        "FILE:2: [api] port = 70000: must be a whole number from 0 to 65535",
    );
    check(
        "[api]\n\nmax_limit = 0\n",
        "FILE:3: [api] max_limit = 0: must be a whole number, at least 1",
    );
    check(
        "debug = maybe\n",
        "FILE:1: [DEFAULT] debug = maybe: must be true or false",
    );
    check(
        "[metricd]\nworkers = 0\n",
        "FILE:2: [metricd] workers = 0: must be a whole number from 1 to 1024",
    );
    check(
        "[metricd]\nmetric_reporting_delay = -2\n",
        "FILE:2: [metricd] metric_reporting_delay = -2: must be a whole number from -1 to 4294967295",
    );
    check(
        "[incoming]\nmax_future = soon\n",
        "FILE:2: [incoming] max_future = soon: must be a duration above zero, in seconds (3600) or like 1 hour, or none",
    );
    check(
        "[incoming]\nmax_future = 0\n",
        "FILE:2: [incoming] max_future = 0: must be a duration above zero, in seconds (3600) or like 1 hour, or none",
    );
    check(
        "[archive_policy]\ndefault_aggregation_methods = mean,nope\n",
        "FILE:2: [archive_policy] default_aggregation_methods = nope: is not an aggregation method",
    );
    check(
        "[archive_policy]\ndefault_aggregation_methods = ,\n",
        "FILE:2: [archive_policy] default_aggregation_methods = ,: must name at least one method",
    );
    check(
        "[api]\nauth_mode = magic\n",
        "FILE:2: [api] auth_mode = magic: must be basic, keystone or remoteuser",
    );
    check("[api\n", "FILE:1: a section header reads [name]");
    let environment = Fixture::new().variable("GNOCCHI_API__PORT", "x").error();
    assert_eq!(
        environment,
        "environment variable GNOCCHI_API__PORT: [api] port = x: must be a whole number from 0 to 65535"
    );
}

#[test]
fn what_this_build_does_not_have_is_refused_by_name() {
    let check = |text: &str, expected: &str| {
        let error = Fixture::new().file("a.conf", text).error();
        assert!(error.ends_with(expected), "{error}");
    };
    check(
        "[storage]\ndriver = redis\n",
        "[storage] driver = redis: storage driver redis is not part of this build; supported: embedded",
    );
    check(
        "[incoming]\ndriver = s3\n",
        "[incoming] driver = s3: incoming driver s3 is not part of this build; supported: embedded",
    );
    check(
        "[storage]\ndriver = paper\n",
        "there is no such storage driver; supported: embedded",
    );
    check(
        "[api]\nauth_mode = keystone\n[keystone_authtoken]\nauth_type = v3token\n",
        "[keystone_authtoken] auth_type = v3token: login by v3token is not part of this build; supported: password",
    );
    check(
        "[api]\nuwsgi_mode = socket\n",
        "the uwsgi protocol is not part of this build; supported: http, http-socket",
    );
    check(
        "[keystone_authtoken]\nauth_section = login\n",
        "[keystone_authtoken] auth_section: this is not part of this build; remove the option",
    );
    check(
        "coordination_url = redis://:hunter2@h\n",
        "[DEFAULT] coordination_url: coordination with other processes is not part of this build; supported: leaving the option out, for one process on its own",
    );
    let indexer = Fixture::new()
        .variable("GNOCCHI_INDEXER_URL", "postgresql://u:hunter2@h/db")
        .error();
    assert!(indexer.starts_with("environment variable GNOCCHI_INDEXER_URL: [indexer] url: an indexer on postgresql is not"), "{indexer}");
    assert!(!indexer.contains("hunter2"), "{indexer}");
}

#[test]
fn names_without_effect_are_warned_about() {
    let fixture = Fixture::new()
        .file("a.conf", "[oslo_middleware]\nmax_request_body_size = 1\nsecure-proxy-ssl-header = http\n[profiler]\nport = 1\n[storage]\nswift_key = hunter2\n[statsd]\nhost = h\n");
    let warnings = fixture.variable("GNOCCHI_HOME", "y").warnings();
    let expected = [
        "section [oslo_middleware] has no option max_request_body_size; it is ignored",
        "section [oslo_middleware] has no option secure_proxy_ssl_header; it is ignored",
        "there is no section [profiler]; port is ignored",
        "[storage] swift_key is accepted and has no effect in this build",
        "[statsd] host is accepted and has no effect in this build",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for text in expected {
        assert!(
            warnings.iter().any(|warning| warning.contains(text)),
            "{text}: {warnings:?}"
        );
    }
    assert!(!warnings.concat().contains("hunter2"));
    let misspelt = Fixture::new().variable("GNOCCHI_API__HOTS", "x").error();
    assert_eq!(
        misspelt,
        "environment variable GNOCCHI_API__HOTS: unknown option: got [api] hots; did you mean [api] host?"
    );
}

#[test]
fn variables_with_an_underscore_too_few_are_refused() {
    let fixture = Fixture::new().variable("GNOCCHI_API_TLS_CERT", "x");
    assert_eq!(
        fixture.error(),
        "environment variable GNOCCHI_API_TLS_CERT: unknown name; did you mean GNOCCHI_API__TLS_CERT?"
    );
}

#[test]
fn proxies_are_addresses() {
    let proxies = |text: &str| {
        Fixture::new()
            .file("a.conf", text)
            .load()
            .api
            .settings
            .trusted_proxies
    };
    assert_eq!(proxies(""), TrustedProxies::default());
    let some = proxies("[api]\ntrusted_proxies = 192.0.2.1,\n  fd00::/8\n");
    assert!(some.include("192.0.2.1".parse().unwrap()) && some.include("fd00::1".parse().unwrap()));
    assert!(!some.include("127.0.0.1".parse().unwrap()));
    let error = Fixture::new()
        .file("a.conf", "[api]\ntrusted_proxies = proxy.example\n")
        .error();
    assert!(
        error.ends_with("[api] trusted_proxies = proxy.example: must be an address, or a range of them like 10.0.0.0/8 or fd00::/8"),
        "{error}"
    );
}

#[test]
fn names_that_others_refer_to_are_used() {
    let text = "[DEFAULT]\nbase = /srv\n[paths]\nlogs = $base/logs\nother = 1\n[storage]\ndata_dir = ${paths.logs}/data\n";
    let fixture = Fixture::new().file("a.conf", text);
    assert_eq!(
        fixture.load().storage.data_dir.to_str(),
        Some("/srv/logs/data")
    );
    let warnings = fixture.warnings();
    let expected = ["there is no section [paths]; other is ignored"];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for text in expected {
        assert!(
            warnings.iter().any(|warning| warning.contains(text)),
            "{text}: {warnings:?}"
        );
    }
}

#[test]
fn older_names_are_read() {
    let text = "[storage]\nmetric_processing_delay = 7\n[api]\nrefresh_timeout = 8\n[oslo_middleware]\nenable_proxy_headers_parsing = yes\n";
    let fixture = Fixture::new().file("a.conf", text);
    let config = fixture.load();
    assert_eq!(config.metricd.processing_delay, Duration::from_secs(7));
    assert_eq!(
        config.api.settings.operation_timeout,
        Duration::from_secs(8)
    );
    assert!(config.api.settings.proxy_headers);
    assert_eq!(fixture.warnings(), Vec::<String>::new());
}

#[test]
fn lists_are_separated_by_commas_and_lines() {
    let text = "[cors]\nallowed_origin = http://a, http://b\nallowed_origin = http://c\nallow_headers = X,\n  Y\n";
    let cors = Fixture::new().file("a.conf", text).load().api.settings.cors;
    assert_eq!(cors.allowed_origins, ["http://a", "http://b", "http://c"]);
    assert_eq!(cors.allow_headers, ["X", "Y"]);
}

#[test]
fn max_future_is_a_length_of_time() {
    let check = |text: &str, seconds: i64| {
        let config = Fixture::new()
            .file("a.conf", &format!("[incoming]\nmax_future = {text}\n"))
            .load();
        assert_eq!(
            config.incoming.max_future,
            Some(carbonara::Timespan::from_second(seconds).unwrap()),
            "{text}"
        );
    };
    check("90", 90);
    check("1 hour", 3600);
    for text in ["none", "off", "None", ""] {
        let given = Fixture::new().file("a.conf", &format!("[incoming]\nmax_future = {text}\n"));
        assert_eq!(given.load().incoming.max_future, None, "{text}");
    }
}

#[test]
fn bytes_have_units() {
    let check = |text: &str, expected: usize| {
        let config = Fixture::new()
            .file("a.conf", &format!("[api]\nbody_bytes_max = {text}\n"))
            .load();
        assert_eq!(config.api.settings.body_bytes_max, expected, "{text}");
    };
    check("1000", 1000);
    check("2K", 2048);
    check("3 MiB", 3 << 20);
    check("1GB", 1 << 30);
    let error = Fixture::new()
        .file("a.conf", "[api]\nbody_bytes_max = 1T\n")
        .error();
    assert!(error.contains("must be a number of bytes"), "{error}");
}

#[test]
fn logs_go_where_they_are_told() {
    let check = |text: &str, level: LogLevel, file: Option<&str>| {
        let general = Fixture::new().file("a.conf", text).load().general;
        assert_eq!(
            (general.log_level, general.log_file),
            (level, file.map(PathBuf::from)),
            "{text}"
        );
    };
    check("", LogLevel::Info, None);
    check("debug = on\nverbose = off\n", LogLevel::Debug, None);
    check(
        "verbose = 0\nlog_file = a.log\n",
        LogLevel::Warning,
        Some("a.log"),
    );
    check(
        "log_dir = /var/log\nlog_file = a.log\n",
        LogLevel::Info,
        Some("/var/log/a.log"),
    );
    check(
        "log_dir = /var/log\n",
        LogLevel::Info,
        Some("/var/log/gnocchi.log"),
    );
}

#[test]
fn a_missing_file_is_an_error_and_debug_shows_no_environment() {
    let sources = Sources {
        files: vec!["/nonexistent/gnocchi.conf".into()],
        environment: vec![("GNOCCHI_INDEXER__URL".into(), "hunter2".into())],
        ..Sources::default()
    };
    let error = Config::load(&sources).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read the configuration /nonexistent/gnocchi.conf"
    );
    assert!(!format!("{sources:?}").contains("hunter2"));
}

#[test]
fn the_host_is_open_only_where_callers_are_checked() {
    let check = |text: &str, expected: &str| {
        let config = Fixture::new().file("a.conf", text).load();
        assert_eq!(config.api.host, expected, "{text}");
    };
    check("", "127.0.0.1");
    check("[api]\nhost =\n", "127.0.0.1");
    check("[api]\nhost = ::\n", "::");
    check("[basic]\npassword_file = users\n", "0.0.0.0");
    check("[api]\nauth_mode = remoteuser\n", "0.0.0.0");
    check(
        "[api]\nauth_mode = keystone\ntrusted_identity_headers = true\n",
        "0.0.0.0",
    );
}
