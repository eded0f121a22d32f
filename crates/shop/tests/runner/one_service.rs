//! One service of a running stack stops and starts, and the rest does not notice; the socket
//! that asks for it takes no harm from anybody.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use shop::control::{self, Control, Request};
use shop::stack::PartEnded;
use shop::state::RunningStack;
use shop::{Service, Stack, StackOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::LIMIT;
use super::world::send;

/// A stack whose socket is open while `story` is told.
async fn with_control(story: impl AsyncFnOnce(&Stack, &RunningStack)) {
    let stack = Stack::start(StackOptions::for_tests().unwrap())
        .await
        .unwrap();
    let control = Control::open(&stack).unwrap();
    let mut description = stack.describe();
    description.control = Some(control.path().to_path_buf());
    tokio::select! {
        () = story(&stack, &description) => {}
        never = control.serve(&stack, |_| {}) => match never {},
    }
    stack.stop().await.unwrap();
}

async fn next_end(stack: &Stack) -> PartEnded {
    timeout(LIMIT, stack.ended()).await.unwrap()
}

async fn refused(stack: &RunningStack, request: Request) -> String {
    control::ask(stack, request).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_service_stops_and_starts_where_it_was_while_the_rest_goes_on() {
    with_control(async |stack, description| {
        let (stop, start) = (
            Request::Stop(Service::Inventory),
            Request::Start(Service::Inventory),
        );
        let first = stack.pid(Service::Inventory).unwrap();
        let orders = stack.pid(Service::Orders);
        let said = refused(description, start).await;
        assert!(said.contains(&format!("as process {first}")), "{said}");

        let said = control::ask(description, stop).await.unwrap();
        assert!(said.starts_with("inventory was stopped; the rest goes on"));
        assert!(!super::is_running(first));
        let said = refused(description, stop).await;
        assert!(said.contains("is stopped already"), "{said}");

        let said = control::ask(description, start).await.unwrap();
        assert!(said.ends_with(&description.inventory_url), "{said}");
        assert_ne!(stack.pid(Service::Inventory), Some(first));
        assert_eq!(stack.pid(Service::Orders), orders);
        // Whoever asked for the end is not told of it as a surprise.
        let surprise = timeout(Duration::ZERO, stack.ended()).await;
        assert!(surprise.is_err(), "{surprise:?}");
    })
    .await;
}

#[tokio::test]
async fn an_orderly_end_from_outside_is_a_stop_and_a_crash_is_a_failure() {
    with_control(async |stack, description| {
        send(stack.pid(Service::Pricing).unwrap(), Signal::SIGTERM);
        let ended = next_end(stack).await;
        assert!(matches!(ended, PartEnded::Stopped(Service::Pricing)));
        let said = refused(description, Request::Stop(Service::Pricing)).await;
        assert!(said.contains("is stopped already"), "{said}");
        control::ask(description, Request::Start(Service::Pricing))
            .await
            .unwrap();

        send(stack.pid(Service::Pricing).unwrap(), Signal::SIGKILL);
        let PartEnded::Failed(failure) = next_end(stack).await else {
            panic!("a killed service was not stopped in order");
        };
        assert_eq!(failure.part, "pricing");
        assert!(failure.status.contains("SIGKILL"), "{}", failure.status);
    })
    .await;
}

#[tokio::test]
async fn of_two_that_ask_at_once_one_is_served() {
    with_control(async |_, description| {
        let stop = Request::Stop(Service::Orders);
        let both = [0; 2].map(|_| control::ask(description, stop));
        let answers = join_all(both).await;
        let served = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(served, 1, "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn nonsense_and_silence_on_the_socket_hold_up_nobody() {
    with_control(async |stack, description| {
        let path = description.control.as_ref().unwrap();
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(UnixStream::connect(path).await.unwrap());
        }
        let endless = vec![b'x'; 1024 * 1024];
        for nonsense in [
            b"\n".as_slice(),
            b"stop\n",
            b"stop postgres\n",
            b"stop inventory; stop orders\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\0\xff\xfe\n",
            &endless,
        ] {
            let mut stream = UnixStream::connect(path).await.unwrap();
            // The other end may hang up before it has read everything.
            let _ = stream.write_all(nonsense).await;
            let mut answer = Vec::new();
            let _ = timeout(LIMIT, stream.read_to_end(&mut answer))
                .await
                .unwrap();
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with(r#"{"refused":"#), "{answer}");
            assert_eq!(answer.lines().count(), 1);
        }
        for service in Service::ALL {
            assert!(stack.pid(service).is_some(), "{service}");
        }

        // The silent ones are still there when somebody asks properly.
        let asked = Instant::now();
        let said = refused(description, Request::Start(Service::Orders)).await;
        assert!(said.contains("runs already"), "{said}");
        assert!(asked.elapsed() < LIMIT);
        for mut stream in silent {
            let mut answer = Vec::new();
            let read = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
            read.unwrap().unwrap();
            assert!(String::from_utf8_lossy(&answer).contains("no request came"));
        }
    })
    .await;
}
