//! Rules that choose the archive policy of a new metric by its name.

use super::Glob;

/// Says which archive policy a metric gets when its creator names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePolicyRule {
    /// The unique name of the rule.
    pub name: String,
    /// The archive policy that it gives.
    pub archive_policy_name: String,
    /// The shell pattern of the names that it is for.
    pub metric_pattern: String,
}

/// Returns the first rule, in listing order, that matches the name of a metric; a metric without name counts as empty.
#[must_use]
pub fn match_rule<'a>(
    rules: &'a [ArchivePolicyRule],
    metric_name: Option<&str>,
) -> Option<&'a ArchivePolicyRule> {
    rules
        .iter()
        .find(|rule| Glob::new(&rule.metric_pattern).matches(metric_name.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_in_listing_order_wins() {
        let rule = |name: &str, pattern: &str| ArchivePolicyRule {
            name: name.into(),
            archive_policy_name: name.into(),
            metric_pattern: pattern.into(),
        };
        let rules = [rule("disk", "disk.*"), rule("all", "*")];
        let matched = |name: Option<&str>| match_rule(&rules, name).map(|rule| rule.name.as_str());
        assert_eq!(matched(Some("disk.io")), Some("disk"));
        assert_eq!(matched(Some("cpu")), Some("all"));
        assert_eq!(matched(None), Some("all"));
        assert_eq!(match_rule(&rules[..1], None), None);
    }
}
