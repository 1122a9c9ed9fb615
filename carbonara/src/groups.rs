//! The groups of a fused pass: running sums while points are read, columns afterwards.

use crate::kernel::{
    Accumulator, Depth, Extent, Extrema, LANES, Quantile, RankScratch, Segment, Sweep, quantiles,
};
use crate::method::{ComponentKind, ComponentSet};

/// One bucket of a level, and where its points begin; they end where those of the next row begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Number of the bucket.
    pub(crate) bucket: i64,
    /// Index of its first point.
    pub(crate) point: usize,
    /// Index of its first point that is not yet in the state carried over.
    pub(crate) read: usize,
    /// Index of its first segment that is not yet in the state carried over.
    pub(crate) segment: usize,
}

/// The groups of all levels, of values or of differences.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Sums needed for some component.
    depth: Option<Depth>,
    needs_extrema: bool,
    /// Columns that need an accumulator.
    columns: Vec<(usize, ComponentKind)>,
    /// Columns that need an ordering by size, and what goes into them.
    quantile_columns: Vec<usize>,
    quantiles: Vec<Quantile>,
    levels: Vec<LevelGroups>,
    /// The moments of the levels, [`LANES`] at a time.
    sweeps: Vec<Sweep>,
    /// The extremes of each segment.
    extremes: Vec<Extrema>,
    rows: Vec<Accumulator>,
    scratch: RankScratch,
}

/// The groups of one level.
#[derive(Clone, Debug, Default)]
struct LevelGroups {
    /// What the first row holds already; its moments are in the sweep.
    carried: Accumulator,
    /// The last complete row.
    last: Accumulator,
}

impl Row {
    /// A row that is there before the first point.
    pub(crate) const fn first(bucket: i64) -> Self {
        Self {
            bucket,
            point: 0,
            read: 0,
            segment: 0,
        }
    }
}

impl Groups {
    pub(crate) fn new(components: &ComponentSet, of_rate: bool, levels: usize) -> Self {
        let mut groups = Self {
            depth: None,
            needs_extrema: false,
            columns: Vec::with_capacity(components.len()),
            quantile_columns: Vec::new(),
            quantiles: Vec::new(),
            levels: vec![LevelGroups::default(); levels],
            sweeps: vec![Sweep::new(); levels.div_ceil(LANES)],
            extremes: Vec::new(),
            rows: Vec::new(),
            scratch: RankScratch::new(),
        };
        for (column, component) in components.iter().enumerate() {
            if component.of_rate != of_rate {
                continue;
            }
            match component.kind {
                ComponentKind::Median => groups.quantiles.push(Quantile::Median),
                ComponentKind::Percentile(percentile) => {
                    groups.quantiles.push(Quantile::Percentile(percentile));
                }
                _ => {}
            }
            match component.kind {
                ComponentKind::Median | ComponentKind::Percentile(_) => {
                    groups.quantile_columns.push(column);
                    continue;
                }
                ComponentKind::Sum if groups.depth.is_none() => groups.depth = Some(Depth::Sums),
                ComponentKind::SquaredDeviations => groups.depth = Some(Depth::Deviations),
                ComponentKind::Min | ComponentKind::Max => groups.needs_extrema = true,
                _ => {}
            }
            groups.columns.push((column, component.kind));
        }
        if groups.needs_extrema {
            // Sums tell whether there is a NaN.
            groups.depth.get_or_insert(Depth::Sums);
        }
        groups
    }

    /// Continues the bucket of one level, before the first value.
    pub(crate) fn resume(&mut self, index: usize, state: &Accumulator) {
        self.levels[index].carried = *state;
        let moments = (state.count > 0).then_some(state.moments);
        self.sweeps[index / LANES].resume(index % LANES, moments);
    }

    /// Adds segments, the next values in time, to the buckets that the levels are in.
    ///
    /// `entered` says for [`LANES`] levels at a time, and for each segment, by bits, which levels enter a new bucket there.
    pub(crate) fn extend(&mut self, values: &[f64], segments: &[Segment], entered: &[Vec<u8>]) {
        self.extremes.clear();
        let Some(depth) = self.depth else {
            return;
        };
        let mut extremes = self.needs_extrema.then_some(&mut self.extremes);
        for (sweep, entered) in self.sweeps.iter_mut().zip(entered) {
            sweep.advance(values, segments, entered, depth, extremes.take());
        }
    }

