//! Large documents, rendered piece by piece while they are sent.
//!
//! A million rows are 56 MB of JSON, but only 16 MB as columns. So a [`Document`] keeps the columns and turns them into JSON when the
//! client takes the next piece: the whole text is never in memory, a slow client holds one piece, and when a client goes away the rest
//! is never rendered. A short document is rendered at once instead and sent with its length.
//!
//! # Examples
//!
//! ```
//! use carbonara::Series;
//! use gnocchi_server::api::response::render::{Document, LevelRows};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let series = Series::from_points(vec![0, 60_000_000_000], vec![1.0, 2.5])?;
//! let mut document = Document::new();
//! document.text("{").key("measures").measures(vec![LevelRows::new("60.0".into(), series)]).text("}");
//! assert_eq!(
//!     document.into_bytes(),
//!     br#"{"measures": [["1970-01-01T00:00:00+00:00", 60.0, 1.0], ["1970-01-01T00:01:00+00:00", 60.0, 2.5]]}"#,
//! );
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use crate::api::response::render::json;
use crate::api::response::render::rows::{
    LevelRows, Progress, ROW_BYTES, ROW_BYTES_MAX, RowWriter,
};

/// The longest piece, in bytes: it is rendered in about a tenth of a millisecond, and few enough pieces make a document.
pub const PIECE_BYTES_MAX: usize = 64 << 10;

/// How many pieces are rendered before other requests get their turn.
const PIECES_PER_TURN: u8 = 4;

/// A JSON document whose lists of measures are still columns.
#[derive(Debug, Default)]
pub struct Document {
    parts: VecDeque<Part>,
    /// About how long the text is that has yet to be rendered.
    bytes: usize,
    rows: usize,
}

#[derive(Debug)]
enum Part {
    Text { bytes: Vec<u8>, sent: usize },
    Measures(RowWriter),
}

impl Document {
    /// Makes an empty document.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text as it is: brackets, commas, or JSON that is rendered already.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.written().extend_from_slice(text.as_bytes());
        self.bytes += text.len();
        self
    }

    /// Adds a value.
    pub fn value(&mut self, value: &impl Serialize) -> &mut Self {
        let written = self.written();
        let before = written.len();
        json::write(written, value);
        let added = written.len() - before;
        self.bytes += added;
        self
    }

    /// Adds the name of an entry and the colon behind it.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.value(&name).text(": ")
    }

    /// Adds one list with the rows of all levels, in the order given.
    pub fn measures(&mut self, levels: Vec<LevelRows>) -> &mut Self {
        let rows: usize = levels.iter().map(LevelRows::len).sum();
        self.rows += rows;
        self.bytes += rows * ROW_BYTES + 2;
        self.parts.push_back(Part::Measures(RowWriter::new(levels)));
        self
    }

    /// Returns how many rows there are in all lists.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns about how long it is, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how long the text beside the rows is, in bytes.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.bytes.saturating_sub(self.rows * ROW_BYTES)
    }

    /// Renders everything at once.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes);
        self.render(&mut bytes, usize::MAX);
        bytes
    }

    /// Makes a body that renders the next piece when it is asked for it.
    pub fn into_body(self) -> Body {
        Body::new(Pieces {
            document: self,
            pieces_this_turn: 0,
        })
    }

    /// Returns the text at the end, which is empty behind measures.
    fn written(&mut self) -> &mut Vec<u8> {
        if !matches!(self.parts.back(), Some(Part::Text { .. })) {
            self.parts.push_back(Part::Text {
                bytes: Vec::new(),
                sent: 0,
            });
        }
        match self.parts.back_mut() {
            Some(Part::Text { bytes, .. }) => bytes,
            _ => unreachable!("text was put there"),
        }
    }

    /// Renders until `bytes` holds at most `bytes_max`, and forgets what is rendered.
    fn render(&mut self, bytes: &mut Vec<u8>, bytes_max: usize) {
        while let Some(part) = self.parts.front_mut() {
            // Room for the brackets of a list.
            if bytes.len() + ROW_BYTES_MAX > bytes_max {
                return;
            }
            let progress = match part {
                Part::Measures(rows) => rows.write(bytes, bytes_max - 1),
                Part::Text { bytes: text, sent } => {
                    let end = text.len().min(*sent + (bytes_max - bytes.len()));
                    bytes.extend_from_slice(&text[*sent..end]);
                    *sent = end;
                    if end == text.len() {
                        Progress::Finished
                    } else {
                        Progress::More
                    }
                }
            };
            match progress {
                Progress::More => return,
                Progress::Finished => drop(self.parts.pop_front()),
            }
        }
    }
}

