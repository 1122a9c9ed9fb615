//! Files that were written for the Python Gnocchi start this program.

use std::fmt::Write;

use super::tests::Fixture;

/// The sections and options of the Python Gnocchi, without those of back-ends that are chosen by `driver`.
const SECTIONS: [(&str, &[(&str, &str)]); 13] = [
    (
        "DEFAULT",
        &[
            ("log_options", "true"),
            ("graceful_shutdown_timeout", "60"),
            ("debug", "false"),
            ("verbose", "true"),
            ("parallel_operations", "4"),
            ("use_syslog", "false"),
            ("use_journal", "false"),
            ("syslog_log_facility", "user"),
        ],
    ),
    (
        "amqp1d",
        &[
            ("url", "localhost:5672/u/collectd/telemetry"),
            ("data_source", "collectd"),
            ("resource_type", "collectd_amqp1d"),
            ("creator", "c"),
            ("flush_delay", "10"),
        ],
    ),
    (
        "api",
        &[
            ("paste_config", "api-paste.ini"),
            ("auth_mode", "basic"),
            ("max_limit", "1000"),
            ("operation_timeout", "10"),
            ("uwsgi_path", "/usr/bin/uwsgi"),
            ("host", "0.0.0.0"),
            ("port", "8041"),
            ("uwsgi-mode", "http"),
            ("enable_proxy_headers_parsing", "false"),
        ],
    ),
    (
        "archive_policy",
        &[("default_aggregation_methods", "mean,min")],
    ),
    (
        "cors",
        &[
            ("allowed_origin", "https://h"),
            ("allow_credentials", "true"),
            ("expose_headers", ""),
            ("max_age", "3600"),
            ("allow_methods", "GET,POST"),
            ("allow_headers", "X-Auth-Token"),
        ],
    ),
    (
        "database",
        &[
            ("connection", "sqlite://"),
            ("max_pool_size", "5"),
            ("max_retries", "10"),
            ("max_overflow", "50"),
        ],
    ),
    (
        "healthcheck",
        &[
            ("path", "/healthcheck"),
            ("detailed", "false"),
            ("backends", "disable_by_file"),
            ("allowed_source_ranges", "127.0.0.1"),
            ("ignore_proxied_requests", "false"),
            ("disable_by_file_path", "/f"),
            ("disable_by_file_paths", "8041:/f"),
            ("enable_by_file_paths", "/e"),
        ],
    ),
    (
        "keystone_authtoken",
        &[
            ("www_authenticate_uri", "http://h:5000"),
            ("auth_version", "v3"),
            ("interface", "internal"),
            ("delay_auth_decision", "false"),
            ("http_connect_timeout", "5"),
            ("http_request_max_retries", "3"),
            ("cache", "swift.cache"),
            ("certfile", "c"),
            ("keyfile", "k"),
            ("cafile", "a"),
            ("insecure", "false"),
            ("region_name", "r"),
            ("memcached_servers", "h:11211"),
            ("token_cache_time", "300"),
            ("memcache_security_strategy", "None"),
            ("memcache_secret_key", "s"),
            ("memcache_tls_enabled", "false"),
            ("memcache_pool_dead_retry", "300"),
            ("memcache_pool_maxsize", "10"),
            ("memcache_use_advanced_pool", "true"),
            ("include_service_catalog", "true"),
            ("enforce_token_bind", "permissive"),
            ("service_token_roles", "service"),
            ("service_token_roles_required", "true"),
            ("service_type", "metric"),
            ("memcache_sasl_enabled", "false"),
            ("memcache_username", ""),
            ("memcache_password", ""),
            ("auth_type", "password"),
            ("auth_url", "http://h:5000"),
            ("project_domain_name", "Default"),
            ("user_domain_name", "Default"),
            ("project_name", "service"),
            ("username", "gnocchi"),
            ("password", "p"),
        ],
    ),
    (
        "metricd",
        &[
            ("workers", "4"),
            ("metric_processing_delay", "60"),
            ("greedy", "true"),
            ("metric_reporting_delay", "120"),
            ("metric_cleanup_delay", "300"),
            ("processing_replicas", "3"),
            ("cleanup_batch_size", "10000"),
            ("metric_inactive_after", "0"),
            ("resource_cleanup_after", "0"),
        ],
    ),
    (
        "oslo_middleware",
        &[
            ("enable_proxy_headers_parsing", "true"),
            ("max_request_body_size", "114688"),
        ],
    ),
    (
        "oslo_policy",
        &[
            ("enforce_scope", "true"),
            ("enforce_new_defaults", "true"),
            ("policy_file", "policy.yaml"),
            ("policy_default_rule", "default"),
            ("policy_dirs", "policy.d"),
            ("remote_content_type", "application/x-www-form-urlencoded"),
            ("remote_ssl_verify_server_crt", "false"),
            ("remote_ssl_ca_crt_file", "/c"),
            ("remote_ssl_client_crt_file", "/c"),
            ("remote_ssl_client_key_file", "/k"),
            ("remote_timeout", "60"),
        ],
    ),
    (
        "statsd",
        &[
            ("host", "0.0.0.0"),
            ("port", "8125"),
            ("resource_id", "5e3fcbe2-7aab-475d-b42c-a440aa42e5ad"),
            ("creator", "c"),
            ("archive_policy_name", "low"),
            ("flush_delay", "10"),
        ],
    ),
    ("oslo_messaging_notifications", &[("driver", "noop")]),
];

/// The options of its back-ends, in `[storage]` and `[incoming]`.
const OF_BACK_ENDS: &str = "ceph_pool ceph_username ceph_secret ceph_keyring ceph_timeout ceph_conffile file_basepath file_subdir_len \
    swift_auth_version swift_auth_insecure swift_url swift_authurl swift_preauthtoken swift_cacert swift_region swift_user \
    swift_user_domain_name swift_key swift_project_name swift_tenant_name swift_project_domain_name swift_container_prefix \
    swift_container_prefix_all swift_storage_policy swift_endpoint_type swift_service_type swift_timeout redis_url s3_endpoint_url \
    s3_region_name s3_access_key_id s3_secret_access_key s3_bucket_prefix s3_check_consistency_timeout s3_max_pool_connections";

#[test]
fn a_file_with_every_option_of_the_python_gnocchi_starts() {
    let mut text = String::new();
    for (section, options) in SECTIONS {
        writeln!(text, "[{section}]").unwrap();
        for (option, value) in options {
            writeln!(text, "{option} = {value}").unwrap();
        }
    }
    for section in ["storage", "incoming"] {
        writeln!(text, "[{section}]").unwrap();
        for option in OF_BACK_ENDS.split_whitespace() {
            writeln!(text, "{option} = 1").unwrap();
        }
    }
    for mode in ["basic", "keystone", "remoteuser"] {
        let text = text.replace("auth_mode = basic", &format!("auth_mode = {mode}"));
        let config = Fixture::new().file("gnocchi.conf", &text).try_load();
        let config = config.unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(config.metricd.workers, 4);
        assert_eq!(config.api.host, "0.0.0.0");
    }
}
