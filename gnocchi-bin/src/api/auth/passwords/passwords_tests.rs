use std::sync::atomic::{AtomicUsize, Ordering};

use super::hash::Hash;
use super::*;

fn client() -> String {
    "client".to_owned()
}

/// `U*U`, as the test vectors of bcrypt have it.
const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// `password`, as the test vectors of argon2 have it: two passes over 64 MiB are too slow for a test, so 256 KiB.
const ARGON2: &str =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

#[tokio::test]
async fn passwords_of_both_kinds() {
    let passwords = Passwords::parse(&format!("# users\n\nb:{BCRYPT}\n a:{ARGON2} \n")).unwrap();
    let check = async |name: &str, password: &str, expected: Verdict| {
        assert_eq!(
            passwords.verify(client, name, password).await,
            expected,
            "{name}"
        );
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
    let without_users = Passwords::parse("").unwrap();
    assert_eq!(
        without_users.verify(client, "b", "U*U").await,
        Verdict::Wrong
    );
}

#[tokio::test]
async fn a_changed_file_counts_at_once() {
    let passwords = Passwords::parse(&format!("jd:{BCRYPT}")).unwrap();
    assert_eq!(passwords.verify(client, "jd", "U*U").await, Verdict::Right);
    passwords.replace(&format!("jd:{ARGON2}")).unwrap();
    assert_eq!(passwords.verify(client, "jd", "U*U").await, Verdict::Wrong);
    assert_eq!(
        passwords.verify(client, "jd", "password").await,
        Verdict::Right
    );
    // A broken file changes nothing.
    passwords.replace("jd").unwrap_err();
    assert_eq!(
        passwords.verify(client, "jd", "password").await,
        Verdict::Right
    );
    passwords.replace("").unwrap();
    assert_eq!(
        passwords.verify(client, "jd", "password").await,
        Verdict::Wrong
    );
}

#[tokio::test]
async fn checks_whose_requests_are_given_up_keep_their_room() {
    use futures::FutureExt;

    // Some tens of milliseconds.
    let slow = BCRYPT.replace("$05$", "$08$");
    let passwords = Passwords::parse(&format!("jd:{slow}")).unwrap();
    let all = passwords.turns.free();
    assert_eq!(passwords.verify(client, "jd", "wrong").now_or_never(), None);
    assert_eq!(passwords.turns.free(), all - 1);
}

#[tokio::test]
async fn refusals_take_as_long_whether_a_name_is_known_or_not() {
    let slow = BCRYPT.replace("$05$", "$09$");
    let passwords = Passwords::parse(&format!("cheap:{BCRYPT}\nslow:{slow}")).unwrap();
    let period = passwords.users().pace().end(Instant::now(), Instant::now()) - Instant::now();
    for name in ["cheap", "slow", "unknown", "unheard", "none"] {
        let began = Instant::now();
        let verdict = passwords.verify(client, name, "wrong").await;
        assert_eq!(verdict, Verdict::Wrong, "{name}");
        // Never sooner than that; later where the machine is busy.
        assert!(began.elapsed() >= period.mul_f64(0.9), "{name}");
    }
    // The right password of a cheap hash waits for nothing but its check.
    assert_eq!(
        passwords.verify(client, "cheap", "U*U").await,
        Verdict::Right
    );
}

#[tokio::test]
async fn unknown_names_cost_what_some_user_costs_and_always_the_same() {
    let lines: Vec<String> = (0..20).map(|user| format!("u{user}:{BCRYPT}")).collect();
    let passwords = Passwords::parse(&lines.join("\n")).unwrap();
    let users = passwords.users();
    let chosen = |name: &str| passwords.verified.number(name, users.len());
    let names: Vec<String> = (0..200)
        .map(|number| format!("without_users{number}"))
        .collect();
    let numbers: Vec<usize> = names.iter().map(|name| chosen(name)).collect();
    assert!(numbers.iter().all(|number| *number < users.len()));
    assert!(numbers.iter().any(|number| *number != numbers[0]));
    let again: Vec<usize> = names.iter().map(|name| chosen(name)).collect();
    assert_eq!(numbers, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_passwords_delays_others_by_the_running_checks_only() {
    let slow = BCRYPT.replace("$05$", "$08$");
    let passwords = Passwords::parse(&format!("known:{slow}\njd:{BCRYPT}")).unwrap();
    let passwords = Arc::new(passwords);
    let flood: Vec<_> = (0..300)
        .map(|number| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move {
                let password = format!("wrong{number}");
                passwords.verify(client, "known", &password).await
            })
        })
        .collect();
    while passwords.turns.free() > 0 {
        tokio::task::yield_now().await;
    }
    let verdict = passwords.verify(client, "jd", "U*U").await;
    assert_eq!(verdict, Verdict::Right);
    let waiting = flood.iter().filter(|wrong| !wrong.is_finished()).count();
    assert!(waiting > 200, "it did not wait for them: {waiting}");
    for wrong in flood {
        wrong.abort();
    }
}

#[tokio::test]
async fn requests_with_the_same_credentials_share_a_check() {
    let passwords = Passwords::parse(&format!("jd:{}", BCRYPT.replace("$05$", "$06$"))).unwrap();
    let checks = AtomicUsize::new(0);
    let digest = [0; 32];
    let verdicts = (0..50).map(|_| {
        passwords.verified.once("client", &digest, async {
            checks.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Verdict::Right
        })
    });
    let verdicts = futures::future::join_all(verdicts).await;
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Right));
    assert_eq!(checks.load(Ordering::Relaxed), 1);
    // What is over is not remembered here.
    let later = passwords
        .verified
        .once("client", &digest, async { Verdict::Wrong });
    assert_eq!(later.await, Verdict::Wrong);
}

#[tokio::test]
async fn a_check_that_panics_is_no_wrong_password() {
    let check = spawn_blocking(|| panic!("a test"));
    assert_eq!(verdict_of(check).await, Verdict::Failed);
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
        "user `a` occurs twice",
    );
}

#[test]
fn nothing_of_a_hash_is_shown() {
    let passwords = Passwords::parse(&format!("jd:{BCRYPT}")).unwrap();
    let shown = format!("{passwords:?} {:?}", Hash::parse(BCRYPT).unwrap());
    assert!(!shown.contains("CCC"), "{shown}");
}
