//! Signals: SIGTERM and SIGINT end the program, SIGHUP makes it reload.

use std::io;
use std::process;
use std::sync::mpsc;
use std::thread;

use gnocchi_core::Shutdown;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

/// The exit status of a program that is told to end at once.
const EXIT_AT_ONCE: i32 = 130;

/// Which of the signals that end the program does so at once.
///
/// Why not the second? Supervisors and people repeat a signal that has not worked yet, and a shutdown that is cut off makes the
/// next start longer.
const ENDING_AT_ONCE: u32 = 3;

/// What signals ask for.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Begins with the first SIGTERM or SIGINT.
    pub shutdown: Shutdown,
    /// The SIGHUPs.
    pub hangups: Hangups,
}

/// Requests to reload. Those that arrive while one is being handled count as one.
#[derive(Debug, Clone)]
pub struct Hangups(Option<watch::Receiver<u64>>);

impl Hangups {
    /// Makes one for programs that never reload.
    #[must_use]
    pub fn never() -> Self {
        Self(None)
    }

    /// Waits for the next request to reload.
    ///
    /// # Cancel safety
    /// May be dropped at any point; no request is lost.
    pub async fn next(&mut self) {
        if let Some(receiver) = &mut self.0
            && receiver.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Keeps SIGHUP from ending the program from now on, as it does by default. Needs a running runtime.
///
/// # Errors
/// Whatever the system says when it refuses to watch the signal.
pub fn survive_hangups() -> io::Result<()> {
    // A signal that was watched once is never left to its default again.
    signal(SignalKind::hangup()).map(drop)
}

/// Watches the signals, on a thread of its own: they work while all others are busy.
///
/// # Errors
/// Whatever the system says when it refuses the thread or to watch the signals.
pub fn watch_signals() -> io::Result<Signals> {
    let (started, starting) = mpsc::sync_channel(1);
    let watching = move || {
        let runtime = match Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime,
            Err(error) => return started.send(Err(error)).unwrap_or_default(),
        };
        runtime.block_on(async {
            match Watched::new() {
                Ok((watched, signals)) => {
                    started.send(Ok(signals)).unwrap_or_default();
                    watched.run().await;
                }
                Err(error) => started.send(Err(error)).unwrap_or_default(),
            }
        });
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watching)?;
    starting.recv().map_err(io::Error::other)?
}

struct Watched {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    shutdown: Shutdown,
    hangups: watch::Sender<u64>,
}

impl Watched {
    fn new() -> io::Result<(Self, Signals)> {
        let (hangups, receiver) = watch::channel(0);
        let shutdown = Shutdown::new();
        let watched = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            shutdown: shutdown.clone(),
            hangups,
        };
        let hangups = Hangups(Some(receiver));
        Ok((watched, Signals { shutdown, hangups }))
    }

    async fn run(mut self) {
        let mut endings = 0;
        loop {
            let signal = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hangup.recv() => {
                    self.hangups.send_modify(|count| *count += 1);
                    continue;
                }
            };
            endings += 1;
            match endings {
                1 => {
                    self.shutdown.begin();
                    aside(move || info!(signal, "shutting down"));
                }
                ENDING_AT_ONCE.. => process::exit(EXIT_AT_ONCE),
                _ => aside(move || {
                    warn!(
                        signal,
                        "already shutting down; another signal ends the program at once"
                    );
                }),
            }
        }
    }
}

/// Logs on another thread: this one must not wait for a log without a reader.
fn aside(log: impl FnOnce() + Send + 'static) {
    drop(tokio::task::spawn_blocking(log));
}
