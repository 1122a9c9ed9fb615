use super::*;

/// `U*U`, as the test vectors of bcrypt have it.
const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// `password`, as the test vectors of argon2 have it: two passes over 64 MiB are too slow for a test, so 256 KiB.
const ARGON2: &str =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

#[tokio::test]
async fn passwords_of_both_kinds() {
    let passwords = Passwords::parse(&format!("# users\n\nb:{BCRYPT}\n a:{ARGON2} \n")).unwrap();
    let check = async |name: &str, password: &str, expected: Verdict| {
        assert_eq!(passwords.verify(name, password).await, expected, "{name}");
    };
    // Twice, since the second time it is remembered.
    for _ in 0..2 {
        check("b", "U*U", Verdict::Right).await;
        check("a", "password", Verdict::Right).await;
        check("b", "password", Verdict::Wrong).await;
        check("a", "U*U", Verdict::Wrong).await;
        check("a", "", Verdict::Wrong).await;
        check("c", "U*U", Verdict::Wrong).await;
    }
    let nobody = Passwords::parse("").unwrap();
    assert_eq!(nobody.verify("b", "U*U").await, Verdict::Wrong);
}

#[tokio::test]
async fn a_changed_file_counts_at_once() {
    let passwords = Passwords::parse(&format!("jd:{BCRYPT}")).unwrap();
    assert_eq!(passwords.verify("jd", "U*U").await, Verdict::Right);
    passwords.replace(&format!("jd:{ARGON2}")).unwrap();
    assert_eq!(passwords.verify("jd", "U*U").await, Verdict::Wrong);
    assert_eq!(passwords.verify("jd", "password").await, Verdict::Right);
    // A broken file changes nothing.
    passwords.replace("jd").unwrap_err();
    assert_eq!(passwords.verify("jd", "password").await, Verdict::Right);
    passwords.replace("").unwrap();
    assert_eq!(passwords.verify("jd", "password").await, Verdict::Wrong);
}

#[tokio::test]
async fn checks_whose_requests_are_given_up_keep_their_room() {
    use futures::FutureExt;

    // Some tens of milliseconds.
    let slow = BCRYPT.replace("$05$", "$08$");
    let passwords = Passwords::parse(&format!("jd:{slow}")).unwrap();
    let all = passwords.room.available_permits();
    assert_eq!(passwords.verify("jd", "wrong").now_or_never(), None);
    assert_eq!(passwords.room.available_permits(), all - 1);
}

#[test]
fn broken_lines_are_named_without_their_hash() {
    let check = |text: &str, line: usize, problem: &str| {
        let error = Passwords::parse(text).unwrap_err();
        assert_eq!(
            (error.line, error.problem.as_str()),
            (line, problem),
            "{text}"
        );
    };
    check("jd", 1, "is not `name:hash`");
    let kinds = "the hash is neither bcrypt ($2b$, $2y$) nor argon2 ($argon2id$)";
    check(&format!("\na:{BCRYPT}\nb:secret"), 3, kinds);
    check("a:$apr1$x$y", 1, kinds);
    check("a:", 1, kinds);
    check("a:$2y$05$short", 1, "the bcrypt hash is damaged");
    check(
        &format!("a:{}", BCRYPT.replace("$05$", "$31$")),
        1,
        "the bcrypt hash has a work factor above 16",
    );
    check("a:$argon2id$v=19$m=256", 1, "the argon2 hash is damaged");
    check(
        &format!("a:{}", ARGON2.replace("m=256", "m=4000000")),
        1,
        "the argon2 hash takes more than 1048576 KiB or 100 passes",
    );
    check(
        &format!("a:{BCRYPT}\na:{BCRYPT}"),
        2,
        "user `a` stands twice",
    );
}

#[test]
fn nothing_of_a_hash_is_shown() {
    let passwords = Passwords::parse(&format!("jd:{BCRYPT}")).unwrap();
    let shown = format!("{passwords:?} {:?}", Hash::parse(BCRYPT).unwrap());
    assert!(!shown.contains("CCC"), "{shown}");
}
