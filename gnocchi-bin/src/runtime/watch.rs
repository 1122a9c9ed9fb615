//! Files that are read again when they change, or when SIGHUP asks for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gnocchi_core::Shutdown;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::signal::Hangups;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Something that was read from files.
pub(super) trait Reload: Send + Sync + 'static {
    /// Returns the files that it is read from, and the directories in which more of them may appear; they may be missing.
    fn paths(&self) -> Vec<PathBuf>;

    /// Reads it again; keeps what it has, and logs why, when that fails.
    fn reload(&self);
}

/// What is known of a file without reading it: when it was changed, its length, and which file it is.
type Stamp = Option<(SystemTime, u64, u64)>;

/// What is known of all files of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<(PathBuf, Stamp)>);

impl Stamps {
    /// Looks at files. Done before they are read, no change can be missed.
    pub(super) fn of(paths: Vec<PathBuf>) -> Self {
        let stamp = |path: PathBuf| {
            let metadata = fs::metadata(&path).ok();
            let stamp =
                metadata.and_then(|found| Some((found.modified().ok()?, found.len(), found.ino())));
            (path, stamp)
        };
        Self(paths.into_iter().map(stamp).collect())
    }
}

/// Things that are read again when their files change.
#[derive(Default)]
pub(super) struct Watch {
    things: Vec<(Arc<dyn Reload>, Stamps)>,
}

impl Watch {
    /// Adds a thing that has been read from files with these stamps.
    pub(super) fn add(&mut self, thing: Arc<dyn Reload>, stamps: Stamps) {
        self.things.push((thing, stamps));
    }

    /// Looks at all files once, and reads what has changed.
    fn look(&mut self) {
        for (thing, known) in &mut self.things {
            let stamps = Stamps::of(thing.paths());
            if stamps != *known {
                *known = stamps;
                thing.reload();
            }
        }
    }

    /// Reads everything again, changed or not.
    fn reload(&mut self) {
        for (thing, known) in &mut self.things {
            *known = Stamps::of(thing.paths());
            thing.reload();
        }
    }

    /// Looks at all files every second, and reads all of them again at each hangup, until `stop`.
    pub(super) async fn run(mut self, mut hangups: Hangups, stop: Shutdown) {
        if self.things.is_empty() {
            return;
        }
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let work: fn(&mut Self) = tokio::select! {
                () = stop.begun() => return,
                () = hangups.next() => Self::reload,
                _ = ticks.tick() => Self::look,
            };
            let worked = spawn_blocking(move || {
                work(&mut self);
                self
            });
            match worked.await {
                Ok(watch) => self = watch,
                Err(error) => {
                    tracing::error!(%error, "changed files are not read any more");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Counted {
        path: PathBuf,
        reloads: AtomicUsize,
    }

    impl Reload for Counted {
        fn paths(&self) -> Vec<PathBuf> {
            vec![self.path.clone()]
        }

        fn reload(&self) {
            self.reloads.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn changes_are_seen_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let thing = Arc::new(Counted {
            path: path.clone(),
            reloads: AtomicUsize::new(0),
        });
        let mut watch = Watch::default();
        watch.add(Arc::<Counted>::clone(&thing), Stamps::of(thing.paths()));
        let mut check = |expected: usize| {
            watch.look();
            watch.look();
            assert_eq!(thing.reloads.load(Ordering::Relaxed), expected);
        };
        check(0);
        fs::write(&path, "a").unwrap();
        check(1);
        fs::write(&path, "longer").unwrap();
        check(2);
        let other = directory.path().join("other");
        fs::write(&other, "letter").unwrap();
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&other).unwrap();
        file.set_modified(changed).unwrap();
        fs::rename(&other, &path).unwrap();
        check(3);
        fs::remove_file(&path).unwrap();
        check(4);
    }

    #[test]
    fn everything_is_read_again_on_request() {
        let directory = tempfile::tempdir().unwrap();
        let thing = Arc::new(Counted {
            path: directory.path().join("f"),
            reloads: AtomicUsize::new(0),
        });
        let mut watch = Watch::default();
        watch.add(Arc::<Counted>::clone(&thing), Stamps::of(thing.paths()));
        watch.reload();
        fs::write(&thing.path, "a").unwrap();
        watch.reload();
        watch.look();
        assert_eq!(thing.reloads.load(Ordering::Relaxed), 2);
    }
}
