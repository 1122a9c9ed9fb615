//! `[healthcheck]`: what load balancers are told.

use std::path::PathBuf;

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::Reader;
use crate::api::settings::HealthcheckSettings;

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "healthcheck",
    "What load balancers see at `/healthcheck`.",
    &[
        OptionSpec::new(
            "detailed",
            "whether responses list the result of each check",
        )
        .boolean()
        .or("false"),
        OptionSpec::new(
            "disable_by_file_path",
            "file that makes `/healthcheck` respond with 503 while it exists",
        )
        .path(),
        OptionSpec::new(
            "disable_by_file_paths",
            "files that do so for the server of a port",
        )
        .list("ports and paths, like 8041:/etc/gnocchi/disabled"),
        OptionSpec::new(
            "enable_by_file_paths",
            "files that must exist for `/healthcheck` to respond with 200",
        )
        .list("paths"),
        OptionSpec::new(
            "allowed_source_ranges",
            "clients that may see it; all by default",
        )
        .list("addresses and ranges of addresses"),
        OptionSpec::new(
            "ignore_proxied_requests",
            "whether it is hidden from requests that come through a proxy",
        )
        .boolean()
        .or("false"),
        OptionSpec::new("path", "address of another server").accepted(),
        OptionSpec::new("backends", "checks; here each has its option").accepted(),
    ],
);

/// Reads what counts for a server that listens on a port.
pub(super) fn read(reader: &Reader, port: u16) -> Result<HealthcheckSettings, ConfigError> {
    let section = reader.section(&SECTION);
    let of_ports = section.list_of("disable_by_file_paths", |item| {
        let (port, path) = item.split_once(':').unwrap_or_default();
        let port: u16 = port
            .trim()
            .parse()
            .map_err(|_| "must be a port and a path, like 8041:/etc/gnocchi/disabled".to_owned())?;
        Ok((port, PathBuf::from(path.trim())))
    })?;
    let mut disabled_by: Vec<PathBuf> = section.path("disable_by_file_path")?.into_iter().collect();
    let of_this_port = of_ports.into_iter().filter(|(of, _)| *of == port);
    disabled_by.extend(of_this_port.map(|(_, path)| path));
    let enabled_by = section.list("enable_by_file_paths")?;
    Ok(HealthcheckSettings {
        detailed: section.boolean("detailed")?,
        disabled_by,
        enabled_by: enabled_by.into_iter().map(PathBuf::from).collect(),
        allowed_source_ranges: section.list_of("allowed_source_ranges", |item| {
            item.parse()
                .map_err(|error: crate::api::AddressRangeError| error.to_string())
        })?,
        ignores_proxied_requests: section.boolean("ignore_proxied_requests")?,
    })
}
