//! Aggregation methods as users name them, and the components that are stored to answer them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What is computed from the values of a group.
///
/// The rules for NaN, infinities and negative zero are those of [`kernel`](crate::kernel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// Sum divided by count.
    Mean,
    /// Sum in the order of time.
    Sum,
    /// Value of the newest point.
    Last,
    /// Largest value.
    Max,
    /// Smallest value.
    Min,
    /// Sample standard deviation (divisor n - 1); absent for a single point.
    Std,
    /// Middle value, or the mean of the two middle values.
    Median,
    /// Value of the oldest point.
    First,
    /// Number of points.
    Count,
    /// Value below which that share of the group lies, interpolated linearly.
    Percentile(Percentile),
}

/// A percentile from 1 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u8);

/// A statistic of the values, or of the differences between neighbouring values (`rate:`).
///
/// The text form is that of archive policies: `mean`, `95pct`, `rate:mean`.
///
/// # Examples
/// ```
/// use carbonara::AggregationMethod;
///
/// let method: AggregationMethod = "rate:95pct".parse()?;
/// assert!(method.of_rate);
/// assert_eq!(method.to_string(), "rate:95pct");
/// # Ok::<(), carbonara::MethodError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AggregationMethod {
    /// Whether the statistic is taken of the differences.
    pub of_rate: bool,
    /// The statistic.
    pub statistic: Statistic,
}

/// A text that names no aggregation method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodError;

/// One stored column of a frame.
///
/// Ordered by [`Component::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component {
    /// Whether it is computed from the differences between neighbouring values.
    pub of_rate: bool,
    /// What it holds.
    pub kind: ComponentKind,
}

/// What a stored column holds for each bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentKind {
    /// Number of values.
    Count,
    /// Sum of the values in the order of time.
    Sum,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Oldest value.
    First,
    /// Newest value.
    Last,
    /// Sum of the squared deviations from the mean.
    SquaredDeviations,
    /// Median.
    Median,
    /// A percentile.
    Percentile(Percentile),
}

/// The columns of a frame: unique components in the order of their codes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ComponentSet(Arc<[Component]>);

const RATE_BIT: u16 = 1 << 15;
const PERCENTILE_BASE: u16 = 100;
const RATE_PREFIX: &str = "rate:";
const PERCENTILE_SUFFIX: &str = "pct";

impl Percentile {
    /// Makes a percentile, or `None` outside 1..=99.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        match percent {
            1..=99 => Some(Self(percent)),
            _ => None,
        }
    }

    /// Returns the number, 1 to 99.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl Statistic {
    const NAMED: [(Self, &'static str); 9] = [
        (Self::Mean, "mean"),
        (Self::Sum, "sum"),
        (Self::Last, "last"),
        (Self::Max, "max"),
        (Self::Min, "min"),
        (Self::Std, "std"),
        (Self::Median, "median"),
        (Self::First, "first"),
        (Self::Count, "count"),
    ];

    /// Iterates over every statistic: the named ones, then the percentiles from 1 to 99.
    pub fn all() -> impl Iterator<Item = Self> {
        let percentiles = (1..=99).filter_map(Percentile::new).map(Self::Percentile);
        Self::NAMED
            .into_iter()
            .map(|(statistic, _)| statistic)
            .chain(percentiles)
    }

    /// Returns the stored component that holds this statistic alone, if it is stored as such.
    const fn own_component(self) -> Option<ComponentKind> {
        match self {
            Self::Mean | Self::Std => None,
            Self::Sum => Some(ComponentKind::Sum),
            Self::Last => Some(ComponentKind::Last),
            Self::Max => Some(ComponentKind::Max),
            Self::Min => Some(ComponentKind::Min),
            Self::Median => Some(ComponentKind::Median),
            Self::First => Some(ComponentKind::First),
            Self::Count => Some(ComponentKind::Count),
            Self::Percentile(percentile) => Some(ComponentKind::Percentile(percentile)),
        }
    }
}

impl AggregationMethod {
    /// Makes the method that takes a statistic of the values themselves.
    #[must_use]
    pub const fn of_values(statistic: Statistic) -> Self {
        Self {
            of_rate: false,
            statistic,
        }
    }

    /// Makes the method that takes a statistic of the differences (`rate:`).
    #[must_use]
    pub const fn of_rate(statistic: Statistic) -> Self {
        Self {
            of_rate: true,
            statistic,
        }
    }

    /// Iterates over all 216 methods, those of values first.
    pub fn all() -> impl Iterator<Item = Self> {
        Statistic::all()
            .map(Self::of_values)
            .chain(Statistic::all().map(Self::of_rate))
    }

    /// Iterates over the components that the method needs.
    fn components(self) -> impl Iterator<Item = Component> {
        let kinds = match self.statistic {
            Statistic::Mean => [Some(ComponentKind::Count), Some(ComponentKind::Sum)],
            Statistic::Std => [
                Some(ComponentKind::Count),
                Some(ComponentKind::SquaredDeviations),
            ],
            // A bucket can hold values and no difference; the count of differences tells.
            other if self.of_rate => [Some(ComponentKind::Count), other.own_component()],
            other => [other.own_component(), None],
        };
        kinds.into_iter().flatten().map(move |kind| Component {
            of_rate: self.of_rate,
            kind,
        })
    }
}

