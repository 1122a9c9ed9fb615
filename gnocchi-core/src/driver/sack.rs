//! Sacks: the shares into which the work is divided.

use std::fmt;

use crate::model::MetricId;

/// How many sacks a new deployment of several processes has. One process needs fewer: its drivers have defaults of their own.
pub const SACKS_DEFAULT: SackCount = SackCount(128);

/// The number of sacks of a deployment, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SackCount(u16);

impl SackCount {
    /// Wraps a number of sacks; `None` for zero.
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count == 0 { None } else { Some(Self(count)) }
    }

    /// Returns the number.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.0
    }

    /// Returns the sack that holds the measures of a metric: its 128-bit number modulo the number of sacks.
    #[must_use]
    pub fn sack_of(self, metric: MetricId) -> Sack {
        let remainder = metric.as_u128() % u128::from(self.0);
        Sack(u16::try_from(remainder).expect("a remainder is smaller than its 16-bit divisor"))
    }

    /// Returns every sack.
    pub fn sacks(self) -> impl Iterator<Item = Sack> {
        (0..self.0).map(Sack)
    }
}

/// One share of the metrics; its measures are folded by one owner at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sack(u16);

impl Sack {
    /// Wraps a sack number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns its number, counted from zero.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Sack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_filed_as_in_existing_deployments() {
        let metric: MetricId = "f93450f2-d8a5-4d67-9985-02511241e7d1".parse().unwrap();
        assert_eq!(SACKS_DEFAULT.sack_of(metric), Sack::new(81));
        assert_eq!(SackCount::new(100).unwrap().sack_of(metric), Sack::new(41));
        assert_eq!(SackCount::new(0), None);
    }
}
