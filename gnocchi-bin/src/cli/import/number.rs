//! Numbers as CSV files have them.

use clap::ValueEnum;

/// What cells hold that have no measure, beside nothing at all; upper and lower case are the same.
const MISSING: [&str; 12] = [
    "nan", "na", "n/a", "#n/a", "null", "nil", "none", "-", "--", "\\n", "?", ".",
];

/// What stands between groups of three digits in any notation; a comma or point may as well.
const GROUP_MARKS: [char; 5] = [' ', '\u{a0}', '\u{202f}', '\'', '\u{2019}'];

/// What stands before the fraction of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Decimal {
    /// A point, as in 1.5.
    #[value(name = ".")]
    Point,
    /// A comma, as in 1,5.
    #[value(name = ",")]
    Comma,
}

/// How the numbers of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// The user said it.
    Told(Decimal),
    /// The first lines show it, or nothing does and it is a point.
    Found(Decimal),
}

/// What one cell shows of the notation of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Its decimals follow a point.
    Point,
    /// Its decimals follow a comma.
    Comma,
    /// Either is possible.
    Neither,
}

/// Returns whether a cell says that there is no measure.
pub(super) fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Returns what a cell shows of the notation: `1,5` and `1.234,5` have a decimal comma, `1.5` and `1,234.5` a decimal point;
/// `1,234` may be either.
pub(super) fn sign(text: &str) -> Sign {
    let is_number = |decimal| grouped(text, decimal).is_some() || plain(text, decimal).is_some();
    match (is_number(Decimal::Point), is_number(Decimal::Comma)) {
        (true, false) => Sign::Point,
        (false, true) => Sign::Comma,
        _ => Sign::Neither,
    }
}

impl Notation {
    fn decimal(self) -> Decimal {
        match self {
            Self::Told(decimal) | Self::Found(decimal) => decimal,
        }
    }

    /// Reads a cell; `None` when it says that there is no measure.
    ///
    /// # Errors
    /// What is wrong with it, to be read after the text of the cell.
    pub(super) fn read(self, text: &str) -> Result<Option<f64>, String> {
        let decimal = self.decimal();
        if let Some(value) = plain(text, decimal) {
            return Ok(Some(value));
        }
        if is_missing(text) {
            return Ok(None);
        }
        let other = match decimal {
            Decimal::Point => Decimal::Comma,
            Decimal::Comma => Decimal::Point,
        };
        if let Some(value) = grouped(text, decimal) {
            // 1,234 is a thousand and more here and hardly more than one there: only the user can decide.
            if matches!(self, Self::Found(_)) && plain(text, other).is_some() {
                return Err("has a decimal mark or a thousands separator; choose with --decimal , or --decimal .".into());
            }
            return Ok(Some(value));
        }
        if plain(text, other).is_some() || grouped(text, other).is_some() {
            return Err(match other {
                Decimal::Comma => {
                    "has a decimal comma, and decimal points are expected; see --decimal".into()
                }
                Decimal::Point => {
                    "has a decimal point, and decimal commas are expected; see --decimal".into()
                }
            });
        }
        Err(match text.parse::<f64>() {
            Ok(_) => "is not a finite number".into(),
            Err(_) => "is not a number".into(),
        })
    }
}

/// Reads a finite number without marks between its thousands.
fn plain(text: &str, decimal: Decimal) -> Option<f64> {
    let parsed = match decimal {
        Decimal::Point => text.parse::<f64>(),
        Decimal::Comma if text.contains('.') => return None,
        Decimal::Comma if text.contains(',') => text.replacen(',', ".", 1).parse(),
        Decimal::Comma => text.parse(),
    };
    parsed.ok().filter(|value| value.is_finite())
}