impl ComponentKind {
    /// Returns whether the component needs the values of a group all at once, because it depends on their order by size.
    #[must_use]
    pub const fn is_order_statistic(self) -> bool {
        matches!(self, Self::Median | Self::Percentile(_))
    }
}

impl Component {
    /// Returns the stable number of the component: bit 15 for a rate, then 1 to 7 for the kinds from count to squared deviations,
    /// 8 for the median, 100 + p for a percentile.
    #[must_use]
    pub fn code(self) -> u16 {
        let kind = match self.kind {
            ComponentKind::Count => 1,
            ComponentKind::Sum => 2,
            ComponentKind::Min => 3,
            ComponentKind::Max => 4,
            ComponentKind::First => 5,
            ComponentKind::Last => 6,
            ComponentKind::SquaredDeviations => 7,
            ComponentKind::Median => 8,
            ComponentKind::Percentile(percentile) => {
                PERCENTILE_BASE + u16::from(percentile.percent())
            }
        };
        if self.of_rate { kind | RATE_BIT } else { kind }
    }

    /// Returns the component of a code, or `None` for a number that is no code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        let kind = match code & !RATE_BIT {
            1 => ComponentKind::Count,
            2 => ComponentKind::Sum,
            3 => ComponentKind::Min,
            4 => ComponentKind::Max,
            5 => ComponentKind::First,
            6 => ComponentKind::Last,
            7 => ComponentKind::SquaredDeviations,
            8 => ComponentKind::Median,
            other => {
                let percent = u8::try_from(other.checked_sub(PERCENTILE_BASE)?).ok()?;
                ComponentKind::Percentile(Percentile::new(percent)?)
            }
        };
        Some(Self {
            of_rate: code & RATE_BIT != 0,
            kind,
        })
    }
}

impl ComponentSet {
    /// Returns the components that answer all of `methods`.
    #[must_use]
    pub fn for_methods(methods: &[AggregationMethod]) -> Self {
        methods
            .iter()
            .flat_map(|method| method.components())
            .collect()
    }

    /// Returns the number of components.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Borrows the components in the order of their codes.
    #[must_use]
    pub fn as_slice(&self) -> &[Component] {
        &self.0
    }

    /// Iterates over the components in the order of their codes.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Component> + '_ {
        self.0.iter().copied()
    }

    /// Returns the index of the column that holds `component`.
    #[must_use]
    pub fn position(&self, component: Component) -> Option<usize> {
        self.0.binary_search(&component).ok()
    }

    /// Returns whether all that `method` needs is here.
    #[must_use]
    pub fn answers(&self, method: AggregationMethod) -> bool {
        method
            .components()
            .all(|component| self.position(component).is_some())
    }

    /// Returns whether a component is computed from differences.
    #[must_use]
    pub fn has_rate(&self) -> bool {
        // Rates have the highest codes.
        self.0.last().is_some_and(|component| component.of_rate)
    }

    /// Returns whether a component depends on the order of values by size.
    #[must_use]
    pub fn has_order_statistic(&self) -> bool {
        self.0
            .iter()
            .any(|component| component.kind.is_order_statistic())
    }
}

/// Sorts and removes repetitions.
impl FromIterator<Component> for ComponentSet {
    fn from_iter<I: IntoIterator<Item = Component>>(components: I) -> Self {
        let mut components: Vec<Component> = components.into_iter().collect();
        components.sort_unstable();
        components.dedup();
        Self(components.into())
    }
}

impl fmt::Debug for ComponentSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter()).finish()
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Percentile(percentile) = self {
            return write!(f, "{}{PERCENTILE_SUFFIX}", percentile.percent());
        }
        Self::NAMED
            .iter()
            .find(|(statistic, _)| statistic == self)
            .map_or(Ok(()), |(_, name)| f.write_str(name))
    }
}

impl FromStr for Statistic {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        if let Some((statistic, _)) = Self::NAMED.iter().find(|(_, name)| *name == text) {
            return Ok(*statistic);
        }
        let digits = text.strip_suffix(PERCENTILE_SUFFIX).ok_or(MethodError)?;
        // `parse` would also take a sign or leading zeros; a method has one spelling.
        if digits.starts_with(['+', '0']) {
            return Err(MethodError);
        }
        let percent = digits.parse().map_err(|_| MethodError)?;
        Percentile::new(percent)
            .map(Self::Percentile)
            .ok_or(MethodError)
    }
}

impl fmt::Display for AggregationMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_rate {
            f.write_str(RATE_PREFIX)?;
        }
        self.statistic.fmt(f)
    }
}

impl FromStr for AggregationMethod {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        match text.strip_prefix(RATE_PREFIX) {
            Some(statistic) => statistic.parse().map(Self::of_rate),
            None => text.parse().map(Self::of_values),
        }
    }
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an aggregation method")
    }
}

impl std::error::Error for MethodError {}

#[cfg(feature = "serde")]
mod text {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::AggregationMethod;

    impl Serialize for AggregationMethod {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for AggregationMethod {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(MethodVisitor)
        }
    }

    struct MethodVisitor;

    impl Visitor<'_> for MethodVisitor {
        type Value = AggregationMethod;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of an aggregation method")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<AggregationMethod, E> {
            text.parse().map_err(E::custom)
        }
    }
}

#[cfg(test)]
#[path = "method_tests.rs"]
mod tests;
