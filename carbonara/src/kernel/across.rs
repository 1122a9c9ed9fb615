//! Statistics across columns: one result for each row.

use super::cell::{CellStatistic, larger, smaller};
use super::rank::{Quantile, RankScratch, quantiles};

/// Rows that are worked on together: their running states stay in the processor's first cache while columns go by.
const ROWS_PER_BLOCK: usize = 512;

/// Computes a statistic of the cells of each row, ignoring those that are NaN; nothing when there is no column.
///
/// Sums run in the order of the columns, from 0.0 on. The variance is computed in two passes: the mean, then the sum of the squared deviations
/// from it.
///
/// Why is this fast, although it skips NaN? A missing cell adds 0.0 to the sum, which changes no bit of a sum that began with 0.0 and so is never -0.0.
/// Without a branch, several rows share a vector register, and each row still adds its cells one after the other.
///
/// # Panics
/// When columns differ in length.
///
/// # Examples
/// ```
/// use carbonara::kernel::{CellStatistic, across};
///
/// let columns = [&[1.0, f64::NAN][..], &[4.0, 8.0][..]];
/// assert_eq!(across(&columns, CellStatistic::Mean), [2.5, 8.0]);
/// ```
#[must_use]
pub fn across(columns: &[&[f64]], statistic: CellStatistic) -> Vec<f64> {
    let Some(first) = columns.first() else {
        return Vec::new();
    };
    let mut results = vec![0.0; first.len()];
    let mut scratch = Scratch::default();
    for (block, results) in results.chunks_mut(ROWS_PER_BLOCK).enumerate() {
        let from = block * ROWS_PER_BLOCK;
        let rows = Rows {
            columns,
            from,
            to: from + results.len(),
        };
        match statistic {
            CellStatistic::Sum => rows.sum(results),
            CellStatistic::Count => rows.count(results),
            CellStatistic::Mean => rows.mean(results, &mut scratch.counts),
            CellStatistic::Min => rows.extreme(results, smaller),
            CellStatistic::Max => rows.extreme(results, larger),
            CellStatistic::Var => rows.variance(results, &mut scratch),
            CellStatistic::Std => {
                rows.variance(results, &mut scratch);
                for result in results {
                    *result = result.sqrt();
                }
            }
            CellStatistic::Median => rows.median(results, &mut scratch),
        }
    }
    results
}

/// Memory that is used again from block to block.
#[derive(Default)]
struct Scratch {
    counts: Vec<f64>,
    means: Vec<f64>,
    cells: Vec<f64>,
    rank: RankScratch,
}

/// A block of rows.
struct Rows<'a> {
    columns: &'a [&'a [f64]],
    from: usize,
    to: usize,
}

impl<'a> Rows<'a> {
    /// Iterates over the columns, cut to the rows of the block.
    fn cells(&self) -> impl Iterator<Item = &'a [f64]> + '_ {
        self.columns
            .iter()
            .map(|column| &column[self.from..self.to])
    }

