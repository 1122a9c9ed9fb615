//! Secrets in addresses: their values are replaced before anything is logged.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What stands for a value that is not logged.
const MASK: &str = "***";

/// Parameters whose values are secrets, or the names of users beside them, as protocols that pass them in addresses call them.
const SECRET_NAMES: [&str; 13] = [
    "p",
    "u",
    "auth",
    "authorization",
    "code",
    "credential",
    "key",
    "pass",
    "pw",
    "pwd",
    "sig",
    "signature",
    "user",
];

/// What the name of a parameter with a secret contains.
const SECRET_PARTS: [&str; 6] = ["password", "passwd", "secret", "token", "apikey", "api_key"];

/// Parameters that hold a statement of a query language, which may set a password.
const STATEMENT_NAMES: [&str; 2] = ["q", "query"];

/// What a statement that sets a password contains.
const SECRET_IN_STATEMENT: &str = "password";

/// Masks the path and query of a request.
pub(super) fn masked_target(target: &str) -> String {
    match target.find(['?', '#']) {
        Some(at) => format!("{}{}", &target[..at], masked_parameters(&target[at..])),
        None => target.to_owned(),
    }
}

/// Masks an address that a client names, which may begin with a scheme, a user and a host.
pub(super) fn masked_reference(reference: &str) -> String {
    let Some((scheme, rest)) = reference.split_once("://") else {
        return masked_target(reference);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => Cow::Owned(format!("{MASK}@{host}")),
        None => Cow::Borrowed(authority),
    };
    format!("{scheme}://{authority}{}", masked_target(target))
}

/// Masks the values of parameters, each of which follows one of the characters `?`, `#`, `&` and `;`.
fn masked_parameters(parameters: &str) -> String {
    let mut masked = String::with_capacity(parameters.len());
    for parameter in parameters.split_inclusive(['?', '#', '&', ';']) {
        let (parameter, separator) = match parameter.char_indices().next_back() {
            Some((at, '?' | '#' | '&' | ';')) => parameter.split_at(at),
            _ => (parameter, ""),
        };
        match parameter.split_once('=') {
            Some((name, value)) if is_secret(name, value) => {
                masked.push_str(name);
                masked.push('=');
                masked.push_str(MASK);
            }
            _ => masked.push_str(parameter),
        }
        masked.push_str(separator);
    }
    masked
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = decoded(name);
    let name = name.trim();
    SECRET_NAMES.contains(&name)
        || SECRET_PARTS.iter().any(|part| name.contains(part))
        || (STATEMENT_NAMES.contains(&name) && decoded(value).contains(SECRET_IN_STATEMENT))
}

/// Returns a part of a query as it is meant, in lower case. A space may be written as a plus sign.
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_masked() {
        let check = |target: &str, expected: &str| {
            assert_eq!(masked_target(target), expected, "{target}");
        };
        check("/v1/metric", "/v1/metric");
        check(
            "/v1/metric?limit=2&sort=name",
            "/v1/metric?limit=2&sort=name",
        );
        check("/write?db=d&u=jd&p=s3", "/write?db=d&u=***&p=***");
        check("/write?p=s3", "/write?p=***");
        check("/write?P=s3;%70=s3&p%3Dx=y", "/write?P=***;%70=***&p%3Dx=y");
        check("/write?p=a=b&precision=ns", "/write?p=***&precision=ns");
        check("/write?p=a?p=b#p=c", "/write?p=***?p=***#p=***");
        check(
            "/x?access_token=t&X-Auth-Token=t&my-Secret=s",
            "/x?access_token=***&X-Auth-Token=***&my-Secret=***",
        );
        check("/x?p&q=SELECT+1", "/x?p&q=SELECT+1");
        check(
            "/query?q=CREATE%20USER%20x+WITH+PASS%57ORD+'s3'&db=d",
            "/query?q=***&db=d",
        );
        check("/x?%ff=1&=2&&", "/x?%ff=1&=2&&");
        // Cut within a value, the rest is a secret all the same.
        check("/x?password=hal...", "/x?password=***");
    }

    #[test]
    fn users_in_references_are_masked() {
        let check = |reference: &str, expected: &str| {
            assert_eq!(masked_reference(reference), expected, "{reference}");
        };
        check("https://h/a?b=c", "https://h/a?b=c");
        check("https://jd:s3@h/a?token=t", "https://***@h/a?token=***");
        check("https://jd:s@3@h?p=s3", "https://***@h?p=***");
        check("/a?p=s3", "/a?p=***");
        check("about:blank", "about:blank");
        check("", "");
    }
}
