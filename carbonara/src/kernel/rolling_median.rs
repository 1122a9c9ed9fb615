//! Medians of windows that move over the rows of a column.

/// Computes the median of each `window` consecutive values, ignoring those that are NaN, in `O(n log n)`.
///
/// Every value gets its rank among all; a tree of counts tells which ranks are in the window and finds the middle one. Unlike a
/// sorted window, it costs the same however long the window is.
pub(super) fn rolling_median(values: &[f64], window: usize) -> Vec<f64> {
    debug_assert!((1..=values.len()).contains(&window), "no window fits");
    let mut order: Vec<usize> = (0..values.len())
        .filter(|row| !values[*row].is_nan())
        .collect();
    order.sort_unstable_by(|left, right| values[*left].total_cmp(&values[*right]));
    let mut ranks: Vec<Option<usize>> = vec![None; values.len()];
    for (rank, row) in order.iter().enumerate() {
        ranks[*row] = Some(rank);
    }
    let mut inside = Inside::new(order.len());
    let value_at = |rank: usize| values[order[rank]];
    let mut medians = Vec::with_capacity(values.len() - window + 1);
    for (row, rank) in ranks.iter().enumerate() {
        if let Some(rank) = rank {
            inside.add(*rank);
        }
        if let Some(Some(left)) = row.checked_sub(window).map(|row| ranks[row]) {
            inside.remove(left);
        }
        if row + 1 < window {
            continue;
        }
        medians.push(match inside.count {
            0 => f64::NAN,
            count if count % 2 == 1 => value_at(inside.nth(count / 2)),
            count => f64::midpoint(
                value_at(inside.nth(count / 2 - 1)),
                value_at(inside.nth(count / 2)),
            ),
        });
    }
    medians
}

/// Which ranks are inside the window: a binary indexed tree.
///
/// Node i, counted from one, holds how many of the ranks below i are inside, of as many ranks as the lowest set bit of i says.
struct Inside {
    nodes: Vec<usize>,
    count: usize,
}

impl Inside {
    fn new(ranks: usize) -> Self {
        Self {
            nodes: vec![0; ranks + 1],
            count: 0,
        }
    }

    fn add(&mut self, rank: usize) {
        self.count += 1;
        self.nodes_over(rank, |node| *node += 1);
    }

    fn remove(&mut self, rank: usize) {
        self.count -= 1;
        self.nodes_over(rank, |node| *node -= 1);
    }

    fn nodes_over(&mut self, rank: usize, change: impl Fn(&mut usize)) {
        let mut index = rank + 1;
        while let Some(node) = self.nodes.get_mut(index) {
            change(node);
            index += index & index.wrapping_neg();
        }
    }

    /// Returns the rank that has `before` others below it inside the window.
    fn nth(&self, before: usize) -> usize {
        debug_assert!(before < self.count, "not so many are inside");
        let mut before = before;
        let mut rank = 0;
        let mut step = self.nodes.len().next_power_of_two();
        while step > 0 {
            // All of the ranks below `rank + step` are too few: the one looked for lies behind them.
            if let Some(inside) = self.nodes.get(rank + step)
                && *inside <= before
            {
                before -= inside;
                rank += step;
            }
            step /= 2;
        }
        rank
    }
}
