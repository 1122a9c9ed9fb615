//! One line of the line protocol.

use winnow::Parser;
use winnow::ascii::{digit1, line_ending, space0, space1};
use winnow::combinator::{alt, eof, opt, preceded, repeat, terminated};
use winnow::error::EmptyError;
use winnow::stream::Stream;
use winnow::token::take_till;

use super::name::{Name, key, measurement, string};
use super::value::value;

/// One line, its texts as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Measurement and tags: what says which series the line belongs to.
    pub series: &'a str,
    /// How many units of time after the epoch, if the line says so.
    pub timestamp: Option<i64>,
    /// How many of its fields are strings.
    pub strings: usize,
}

/// Takes a line with its end, and puts its fields that are no strings in place of what is in `fields`. `None` when the line is
/// blank or a comment.
///
/// # Errors
/// When it is no line of this protocol; `input` then stands where that showed.
pub fn line<'a>(
    input: &mut &'a str,
    fields: &mut Vec<(Name<'a>, f64)>,
) -> Result<Option<Line<'a>>, EmptyError> {
    fields.clear();
    space0.parse_next(input)?;
    if input.starts_with('#') {
        take_till(0.., '\n').parse_next(input)?;
    }
    if opt(end).parse_next(input)?.is_some() {
        return Ok(None);
    }
    let series = (
        measurement,
        repeat::<_, _, (), _, _>(0.., (',', key, '=', key)),
    )
        .take()
        .parse_next(input)?;
    space1.parse_next(input)?;
    let mut strings = 0;
    loop {
        let name = key.parse_next(input)?;
        '='.parse_next(input)?;
        if input.starts_with('"') {
            string.parse_next(input)?;
            strings += 1;
        } else {
            let end = |byte: &u8| [b',', b' ', b'\n', b'\r'].contains(byte);
            let length = input.bytes().position(|byte| end(&byte));
            let written = input.next_slice(length.unwrap_or(input.len()));
            let number = value(written).ok_or(EmptyError)?;
            fields.push((name, number));
        }
        if opt(',').parse_next(input)?.is_none() {
            break;
        }
    }
    let timestamp = opt(preceded(space1, timestamp)).parse_next(input)?;
    (space0, end).parse_next(input)?;
    Ok(Some(Line {
        series,
        timestamp,
        strings,
    }))
}

/// Takes measurement and tags apart.
///
/// # Errors
/// When they are none, which does not happen for the series of a [`Line`].
pub(in crate::ingest::influxdb) fn series<'a>(
    input: &mut &'a str,
) -> Result<(Name<'a>, Vec<(Name<'a>, Name<'a>)>), EmptyError> {
    let tag = (',', key, '=', key).map(|(_, name, _, value)| (name, value));
    (measurement, repeat(0.., tag)).parse_next(input)
}

fn timestamp(input: &mut &str) -> Result<i64, EmptyError> {
    (opt('-'), digit1).take().parse_to().parse_next(input)
}

/// Takes a line break, or the end of the body, before which a shell may have taken one half of a line break away.
fn end<'a>(input: &mut &'a str) -> Result<&'a str, EmptyError> {
    alt((line_ending, eof, terminated("\r", eof))).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Series, fields, timestamp, and what is left.
    type Read<'a> = (String, Vec<(String, f64)>, Option<i64>, &'a str);

    fn read(text: &str) -> Option<Read<'_>> {
        let mut rest = text;
        let mut fields = Vec::new();
        let line = line(&mut rest, &mut fields).ok()??;
        let fields = fields
            .iter()
            .map(|(name, value)| (name.text().into_owned(), *value));
        Some((
            line.series.to_owned(),
            fields.collect(),
            line.timestamp,
            rest,
        ))
    }

    #[test]
    fn whole_lines() {
        let check = |text: &str,
                     series: &str,
                     fields: &[(&str, f64)],
                     timestamp: Option<i64>,
                     rest: &str| {
            let fields = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value));
            let expected = Some((series.to_owned(), fields.collect(), timestamp, rest));
            assert_eq!(read(text), expected, "{text}");
        };
        check("m,host=h f=1", "m,host=h", &[("f", 1.0)], None, "");
        check("m f=1 5\nn", "m", &[("f", 1.0)], Some(5), "n");
        check("m f=1\r\nn", "m", &[("f", 1.0)], None, "n");
        check("m f=1 5\r", "m", &[("f", 1.0)], Some(5), "");
        check(
            "  m  f=1i,g=-2i,h=3u,i=T  -7  \n",
            "m",
            &[("f", 1.0), ("g", -2.0), ("h", 3.0), ("i", 1.0)],
            Some(-7),
            "",
        );
        check(r#"m f="a,b c=\"1",g=2 3"#, "m", &[("g", 2.0)], Some(3), "");
        check("m f=\"two\nlines\",g=1\nn", "m", &[("g", 1.0)], None, "n");
        check(r#"m f="only text""#, "m", &[], None, "");
        check(
            r#"my\ m,"host"="a b" "f x"=1"#,
            r#"my\ m,"host"="a b""#,
            &[("f x", 1.0)],
            None,
            "",
        );
        check("m=1,host=h f=1", "m=1,host=h", &[("f", 1.0)], None, "");
    }

    #[test]
    fn what_says_nothing_is_skipped() {
        for (text, rest) in [
            ("", ""),
            ("\n", ""),
            ("\r\nm", "m"),
            (" \t ", ""),
            ("# a b\nm", "m"),
            ("#", ""),
            ("\r", ""),
            (" # x\r\n", ""),
        ] {
            let mut left = text;
            assert_eq!(line(&mut left, &mut Vec::new()), Ok(None), "{text:?}");
            assert_eq!(left, rest, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_line() {
        for text in [
            "m",
            "m,host=h",
            "m,host=h ",
            "m, f=1",
            "m,host f=1",
            "m,host= f=1",
            "m,=h f=1",
            ",host=h f=1",
            "m f",
            "m f=",
            "m =1",
            "m f=1,",
            "m f=1 2 3",
            "m f=1 x",
            "m f=1 5x",
            "m f=1x",
            "m f=1i2",
            "m f=NaN",
            "m f=1 9223372036854775808",
            "m f=\"open",
            "m f=\"a\"b",
            "m f=1\tx",
            "m f=1\rx",
            "m,host=h\\ f=1",
            "m,a=b=c f=1",
        ] {
            let mut rest = text;
            assert!(line(&mut rest, &mut Vec::new()).is_err(), "{text:?}");
        }
    }
}
