//! The only place that spells keys and the layout of records. All numbers are big endian, so that keys sort as numbers.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use carbonara::{Timespan, Timestamp};
use gnocchi_core::driver::{BlockRange, FrameKey, Receipt, Sack, SackState, Stream};
use gnocchi_core::model::MetricId;

/// The keyspace of measures that wait: [`log_key`] to [`EntryHeader`] and payload.
pub(super) const LOG: &str = "log";
/// The keyspace of frames: [`put_frame_key`] to the bytes of the frame.
pub(super) const FRAMES: &str = "frames";
/// The keyspace of sacks: [`sack_key`] to [`SackRecord`].
pub(super) const SACKS: &str = "sacks";
/// The keyspace of facts about the database itself.
pub(super) const META: &str = "meta";

/// The version of the layout of all keyspaces, as `u32`.
pub(super) const META_FORMAT: &str = "format";
/// The number of sacks, as `u16`.
pub(super) const META_SACKS: &str = "sacks";
/// Sixteen random bytes that no other database has.
pub(super) const META_IDENTITY: &str = "identity";
/// How often the database was opened, as `u64`.
pub(super) const META_GENERATION: &str = "generation";
/// What the database says about the store that it is part of, as [`Pairing`].
pub(super) const META_PAIRING: &str = "pairing";
/// A number that no entry of the log has reached, as `u64`.
pub(super) const META_SEQUENCE_LIMIT: &str = "sequence_limit";

/// The length of a key of a frame.
pub(super) const FRAME_KEY_BYTES: usize = 40;

/// The length of the part of a key that names the metric.
const METRIC_BYTES: usize = 16;

/// Appends the key of a frame: metric (16), granularity in nanoseconds or zero for the window (8), block (8), sequence (8).
pub(super) fn put_frame_key(out: &mut BytesMut, metric: MetricId, key: FrameKey) {
    out.put_slice(metric.as_bytes());
    out.put_u64(stream_number(key.stream));
    out.put_u64(key.block);
    out.put_u64(key.sequence);
}

/// Reads the key of a frame back; `None` when it is not one.
pub(super) fn frame_key(bytes: &[u8]) -> Option<(MetricId, FrameKey)> {
    let (metric, rest) = bytes.split_first_chunk::<METRIC_BYTES>()?;
    let (stream, rest) = take_u64(rest)?;
    let (block, rest) = take_u64(rest)?;
    let (sequence, rest) = take_u64(rest)?;
    let key = FrameKey {
        stream: stream_of(stream)?,
        block,
        sequence,
    };
    rest.is_empty()
        .then_some((MetricId::from_u128(u128::from_be_bytes(*metric)), key))
}

/// Returns the first key of the blocks of a range and the first key behind them; `None` when the range is empty.
pub(super) fn frame_range(
    metric: MetricId,
    range: &BlockRange,
) -> Option<Range<[u8; FRAME_KEY_BYTES]>> {
    let Range { start, end } = range.blocks;
    let bound = |block| {
        frame_key_bytes(
            metric,
            FrameKey {
                stream: range.stream,
                block,
                sequence: 0,
            },
        )
    };
    (start < end).then(|| bound(start)..bound(end))
}

/// Returns the key of a frame.
pub(super) fn frame_key_bytes(metric: MetricId, key: FrameKey) -> [u8; FRAME_KEY_BYTES] {
    let mut bytes = [0; FRAME_KEY_BYTES];
    bytes[..16].copy_from_slice(metric.as_bytes());
    bytes[16..24].copy_from_slice(&stream_number(key.stream).to_be_bytes());
    bytes[24..32].copy_from_slice(&key.block.to_be_bytes());
    bytes[32..].copy_from_slice(&key.sequence.to_be_bytes());
    bytes
}

/// Returns the metric of a key of a frame.
pub(super) fn metric_of(key: &[u8]) -> Option<MetricId> {
    let metric = key.first_chunk::<METRIC_BYTES>()?;
    Some(MetricId::from_u128(u128::from_be_bytes(*metric)))
}

/// Returns the prefix of all keys of the frames of the metric after this one; `None` after the last one.
pub(super) fn next_metric(metric: MetricId) -> Option<[u8; METRIC_BYTES]> {
    metric.as_u128().checked_add(1).map(u128::to_be_bytes)
}

