//! A request body while it arrives: how long it may take, and whether it is compressed.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::api::response::error::{ApiError, ApiResult};

/// How long the next piece of a body may take, however long the whole of it may.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How much longer than its compressed form JSON mostly is.
const USUAL_GROWTH: usize = 16;

/// How many decompressed pieces are made before other requests get their turn: about half a millisecond.
const PIECES_PER_TURN: u32 = 8;

/// How long a body may take, in all and for its next piece.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Patience {
    whole: Duration,
    deadline: Instant,
}

impl Patience {
    /// Begins to wait for a body.
    pub(in crate::api) fn new(whole: Duration) -> Self {
        Self {
            whole,
            deadline: Instant::now() + whole,
        }
    }

    async fn wait<T>(&self, next: impl Future<Output = T>) -> ApiResult<T> {
        let silence_ends = Instant::now() + SILENCE_MAX;
        let ends = silence_ends.min(self.deadline);
        tokio::time::timeout_at(ends, next).await.map_err(|_| {
            let text = if ends == self.deadline {
                let seconds = self.whole.as_secs_f64();
                format!("The body of the request has not come within {seconds} seconds")
            } else {
                let seconds = SILENCE_MAX.as_secs_f64();
                format!("The body of the request stalls: nothing has come for {seconds} seconds")
            };
            ApiError::text(StatusCode::REQUEST_TIMEOUT, text)
        })
    }
}

/// The pieces of a body, decompressed.
#[derive(Debug)]
pub(in crate::api) struct Pieces {
    body: Body,
    patience: Patience,
    gzip: Option<Gzip>,
}

#[derive(Debug)]
struct Gzip {
    /// What has arrived and is still compressed.
    input: Bytes,
    /// Each call decompresses no more than a page or so, however much the input promises.
    decoder: MultiGzDecoder<Vec<u8>>,
    pieces: u32,
    is_finished: bool,
}

impl Pieces {
    /// Looks how a body is compressed.
    ///
    /// # Errors
    /// 415 when it is compressed in a way that is not known here.
    pub(in crate::api) fn new(
        headers: &HeaderMap,
        body: Body,
        patience: Patience,
    ) -> ApiResult<Self> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let coding = codings
            .next()
            .map_or("", |coding| coding.to_str().unwrap_or("?"));
        let gzip = match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => None,
            "gzip" | "x-gzip" => Some(Gzip {
                input: Bytes::new(),
                decoder: MultiGzDecoder::new(Vec::new()),
                pieces: 0,
                is_finished: false,
            }),
            _ => return Err(unknown_coding(coding)),
        };
        if let Some(second) = codings.next() {
            return Err(unknown_coding(second.to_str().unwrap_or("?")));
        }
        Ok(Self {
            body,
            patience,
            gzip,
        })
    }

    /// Returns how much longer the pieces probably are than what arrives.
    pub(in crate::api) fn growth(&self) -> usize {
        if self.gzip.is_some() { USUAL_GROWTH } else { 1 }
    }

    /// Returns the next piece, which is not empty; `None` at the end.
    ///
    /// # Errors
    /// 408 when it does not come in time, 400 when the body breaks off or is not compressed as it says.
    pub(in crate::api) async fn next(&mut self) -> ApiResult<Option<Bytes>> {
        loop {
            let Some(gzip) = &mut self.gzip else {
                return self.arriving().await;
            };
            if let Some(piece) = gzip.next().map_err(damaged)? {
                if gzip.pieces % PIECES_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                }
                return Ok(Some(piece));
            }
            if gzip.is_finished {
                return Ok(None);
            }
            let arrived = self.arriving().await?;
            if let Some(gzip) = &mut self.gzip {
                match arrived {
                    Some(data) => gzip.input = data,
                    None => gzip.finish().map_err(damaged)?,
                }
            }
        }
    }

    /// Waits for data, as it is sent.
    async fn arriving(&mut self) -> ApiResult<Option<Bytes>> {
        loop {
            let Some(frame) = self.patience.wait(self.body.frame()).await? else {
                return Ok(None);
            };
            let frame =
                frame.map_err(|_| ApiError::bad_request("The body of the request breaks off"))?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
    }
}

