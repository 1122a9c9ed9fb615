//! The thread that writes the access log, and the queue in front of it.
//!
//! Why a queue that loses? Requests must not wait for a slow disk, or for a pipe without a reader. What does not fit is counted.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use metrics::{Counter, counter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::line::Entry;
use crate::config::{AccessLogFormat, AccessLogSettings, AccessLogTarget};
use crate::runtime::log_file::LogFile;
use crate::runtime::signal::Hangups;
use gnocchi_core::log_limit::LogLimit;

/// How many lines may wait to be written: each takes 5 KiB at most, and 300 bytes as a rule.
const QUEUE_LINES_MAX: usize = 8192;

/// How many bytes are written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How long the end of the program waits for the last lines.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// How often it is logged that lines cannot be written.
const FAILURE_INTERVAL: Duration = Duration::from_mins(1);

/// What the thread is told.
enum Message {
    Line(Box<Entry>),
    Reopen,
    Close(oneshot::Sender<()>),
}

/// Where requests put their lines.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    sender: mpsc::Sender<Message>,
    lost: LostLines,
}

impl Queue {
    /// Adds a line, or counts it as lost when the queue is full.
    pub(super) fn push(&self, entry: Entry) {
        if self
            .sender
            .try_send(Message::Line(Box::new(entry)))
            .is_err()
        {
            self.lost.add(1);
        }
    }
}

/// Counts lines that are not written.
#[derive(Clone)]
struct LostLines(Counter);

impl LostLines {
    fn add(&self, lines: u64) {
        self.0.increment(lines);
    }
}

impl std::fmt::Debug for LostLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LostLines")
    }
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Queue,
}

impl Writer {
    /// Opens the log and starts the thread. At each hangup the file is opened anew.
    pub(super) fn start(settings: &AccessLogSettings, mut hangups: Hangups) -> io::Result<Self> {
        let target = match &settings.target {
            // Of our own, so that a blocked write holds back no other writer of the same file.
            AccessLogTarget::StandardOutput => {
                let stream = io::stdout().as_fd().try_clone_to_owned()?;
                Target::Stream(Arc::new(stream.into()))
            }
            AccessLogTarget::File(path) => {
                let file = LogFile::open(path.clone())?;
                file.report_new_directory();
                Target::File(file)
            }
        };
        let queue = Worker::start(target, settings.format)?;
        let reopening = queue.sender.clone();
        tokio::spawn(async move {
            loop {
                hangups.next().await;
                if reopening.send(Message::Reopen).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { queue })
    }

    pub(super) fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Waits until everything in the queue is written, but not forever.
    pub(super) async fn close(self) {
        let (closed, closing) = oneshot::channel();
        let written = async {
            self.queue.sender.send(Message::Close(closed)).await.ok()?;
            closing.await.ok()
        };
        if timeout(CLOSING_MAX, written).await.is_err() {
            warn!("the last lines of the access log are lost: its reader takes none");
        }
    }
}

/// Where lines go.
enum Target {
    Stream(Arc<File>),
    File(LogFile),
}

struct Worker {
    target: Target,
    format: AccessLogFormat,
    /// Lines that are not written yet, and their number.
    lines: String,
    count: u64,
    /// Whether the last write ended within a line.
    is_torn: bool,
    lost: LostLines,
    failures: LogLimit,
}

impl Worker {
    fn start(target: Target, format: AccessLogFormat) -> io::Result<Queue> {
        let (sender, receiver) = mpsc::channel(QUEUE_LINES_MAX);
        let lost = LostLines(counter!("gnocchi_access_log_lost_total"));
        let worker = Self {
            target,
            format,
            lines: String::new(),
            count: 0,
            is_torn: false,
            lost: lost.clone(),
            failures: LogLimit::new(1, FAILURE_INTERVAL),
        };
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || worker.run(receiver))?;
        Ok(Queue { sender, lost })
    }

    fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.blocking_recv() {
            let mut next = Some(message);
            while let Some(message) = next {
                match message {
                    Message::Line(entry) => self.add(&entry),
                    Message::Reopen => self.reopen(),
                    Message::Close(closed) => {
                        self.flush();
                        // The caller may have given up.
                        let _ = closed.send(());
                        return;
                    }
                }
                next = messages.try_recv().ok();
            }
            // Nothing waits: what is written now is seen at once.
            self.flush();
        }
    }

    fn add(&mut self, entry: &Entry) {
        entry.write(self.format, &mut self.lines);
        self.count += 1;
        if self.lines.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        if self.is_torn {
            self.lines.insert(0, '\n');
        }
        let (written, outcome) = self.target.write(self.lines.as_bytes());
        self.is_torn = outcome.is_err() && (written > 0 || self.is_torn);
        if let Err(error) = outcome {
            self.lost.add(self.count);
            if self.failures.pass().is_some() {
                error!(%error, lines = self.count, "cannot write the access log");
            }
        }
        self.lines.clear();
        self.count = 0;
    }

    fn reopen(&mut self) {
        self.flush();
        let Target::File(file) = &self.target else {
            return;
        };
        let path = file.path().display();
        match file.reopen() {
            Ok(()) => info!(%path, "opened the access log anew"),
            Err(error) => {
                error!(%path, %error, "cannot open the access log anew, the earlier file stays in use");
            }
        }
    }
}

impl Target {
    /// Writes as much as can be written, and returns how many bytes that was.
    fn write(&self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let file = match self {
            Self::Stream(stream) => Arc::clone(stream),
            Self::File(file) => file.current(),
        };
        let mut written = 0;
        while written < bytes.len() {
            match (&*file).write(&bytes[written..]) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

    use super::*;
    use crate::runtime::request_log::line::tests::entry;

    /// A queue whose lines go into a pipe, the end of it, and what counts the lost ones.
    fn piped() -> (Queue, io::PipeReader, Snapshotter) {
        let recorder = DebuggingRecorder::new();
        let lost = recorder.snapshotter();
        let (reader, writer) = io::pipe().unwrap();
        let target = Target::Stream(Arc::new(OwnedFd::from(writer).into()));
        let queue = metrics::with_local_recorder(&recorder, || {
            Worker::start(target, AccessLogFormat::Json).unwrap()
        });
        (queue, reader, lost)
    }

    fn lost_lines(lost: &Snapshotter) -> u64 {
        let values = lost.snapshot().into_vec();
        match values.first() {
            Some((_, _, _, DebugValue::Counter(lines))) => *lines,
            _ => 0,
        }
    }

    #[tokio::test]
    async fn everything_in_the_queue_is_written_at_the_end() {
        let (queue, mut reader, lost) = piped();
        let lines = QUEUE_LINES_MAX / 2;
        let reading = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text).unwrap()
        });
        for _ in 0..lines {
            queue.push(entry());
        }
        Writer { queue }.close().await;
        assert_eq!(reading.join().unwrap().lines().count(), lines);
        assert_eq!(lost_lines(&lost), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_costs_lines_and_no_time() {
        let (queue, reader, lost) = piped();
        // A pipe takes 64 KiB and the thread holds as much, some 500 lines.
        let lines = 2 * QUEUE_LINES_MAX;
        for _ in 0..lines {
            queue.push(entry());
        }
        let waiting = u64::try_from(lines).unwrap() - lost_lines(&lost);
        assert!(waiting < 10_000, "{waiting}");
        // The end does not wait forever either.
        Writer { queue }.close().await;
        drop(reader);
    }
}
