//! Frames: aggregated points of one metric, granularity and block.

use std::ops::Range;

use super::Encoding;
use super::bytes::{Reader, put_varint};
use super::column::{
    Content, compressed_bytes, fresh_bytes, put_column, put_compressed, skip_column, take_column,
    take_compressed,
};
use super::compression::{Scratch, compress, decompress};
use super::envelope::{Envelope, Kind, Opened, open};
use super::error::{Corruption, DecodeError};
use crate::constants::POINTS_PER_BLOCK;
use crate::frame::{Frame, FrameError};
use crate::method::{Component, ComponentKind, ComponentSet};
use crate::time::Timespan;

/// The version that is written.
const VERSION: u8 = 2;

/// The first version that has [`SAME`].
const SAME_SINCE: u8 = 2;

/// The oldest version that is read.
const OLDEST_VERSION: u8 = 1;

/// Rows of one payload at most: those of a block.
#[expect(clippy::cast_possible_truncation, reason = "3600")]
const ROWS_MAX: usize = POINTS_PER_BLOCK as usize;

/// Columns of one payload at most: every kind (7, the median, 99 percentiles) of values and of rates.
const COLUMNS_MAX: usize = 2 * (7 + 1 + 99);

/// Bytes before the columns of a fresh frame: granularity 9, block 9, rows 2, number of columns 2, offsets 6.
const HEAD_BYTES_MAX: usize = 28;

/// The first offset and one step for all.
const REGULAR: u8 = 0;
/// The first offset and the gaps.
const GAPS: u8 = 1;
/// Compressed offsets.
const COMPRESSED: u8 = 2;

/// Stands for a column that is equal to the one before it, to the bit; no tag of a column.
///
/// Where buckets hold one point each, as they do when a metric is measured as often as its finest granularity says, sum, minimum, maximum,
/// first and last are all the same.
const SAME: u8 = 6;

/// Encodes a frame: one payload for every block that it touches, none for no rows.
///
/// # Examples
/// ```
/// use carbonara::codec::{Encoding, frame};
/// use carbonara::{AggregationMethod, ComponentSet, Frame, Timespan};
///
/// let methods: [AggregationMethod; 2] = ["sum".parse()?, "count".parse()?];
/// let components = ComponentSet::for_methods(&methods);
/// let columns = vec![vec![2.0, 1.0], vec![0.5, 3.0]];
/// let before = Frame::new(Timespan::from_second(60)?, components, vec![24, 25], columns)?;
///
/// let bytes = frame::encode(&before, Encoding::Fresh);
/// let (after, consumed) = frame::decode(&bytes)?;
/// assert_eq!((after, consumed), (before, bytes.len()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(frame: &Frame, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(&mut out, frame, encoding);
    out
}

/// Appends what [`encode`] returns to `out`.
pub fn encode_into(out: &mut Vec<u8>, frame: &Frame, encoding: Encoding) {
    let mut rest = frame.buckets();
    let mut from = 0;
    while let Some(first) = rest.first() {
        let block = first / POINTS_PER_BLOCK;
        // Most frames lie in one block: look at the last bucket before searching.
        let rows = if rest
            .last()
            .is_some_and(|last| last / POINTS_PER_BLOCK == block)
        {
            rest.len()
        } else {
            rest.partition_point(|bucket| bucket / POINTS_PER_BLOCK == block)
        };
        let (buckets, later) = rest.split_at(rows);
        encode_block(out, frame, block, buckets, &(from..from + rows), encoding);
        rest = later;
        from += rows;
    }
}

/// Decodes the payload at the front of `input`: the frame, and the bytes that it took.
///
/// # Errors
/// [`DecodeError`] where the payload is incomplete, damaged or of an unknown version.
pub fn decode(input: &[u8]) -> Result<(Frame, usize), DecodeError> {
    decode_columns(input, Columns::All)
}

/// Decodes all payloads of `input`, to its end, in their order.
///
/// # Errors
/// As [`decode`], for the first payload that fails.
pub fn decode_all(input: &[u8]) -> Result<Vec<Frame>, DecodeError> {
    decode_each(input, Columns::All)
}

/// As [`decode_all`], but leaves out the columns of all components that are not `wanted`.
///
/// Columns that are left out cost little more than their share of the checksum.
///
/// # Errors
/// As [`decode`]; what a column that is left out holds is covered by the checksum and not looked at.
pub fn decode_all_of(input: &[u8], wanted: &ComponentSet) -> Result<Vec<Frame>, DecodeError> {
    decode_each(input, Columns::Of(wanted))
}

/// Which columns are decoded.
#[derive(Clone, Copy, Debug)]
enum Columns<'a> {
    All,
    Of(&'a ComponentSet),
}