fn stream_number(stream: Stream) -> u64 {
    match stream {
        Stream::Window => 0,
        Stream::Level(granularity) => granularity.as_nanosecond().unsigned_abs(),
    }
}

fn stream_of(number: u64) -> Option<Stream> {
    if number == 0 {
        return Some(Stream::Window);
    }
    let nanoseconds = i64::try_from(number).ok()?;
    Timespan::from_nanosecond(nanoseconds)
        .ok()
        .map(Stream::Level)
}

/// Returns the key of an entry of the log.
pub(super) fn log_key(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// Reads a number that is a whole key or record.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Returns the key of a sack.
pub(super) fn sack_key(sack: Sack) -> [u8; 2] {
    sack.number().to_be_bytes()
}

/// The kind of an entry of the log: measures, as `carbonara::codec::measures` writes them.
pub(super) const ENTRY_MEASURES: u8 = 1;
/// The kind of an entry of the log: metrics (16 bytes each) of which everything before this entry is discarded.
pub(super) const ENTRY_DISCARD: u8 = 2;

/// What stands before the payload of an entry of the log: kind (1), time of arrival in nanoseconds (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryHeader {
    pub(super) kind: u8,
    pub(super) arrival: Timestamp,
}

impl EntryHeader {
    pub(super) const BYTES: usize = 9;

    pub(super) fn put(self, out: &mut Vec<u8>) {
        out.push(self.kind);
        out.extend_from_slice(&self.arrival.as_nanosecond().to_be_bytes());
    }

    /// Splits an entry into header and payload.
    pub(super) fn take(entry: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, rest) = entry.split_first()?;
        let (arrival, payload) = rest.split_first_chunk()?;
        let arrival = Timestamp::from_nanosecond(i64::from_be_bytes(*arrival)).ok()?;
        Some((
            Self {
                kind: *kind,
                arrival,
            },
            payload,
        ))
    }
}

/// Appends the payload of a discard.
pub(super) fn put_discarded(out: &mut Vec<u8>, metrics: &[MetricId]) {
    for metric in metrics {
        out.extend_from_slice(metric.as_bytes());
    }
}

/// Reads the payload of a discard back; `None` when it is not one.
pub(super) fn discarded(payload: &[u8]) -> Option<Vec<MetricId>> {
    let (metrics, rest) = payload.as_chunks::<METRIC_BYTES>();
    let metrics = metrics
        .iter()
        .map(|metric| MetricId::from_u128(u128::from_be_bytes(*metric)));
    rest.is_empty().then(|| metrics.collect())
}

/// What is remembered of a sack: the newest fence (8), the sequence of the last commit (8), its receipt (the rest).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SackRecord {
    pub(super) fence: u64,
    pub(super) state: SackState,
}

impl SackRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.state.receipt.0.len());
        out.extend_from_slice(&self.fence.to_be_bytes());
        out.extend_from_slice(&self.state.sequence.to_be_bytes());
        out.extend_from_slice(&self.state.receipt.0);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (fence, rest) = take_u64(bytes)?;
        let (sequence, receipt) = take_u64(rest)?;
        let receipt = Receipt(receipt.to_vec().into());
        Some(Self {
            fence,
            state: SackState { sequence, receipt },
        })
    }
}

/// At which opening or closing of a store its parts were last seen together: its number (8), whether all parts say so (1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pairing {
    pub(super) number: u64,
    /// Whether all other parts have noted the number. Before, they may be one behind.
    pub(super) settled: bool,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            number: 0,
            settled: true,
        }
    }
}

