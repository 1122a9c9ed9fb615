//! Creators: the user and the project that made a resource or a metric, in one text.

use std::borrow::Cow;

/// Returns the creator for a user in a project: both, with a colon between them.
///
/// A colon and a percent sign of the user are percent-encoded, so that no two pairs of user and project are the same creator.
#[must_use]
pub fn creator_of(user_id: &str, project_id: &str) -> String {
    format!("{}:{project_id}", escaped_user(user_id))
}

/// Returns the user and the project of a creator. A bare name is a user without a project.
#[must_use]
pub fn parts_of_creator(creator: &str) -> (Cow<'_, str>, &str) {
    let (user, project) = stored_parts_of_creator(creator);
    if user.contains('%') && creator.contains(':') {
        let user = user.replace("%3A", ":").replace("%25", "%");
        (user.into(), project.unwrap_or_default())
    } else {
        (user.into(), project.unwrap_or_default())
    }
}

/// Returns the part of a creator that names the user, as it is stored, and its project; `None` for a bare name.
pub(crate) fn stored_parts_of_creator(creator: &str) -> (&str, Option<&str>) {
    match creator.split_once(':') {
        Some((user, project)) => (user, Some(project)),
        None => (creator, None),
    }
}

/// Returns a user as it is stored in a creator.
pub(crate) fn escaped_user(user_id: &str) -> Cow<'_, str> {
    if user_id.contains(['%', ':']) {
        user_id.replace('%', "%25").replace(':', "%3A").into()
    } else {
        user_id.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_users_and_projects_are_the_same_creator() {
        let texts = [
            "", "a", "b", "a:b", "b:c", "a%", "a%3Ab", "%25", "%253A", ":", "a:b:c",
        ];
        let mut seen = std::collections::HashMap::new();
        for user in texts {
            for project in texts {
                let creator = creator_of(user, project);
                assert_eq!(
                    parts_of_creator(&creator),
                    (user.into(), project),
                    "{creator}"
                );
                let other = seen.insert(creator, (user, project));
                assert_eq!(other, None, "{user} {project}");
            }
        }
        assert_eq!(creator_of("u", "p"), "u:p");
        assert_eq!(creator_of("a:b", "c:d"), "a%3Ab:c:d");
        assert_eq!(parts_of_creator("50%25"), ("50%25".into(), ""));
    }
}
