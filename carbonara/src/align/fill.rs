//! What becomes of missing cells.

use std::fmt;
use std::str::FromStr;

/// What a missing cell gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// A number, NaN and infinities included. A point whose value is NaN keeps it.
    Number(f64),
    /// NaN, which is shown.
    Null,
    /// NaN, which is left out of the result together with infinities.
    DropMissing,
    /// The value before it in the same series; a cell before the first value stays NaN.
    Forward,
    /// The value after it in the same series; a cell after the last value stays NaN.
    Backward,
    /// The value before it, or after it where there is none before.
    FullForward,
    /// The value after it, or before it where there is none after.
    FullBackward,
}

/// A text that names no fill mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillError;

impl Fill {
    const NAMED: [(Self, &'static str); 6] = [
        (Self::Null, "null"),
        (Self::DropMissing, "dropna"),
        (Self::Forward, "ffill"),
        (Self::Backward, "bfill"),
        (Self::FullForward, "full_ffill"),
        (Self::FullBackward, "full_bfill"),
    ];

    /// Returns what a cell without a point holds before neighbours are looked at.
    pub(super) const fn blank(self) -> f64 {
        match self {
            Self::Number(number) => number,
            _ => f64::NAN,
        }
    }

    /// Gives missing cells of a column the values of their neighbours, where the mode says so.
    pub(super) fn spread(self, column: &mut [f64]) {
        match self {
            Self::Number(_) | Self::Null | Self::DropMissing => {}
            Self::Forward => carry(column.iter_mut()),
            Self::Backward => carry(column.iter_mut().rev()),
            Self::FullForward => {
                carry(column.iter_mut());
                carry(column.iter_mut().rev());
            }
            Self::FullBackward => {
                carry(column.iter_mut().rev());
                carry(column.iter_mut());
            }
        }
    }
}

/// Replaces each NaN by the number before it.
fn carry<'a>(cells: impl Iterator<Item = &'a mut f64>) {
    let mut last = f64::NAN;
    for cell in cells {
        if cell.is_nan() {
            *cell = last;
        } else {
            last = *cell;
        }
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Number(number) = self {
            return write!(f, "{number:?}");
        }
        Self::NAMED
            .iter()
            .find(|(fill, _)| fill == self)
            .map_or(Ok(()), |(_, name)| f.write_str(name))
    }
}

/// A word, or any number.
impl FromStr for Fill {
    type Err = FillError;

    fn from_str(text: &str) -> Result<Self, FillError> {
        if let Some((fill, _)) = Self::NAMED.iter().find(|(_, name)| *name == text) {
            return Ok(*fill);
        }
        let number = text.trim().parse().map_err(|_| FillError)?;
        Ok(Self::Number(number))
    }
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a number nor the name of a fill mode")
    }
}

impl std::error::Error for FillError {}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[track_caller]
    fn check(mode: &str, expected: [f64; 5]) {
        let fill: Fill = mode.parse().expect("a mode");
        assert_eq!(fill.to_string(), mode);
        let mut column = [GAP, 1.0, GAP, 2.0, GAP];
        fill.spread(&mut column);
        assert_eq!(column.map(f64::to_bits), expected.map(f64::to_bits));
    }

    #[test]
    fn each_mode() {
        check("null", [GAP, 1.0, GAP, 2.0, GAP]);
        check("dropna", [GAP, 1.0, GAP, 2.0, GAP]);
        check("3.5", [GAP, 1.0, GAP, 2.0, GAP]);
        check("ffill", [GAP, 1.0, 1.0, 2.0, 2.0]);
        check("bfill", [1.0, 1.0, 2.0, 2.0, GAP]);
        check("full_ffill", [1.0, 1.0, 1.0, 2.0, 2.0]);
        check("full_bfill", [1.0, 1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn text() {
        assert_eq!("-1e3".parse(), Ok(Fill::Number(-1000.0)));
        assert!(
            "nan"
                .parse::<Fill>()
                .is_ok_and(|fill| fill.blank().is_nan())
        );
        assert_eq!("inf".parse(), Ok(Fill::Number(f64::INFINITY)));
        assert_eq!("foobar".parse::<Fill>(), Err(FillError));
        assert_eq!("".parse::<Fill>(), Err(FillError));
    }

    #[test]
    fn a_column_without_numbers_stays_as_it_is() {
        let mut column = [GAP; 3];
        Fill::FullForward.spread(&mut column);
        assert!(column.iter().all(|cell| cell.is_nan()));
    }
}
