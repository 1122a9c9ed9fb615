//! Options that `[storage]` and `[incoming]` share: which back-end, and what each of them needs.

use super::error::ConfigError;
use super::option::OptionSpec;
use super::reader::Section;

/// Back-ends that other builds may have.
const OTHER_DRIVERS: [&str; 5] = ["file", "redis", "s3", "swift", "ceph"];

/// The only back-end of this build.
pub(super) const EMBEDDED: &str = "embedded";

/// Options of back-ends that this build does not have.
pub(super) static OPTIONS: [OptionSpec; 35] = [
    OptionSpec::new("file_basepath", "directory of the file driver").accepted(),
    OptionSpec::new("file_subdir_len", "length of its sub-directories").accepted(),
    OptionSpec::new("redis_url", "address of Redis")
        .secret()
        .accepted(),
    OptionSpec::new("s3_endpoint_url", "address of S3").accepted(),
    OptionSpec::new("s3_region_name", "region of S3").accepted(),
    OptionSpec::new("s3_access_key_id", "key of S3")
        .secret()
        .accepted(),
    OptionSpec::new("s3_secret_access_key", "secret of S3")
        .secret()
        .accepted(),
    OptionSpec::new("s3_bucket_prefix", "beginning of the names of buckets").accepted(),
    OptionSpec::new("s3_check_consistency_timeout", "seconds").accepted(),
    OptionSpec::new("s3_max_pool_connections", "connections to S3").accepted(),
    OptionSpec::new("swift_auth_version", "version of the authentication").accepted(),
    OptionSpec::new(
        "swift_auth_insecure",
        "whether certificates are not checked",
    )
    .accepted(),
    OptionSpec::new("swift_url", "address of Swift").accepted(),
    OptionSpec::new("swift_preauthtoken", "token of Swift")
        .secret()
        .accepted(),
    OptionSpec::new("swift_cacert", "certificates for Swift").accepted(),
    OptionSpec::new("swift_region", "region of Swift").accepted(),
    OptionSpec::new("swift_storage_policy", "storage policy of Swift").accepted(),
    OptionSpec::new("swift_authurl", "address of the authentication").accepted(),
    OptionSpec::new("swift_user", "user of Swift").accepted(),
    OptionSpec::new("swift_key", "key of Swift")
        .secret()
        .accepted(),
    OptionSpec::new("swift_user_domain_name", "domain of the user").accepted(),
    OptionSpec::new("swift_project_domain_name", "domain of the project").accepted(),
    OptionSpec::new("swift_project_name", "project of Swift").accepted(),
    OptionSpec::new("swift_tenant_name", "older name of the project").accepted(),
    OptionSpec::new(
        "swift_container_prefix",
        "beginning of the names of containers",
    )
    .accepted(),
    OptionSpec::new(
        "swift_container_prefix_all",
        "whether every container has it",
    )
    .accepted(),
    OptionSpec::new("swift_endpoint_type", "kind of address").accepted(),
    OptionSpec::new("swift_service_type", "kind of service").accepted(),
    OptionSpec::new("swift_timeout", "seconds").accepted(),
    OptionSpec::new("ceph_pool", "pool of Ceph").accepted(),
    OptionSpec::new("ceph_username", "user of Ceph").accepted(),
    OptionSpec::new("ceph_secret", "secret of Ceph")
        .secret()
        .accepted(),
    OptionSpec::new("ceph_keyring", "key ring of Ceph").accepted(),
    OptionSpec::new("ceph_timeout", "seconds").accepted(),
    OptionSpec::new("ceph_conffile", "configuration of Ceph").accepted(),
];

/// Refuses back-ends that this build does not have; `role` is "storage" or "incoming".
pub(super) fn check_driver(section: Section<'_>, role: &str) -> Result<(), ConfigError> {
    match section.text("driver")?.as_deref() {
        None | Some(EMBEDDED) => Ok(()),
        Some(other) if OTHER_DRIVERS.contains(&other) => {
            Err(section.not_built("driver", &format!("{role} driver {other}"), EMBEDDED))
        }
        Some(_) => Err(section.refuse(
            "driver",
            format!("there is no such {role} driver; supported: {EMBEDDED}"),
        )),
    }
}
