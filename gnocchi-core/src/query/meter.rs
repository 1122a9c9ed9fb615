//! What an evaluation costs, taken from the budget of a query.

use std::cell::{Cell, RefCell};

use carbonara::expression::{Interrupted, Meter};

use crate::budget::{Budget, BudgetError, Held};

/// Lets an evaluation go on as long as its budget lasts.
#[derive(Debug)]
pub(super) struct BudgetMeter<'a> {
    budget: &'a Budget,
    held: RefCell<Held>,
    /// Why it ended.
    reason: Cell<Option<BudgetError>>,
}

impl<'a> BudgetMeter<'a> {
    pub(super) fn new(budget: &'a Budget) -> Result<Self, BudgetError> {
        Ok(Self {
            budget,
            held: RefCell::new(budget.hold(0)?),
            reason: Cell::new(None),
        })
    }

    /// Returns why the evaluation was interrupted.
    pub(super) fn reason(&self) -> BudgetError {
        self.reason.get().unwrap_or(BudgetError::Abandoned)
    }

    fn interrupt(&self, error: BudgetError) -> Interrupted {
        self.reason.set(Some(error));
        Interrupted
    }
}

impl Meter for BudgetMeter<'_> {
    fn spend(&self, cells: usize) -> Result<(), Interrupted> {
        let spent = self.budget.spend(cells);
        spent.map_err(|error| self.interrupt(error))
    }

    fn hold(&self, bytes: usize) -> Result<(), Interrupted> {
        let held = self.held.borrow_mut().grow(bytes);
        held.map_err(|error| self.interrupt(error))
    }
}
