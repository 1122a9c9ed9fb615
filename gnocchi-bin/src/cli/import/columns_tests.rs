use super::*;

const DAY: &str = "2024-05-01";

fn record(fields: &[&str]) -> Record {
    let mut record = Record::default();
    record.split(&fields.join(";"), b';').unwrap();
    record
}

fn layout(fields: &[&str], choice: &ColumnChoice) -> Result<Layout, ColumnsProblem> {
    let second = record(&[DAY, "1"]);
    let is_timestamp = |text: &str| text == DAY || text.parse::<f64>().is_ok();
    Layout::of(&record(fields), Some(&second), choice, is_timestamp)
}

fn found(fields: &[&str], choice: &ColumnChoice) -> (usize, Values) {
    let layout = layout(fields, choice).unwrap();
    (layout.timestamp, layout.values)
}

fn refused(fields: &[&str], choice: &ColumnChoice, expected: &str) {
    let problem = layout(fields, choice).unwrap_err();
    assert!(problem.contains(expected), "{fields:?}: {problem}");
}

fn choice(timestamp: Option<&str>, values: &[&str]) -> ColumnChoice {
    let column = |text: &str| -> Column { text.parse().unwrap() };
    ColumnChoice {
        timestamp: timestamp.map(column),
        values: values.iter().map(|text| column(text)).collect(),
        ..ColumnChoice::default()
    }
}

fn wide() -> ColumnChoice {
    ColumnChoice {
        wide: true,
        ..ColumnChoice::default()
    }
}

#[test]
fn headers_name_columns() {
    let any = ColumnChoice::default();
    let check = |fields: &[&str], timestamp: usize, values: Values| {
        assert_eq!(found(fields, &any), (timestamp, values), "{fields:?}");
    };
    check(&["timestamp", "value"], 0, Values::OfFile(1));
    check(&["Value", "unit", "TIME"], 2, Values::OfFile(0));
    check(&["Date Time", "value"], 0, Values::OfFile(1));
    check(&["date", "timestamp", "value"], 1, Values::OfFile(2));
    let named = Values::Named {
        value: 2,
        metric: 1,
    };
    check(&["time", "metric", "value"], 0, named.clone());
    check(&["time", "name", "value"], 0, named);
    check(&["time", "cpu", "mem"], 0, Values::Wide(vec![1, 2]));
    check(&["time", "cpu", "", "mem", ""], 0, Values::Wide(vec![1, 3]));
    check(&["cpu", "time"], 1, Values::Wide(vec![0]));
    // What data frames write: their index has no name.
    check(&["", "cpu", "mem"], 0, Values::Wide(vec![1, 2]));
}

#[test]
fn columns_are_chosen_by_name_and_number() {
    let check = |fields: &[&str], choice: &ColumnChoice, timestamp: usize, values: Values| {
        assert_eq!(found(fields, choice), (timestamp, values), "{fields:?}");
    };
    let fields = ["when", "host", "cpu", "mem"];
    check(
        &fields,
        &choice(Some("when"), &["cpu"]),
        0,
        Values::OfFile(2),
    );
    check(&fields, &choice(Some("1"), &["3"]), 0, Values::OfFile(2));
    check(&fields, &choice(Some("WHEN"), &["4"]), 0, Values::OfFile(3));
    let both = Values::Wide(vec![2, 3]);
    check(&fields, &choice(Some("when"), &["cpu", "mem"]), 0, both);
    let one = ColumnChoice {
        wide: true,
        ..choice(Some("when"), &["cpu"])
    };
    check(&fields, &one, 0, Values::Wide(vec![2]));
    let by_host = ColumnChoice {
        metric: Some("host".parse().unwrap()),
        ..choice(Some("when"), &["cpu"])
    };
    let named = Values::Named {
        value: 2,
        metric: 1,
    };
    check(&fields, &by_host, 0, named);
    let all = ["time", "value", "cpu"];
    check(&all, &wide(), 0, Values::Wide(vec![1, 2]));
    check(
        &["Größe", "zeit"],
        &choice(Some("ZEIT"), &["größe"]),
        1,
        Values::OfFile(0),
    );
}

#[test]
fn files_without_header_have_two_columns() {
    let any = ColumnChoice::default();
    assert_eq!(found(&[DAY, "1"], &any), (0, Values::OfFile(1)));
    assert_eq!(found(&["10", "1", ""], &any), (0, Values::OfFile(1)));
    assert_eq!(
        found(&["1", DAY], &choice(Some("2"), &[])),
        (1, Values::OfFile(0))
    );
    let third = choice(None, &["3"]);
    assert_eq!(found(&[DAY, "1", "2"], &third), (0, Values::OfFile(2)));
    refused(
        &[DAY, "1", "2"],
        &any,
        "holds the values with --value-column",
    );
    refused(&[DAY, "1"], &wide(), "needs a first line that names them");
    refused(
        &[DAY, "1"],
        &choice(None, &["cpu"]),
        "there is no column \"cpu\"",
    );
    refused(&[DAY, "1"], &choice(None, &["3"]), "there is no column 3");
    refused(&[DAY], &any, "a timestamp and nothing else");
    refused(&["x", "y"], &any, "no column has a known name");
    refused(
        &[DAY, "1"],
        &choice(Some("1"), &["1"]),
        "column 1 is chosen twice",
    );
}

#[test]
fn what_is_ambiguous_is_refused() {
    let any = ColumnChoice::default();
    refused(
        &["time", "value", "value"],
        &any,
        "columns 2 and 3 are both named value",
    );
    refused(
        &["time", "cpu", "cpu"],
        &any,
        "columns 2 and 3 are both named cpu",
    );
    refused(
        &["time", "time", "value"],
        &any,
        "columns 1 and 2 are both named time",
    );
    refused(
        &["date", "time", "value"],
        &any,
        "date and time are two columns",
    );
    refused(
        &["time", "metric", "cpu"],
        &any,
        "no column is named value; found: time | metric | cpu",
    );
    refused(&["time", "a/b"], &any, "column 2 (a/b) cannot be a metric");
    refused(&["time", ""], &any, "no column is named value");
    let missing = choice(Some("when"), &["cpu"]);
    refused(
        &["time", "cpu"],
        &missing,
        "there is no column \"when\"; found: time | cpu",
    );
    refused(
        &["when", "cpu"],
        &choice(None, &["cpu"]),
        "see --timestamp-column",
    );
    let twice = choice(None, &["cpu", "2"]);
    refused(&["time", "cpu"], &twice, "chosen twice");
}

#[test]
fn columns_are_described_by_number_and_name() {
    let layout = layout(&["time", "cpu", ""], &ColumnChoice::default()).unwrap();
    assert_eq!(layout.column(1), "column 2 (cpu)");
    assert_eq!(layout.column(2), "column 3");
    assert!(layout.has_several_metrics());
}
