//! Signals that end the program.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The exit status of a program that a second signal ends at once.
const EXIT_IMPATIENT: i32 = 130;

/// Returns a token that SIGTERM and SIGINT cancel. A second signal ends the program on the spot.
///
/// # Errors
/// Whatever the system says when it refuses to watch the signals.
pub fn shutdown_token() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await;
        info!(signal = name, "shutting down");
        cancelled.cancel();
        next(&mut terminate, &mut interrupt).await;
        process::exit(EXIT_IMPATIENT);
    });
    Ok(token)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
