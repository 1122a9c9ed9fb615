//! Samples of a good request that are not stored.

use std::collections::BTreeMap;

/// Why samples are not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A later series of the request has the same name, because the labels that differ do not count.
    LabelCollapse,
    /// They only say that a series has ended. As a value, that would be no number.
    StaleMarker,
    /// Their time lies before the epoch.
    BeforeEpoch,
    /// Their time lies after the year 2262.
    OutOfRange,
    /// The name of their metric would have more than 255 characters.
    NameTooLong,
    /// Job and instance are too long for the id of a resource.
    ResourceIdTooLong,
    /// They are histograms.
    Histogram,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::LabelCollapse,
        Self::StaleMarker,
        Self::BeforeEpoch,
        Self::OutOfRange,
        Self::NameTooLong,
        Self::ResourceIdTooLong,
        Self::Histogram,
    ];

    /// Returns the name that counters and logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LabelCollapse => "label_collapse",
            Self::StaleMarker => "stale_marker",
            Self::BeforeEpoch => "before_epoch",
            Self::OutOfRange => "out_of_range",
            Self::NameTooLong => "name_too_long",
            Self::ResourceIdTooLong => "resource_id_too_long",
            Self::Histogram => "histogram",
        }
    }
}

/// What is not stored of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    counts: BTreeMap<Reason, usize>,
    first: Option<(String, Reason)>,
}

impl Rejected {
    /// Counts samples of a series. The first one is remembered by its name, unless there is nothing wrong with it.
    pub(super) fn add(&mut self, reason: Reason, samples: usize, series: impl FnOnce() -> String) {
        if samples == 0 {
            return;
        }
        *self.counts.entry(reason).or_default() += samples;
        if self.first.is_none() && reason != Reason::StaleMarker {
            self.first = Some((series(), reason));
        }
    }

    /// Iterates over the reasons and the numbers of samples.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, usize)> {
        self.counts
            .iter()
            .map(|(reason, samples)| (*reason, *samples))
    }

    /// Returns how many samples were lost for a reason.
    #[must_use]
    pub fn count(&self, reason: Reason) -> usize {
        self.counts.get(&reason).copied().unwrap_or_default()
    }

    /// Returns the first series of which something is lost that was a value, and why.
    #[must_use]
    pub fn first(&self) -> Option<(&str, Reason)> {
        let (series, reason) = self.first.as_ref()?;
        Some((series, *reason))
    }
}
