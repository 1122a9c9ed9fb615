use carbonara::Timestamp;

use super::{Resource, ResourceId};

/// A resource in the revision in which a caller saw it.
///
/// A caller that decides by the state of a resource, and writes later, passes this to the indexer, which compares it in the transaction that
/// writes. So a decision never reaches another resource that has the same id by then, nor a revision that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SeenResource {
    /// Its identifier.
    pub id: ResourceId,
    /// Who made it.
    pub creator: Option<String>,
    /// The id as its creator wrote it.
    pub original_resource_id: String,
    /// When the revision began that was the current one.
    pub revision_start: Timestamp,
}

impl SeenResource {
    /// Notes what tells this revision of this resource from all others.
    #[must_use]
    pub fn of(resource: &Resource) -> Self {
        Self {
            id: resource.id,
            creator: resource.creator.clone(),
            original_resource_id: resource.original_resource_id.clone(),
            revision_start: resource.revision_start,
        }
    }

    /// Returns whether a resource is still what was seen.
    #[must_use]
    pub fn is(&self, resource: &Resource) -> bool {
        self.id == resource.id
            && self.revision_start == resource.revision_start
            && self.creator == resource.creator
            && self.original_resource_id == resource.original_resource_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource() -> Resource {
        Resource::example("web", Some("me"))
    }

    #[test]
    fn another_creator_name_or_revision_is_another_resource() {
        let seen = SeenResource::of(&resource());
        assert!(seen.is(&resource()));
        let check = |change: fn(&mut Resource)| {
            let mut other = resource();
            change(&mut other);
            assert!(!seen.is(&other), "{other:?}");
            assert_ne!(SeenResource::of(&other), seen);
        };
        check(|other| other.id = ResourceId::from_u128(2));
        check(|other| other.creator = Some("you".into()));
        check(|other| other.creator = None);
        check(|other| other.original_resource_id = other.id.to_string());
        check(|other| other.revision_start = Timestamp::from_nanosecond(1000).unwrap());
    }
}
