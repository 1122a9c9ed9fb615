use super::*;

const NAN: f64 = f64::NAN;
const INFINITY: f64 = f64::INFINITY;

#[track_caller]
fn check(left: f64, name: &str, right: f64, expected: f64) {
    let function: BinaryFunction = name.parse().expect("a name");
    let result = function.compute(left, right);
    let same = result.to_bits() == expected.to_bits() || result.is_nan() && expected.is_nan();
    assert!(same, "{left:?} {name} {right:?} = {result:?}");
}

#[test]
fn comparisons() {
    for (name, smaller, equal, larger, nan) in [
        ("=", 0.0, 1.0, 0.0, 0.0),
        ("==", 0.0, 1.0, 0.0, 0.0),
        ("eq", 0.0, 1.0, 0.0, 0.0),
        ("<", 1.0, 0.0, 0.0, 0.0),
        ("lt", 1.0, 0.0, 0.0, 0.0),
        (">", 0.0, 0.0, 1.0, 0.0),
        ("gt", 0.0, 0.0, 1.0, 0.0),
        ("<=", 1.0, 1.0, 0.0, 0.0),
        ("≤", 1.0, 1.0, 0.0, 0.0),
        ("le", 1.0, 1.0, 0.0, 0.0),
        (">=", 0.0, 1.0, 1.0, 0.0),
        ("≥", 0.0, 1.0, 1.0, 0.0),
        ("ge", 0.0, 1.0, 1.0, 0.0),
        ("!=", 1.0, 0.0, 1.0, 1.0),
        ("≠", 1.0, 0.0, 1.0, 1.0),
        ("ne", 1.0, 0.0, 1.0, 1.0),
    ] {
        check(1.0, name, 2.0, smaller);
        check(2.0, name, 2.0, equal);
        check(0.0, name, -0.0, equal);
        check(3.0, name, 2.0, larger);
        check(NAN, name, 2.0, nan);
        check(2.0, name, NAN, nan);
        check(NAN, name, NAN, nan);
    }
}

#[test]
fn arithmetic() {
    for name in ["+", "add"] {
        check(1.0, name, 2.0, 3.0);
    }
    for name in ["-", "sub"] {
        check(1.0, name, 2.0, -1.0);
    }
    for name in ["*", "×", "mul"] {
        check(3.0, name, 2.0, 6.0);
    }
    for name in ["/", "÷", "div"] {
        check(3.0, name, 2.0, 1.5);
        check(3.0, name, 0.0, INFINITY);
        check(-3.0, name, 0.0, -INFINITY);
        check(0.0, name, 0.0, NAN);
    }
    for name in ["**", "^", "pow"] {
        check(3.0, name, 2.0, 9.0);
        check(-8.0, name, 0.5, NAN);
    }
    check(NAN, "+", 1.0, NAN);
}

#[test]
fn the_rest_has_the_sign_of_the_divisor() {
    for name in ["%", "mod"] {
        check(7.0, name, 3.0, 1.0);
        check(-7.0, name, 3.0, 2.0);
        check(7.0, name, -3.0, -2.0);
        check(-7.0, name, -3.0, -1.0);
        check(-6.0, name, 3.0, 0.0);
        check(6.0, name, -3.0, -0.0);
        check(5.0, name, INFINITY, 5.0);
        check(-5.0, name, INFINITY, INFINITY);
        check(5.0, name, 0.0, NAN);
        check(INFINITY, name, 3.0, NAN);
    }
}

#[test]
fn bounds() {
    check(1.0, "max", 2.0, 2.0);
    check(NAN, "max", 2.0, 2.0);
    check(1.0, "max", NAN, 1.0);
    check(NAN, "max", NAN, NAN);
    check(1.0, "clip_min", 2.0, 2.0);
    check(3.0, "clip_min", 2.0, 3.0);
    check(1.0, "clip_max", 2.0, 1.0);
    check(3.0, "clip_max", 2.0, 2.0);
    for name in ["clip_min", "clip_max"] {
        check(NAN, name, 2.0, NAN);
        check(2.0, name, NAN, NAN);
    }
}

#[test]
fn functions_of_one_number() {
    let apply = |name: &str, cell: f64| {
        let mut cells = [cell];
        name.parse::<UnaryFunction>()
            .expect("a name")
            .apply(&mut cells);
        cells[0].to_bits()
    };
    for name in ["abs", "absolute"] {
        assert_eq!(apply(name, -2.5), 2.5_f64.to_bits());
    }
    for name in ["neg", "negative"] {
        assert_eq!(apply(name, 2.5), (-2.5_f64).to_bits());
    }
    assert_eq!(apply("floor", -2.5), (-3.0_f64).to_bits());
    assert_eq!(apply("ceil", -2.5), (-2.0_f64).to_bits());
    assert_eq!(apply("cos", 0.0), 1.0_f64.to_bits());
    assert_eq!(apply("sin", 0.5), 0.5_f64.sin().to_bits());
    assert_eq!(apply("tan", 0.5), 0.5_f64.tan().to_bits());
}

#[test]
fn names_read_back() {
    for function in UnaryFunction::all() {
        assert_eq!(function.to_string().parse(), Ok(function));
    }
    for function in BinaryFunction::all() {
        assert_eq!(function.to_string().parse(), Ok(function));
    }
    assert_eq!("min".parse::<BinaryFunction>(), Err(FunctionError));
    assert_eq!("".parse::<UnaryFunction>(), Err(FunctionError));
}

#[test]
fn methods_read_back() {
    for name in ["mean", "rate:var", "count", "rate:count", "median"] {
        assert_eq!(name.parse::<CellMethod>().expect("known").to_string(), name);
    }
    for name in ["last", "95pct", "rate:last", "rate:", "rate:rate:mean"] {
        assert_eq!(name.parse::<CellMethod>(), Err(MethodError), "{name}");
    }
    for name in ["last", "first", "95pct", "var", "rate:var", "rate:std"] {
        let method = name.parse::<ResampleMethod>().expect("known");
        assert_eq!(method.to_string(), name);
    }
    for name in ["rate:last", "rate:first", "rate:95pct", "100pct", "blah"] {
        assert_eq!(name.parse::<ResampleMethod>(), Err(MethodError), "{name}");
    }
    let any: AggregationMethod = "rate:95pct".parse().expect("a method");
    assert_eq!(ResampleMethod::from(any).to_string(), "rate:95pct");
}
