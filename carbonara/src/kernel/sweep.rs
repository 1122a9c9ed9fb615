//! Moments and extremes of many segments at once, compiled for the machine it runs on.

use fearless_simd::{
    Level, Select, Simd, SimdBase, SimdFloat, SimdMask, dispatch, f64x4, mask64x4,
};

use super::extrema::{Extrema, extrema_in_order, first_equal};
use super::moment::{Depth, LANES, MomentLanes, Moments};

/// Values that lie in one bucket of each level, as indices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// The moments of up to [`LANES`] levels, from segment to segment.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// Before the first segment, and after each.
    states: Vec<MomentLanes>,
    /// Lanes, as bits, whose group has no value yet.
    empty: u64,
}

impl Sweep {
    /// Makes moments of groups without values.
    pub(crate) fn new() -> Self {
        Self {
            states: vec![MomentLanes::default()],
            empty: 0,
        }
    }

    /// Replaces the group of one lane for what follows; `None` for one without values.
    pub(crate) fn resume(&mut self, lane: usize, moments: Option<Moments>) {
        self.restart();
        match moments {
            Some(moments) => {
                self.states[0].replace(lane, moments);
                self.empty &= !(1 << lane);
            }
            None => self.empty |= 1 << lane,
        }
    }

    /// Returns the moments after so many segments.
    pub(crate) fn after(&self, segments: usize) -> &MomentLanes {
        &self.states[segments]
    }

    /// Forgets all segments; what follows continues after the last.
    fn restart(&mut self) {
        let last = self.states.len() - 1;
        self.states.swap(0, last);
        self.states.truncate(1);
    }

    /// Adds segments of `values`; `entered` has, for each, a bit for every lane that begins a group there.
    ///
    /// `extremes`, when given, gets those of each segment.
    ///
    /// Why is it fast? The sums of all levels wait for their previous values alone, so they advance side by side, in the lanes of
    /// one register where the machine has a register so wide; that is found out when the program runs. None of them changes its
    /// order, and nothing is fused, hence the bits are those of the plain version on every machine. Smallest and largest values are found in
    /// lanes while the sums wait.
    pub(crate) fn advance(
        &mut self,
        values: &[f64],
        segments: &[Segment],
        entered: &[u8],
        depth: Depth,
        extremes: Option<&mut Vec<Extrema>>,
    ) {
        self.advance_at(Level::new(), values, segments, entered, depth, extremes);
    }

    fn advance_at(
        &mut self,
        level: Level,
        values: &[f64],
        segments: &[Segment],
        entered: &[u8],
        depth: Depth,
        extremes: Option<&mut Vec<Extrema>>,
    ) {
        self.restart();
        match depth {
            Depth::Sums => dispatch!(level, simd => {
                self.each_segment::<_, false>(simd, values, segments, entered, extremes);
            }),
            Depth::Deviations => dispatch!(level, simd => {
                self.each_segment::<_, true>(simd, values, segments, entered, extremes);
            }),
        }
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "compiled into each version of the caller"
    )]
    fn each_segment<S: Simd, const DEEP: bool>(
        &mut self,
        simd: S,
        values: &[f64],
        segments: &[Segment],
        entered: &[u8],
        mut extremes: Option<&mut Vec<Extrema>>,
    ) {
        self.states.reserve(segments.len());
        let mut state = Registers::load(simd, &self.states[0]);
        for (segment, entered) in segments.iter().zip(entered) {
            let values = &values[segment.from..segment.to];
            self.empty |= u64::from(*entered);
            if let Some(first) = values.first() {
                if self.empty != 0 {
                    state.begin(self.empty, *first);
                    self.empty = 0;
                }
                state.extend::<DEEP>(values);
            }
            if let Some(extremes) = &mut extremes {
                // A NaN among the values would have made this sum NaN, so no search for one is needed.
                extremes.push(if state.has_nan() {
                    extrema_in_order(values).unwrap_or(Extrema::EMPTY)
                } else {
                    extrema_of_numbers(simd, values)
                });
            }
            self.states.push(state.store());
        }
    }
}

impl MomentLanes {
    /// Adds the next values in time to all groups; with [`Depth::Sums`] to their sums alone.
    pub fn extend(&mut self, values: &[f64], depth: Depth) {
        let level = Level::new();
        *self = match depth {
            Depth::Sums => dispatch!(level, simd => extended::<_, false>(simd, self, values)),
            Depth::Deviations => dispatch!(level, simd => extended::<_, true>(simd, self, values)),
        };
    }
}

