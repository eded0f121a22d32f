use std::{cell::RefCell, time::Duration};

use opentelemetry::Context;

use super::{Retry, current_attempt};

#[derive(Debug, PartialEq)]
enum Trouble {
    Busy,
    Refused,
}

/// Real pauses, but too short to notice.
fn brief(max_attempts: u32) -> Retry {
    Retry::new(max_attempts).base_delay(Duration::from_micros(100))
}

#[tokio::test]
async fn every_attempt_sees_its_number_and_the_last_result_is_returned() {
    let seen = RefCell::new(Vec::new());
    let result: Result<(), _> = brief(3)
        .run(
            || async {
                seen.borrow_mut().push(current_attempt(&Context::current()));
                Err(Trouble::Busy)
            },
            |error| *error == Trouble::Busy,
        )
        .await;
    assert_eq!(result, Err(Trouble::Busy));
    assert_eq!(*seen.borrow(), [Some(0), Some(1), Some(2)]);
    assert_eq!(current_attempt(&Context::current()), None);
}

#[tokio::test]
async fn success_ends_the_attempts() {
    let result: Result<_, Trouble> = brief(5)
        .run(
            || async {
                match current_attempt(&Context::current()) {
                    Some(2) => Ok("done"),
                    _ => Err(Trouble::Busy),
                }
            },
            |_| true,
        )
        .await;
    assert_eq!(result, Ok("done"));
}

#[tokio::test]
async fn an_error_that_is_not_retryable_is_returned_at_once() {
    let calls = RefCell::new(0);
    let result: Result<(), _> = brief(5)
        .run(
            || async {
                *calls.borrow_mut() += 1;
                Err(Trouble::Refused)
            },
            |error| *error == Trouble::Busy,
        )
        .await;
    assert_eq!(result, Err(Trouble::Refused));
    assert_eq!(calls.into_inner(), 1);
}

#[tokio::test]
async fn zero_attempts_still_try_once() {
    let result: Result<_, Trouble> = Retry::new(0).run(|| async { Ok(7) }, |_| true).await;
    assert_eq!(result, Ok(7));
}

#[test]
fn a_pause_never_exceeds_the_doubled_base_nor_the_maximum() {
    let retry = Retry::new(9)
        .base_delay(Duration::from_millis(10))
        .max_delay(Duration::from_millis(35));
    for attempt in 0..64 {
        let bound = Duration::from_millis(35.min(10 << attempt.min(3)));
        for _ in 0..20 {
            assert!(retry.pause(attempt) <= bound);
        }
    }
}

#[tokio::test]
async fn a_deadline_outside_stops_the_attempts() {
    let calls = RefCell::new(0);
    let endless = Retry::new(u32::MAX).base_delay(Duration::from_secs(1)).run(
        || async {
            *calls.borrow_mut() += 1;
            std::future::pending::<Result<(), Trouble>>().await
        },
        |_| true,
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(20), endless)
            .await
            .is_err()
    );
    assert_eq!(calls.into_inner(), 1);
}