impl Columns<'_> {
    fn has(self, component: Component) -> bool {
        match self {
            Self::All => true,
            Self::Of(wanted) => wanted.position(component).is_some(),
        }
    }
}

fn decode_columns(input: &[u8], wanted: Columns<'_>) -> Result<(Frame, usize), DecodeError> {
    let opened = open(input, Kind::Frame)?;
    if !(OLDEST_VERSION..=VERSION).contains(&opened.version) {
        return Err(DecodeError::UnsupportedVersion(opened.version));
    }
    Ok((decode_body(opened, wanted)?, opened.consumed))
}

fn decode_each(input: &[u8], wanted: Columns<'_>) -> Result<Vec<Frame>, DecodeError> {
    let mut frames = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (frame, consumed) = decode_columns(rest, wanted)?;
        frames.push(frame);
        rest = rest.get(consumed..).unwrap_or_default();
    }
    Ok(frames)
}

fn encode_block(
    out: &mut Vec<u8>,
    frame: &Frame,
    block: i64,
    buckets: &[i64],
    rows: &Range<usize>,
    encoding: Encoding,
) {
    let components = frame.components();
    let guess = match encoding {
        Encoding::Fresh => {
            let bytes = written(frame, rows).map(|(content, values)| match values {
                Some(values) => fresh_bytes(values, content),
                None => 1,
            });
            HEAD_BYTES_MAX + components.len() + bytes.sum::<usize>()
        }
        Encoding::Sealed => HEAD_BYTES_MAX + 4 * components.len() * buckets.len(),
    };
    let envelope = Envelope::begin(out, Kind::Frame, VERSION, guess);
    put_varint(out, frame.granularity().as_nanosecond().unsigned_abs());
    put_varint(out, components.len() as u64);
    for component in components.iter() {
        put_varint(out, wire_code(component).into());
    }
    put_varint(out, block.unsigned_abs());
    put_varint(out, buckets.len() as u64);
    put_offsets(out, buckets, block * POINTS_PER_BLOCK, encoding);
    for (content, values) in written(frame, rows) {
        match values {
            Some(values) => put_column(out, values, content, encoding),
            None => out.push(SAME),
        }
    }
    envelope.finish(out);
}

fn decode_body(opened: Opened<'_>, wanted: Columns<'_>) -> Result<Frame, Corruption> {
    let mut reader = Reader::new(opened.body);
    let mut scratch = Scratch::default();
    let granularity =
        Timespan::from_nanosecond(reader.varint_i64()?).map_err(|_| Corruption::Limit)?;
    let components = take_components(&mut reader)?;
    let block = reader.varint_i64()?;
    let first_bucket = block
        .checked_mul(POINTS_PER_BLOCK)
        .ok_or(Corruption::Order)?;
    let rows = reader.varint_up_to(ROWS_MAX)?;
    let offsets = take_offsets(&mut reader, rows, &mut scratch)?;
    let buckets = offsets
        .into_iter()
        .map(|offset| first_bucket.checked_add(offset))
        .collect::<Option<Vec<_>>>()
        .ok_or(Corruption::Order)?;
    let columns = take_columns(
        &mut reader,
        opened.version,
        rows,
        &components,
        wanted,
        &mut scratch,
    )?;
    reader.finish()?;
    let decoded = match wanted {
        Columns::Of(_) if columns.len() < components.len() => components
            .iter()
            .filter(|component| wanted.has(*component))
            .collect(),
        _ => components,
    };
    Frame::new(granularity, decoded, buckets, columns).map_err(|error| match error {
        FrameError::BucketOutOfRange | FrameError::BucketsUnsorted => Corruption::Order,
        _ => Corruption::Layout,
    })
}

/// Reads the columns that are wanted, in order, and passes over the others.
fn take_columns(
    reader: &mut Reader<'_>,
    version: u8,
    rows: usize,
    components: &ComponentSet,
    wanted: Columns<'_>,
    scratch: &mut Scratch,
) -> Result<Vec<Vec<f64>>, Corruption> {
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(components.len());
    // In front of the last column that is written out, and whether it is what stands last in `columns`.
    let mut written = None;
    let mut is_decoded = false;
    for component in components.iter() {
        let is_same = version >= SAME_SINCE && reader.peek() == Some(SAME);
        if is_same {
            reader.byte()?;
        } else {
            written = Some(reader.clone());
            is_decoded = false;
        }
        let mut source = written.clone().ok_or(Corruption::Layout)?;
        if !is_same {
            skip_column(reader, rows)?;
        }
        if wanted.has(component) {
            let values = match columns.last() {
                Some(before) if is_decoded => before.clone(),
                _ => take_column(&mut source, rows, scratch)?,
            };
            columns.push(values);
            is_decoded = true;
        }
    }
    Ok(columns)
}