    /// Appends to the columns of a level its complete rows, all but the last; `values` are those of all points read in this run, and
    /// `lag` is how far their indices lie behind those of points.
    pub(crate) fn write(
        &mut self,
        index: usize,
        rows: &[Row],
        values: &[f64],
        lag: usize,
        columns: &mut [Vec<f64>],
    ) {
        self.gather(index, rows, values, lag);
        for (column, kind) in &self.columns {
            append(&mut columns[*column], &self.rows, *kind);
        }
        if self.quantiles.is_empty() {
            return;
        }
        let mut results = vec![0.0; self.quantiles.len()];
        for (row, next) in rows.iter().zip(&rows[1..]) {
            let values = &values[row.point.saturating_sub(lag)..next.point.saturating_sub(lag)];
            if values.is_empty() {
                results.fill(0.0);
            } else {
                quantiles(values, &self.quantiles, &mut self.scratch, &mut results);
            }
            for (column, result) in self.quantile_columns.iter().zip(&results) {
                columns[*column].push(canonical(*result));
            }
        }
    }

    /// Puts what was read of the row being filled into the state carried over; `values` are those not yet in it.
    pub(crate) fn carry(&mut self, index: usize, row: &Row, values: &[f64]) {
        let level = &mut self.levels[index];
        let segments = if self.needs_extrema {
            &self.extremes[row.segment..]
        } else {
            &[]
        };
        absorb(&mut level.carried, values, segments);
    }

    /// Returns the state of the last complete row.
    pub(crate) fn last(&self, index: usize) -> Accumulator {
        self.levels[index].last
    }

    /// Puts the states of the complete rows together.
    fn gather(&mut self, index: usize, rows: &[Row], values: &[f64], lag: usize) {
        let level = &mut self.levels[index];
        self.rows.clear();
        let sweep = &self.sweeps[index / LANES];
        for (row, next) in rows.iter().zip(&rows[1..]) {
            let mut state = std::mem::take(&mut level.carried);
            if self.depth.is_some() {
                state.moments = sweep.after(next.segment).group(index % LANES);
            }
            let values = &values[row.read.saturating_sub(lag)..next.point.saturating_sub(lag)];
            let segments = if self.needs_extrema {
                &self.extremes[row.segment..next.segment]
            } else {
                &[]
            };
            absorb(&mut state, values, segments);
            self.rows.push(state);
        }
        if let Some(last) = self.rows.last() {
            level.last = *last;
        }
    }
}

/// Adds values, whose extremes are known by segments and whose sums are kept elsewhere.
fn absorb(state: &mut Accumulator, values: &[f64], segments: &[Extrema]) {
    if let (Some(first), Some(last)) = (values.first(), values.last()) {
        let mut extrema = Extrema::EMPTY;
        for segment in segments {
            extrema.absorb(*segment);
        }
        let extent = Extent {
            extrema,
            first: *first,
            last: *last,
        };
        state.absorb(values.len(), &extent);
    }
}

/// Appends one component of all rows to its column; zero where a row has no value.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 points do not fit in memory"
)]
fn append(column: &mut Vec<f64>, rows: &[Accumulator], kind: ComponentKind) {
    match kind {
        ComponentKind::Count => column.extend(rows.iter().map(|row| row.count as f64)),
        ComponentKind::Sum => fill(column, rows, Accumulator::sum),
        ComponentKind::Min => fill(column, rows, |row| row.extent.extrema.min),
        ComponentKind::Max => fill(column, rows, |row| row.extent.extrema.max),
        ComponentKind::First => fill(column, rows, |row| row.extent.first),
        ComponentKind::Last => fill(column, rows, |row| row.extent.last),
        ComponentKind::SquaredDeviations => fill(column, rows, Accumulator::squared_deviations),
        ComponentKind::Median | ComponentKind::Percentile(_) => {
            unreachable!("order statistics have columns of their own")
        }
    }
}

fn fill(column: &mut Vec<f64>, rows: &[Accumulator], value: impl Fn(&Accumulator) -> f64) {
    column.extend(rows.iter().map(|row| match row.count {
        0 => 0.0,
        _ => canonical(value(row)),
    }));
}

/// Gives all NaN the same bits: which one comes out of an addition is up to the compiler.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}
