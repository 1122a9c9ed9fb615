use super::{Metric, Resource, ResourceId, ResourceIdError};

/// How a caller addresses a resource: by its id, or by the name that they have given it.
///
/// The id of a name can be computed by any caller, and given as a UUID to another resource. So a name means a resource only if
/// that has just this name and was made by the caller; an id means whatever has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceAddress {
    id: ResourceId,
    original: String,
    creator: Option<String>,
    is_name: bool,
}

impl ResourceAddress {
    /// Reads an address in the words of a caller, who makes resources as `creator`.
    ///
    /// # Errors
    /// [`ResourceIdError`] when the text cannot be the id of a resource.
    pub fn parse(
        original: impl Into<String>,
        creator: Option<&str>,
    ) -> Result<Self, ResourceIdError> {
        let original = original.into();
        Ok(Self {
            id: ResourceId::from_original(&original, creator)?,
            is_name: original.parse::<ResourceId>().is_err(),
            original,
            creator: creator.map(ToOwned::to_owned),
        })
    }

    /// Returns the id of the resource, whether that is meant or not.
    #[must_use]
    pub fn id(&self) -> ResourceId {
        self.id
    }

    /// Returns the address as the caller wrote it.
    #[must_use]
    pub fn original(&self) -> &str {
        &self.original
    }

    /// Returns whether it is a name, and not a UUID in any textual form.
    #[must_use]
    pub fn is_name(&self) -> bool {
        self.is_name
    }

    /// Returns whether the resource that has this id is the one that the caller means.
    #[must_use]
    pub fn means(&self, resource: &Resource) -> bool {
        self.id == resource.id
            && (!self.is_name
                || resource.original_resource_id == self.original
                    && resource.creator == self.creator)
    }

    /// Returns whether a metric of the resource that has this id can be one that the caller means: metrics of a resource have its
    /// creator.
    #[must_use]
    pub fn can_mean_metric(&self, metric: &Metric) -> bool {
        !self.is_name || metric.creator == self.creator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_only_what_its_user_has_named_so() {
        for creator in [Some("u:p"), Some(""), None] {
            let own = Resource::example("web", creator);
            let address = ResourceAddress::parse("web", creator).unwrap();
            assert!(address.is_name());
            assert!(address.means(&own), "{creator:?}");
            // Another caller has computed the id.
            let taken = Resource::example(&own.id.to_string(), Some("x:px"));
            assert_eq!(taken.id, own.id);
            assert!(!address.means(&taken), "{creator:?}");
            // So has the user.
            assert!(!address.means(&Resource::example(&own.id.to_string(), creator)));
            assert!(!address.means(&Resource::example("db", creator)));
        }
    }

    #[test]
    fn an_id_means_whatever_has_it() {
        let taken = Resource::example("web", Some("x:px"));
        for text in [
            taken.id.to_string(),
            taken.id.to_string().to_uppercase(),
            format!("urn:uuid:{}", taken.id),
        ] {
            let address = ResourceAddress::parse(text.clone(), Some("u:p")).unwrap();
            assert!(!address.is_name());
            assert!(address.means(&taken), "{text}");
            assert_eq!((address.id(), address.original()), (taken.id, &*text));
        }
        let other = ResourceAddress::parse(ResourceId::from_u128(1).to_string(), None).unwrap();
        assert!(!other.means(&taken));
    }
}