/// The body of a response that is rendered while it is sent.
#[derive(Debug)]
struct Pieces {
    document: Document,
    pieces_this_turn: u8,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.document.parts.is_empty() {
            return Poll::Ready(None);
        }
        if self.pieces_this_turn == PIECES_PER_TURN {
            // A client that reads as fast as we write would keep this worker for itself.
            self.pieces_this_turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.pieces_this_turn += 1;
        let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
        self.document.render(&mut piece, PIECE_BYTES_MAX);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.document.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use crate::api::response::render::stream::*;

    const POINTS: i64 = 5000;

    fn columns() -> (Arc<Vec<i64>>, Vec<f64>) {
        let timestamps: Vec<i64> = (0..POINTS).map(|number| number * 500_000_000).collect();
        let values = (0..POINTS)
            .map(|number| f64::from(u16::try_from(number).unwrap()) / 7.0)
            .collect();
        (Arc::new(timestamps), values)
    }

    fn document(timestamps: &Arc<Vec<i64>>, values: &[f64], long_text: &str) -> Document {
        let level = |granularity: &str| LevelRows {
            granularity: granularity.to_owned(),
            timestamps_ns: Arc::clone(timestamps),
            values: values.to_vec(),
        };
        let mut document = Document::new();
        document
            .text("{")
            .key("measures")
            .text("{")
            .key("a \"name\"")
            .measures(vec![level("0.5"), level("60.0")])
            .text("}, ")
            .key("references")
            .value(&serde_json::json!([{"text": long_text}]))
            .text(", ")
            .key("none")
            .measures(Vec::new())
            .text("}");
        document
    }

    async fn pieces(document: Document) -> Vec<Bytes> {
        let mut body = document.into_body();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        pieces
    }

    #[tokio::test]
    async fn pieces_are_bounded_and_make_the_same_document() {
        let (timestamps, values) = columns();
        for length in [0, 1000, 70_000, 200_000] {
            let text = "x".repeat(length);
            let whole = document(&timestamps, &values, &text).into_bytes();
            let pieces = pieces(document(&timestamps, &values, &text)).await;
            assert!(
                pieces
                    .iter()
                    .all(|piece| !piece.is_empty() && piece.len() <= PIECE_BYTES_MAX)
            );
            assert!(pieces.len() > whole.len() / PIECE_BYTES_MAX);
            assert!(
                pieces.len() <= 2 + whole.len() * 5 / 4 / PIECE_BYTES_MAX,
                "few are short"
            );
            assert_eq!(pieces.concat(), whole);
            let read: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            let rows = read["measures"]["a \"name\""].as_array().unwrap();
            assert_eq!(rows.len(), 2 * usize::try_from(POINTS).unwrap());
            assert_eq!(rows[1][0], "1970-01-01T00:00:00.500000+00:00");
            assert_eq!(read["none"], serde_json::json!([]));
        }
    }

    #[tokio::test]
    async fn what_nobody_takes_is_not_rendered() {
        let (timestamps, values) = columns();
        let mut body = document(&timestamps, &values, "").into_body();
        body.frame().await.unwrap().unwrap();
        assert!(
            Arc::strong_count(&timestamps) > 1,
            "the rest waits as columns"
        );
        drop(body);
        assert_eq!(Arc::strong_count(&timestamps), 1);
    }

    #[tokio::test]
    async fn others_get_their_turn() {
        let (timestamps, values) = columns();
        let mut body = document(&timestamps, &values, "").into_body();
        let mut in_a_row = 0;
        let mut context = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(_)) = Pin::new(&mut body).poll_frame(&mut context) {
            in_a_row += 1;
        }
        assert_eq!(in_a_row, PIECES_PER_TURN);
        assert!(!body.is_end_stream());
    }

    #[test]
    fn sizes_are_known_roughly_before_they_are_rendered() {
        let (timestamps, values) = columns();
        let document = document(&timestamps, &values, "");
        assert_eq!(document.rows(), 2 * values.len());
        assert!(document.bytes > document.rows() * 50);
    }
}
