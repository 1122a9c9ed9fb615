//! What a caller may see of a listing, as plain data: indexers turn it into conditions.

/// Which things of a listing a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility<T> {
    /// All of them.
    #[default]
    Everything,
    /// Those that fit.
    Only(T),
}

/// Who made a thing, as far as its visibility goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatorProject {
    /// The creator is not known.
    Unknown,
    /// The creator is a user of this project.
    Project(String),
}

/// The resources that fit at least one of the conditions given; none when none is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisibleResources {
    /// They belong to this project.
    pub project_id: Option<String>,
    /// They were made from this project.
    pub creator_project: Option<CreatorProject>,
}

/// The metrics that fit at least one of the conditions given; none when none is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisibleMetrics {
    /// They were made from this project. A metric needs no resource for that.
    pub creator_project: Option<CreatorProject>,
    /// They hang on a resource that can be seen.
    pub of_resources: Option<VisibleResources>,
}
