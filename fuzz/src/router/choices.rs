//! Decisions read from the bytes of an input.

/// Bytes of an input, each of which decides something. When they are used up, every decision is the first possibility.
#[derive(Debug)]
pub(super) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(super) fn are_used_up(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => 0,
        }
    }

    /// Returns a number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.byte());
        let number = if end > 256 {
            number << 8 | usize::from(self.byte())
        } else {
            number
        };
        number % end
    }

    /// Returns whether something happens that rarely happens; never when the input is used up.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// Returns one of some things.
    pub(super) fn of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    /// Takes up to 255 bytes as they are.
    pub(super) fn raw(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}