impl Pairing {
    pub(super) fn encode(self) -> [u8; 9] {
        let mut bytes = [u8::from(self.settled); 9];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = take_u64(bytes)?;
        let settled = match rest {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        Some(Self { number, settled })
    }
}

/// Identifies one database among all.
pub(super) type Identity = [u8; 16];

/// Makes the receipt of everything in a sack up to and including an entry: identity of the database (16), sequence (8).
pub(super) fn receipt(identity: Identity, sequence: u64) -> Receipt {
    let mut bytes = BytesMut::with_capacity(24);
    bytes.put_slice(&identity);
    bytes.put_u64(sequence);
    Receipt(bytes.freeze())
}

/// Returns the sequence of a receipt of this database; `None` for a receipt of another one.
pub(super) fn receipt_sequence(identity: Identity, receipt: &Receipt) -> Option<u64> {
    number(receipt.0.strip_prefix(&identity)?)
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_keys() -> Vec<FrameKey> {
        let level = |nanoseconds| Stream::Level(Timespan::from_nanosecond(nanoseconds).unwrap());
        let mut keys = Vec::new();
        for stream in [
            Stream::Window,
            level(1),
            level(255),
            level(256),
            level(60_000_000_000),
            level(i64::MAX),
        ] {
            for block in [0, 1, 255, 256, u64::MAX] {
                for sequence in [0, 9, u64::MAX] {
                    keys.push(FrameKey {
                        stream,
                        block,
                        sequence,
                    });
                }
            }
        }
        keys
    }

    #[test]
    fn keys_of_frames_come_back_and_sort_like_frames() {
        let mut last: Option<[u8; FRAME_KEY_BYTES]> = None;
        for metric in [0, 1, u128::MAX].map(MetricId::from_u128) {
            for key in sample_keys() {
                let bytes = frame_key_bytes(metric, key);
                let mut put = BytesMut::new();
                put_frame_key(&mut put, metric, key);
                assert_eq!(put[..], bytes);
                assert_eq!(frame_key(&bytes), Some((metric, key)));
                assert_eq!(metric_of(&bytes), Some(metric));
                assert!(
                    last.is_none_or(|last| last < bytes),
                    "{key:?} is not behind the key before"
                );
                last = Some(bytes);
            }
        }
    }

    #[test]
    fn foreign_keys_are_not_frames() {
        let metric = MetricId::from_u128(7);
        let bytes = frame_key_bytes(
            metric,
            FrameKey {
                stream: Stream::Window,
                block: 1,
                sequence: 2,
            },
        );
        assert_eq!(frame_key(&bytes[..39]), None);
        assert_eq!(frame_key(&[&bytes[..], &[0]].concat()), None);
        let mut impossible = bytes;
        impossible[16] = 0xff;
        assert_eq!(frame_key(&impossible), None, "a granularity beyond 63 bits");
        assert_eq!(next_metric(MetricId::from_u128(u128::MAX)), None);
    }

    #[test]
    fn entries_come_back() {
        let header = EntryHeader {
            kind: ENTRY_DISCARD,
            arrival: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        let metrics = vec![MetricId::from_u128(1), MetricId::from_u128(u128::MAX)];
        let mut entry = Vec::new();
        header.put(&mut entry);
        assert_eq!(entry.len(), EntryHeader::BYTES);
        put_discarded(&mut entry, &metrics);
        let (found, payload) = EntryHeader::take(&entry).unwrap();
        assert_eq!((found, discarded(payload)), (header, Some(metrics)));
        assert_eq!(discarded(&payload[1..]), None);
        assert_eq!(EntryHeader::take(&entry[..8]), None);
    }

    #[test]
    fn records_of_sacks_come_back() {
        for receipt in [Receipt::default(), receipt([7; 16], 9)] {
            let record = SackRecord {
                fence: u64::MAX,
                state: SackState {
                    sequence: 5,
                    receipt,
                },
            };
            assert_eq!(SackRecord::decode(&record.encode()), Some(record));
        }
        assert_eq!(SackRecord::decode(&[0; 15]), None);
    }

    #[test]
    fn pairings_come_back() {
        for settled in [false, true] {
            let pairing = Pairing {
                number: u64::MAX - 7,
                settled,
            };
            assert_eq!(Pairing::decode(&pairing.encode()), Some(pairing));
        }
        assert_eq!(Pairing::decode(&[0; 8]), None);
        assert_eq!(Pairing::decode(&[2; 9]), None);
    }

    #[test]
    fn receipts_belong_to_one_database() {
        let own = receipt([1; 16], 77);
        assert_eq!(receipt_sequence([1; 16], &own), Some(77));
        assert_eq!(receipt_sequence([2; 16], &own), None);
        assert_eq!(receipt_sequence([1; 16], &Receipt::default()), None);
        assert_eq!(receipt_sequence([1; 16], &Receipt(own.0.slice(..20))), None);
    }
}
