//! Checks that another service decides: what it is asked, and what it said.
//!
//! Nothing here waits. A decision that needs an answer ends with the [`RemoteCheck`] to do first; the caller does it, adds
//! the answer to [`Answers`], and asks for the decision again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Caller, Target};

/// A question to another service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCheck {
    /// Where to ask, `http:` or `https:`.
    pub url: String,
    /// The rule that the question is for.
    pub rule: String,
    /// The properties of the target.
    pub target: BTreeMap<String, String>,
    /// Who calls.
    pub caller: Caller,
}

/// What other services said while one decision was made.
#[derive(Debug, Clone, Default)]
pub struct Answers(Vec<(RemoteCheck, bool)>);

impl Answers {
    /// Notes an answer.
    pub fn add(&mut self, check: RemoteCheck, allowed: bool) {
        self.0.push((check, allowed));
    }

    /// Returns how many answers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the answer to a check, or the check when it is still open.
    pub(super) fn find(&self, check: RemoteCheck) -> Result<bool, Box<RemoteCheck>> {
        let known = self.0.iter().find(|(asked, _)| *asked == check);
        known
            .map(|(_, allowed)| *allowed)
            .ok_or_else(|| Box::new(check))
    }
}

impl RemoteCheck {
    pub(super) fn new(
        url: String,
        rule: &str,
        caller: &Caller,
        target: &(impl Target + ?Sized),
    ) -> Self {
        let properties = target.properties().into_iter();
        Self {
            url,
            rule: rule.to_owned(),
            target: properties
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            caller: caller.clone(),
        }
    }
}

/// Encodes a property for an address: one that holds a slash or a question mark must not lead elsewhere.
pub(super) fn encode(value: Cow<'_, str>) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:@".contains(&byte);
    if value.bytes().all(is_plain) {
        return value;
    }
    let mut encoded = String::with_capacity(value.len() + 8);
    for byte in value.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_encoded_for_addresses() {
        let check = |value: &str, expected: &str| assert_eq!(encode(value.into()), expected);
        check("", "");
        check(
            "f93450f2-d8a5-4d67-9985-02511241e7d1",
            "f93450f2-d8a5-4d67-9985-02511241e7d1",
        );
        check("u:p", "u:p");
        check("a/../b?c#d", "a%2F..%2Fb%3Fc%23d");
        check("✔", "%E2%9C%94");
    }
}