/// Returns what is written of each column: `None` for one that is the same as the one before it.
fn written<'a>(
    frame: &'a Frame,
    rows: &Range<usize>,
) -> impl Iterator<Item = (Content, Option<&'a [f64]>)> {
    let mut before: Option<&[f64]> = None;
    let columns = frame.components().iter().zip(frame.columns());
    columns.map(move |(component, column)| {
        let values = column.get(rows.clone()).unwrap_or_default();
        let is_same = before
            .replace(values)
            .is_some_and(|before| same_bits(before, values));
        (content(component), (!is_same).then_some(values))
    })
}

/// Returns whether two columns are the same; mostly the first row tells already.
fn same_bits(one: &[f64], other: &[f64]) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.all(|(one, other)| one.to_bits() == other.to_bits())
}

fn content(component: Component) -> Content {
    match component.kind {
        ComponentKind::Count => Content::Counts,
        _ => Content::Values,
    }
}

/// The code with the bit for rates moved to the bottom, so that common codes take one byte.
fn wire_code(component: Component) -> u16 {
    component.code().rotate_left(1)
}

fn take_components(reader: &mut Reader<'_>) -> Result<ComponentSet, Corruption> {
    let count = reader.varint_up_to(COLUMNS_MAX)?;
    let mut components = Vec::with_capacity(count);
    for _ in 0..count {
        let wire_code = u16::try_from(reader.varint()?).map_err(|_| Corruption::Limit)?;
        let component = Component::from_code(wire_code.rotate_right(1)).ok_or(Corruption::Limit)?;
        if components.last().is_some_and(|last| *last >= component) {
            return Err(Corruption::Order);
        }
        components.push(component);
    }
    Ok(components.into_iter().collect())
}

/// Appends the distances of the buckets from the first one of their block.
fn put_offsets(out: &mut Vec<u8>, buckets: &[i64], first_bucket: i64, encoding: Encoding) {
    let Some((&first, rest)) = buckets.split_first() else {
        return;
    };
    let step = rest.first().map_or(1, |second| second - first);
    let gaps = || {
        buckets
            .iter()
            .zip(rest)
            .map(|(before, after)| after - before)
    };
    let start = out.len();
    let regular = gaps().all(|gap| gap == step);
    out.push(if regular { REGULAR } else { GAPS });
    put_varint(out, (first - first_bucket).unsigned_abs());
    if regular {
        if !rest.is_empty() {
            put_varint(out, step.unsigned_abs());
        }
        return;
    }
    for gap in gaps() {
        put_varint(out, gap.unsigned_abs());
    }
    if encoding == Encoding::Sealed {
        let offsets: Vec<i64> = buckets.iter().map(|bucket| bucket - first_bucket).collect();
        if let Some(bytes) = compress(&offsets, &mut Scratch::default())
            && start + 1 + compressed_bytes(&bytes) < out.len()
        {
            out.truncate(start);
            out.push(COMPRESSED);
            put_compressed(out, &bytes);
        }
    }
}

/// Reads ascending offsets, all of them inside a block.
fn take_offsets(
    reader: &mut Reader<'_>,
    rows: usize,
    scratch: &mut Scratch,
) -> Result<Vec<i64>, Corruption> {
    let following = rows.checked_sub(1).ok_or(Corruption::Layout)?;
    let offsets: Vec<i64> = match reader.byte()? {
        REGULAR => {
            let first = take_offset(reader)?;
            let step = if following == 0 {
                1
            } else {
                take_offset(reader)?
            };
            (0..).map(|row| first + row * step).take(rows).collect()
        }
        GAPS => {
            let mut last = take_offset(reader)?;
            let mut offsets = Vec::with_capacity(rows);
            offsets.push(last);
            for _ in 0..following {
                last += take_offset(reader)?;
                offsets.push(last);
            }
            offsets
        }
        COMPRESSED => decompress(take_compressed(reader)?, rows, scratch)?,
        _ => return Err(Corruption::Layout),
    };
    let inside = offsets.first().is_some_and(|first| *first >= 0)
        && offsets.last().is_some_and(|last| *last < POINTS_PER_BLOCK);
    if inside && offsets.is_sorted_by(|earlier, later| earlier < later) {
        Ok(offsets)
    } else {
        Err(Corruption::Order)
    }
}

/// Reads an offset or a gap; neither can exceed a block.
fn take_offset(reader: &mut Reader<'_>) -> Result<i64, Corruption> {
    let offset = reader.varint_i64()?;
    if offset > POINTS_PER_BLOCK {
        return Err(Corruption::Limit);
    }
    Ok(offset)
}
