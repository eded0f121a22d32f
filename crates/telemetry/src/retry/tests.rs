use std::{cell::RefCell, time::Duration};

use opentelemetry::Context;
use tokio::time::Instant;

use super::{Retry, current_attempt};

#[derive(Debug, PartialEq)]
enum Trouble {
    Busy,
    Refused,
}

#[tokio::test(start_paused = true)]
async fn every_attempt_sees_its_number_and_the_last_result_is_returned() {
    let seen = RefCell::new(Vec::new());
    let result: Result<(), _> = Retry::new(3)
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

#[tokio::test(start_paused = true)]
async fn success_ends_the_attempts() {
    let result: Result<_, Trouble> = Retry::new(5)
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

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_retryable_is_returned_at_once() {
    let calls = RefCell::new(0);
    let result: Result<(), _> = Retry::new(5)
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

#[tokio::test(start_paused = true)]
async fn zero_attempts_still_try_once() {
    let result: Result<_, Trouble> = Retry::new(0).run(|| async { Ok(7) }, |_| true).await;
    assert_eq!(result, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn the_pauses_together_stay_below_their_bounds() {
    let started = Instant::now();
    let _: Result<(), _> = Retry::new(4)
        .base_delay(Duration::from_millis(100))
        .max_delay(Duration::from_millis(150))
        .run(|| async { Err(Trouble::Busy) }, |_| true)
        .await;
    assert!(started.elapsed() <= Duration::from_millis(100 + 150 + 150 + 5));
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

#[tokio::test(start_paused = true)]
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
        tokio::time::timeout(Duration::from_secs(3), endless)
            .await
            .is_err()
    );
    assert_eq!(calls.into_inner(), 1);
}