/// Reads a number whose thousands are marked: one to three digits, then groups of three, then perhaps a fraction.
fn grouped(text: &str, decimal: Decimal) -> Option<f64> {
    let (point, comma) = match decimal {
        Decimal::Point => ('.', ','),
        Decimal::Comma => (',', '.'),
    };
    let (whole, fraction) = match text.split_once(point) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mark = whole
        .chars()
        .find(|character| *character == comma || GROUP_MARKS.contains(character))?;
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let mut groups = digits.split(mark);
    let first = groups.next()?;
    let are_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = (1..=3).contains(&first.len())
        && are_digits(first)
        && !first.starts_with('0')
        && groups.all(|group| group.len() == 3 && are_digits(group));
    if !is_grouped || !fraction.is_none_or(are_digits) {
        return None;
    }
    let whole = whole.replace(mark, "");
    format!("{whole}.{}", fraction.unwrap_or_default())
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: Notation = Notation::Found(Decimal::Point);
    const COMMA: Notation = Notation::Found(Decimal::Comma);
    const TOLD_POINT: Notation = Notation::Told(Decimal::Point);
    const TOLD_COMMA: Notation = Notation::Told(Decimal::Comma);

    #[test]
    fn numbers_have_many_forms() {
        let check = |notation: Notation, text: &str, expected: f64| {
            assert_eq!(notation.read(text), Ok(Some(expected)), "{text}");
        };
        for notation in [POINT, TOLD_POINT] {
            check(notation, "1.5", 1.5);
            check(notation, "-1.5e3", -1500.0);
            check(notation, "+.5", 0.5);
            check(notation, "1,234.5", 1234.5);
            check(notation, "1,234,567", 1_234_567.0);
            check(notation, "1.234", 1.234);
            check(notation, "1 234 567.8", 1_234_567.8);
            check(notation, "1'234", 1234.0);
            check(notation, "-1\u{202f}234", -1234.0);
        }
        for notation in [COMMA, TOLD_COMMA] {
            check(notation, "1,5", 1.5);
            check(notation, "-0,5", -0.5);
            check(notation, "1,234", 1.234);
            check(notation, "1.234,5", 1234.5);
            check(notation, "1.234.567", 1_234_567.0);
            check(notation, "1\u{a0}234,5", 1234.5);
            check(notation, "12", 12.0);
            check(notation, "1,5E3", 1500.0);
        }
        check(TOLD_POINT, "1,234", 1234.0);
        check(TOLD_COMMA, "1.234", 1234.0);
    }

    #[test]
    fn some_cells_hold_no_measure() {
        for text in [
            "", "NaN", "nan", "NA", "N/A", "#N/A", "null", "NULL", "None", "-", "--", "\\N",
        ] {
            assert_eq!(POINT.read(text), Ok(None), "{text}");
            assert_eq!(TOLD_COMMA.read(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |notation: Notation, text: &str, expected: &str| {
            let problem = notation.read(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        };
        check(
            POINT,
            "1,234",
            "has a decimal mark or a thousands separator",
        );
        check(
            COMMA,
            "1.234",
            "has a decimal mark or a thousands separator",
        );
        check(
            POINT,
            "1,5",
            "has a decimal comma, and decimal points are expected",
        );
        check(TOLD_POINT, "1.234,5", "has a decimal comma");
        check(POINT, "0,132", "has a decimal comma");
        check(
            COMMA,
            "1.5",
            "has a decimal point, and decimal commas are expected",
        );
        check(TOLD_COMMA, "1,234.5", "has a decimal point");
        for text in [
            "x",
            "1.2.3",
            "1,2,3",
            "12,34,567.0",
            "1 2",
            "50%",
            "1,,000",
            ",",
            "1_000",
        ] {
            check(POINT, text, "is not a number");
        }
        check(POINT, "inf", "is not a finite number");
        check(POINT, "-Infinity", "is not a finite number");
        check(POINT, "1e999", "is not a finite number");
        check(COMMA, "1e999", "is not a finite number");
    }

    #[test]
    fn cells_show_the_notation() {
        let check = |text: &str, expected: Sign| assert_eq!(sign(text), expected, "{text}");
        check("1,5", Sign::Comma);
        check("0,1234", Sign::Comma);
        check("0,132", Sign::Comma);
        check("0.132", Sign::Point);
        check("1.234,5", Sign::Comma);
        check("1.5", Sign::Point);
        check("1,234.5", Sign::Point);
        check("1,234", Sign::Neither);
        check("1.234", Sign::Neither);
        check("12", Sign::Neither);
        check("x", Sign::Neither);
        check("1,234,567", Sign::Point);
        check("1.234.567", Sign::Comma);
    }
}