impl Gzip {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.input.is_empty() && self.decoder.get_ref().is_empty() {
            let taken = self.decoder.write(&self.input)?;
            if taken == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.input.advance(taken);
        }
        let piece = std::mem::take(self.decoder.get_mut());
        if piece.is_empty() {
            return Ok(None);
        }
        self.pieces = self.pieces.wrapping_add(1);
        Ok(Some(piece.into()))
    }

    /// Decompresses what the decoder still holds, and checks the sum.
    fn finish(&mut self) -> io::Result<()> {
        self.is_finished = true;
        self.decoder.try_finish()
    }
}

fn unknown_coding(coding: &str) -> ApiError {
    ApiError::text(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("The body of the request is encoded as {coding}; only gzip is supported"),
    )
}

fn damaged(_: io::Error) -> ApiError {
    ApiError::malformed_body("the body of the request is not a complete gzip stream")
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures::StreamExt;
    use http::HeaderValue;

    use crate::api::request::body_pieces::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded_as(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))])
    }

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(5))
    }

    /// Reads a body that arrives in pieces of some length.
    async fn read(coding: &'static str, sent: Vec<u8>, length: usize) -> ApiResult<Vec<Bytes>> {
        let sent: Vec<Result<Vec<u8>, io::Error>> = sent
            .chunks(length)
            .map(|piece| Ok(piece.to_vec()))
            .collect();
        let body = Body::from_stream(futures::stream::iter(sent));
        let mut pieces = Pieces::new(&encoded_as(coding), body, patience())?;
        let mut read = Vec::new();
        while let Some(piece) = pieces.next().await? {
            assert!(!piece.is_empty());
            read.push(piece);
        }
        Ok(read)
    }

    #[tokio::test]
    async fn bodies_are_decompressed() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let twice = [gzip(&text[..1000]), gzip(&text[1000..])].concat();
        for length in [1, 7, 4096, 10_000_000] {
            assert_eq!(
                read("gzip", twice.clone(), length).await.unwrap().concat(),
                text
            );
        }
        assert_eq!(
            read("identity", text.clone(), 999).await.unwrap().concat(),
            text
        );
        assert_eq!(
            read("X-Gzip", gzip(b"[]"), 99).await.unwrap().concat(),
            b"[]"
        );
        assert!(read("gzip", gzip(b""), 99).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_grows_a_lot_comes_in_pieces() {
        let bomb = gzip(&vec![0; 20 << 20]);
        assert!(bomb.len() < 30_000);
        let read = read("gzip", bomb, usize::MAX).await.unwrap();
        assert!(read.iter().all(|piece| piece.len() <= 64 << 10));
        assert_eq!(read.iter().map(Bytes::len).sum::<usize>(), 20 << 20);
    }

    #[tokio::test]
    async fn damaged_bodies_are_refused() {
        let good = gzip(b"[1, 2, 3]");
        let mut wrong_sum = good.clone();
        let sum = wrong_sum.len() - 5;
        wrong_sum[sum] ^= 1;
        for bad in [
            good[..good.len() - 1].to_vec(),
            good[..5].to_vec(),
            b"[1, 2, 3]".to_vec(),
            [&good[..], b"more"].concat(),
            wrong_sum,
        ] {
            let error = read("gzip", bad.clone(), 4).await.unwrap_err();
            assert_eq!(error.status, StatusCode::BAD_REQUEST, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn other_codings_are_refused() {
        for coding in ["br", "gzip, gzip", "deflate"] {
            let error = read(coding, Vec::new(), 1).await.unwrap_err();
            assert_eq!(error.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let mut twice = encoded_as("gzip");
        twice.append(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(Pieces::new(&twice, Body::empty(), patience()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bodies_are_given_up() {
        let every = |seconds: u64| {
            let pieces = futures::stream::repeat("x").then(move |piece| async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok::<_, io::Error>(piece)
            });
            Body::from_stream(pieces)
        };
        for (seconds, pieces_expected, text) in [(29, 2, "within 60"), (31, 0, "for 30")] {
            let patience = Patience::new(Duration::from_mins(1));
            let mut pieces = Pieces::new(&HeaderMap::new(), every(seconds), patience).unwrap();
            for _ in 0..pieces_expected {
                pieces.next().await.unwrap();
            }
            let error = pieces.next().await.unwrap_err();
            assert_eq!(error.status, StatusCode::REQUEST_TIMEOUT);
            assert!(format!("{:?}", error.detail).contains(text), "{error:?}");
        }
    }
}
