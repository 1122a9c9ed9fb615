//! Aggregation methods as programs name them.

use carbonara::AggregationMethod;
use gnocchi_core::text::method::meant;
use thiserror::Error;

/// A text that names no aggregation method.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "got the aggregation method {name:?}; expected {}",
    expected(*suggestion)
)]
pub struct MethodNameError {
    name: String,
    suggestion: Option<AggregationMethod>,
}

impl MethodNameError {
    /// Returns the text.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the method that was probably meant: `95pct` for `p95`, `mean` for `avg`.
    #[must_use]
    pub fn suggestion(&self) -> Option<AggregationMethod> {
        self.suggestion
    }
}

fn expected(suggestion: Option<AggregationMethod>) -> String {
    match suggestion {
        Some(method) => format!("{method}"),
        None => "mean, sum, last, max, min, std, median, first, count, 1pct to 99pct, or one of these after rate:".into(),
    }
}

/// An aggregation method, or its name: `"mean"`, `"95pct"`, `"rate:max"`.
pub trait IntoMethod {
    /// Returns the method.
    ///
    /// # Errors
    /// [`MethodNameError`] when there is no method of that name.
    fn into_method(self) -> Result<AggregationMethod, MethodNameError>;
}

impl IntoMethod for AggregationMethod {
    fn into_method(self) -> Result<AggregationMethod, MethodNameError> {
        Ok(self)
    }
}

impl IntoMethod for &AggregationMethod {
    fn into_method(self) -> Result<AggregationMethod, MethodNameError> {
        Ok(*self)
    }
}

impl IntoMethod for &str {
    fn into_method(self) -> Result<AggregationMethod, MethodNameError> {
        self.parse().map_err(|_| MethodNameError {
            name: self.to_owned(),
            suggestion: meant(self),
        })
    }
}

impl IntoMethod for &&str {
    fn into_method(self) -> Result<AggregationMethod, MethodNameError> {
        (*self).into_method()
    }
}

impl IntoMethod for String {
    fn into_method(self) -> Result<AggregationMethod, MethodNameError> {
        self.as_str().into_method()
    }
}

impl IntoMethod for &String {
    fn into_method(self) -> Result<AggregationMethod, MethodNameError> {
        self.as_str().into_method()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_systems_are_suggested() {
        let check = |name: &str, expected: &str| {
            let error = name.into_method().unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("p95", r#"got the aggregation method "p95"; expected 95pct"#);
        check("avg", r#"got the aggregation method "avg"; expected mean"#);
        let unknown = "wavelet".into_method().unwrap_err();
        assert_eq!(unknown.suggestion(), None);
        assert!(unknown.to_string().contains("1pct to 99pct"), "{unknown}");
    }

    #[test]
    fn methods_and_their_names_are_the_same() {
        let mean: AggregationMethod = "mean".parse().unwrap();
        assert_eq!(mean.into_method(), Ok(mean));
        assert_eq!("mean".into_method(), Ok(mean));
        assert_eq!(String::from("mean").into_method(), Ok(mean));
        assert_eq!((&"mean").into_method(), Ok(mean));
        assert_eq!((&String::from("mean")).into_method(), Ok(mean));
    }
}