    fn sum(&self, sums: &mut [f64]) {
        sums.fill(0.0);
        for cells in self.cells() {
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum += if cell.is_nan() { 0.0 } else { *cell };
            }
        }
    }

    fn count(&self, counts: &mut [f64]) {
        counts.fill(0.0);
        for cells in self.cells() {
            for (count, cell) in counts.iter_mut().zip(cells) {
                *count += if cell.is_nan() { 0.0 } else { 1.0 };
            }
        }
    }

    fn mean(&self, means: &mut [f64], counts: &mut Vec<f64>) {
        counts.clear();
        counts.resize(means.len(), 0.0);
        means.fill(0.0);
        for cells in self.cells() {
            for ((sum, count), cell) in means.iter_mut().zip(counts.iter_mut()).zip(cells) {
                *sum += if cell.is_nan() { 0.0 } else { *cell };
                *count += if cell.is_nan() { 0.0 } else { 1.0 };
            }
        }
        for (mean, count) in means.iter_mut().zip(counts) {
            *mean /= *count;
        }
    }

    fn variance(&self, variances: &mut [f64], scratch: &mut Scratch) {
        let Scratch { counts, means, .. } = scratch;
        means.clear();
        means.resize(variances.len(), 0.0);
        self.mean(means, counts);
        variances.fill(0.0);
        for cells in self.cells() {
            for ((sum, mean), cell) in variances.iter_mut().zip(means.iter()).zip(cells) {
                let deviation = cell - mean;
                // By the cell, not by the deviation: that of an infinity is NaN and counts.
                *sum += if cell.is_nan() {
                    0.0
                } else {
                    deviation * deviation
                };
            }
        }
        for (variance, count) in variances.iter_mut().zip(counts) {
            *variance /= *count;
        }
    }

    fn extreme(&self, results: &mut [f64], choose: impl Fn(f64, f64) -> f64) {
        results.fill(f64::NAN);
        for cells in self.cells() {
            for (result, cell) in results.iter_mut().zip(cells) {
                *result = choose(*result, *cell);
            }
        }
    }

    fn median(&self, medians: &mut [f64], scratch: &mut Scratch) {
        for (row, median) in medians.iter_mut().enumerate() {
            scratch.cells.clear();
            let cells = self.cells().map(|cells| cells[row]);
            scratch.cells.extend(cells.filter(|cell| !cell.is_nan()));
            let result = std::slice::from_mut(median);
            quantiles(
                &scratch.cells,
                &[Quantile::Median],
                &mut scratch.rank,
                result,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;
    const INFINITY: f64 = f64::INFINITY;

    #[track_caller]
    fn check(rows: &[&[f64]], name: &str, expected: &[f64]) {
        let columns: Vec<Vec<f64>> = (0..rows[0].len())
            .map(|column| rows.iter().map(|row| row[column]).collect())
            .collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let found = across(&columns, name.parse().expect("a statistic"));
        let bits = |values: &[f64]| -> Vec<u64> {
            let canonical = |value: &f64| if value.is_nan() { GAP } else { *value };
            values.iter().map(|v| canonical(v).to_bits()).collect()
        };
        assert_eq!(bits(&found), bits(expected), "{name}: {found:?}");
    }

    #[test]
    fn each_statistic_ignores_missing_cells() {
        let rows: &[&[f64]] = &[&[1.0, GAP, 4.0, 7.0], &[GAP, 2.0, GAP, GAP], &[GAP; 4]];
        check(rows, "mean", &[4.0, 2.0, GAP]);
        check(rows, "median", &[4.0, 2.0, GAP]);
        check(rows, "std", &[6.0_f64.sqrt(), 0.0, GAP]);
        check(rows, "var", &[6.0, 0.0, GAP]);
        check(rows, "min", &[1.0, 2.0, GAP]);
        check(rows, "max", &[7.0, 2.0, GAP]);
        check(rows, "sum", &[12.0, 2.0, 0.0]);
        check(rows, "count", &[3.0, 1.0, 0.0]);
    }

    #[test]
    fn infinities_are_numbers() {
        let rows: &[&[f64]] = &[&[1.0, INFINITY], &[INFINITY, -INFINITY]];
        check(rows, "mean", &[INFINITY, GAP]);
        check(rows, "var", &[GAP, GAP]);
        check(rows, "min", &[1.0, -INFINITY]);
        check(rows, "max", &[INFINITY, INFINITY]);
        check(rows, "count", &[2.0, 2.0]);
        check(rows, "median", &[INFINITY, GAP]);
    }

    #[test]
    fn zeros_keep_their_sign_but_in_sums() {
        let rows: &[&[f64]] = &[&[-0.0, 0.0], &[0.0, -0.0], &[-0.0, GAP]];
        check(rows, "min", &[-0.0, 0.0, -0.0]);
        check(rows, "max", &[-0.0, 0.0, -0.0]);
        check(rows, "sum", &[0.0, 0.0, 0.0]);
    }

    #[test]
    fn sums_run_in_the_order_of_columns() {
        // Pairwise this would be 2 or 0.
        check(&[&[1e16, 1.0, -1e16, 1.0]], "sum", &[1.0]);
    }

    #[test]
    fn no_column_gives_nothing() {
        assert!(across(&[], CellStatistic::Sum).is_empty());
        assert!(across(&[&[], &[]], CellStatistic::Median).is_empty());
    }

    #[test]
    fn blocks_of_rows_join() {
        let rows = 2 * ROWS_PER_BLOCK + 3;
        let column: Vec<f64> = (0..rows)
            .map(|row| f64::from(u32::try_from(row).expect("few")))
            .collect();
        assert_eq!(across(&[&column], CellStatistic::Mean), column);
        assert_eq!(across(&[&column, &column], CellStatistic::Max), column);
    }
}
