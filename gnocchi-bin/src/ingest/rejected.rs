//! What is not stored of a request, and why.

use std::collections::BTreeMap;

use gnocchi_core::intake::Refusal;
use gnocchi_core::model::{MetricError, RejectReason};

/// Why measures are not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A later series of the request has the same name, because the labels that differ do not count.
    LabelCollapse,
    /// They only say that a series has ended. As a value, that would be no number.
    StaleMarker,
    /// Their timestamp lies before the epoch.
    BeforeEpoch,
    /// Their timestamp lies after the year 2262.
    OutOfRange,
    /// Their timestamp was probably meant in another unit: it says 1970, and in the other unit a recent time.
    WrongUnit,
    /// They are texts.
    StringField,
    /// They are histograms.
    Histogram,
    /// The line does not follow the line protocol.
    UnparsableLine,
    /// A string is not UTF-8.
    NotUtf8,
    /// A string contains U+0000.
    Nul,
    /// A series has no name.
    NoName,
    /// A label or tag occurs more than once.
    DuplicateLabel,
    /// A series has more labels than a series may have.
    TooManyLabels,
    /// Job or instance are longer than the resource type allows.
    LabelTooLong,
    /// The name of a metric contains a slash, where none can be replaced.
    SlashInName,
    /// No tag names the resource.
    NoResourceTag,
    /// The id of the resource contains a slash or is too long.
    UnusableResourceId,
    /// The resource exists and is of another type.
    ResourceOfAnotherType,
    /// The id of the name of the resource is taken by a resource that has another name or creator.
    ResourceOfAnotherCreator,
    /// The resource type does not take a new resource with these attributes.
    UnfitResource,
    /// No archive policy rule matches the name of a new metric.
    NoArchivePolicyRule,
    /// The caller may not do it.
    Denied,
    /// The store does not take them.
    Store(RejectReason),
}

impl Reason {
    /// Every reason of a receiver; those of the store come with [`RejectReason::ALL`].
    pub const OF_RECEIVERS: [Self; 22] = [
        Self::LabelCollapse,
        Self::StaleMarker,
        Self::BeforeEpoch,
        Self::OutOfRange,
        Self::WrongUnit,
        Self::StringField,
        Self::Histogram,
        Self::UnparsableLine,
        Self::NotUtf8,
        Self::Nul,
        Self::NoName,
        Self::DuplicateLabel,
        Self::TooManyLabels,
        Self::LabelTooLong,
        Self::SlashInName,
        Self::NoResourceTag,
        Self::UnusableResourceId,
        Self::ResourceOfAnotherType,
        Self::ResourceOfAnotherCreator,
        Self::UnfitResource,
        Self::NoArchivePolicyRule,
        Self::Denied,
    ];

    /// Returns the reason of a refusal.
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Denied(_) => Self::Denied,
            Refusal::Metric(MetricError::SlashInName) => Self::SlashInName,
            Refusal::Metric(MetricError::Nul) => Self::Nul,
            Refusal::Metric(_) => Self::NoName,
            Refusal::NoArchivePolicyRule { .. } => Self::NoArchivePolicyRule,
            Refusal::ResourceOfAnotherType { .. } => Self::ResourceOfAnotherType,
            Refusal::ResourceOfAnotherCreator { .. } => Self::ResourceOfAnotherCreator,
            Refusal::Points { reason, .. } => Self::Store(*reason),
            // The resource cannot be created as it is described, and whatever is new.
            _ => Self::UnfitResource,
        }
    }

    /// Returns the name that counters, logs and responses use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LabelCollapse => "label_collapse",
            Self::StaleMarker => "stale_marker",
            Self::BeforeEpoch => "before_epoch",
            Self::OutOfRange => "out_of_range",
            Self::WrongUnit => "wrong_unit",
            Self::StringField => "string_field",
            Self::Histogram => "histogram",
            Self::UnparsableLine => "unparsable_line",
            Self::NotUtf8 => "not_utf8",
            Self::Nul => "nul",
            Self::NoName => "no_name",
            Self::DuplicateLabel => "duplicate_label",
            Self::TooManyLabels => "too_many_labels",
            Self::LabelTooLong => "label_too_long",
            Self::SlashInName => "slash_in_name",
            Self::NoResourceTag => "no_resource_tag",
            Self::UnusableResourceId => "unusable_resource_id",
            Self::ResourceOfAnotherType => "resource_of_another_type",
            Self::ResourceOfAnotherCreator => "resource_of_another_creator",
            Self::UnfitResource => "unfit_resource",
            Self::NoArchivePolicyRule => "no_archive_policy_rule",
            Self::Denied => "denied",
            Self::Store(reason) => reason.as_str(),
        }
    }

    /// Returns whether the store itself rejects them, and counts them.
    pub(super) const fn is_of_store(self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// Returns whether the protocol or the mapping means it to happen, so that it is no failure.
    pub(super) const fn is_by_design(self) -> bool {
        matches!(
            self,
            Self::LabelCollapse | Self::StaleMarker | Self::StringField
        )
    }

    /// Returns whether it happens in ordinary use all the time, so that no log tells of it.
    const fn is_ordinary(self) -> bool {
        matches!(self, Self::StaleMarker | Self::StringField)
    }
}

