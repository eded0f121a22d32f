//! Runs a scenario in a process of its own: `telemetry::init` can be called once per
//! process, reads the real environment, and the end of `main` is part of what is tested.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use super::receiver::Receiver;

/// The variable that tells the child what to do.
pub(crate) const SCENARIO: &str = "TELEMETRY_TEST_SCENARIO";

/// No scenario may take longer, whatever the collector does.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) output: Output,
    pub(crate) took: Duration,
}

impl Ended {
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert!(self.output.status.success(), "{}", self.stderr());
    }
}

/// Runs `scenario` against `receiver`.
pub(crate) async fn run(scenario: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> Ended {
    run_against(scenario, &receiver.endpoint(), variables).await
}

/// Runs `scenario` with `endpoint` as its collector: this test binary once more, with
/// only its test `child`.
pub(crate) async fn run_against(
    scenario: &str,
    endpoint: &str,
    variables: &[(&str, &str)],
) -> Ended {
    let started = Instant::now();
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env_remove("RUST_LOG")
        .env(SCENARIO, scenario)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .envs(variables.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, child)
        .await
        .expect("the scenario ends within its bound")
        .unwrap();
    Ended {
        output,
        took: started.elapsed(),
    }
}
