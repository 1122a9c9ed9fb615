//! What an evaluation tells its caller while it runs, so that the caller can end it.

/// The caller wants no result any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// Watches an evaluation: counts what it computes and what it holds, and may end it.
///
/// # Examples
/// ```
/// use std::cell::Cell;
/// use carbonara::expression::{Interrupted, Meter};
///
/// /// Ends an evaluation after so many cells.
/// struct AtMost(Cell<usize>);
///
/// impl Meter for AtMost {
///     fn spend(&self, cells: usize) -> Result<(), Interrupted> {
///         self.0.set(self.0.get().checked_sub(cells).ok_or(Interrupted)?);
///         Ok(())
///     }
///
///     fn hold(&self, _bytes: usize) -> Result<(), Interrupted> {
///         Ok(())
///     }
/// }
///
/// let meter = AtMost(Cell::new(100));
/// assert_eq!(meter.spend(100), Ok(()));
/// assert_eq!(meter.spend(1), Err(Interrupted));
/// ```
pub trait Meter {
    /// Called before so many cells are computed: at most a few million at a time.
    ///
    /// # Errors
    /// [`Interrupted`] ends the evaluation.
    fn spend(&self, cells: usize) -> Result<(), Interrupted>;

    /// Called before grids of so many bytes are allocated, all of which are free again when the evaluation ends, but for its result.
    ///
    /// # Errors
    /// [`Interrupted`] ends the evaluation.
    fn hold(&self, bytes: usize) -> Result<(), Interrupted>;
}

/// A meter that never ends anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unmetered;

impl Meter for Unmetered {
    fn spend(&self, _cells: usize) -> Result<(), Interrupted> {
        Ok(())
    }

    fn hold(&self, _bytes: usize) -> Result<(), Interrupted> {
        Ok(())
    }
}
