//! [`Shutdown`]: how a program asks its background work to end.

use tokio_util::sync::CancellationToken;

/// A request to shut down that one part of a program makes and others wait for.
///
/// All clones are the same request. Once made, it stays made.
///
/// # Examples
/// ```
/// use gnocchi_core::{DefaultPolicies, Gnocchi, Settings, Shutdown, memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Gnocchi::new(memory::drivers(), Settings::default());
/// store.upgrade(DefaultPolicies::Create).await?;
///
/// let shutdown = Shutdown::new();
/// let processing = tokio::spawn({
///     let (store, shutdown) = (store.clone(), shutdown.clone());
///     async move { store.run(shutdown).await }
/// });
/// // The program does its work, until it ends:
/// shutdown.begin();
/// processing.await??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Makes a handle of a shutdown that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the shutdown. Does nothing when it has begun already.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Returns whether the shutdown has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the shutdown begins; returns at once when it has begun already.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// Makes a handle whose shutdown begins with this one, or earlier by itself.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_begins_with_its_parent_and_not_the_other_way_round() {
        let parent = Shutdown::new();
        let (early, late) = (parent.child(), parent.child());
        early.begin();
        early.begun().await;
        assert!(early.has_begun() && !parent.has_begun() && !late.has_begun());
        parent.clone().begin();
        late.begun().await;
        assert!(parent.has_begun() && late.has_begun());
    }
}
