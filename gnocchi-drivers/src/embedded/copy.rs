//! Copying a store, also while another process works on it. The original is not changed.
//!
//! Why is a copy of changing files whole? Tables never change; they are linked where the file system allows it, and copied elsewhere. Which
//! tables are in force is read before the journals are copied and compared afterwards: when nothing has changed, everything that was
//! acknowledged before is in the tables or in the journals, since data leaves a journal only after a manifest names the table that holds
//! it. What is being written to the last journal meanwhile looks like a write that a crash interrupted. The notes on what should be there
//! are copied first, so that the journals reach at least as far. The copy is then opened as any store is, with all checks: a copy that is not
//! whole is refused, not read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalog::CATALOG_FILE;
use super::files::manifest::{self, CURRENT_FILE, Current};
use super::files::{JOURNAL_SUFFIX, KEYSPACES_FOLDER, TABLES_FOLDER, VERSION_FILE};
use super::identity::IDENTITY_FILE;
use super::indexer_sums::SUMS_FILE;
use super::parts::{COMPLETE, INDEXER, MEASURES, Parts};
use super::progress::PROGRESS_FILE;
use super::store_error::StoreError;
use crate::sql::copy_database;

/// Copies the store of a directory into another one, which exists and is empty.
///
/// # Errors
/// [`StoreError::NoStore`] when there is none, [`StoreError::Unreadable`] when a file cannot be read or written. The kind of the source is
/// [`NotFound`](io::ErrorKind::NotFound) or [`WouldBlock`](io::ErrorKind::WouldBlock) when files changed meanwhile: another attempt may
/// succeed.
pub(crate) fn copy_store(from: &Path, to: &Path) -> Result<(), StoreError> {
    let unreadable = |source| StoreError::Unreadable {
        path: from.to_owned(),
        source,
    };
    if !Parts::find(from)?.were_complete() {
        return Err(StoreError::NoStore {
            path: from.to_owned(),
        });
    }
    copy_parts(from, to).map_err(unreadable)
}

fn copy_parts(from: &Path, to: &Path) -> io::Result<()> {
    for file in [COMPLETE, IDENTITY_FILE, PROGRESS_FILE, SUMS_FILE] {
        copy_if_there(&from.join(file), &to.join(file))?;
    }
    copy_measures(&from.join(MEASURES), &to.join(MEASURES))?;
    // Last: it then knows every metric that the measures have.
    copy_database(&from.join(INDEXER), &to.join(INDEXER))
}

fn copy_measures(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for file in [VERSION_FILE, CATALOG_FILE] {
        copy_if_there(&from.join(file), &to.join(file))?;
    }
    let before = manifests(from)?;
    for (keyspace, (current, manifest)) in &before {
        copy_keyspace(from, to, keyspace, current, manifest)?;
    }
    for journal in journals(from)? {
        fs::copy(from.join(&journal), to.join(&journal))?;
    }
    if manifests(from)? == before {
        Ok(())
    } else {
        Err(changed("its tables were written anew meanwhile"))
    }
}

/// The content of the file that names the manifest of a keyspace, and of the manifest.
type Manifest = (Vec<u8>, Vec<u8>);

/// Reads which tables are in force, by the names of the folders of keyspaces.
fn manifests(path: &Path) -> io::Result<BTreeMap<PathBuf, Manifest>> {
    let mut manifests = BTreeMap::new();
    for entry in fs::read_dir(path.join(KEYSPACES_FOLDER))? {
        let folder = entry?.path();
        let current = fs::read(folder.join(CURRENT_FILE))?;
        let name = parsed(Current::parse(&current))?.file_name();
        let manifest = fs::read(folder.join(name))?;
        let keyspace = folder.strip_prefix(path).map_err(io::Error::other)?;
        manifests.insert(keyspace.to_owned(), (current, manifest));
    }
    Ok(manifests)
}

fn copy_keyspace(
    from: &Path,
    to: &Path,
    keyspace: &Path,
    current: &[u8],
    manifest: &[u8],
) -> io::Result<()> {
    let (from, to) = (from.join(keyspace), to.join(keyspace));
    fs::create_dir_all(to.join(TABLES_FOLDER))?;
    let named = parsed(Current::parse(current))?;
    fs::write(to.join(CURRENT_FILE), current)?;
    fs::write(to.join(named.file_name()), manifest)?;
    for table in parsed(manifest::parse(named, manifest))? {
        let file = Path::new(TABLES_FOLDER).join(table.number.to_string());
        let (table, copy) = (from.join(&file), to.join(&file));
        match fs::hard_link(&table, &copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                fs::copy(&table, &copy)?;
            }
            linked => linked?,
        }
    }
    Ok(())
}

/// Lists the journals, oldest first.
fn journals(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let Some(number) = name
            .to_str()
            .and_then(|name| name.strip_suffix(JOURNAL_SUFFIX))
        else {
            continue;
        };
        if let Ok(number) = number.parse::<u64>() {
            journals.push((number, PathBuf::from(name)));
        }
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, name)| name).collect())
}

fn copy_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that does not make sense is damaged, or was being replaced while it was read.
fn parsed<T>(parsed: Result<T, super::files::FileError>) -> io::Result<T> {
    parsed.map_err(|_| changed("a file that names its tables cannot be read"))
}

fn changed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, what)
}
