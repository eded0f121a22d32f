use super::*;

fn shell(name: &str, script: &str) -> Program {
    let mut program = Program::new(name, "/bin/sh");
    program.args = vec!["-c".to_owned(), script.to_owned()];
    program
}

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_part_that_dies_is_reported_with_its_last_log_lines() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let (failures, mut failed) = mpsc::unbounded_channel();
    let script = "for i in $(seq 1 40); do echo line $i >&2; done; exit 3";
    let mut process = Process::start(&shell("pricing", script), &folder).unwrap();
    process.report_to(failures);
    let failure = tokio::time::timeout(LIMIT, failed.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(failure.part, "pricing");
    assert_eq!(failure.status, "exit status: 3");
    assert_eq!(failure.last_lines.len(), 20);
    assert_eq!(failure.last_lines.first().unwrap(), "line 21");
    assert_eq!(failure.last_lines.last().unwrap(), "line 40");
    let text = failure.to_string();
    assert!(text.starts_with("pricing stopped unexpectedly (exit status: 3); the last lines"));
    process.ended().await;
    drop(process);
    folder.close().await.unwrap();
}

#[tokio::test]
async fn a_part_that_was_stopped_is_not_a_failure() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let (failures, mut failed) = mpsc::unbounded_channel();
    let mut process = Process::start(&shell("orders", "exec sleep 60"), &folder).unwrap();
    process.report_to(failures);
    assert_eq!(process.stop(LIMIT).await, Stopped::Orderly);
    // The sender went with the process, and nothing was sent.
    assert!(
        tokio::time::timeout(LIMIT, failed.recv())
            .await
            .unwrap()
            .is_none()
    );
    drop(process);
    folder.close().await.unwrap();
}

#[tokio::test]
async fn a_part_that_does_not_obey_is_killed() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let mut program = shell(
        "stubborn",
        "trap '' TERM; echo listening on 127.0.0.1:1; while :; do sleep 0.1; done",
    );
    program.announces = true;
    let mut process = Process::start(&program, &folder).unwrap();
    process.announced_address(LIMIT).await.unwrap();
    assert_eq!(
        process.stop(Duration::from_millis(200)).await,
        Stopped::Killed
    );
    assert!(process.has_ended());
    drop(process);
    folder.close().await.unwrap();
}

#[tokio::test]
async fn the_announced_address_is_read_and_the_rest_goes_to_the_log() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let mut program = shell(
        "orders",
        "echo listening on 127.0.0.1:4711; echo more; echo on stderr >&2",
    );
    program.announces = true;
    let mut process = Process::start(&program, &folder).unwrap();
    let address = process.announced_address(LIMIT).await.unwrap();
    assert_eq!(address.to_string(), "127.0.0.1:4711");
    process.ended().await;
    assert!(last_lines(process.log(), 20).contains(&"on stderr".to_owned()));
    drop(process);
    folder.close().await.unwrap();
}

#[tokio::test]
async fn a_part_that_ends_before_it_listens_says_why() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let mut program = shell("payment", "echo cannot bind >&2; exit 1");
    program.announces = true;
    let mut process = Process::start(&program, &folder).unwrap();
    let error = process.announced_address(LIMIT).await.unwrap_err();
    assert!(error.to_string().contains("cannot bind"), "{error}");
    drop(process);
    folder.close().await.unwrap();
}

#[tokio::test]
async fn hidden_variables_do_not_reach_the_child() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    // PATH stands for any variable of this process.
    let mut program = shell(
        "env",
        "echo listening on 127.0.0.1:${MADE_UP}; /usr/bin/env >&2",
    );
    program.announces = true;
    program.hidden_env = &["CARGO_"];
    program.env = vec![("MADE_UP".to_owned(), "99".to_owned())];
    let mut process = Process::start(&program, &folder).unwrap();
    assert_eq!(process.announced_address(LIMIT).await.unwrap().port(), 99);
    process.ended().await;
    let log = std::fs::read_to_string(process.log()).unwrap();
    assert!(log.contains("MADE_UP=99"));
    assert!(!log.contains("CARGO_MANIFEST_DIR="));
    drop(process);
    folder.close().await.unwrap();
}

#[test]
fn only_the_announcement_is_an_address() {
    assert!(parse_announcement("listening on 127.0.0.1:80").is_some());
    assert!(parse_announcement("listening on somewhere").is_none());
    assert!(parse_announcement("127.0.0.1:80").is_none());
}