/// What is not stored of a request: numbers by reason, and the first of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected<E> {
    counts: BTreeMap<Reason, usize>,
    first: Option<First<E>>,
}

/// The first part of a request that is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First<E> {
    /// Where it stands in the request: the number of a line or series, counted from one.
    pub place: usize,
    /// Why.
    pub reason: Reason,
    /// What is wrong with it.
    pub error: E,
}

impl<E> Default for Rejected<E> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            first: None,
        }
    }
}

impl<E> Rejected<E> {
    /// Counts measures that ordinary requests have, which need no error.
    pub(super) fn count_ordinary(&mut self, reason: Reason, measures: usize) {
        if measures > 0 {
            *self.counts.entry(reason).or_default() += measures;
        }
    }

    /// Counts measures of a part of the request that begins at a place.
    pub(super) fn add(
        &mut self,
        reason: Reason,
        measures: usize,
        place: usize,
        error: impl FnOnce() -> E,
    ) {
        if measures == 0 {
            return;
        }
        *self.counts.entry(reason).or_default() += measures;
        if reason.is_ordinary() {
            return;
        }
        // A failure goes before what happens by design, and the place decides among equals.
        let rank = |reason: Reason, place: usize| (reason.is_by_design(), place);
        let is_first = (self.first.as_ref())
            .is_none_or(|first| rank(reason, place) < rank(first.reason, first.place));
        if is_first {
            self.first = Some(First {
                place,
                reason,
                error: error(),
            });
        }
    }

    /// Turns the error of the first part into another one.
    pub(super) fn map<F>(self, map: impl FnOnce(E) -> F) -> Rejected<F> {
        let Self { counts, first } = self;
        let first = first.map(
            |First {
                 place,
                 reason,
                 error,
             }| First {
                place,
                reason,
                error: map(error),
            },
        );
        Rejected { counts, first }
    }

    /// Iterates over the reasons and the numbers of measures.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, usize)> {
        self.counts
            .iter()
            .map(|(reason, measures)| (*reason, *measures))
    }

    /// Returns how many measures are not stored for a reason.
    #[must_use]
    pub fn count(&self, reason: Reason) -> usize {
        self.counts.get(&reason).copied().unwrap_or_default()
    }

    /// Returns how many measures are not stored though the sender wants them to be.
    #[must_use]
    pub fn failures(&self) -> usize {
        let failing = self.counts().filter(|(reason, _)| !reason.is_by_design());
        failing.map(|(_, measures)| measures).sum()
    }

    /// Puts the numbers of some reasons together, as in `2 no_name, 1 denied`.
    pub(super) fn summary(&self, counts: impl Fn(Reason) -> bool) -> String {
        let counted = self.counts().filter(|(reason, _)| counts(*reason));
        let parts: Vec<String> = counted
            .map(|(reason, measures)| format!("{measures} {}", reason.as_str()))
            .collect();
        parts.join(", ")
    }

    /// Returns the first part of which something is not stored that was a measure.
    #[must_use]
    pub fn first(&self) -> Option<&First<E>> {
        self.first.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_explained_to_senders() {
        let text = include_str!("../../../docs/sending-data.md");
        let reasons = Reason::OF_RECEIVERS
            .into_iter()
            .chain(RejectReason::ALL.map(Reason::Store));
        for reason in reasons {
            let row = format!("| `{}` |", reason.as_str());
            assert!(text.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_first_failure_is_remembered() {
        let mut rejected = Rejected::default();
        rejected.add(Reason::StaleMarker, 1, 0, || "marker");
        assert_eq!(rejected.first(), None);
        rejected.add(Reason::LabelCollapse, 2, 1, || "collapse");
        assert_eq!(rejected.failures(), 0);
        rejected.add(Reason::NoName, 3, 7, || "nameless");
        rejected.add(Reason::Denied, 1, 5, || "denied");
        rejected.add(Reason::NoName, 1, 6, || "nameless too");
        rejected.add(Reason::Nul, 0, 2, || "nothing");
        let first = rejected.first().unwrap();
        assert_eq!((first.reason, first.error), (Reason::Denied, "denied"));
        assert_eq!(rejected.failures(), 5);
        assert_eq!(rejected.count(Reason::NoName), 4);
        assert_eq!(rejected.counts().count(), 4);
        let mapped = rejected.map(str::len);
        assert_eq!(mapped.first().unwrap().error, 6);
        assert_eq!(mapped.failures(), 5);
    }
}
