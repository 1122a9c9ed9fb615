//! Memory of what is computed and not sent yet.

use std::sync::Arc;

use super::{BudgetError, Pool, refused};

/// Memory that is taken from what all queries share, without a query; dropped, it is free again.
#[derive(Debug)]
pub struct Reserved {
    pool: Arc<Pool>,
    bytes: usize,
}

impl Reserved {
    /// Takes memory, every byte of which counts.
    pub(crate) fn take(pool: &Arc<Pool>, bytes: usize) -> Result<Self, BudgetError> {
        pool.take(bytes, 0).map_err(refused)?;
        Ok(Self {
            pool: Arc::clone(pool),
            bytes,
        })
    }

    /// Takes little memory, for which there is a quarter of the limit beyond it.
    pub(crate) fn take_little(pool: &Arc<Pool>, bytes: usize) -> Result<Self, BudgetError> {
        pool.take_little(bytes).map_err(refused)?;
        Ok(Self {
            pool: Arc::clone(pool),
            bytes,
        })
    }

    /// Takes memory even if there is none left: others are refused until it is free again.
    pub(crate) fn take_anyway(pool: &Arc<Pool>, bytes: usize) -> Self {
        pool.take_anyway(bytes);
        Self {
            pool: Arc::clone(pool),
            bytes,
        }
    }

    /// Takes more, or gives back what is not needed.
    ///
    /// # Errors
    /// [`BudgetError::TooMuchMemory`], [`BudgetError::MemoryHeld`]; what was taken before stays taken.
    pub fn resize(&mut self, bytes: usize) -> Result<(), BudgetError> {
        if let Some(missing) = bytes.checked_sub(self.bytes) {
            self.pool.take(missing, self.bytes).map_err(refused)?;
        } else {
            self.pool.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Takes more even if there is none left, or gives back what is not needed.
    pub fn resize_anyway(&mut self, bytes: usize) {
        if let Some(missing) = bytes.checked_sub(self.bytes) {
            self.pool.take_anyway(missing);
        } else {
            self.pool.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// Splits off a part, at most all of it.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            pool: Arc::clone(&self.pool),
            bytes,
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.pool.give_back(self.bytes);
    }
}