#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn extended<S: Simd, const DEEP: bool>(
    simd: S,
    lanes: &MomentLanes,
    values: &[f64],
) -> MomentLanes {
    let mut registers = Registers::load(simd, lanes);
    registers.extend::<DEEP>(values);
    registers.store()
}

/// [`MomentLanes`] in registers.
#[derive(Clone, Copy)]
struct Registers<S: Simd> {
    sum: f64x4<S>,
    shift: f64x4<S>,
    deviations: f64x4<S>,
    squares: f64x4<S>,
}

#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
impl<S: Simd> Registers<S> {
    #[inline(always)]
    fn load(simd: S, lanes: &MomentLanes) -> Self {
        let load = |lanes: &[f64; LANES]| f64x4::load_array_ref(simd, lanes);
        Self {
            sum: load(&lanes.sum),
            shift: load(&lanes.shift),
            deviations: load(&lanes.deviations),
            squares: load(&lanes.squares),
        }
    }

    #[inline(always)]
    fn store(self) -> MomentLanes {
        MomentLanes {
            sum: self.sum.to_array(),
            shift: self.shift.to_array(),
            deviations: self.deviations.to_array(),
            squares: self.squares.to_array(),
        }
    }

    /// Begins a group in each of some lanes.
    #[inline(always)]
    fn begin(&mut self, lanes: u64, first: f64) {
        let simd = self.sum.simd;
        let lanes = mask64x4::from_bitmask(simd, lanes);
        let zero = f64x4::splat(simd, 0.0);
        self.sum = lanes.select(f64x4::splat(simd, -0.0), self.sum);
        self.shift = lanes.select(f64x4::splat(simd, first), self.shift);
        self.deviations = lanes.select(zero, self.deviations);
        self.squares = lanes.select(zero, self.squares);
    }

    /// Returns whether the sum of the first group is NaN.
    ///
    /// Why not look at that sum? To get it out of its register the compiler would keep it in another all the time.
    #[inline(always)]
    fn has_nan(&self) -> bool {
        self.sum.is_nan().to_bitmask() & 1 != 0
    }

    /// Adds the next values in time to all groups.
    #[inline(always)]
    fn extend<const DEEP: bool>(&mut self, values: &[f64]) {
        // By fours: less counting between the additions.
        let (chunks, rest) = values.as_chunks::<4>();
        for chunk in chunks {
            for value in chunk {
                self.push::<DEEP>(*value);
            }
        }
        for value in rest {
            self.push::<DEEP>(*value);
        }
    }

    #[inline(always)]
    fn push<const DEEP: bool>(&mut self, value: f64) {
        let value = f64x4::splat(self.sum.simd, value);
        if DEEP {
            let deviation = value - self.shift;
            self.deviations += deviation;
            self.squares += deviation * deviation;
        }
        self.sum += value;
    }
}

/// Values compared at once.
const WIDTH: usize = 8;

/// Returns the extremes of values none of which is NaN, those of [`Extrema::EMPTY`] when there is none.
///
/// This is [`extrema`](fn@super::extrema) without its search for NaN, in registers of the machine.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn extrema_of_numbers<S: Simd>(simd: S, values: &[f64]) -> Extrema {
    let (Some(head), Some(tail)) = (values.first_chunk::<WIDTH>(), values.last_chunk::<WIDTH>())
    else {
        return extrema_in_order(values).unwrap_or(Extrema::EMPTY);
    };
    // Why not the widest registers there are? Where they are in use, fewer units are left for additions.
    let (low, high) = halves(simd, head);
    let (mut min, mut max) = ([low, high], [low, high]);
    let mut narrow = |chunk| {
        let (low, high) = halves(simd, chunk);
        min = [min[0].min(low), min[1].min(high)];
        max = [max[0].max(low), max[1].max(high)];
    };
    for chunk in values.as_chunks::<WIDTH>().0 {
        narrow(chunk);
    }
    // What is left over, and some values for the second time.
    narrow(tail);
    Extrema {
        min: first_equal(values, min[0].min(min[1]).reduce_min()),
        max: first_equal(values, max[0].max(max[1]).reduce_max()),
    }
}

#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn halves<S: Simd>(simd: S, chunk: &[f64; WIDTH]) -> (f64x4<S>, f64x4<S>) {
    let (low, high) = chunk.split_at(WIDTH / 2);
    (f64x4::from_slice(simd, low), f64x4::from_slice(simd, high))
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
