//! How the processor's network behaves, changeable while the sandbox runs: `GET`, `PUT` and
//! `DELETE /sandbox/faults`.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::State;
use contracts::{error_code::ErrorCode, problem::Problem};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use service::Json;

use crate::Config;

/// Longer than any caller waits.
const MAX_LATENCY_MS: u64 = 60_000;

/// The resources that can be slow or fail, each by its own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Charges,
    Risk,
}

/// The settings as `GET /sandbox/faults` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Settings {
    /// How long a charge takes, give or take a tenth.
    latency_ms: u64,
    /// How long a risk assessment takes, give or take a tenth.
    risk_latency_ms: u64,
    /// The share of charges that fail before they reach the processor, 0 to 1.
    charge_failure_ratio: f64,
    /// The share of risk assessments that fail, 0 to 1.
    risk_failure_ratio: f64,
    /// So many charges fail from now on; counts down.
    fail_next: u32,
    /// So many risk assessments fail from now on; counts down.
    risk_fail_next: u32,
}

/// The body of `PUT /sandbox/faults`: what is left out is as it was at the start.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Change {
    latency_ms: Option<u64>,
    risk_latency_ms: Option<u64>,
    charge_failure_ratio: Option<f64>,
    risk_failure_ratio: Option<f64>,
    fail_next: Option<u32>,
    risk_fail_next: Option<u32>,
}

/// Why a change is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidChange {
    #[error("{0} must be {MAX_LATENCY_MS} at most")]
    Latency(&'static str),
    #[error("{0} must be a number from 0 to 1")]
    Ratio(&'static str),
}

/// The settings in force.
#[derive(Debug)]
pub(crate) struct Faults {
    at_start: Settings,
    now: Mutex<Settings>,
}

impl Faults {
    pub(crate) fn new(config: &Config) -> Self {
        let at_start = Settings {
            latency_ms: in_millis(config.latency),
            risk_latency_ms: in_millis(config.risk_latency),
            charge_failure_ratio: 0.0,
            risk_failure_ratio: 0.0,
            fail_next: 0,
            risk_fail_next: 0,
        };
        Self {
            at_start,
            now: Mutex::new(at_start),
        }
    }

    pub(crate) fn latency(&self, resource: Resource) -> Duration {
        let now = self.lock();
        Duration::from_millis(match resource {
            Resource::Charges => now.latency_ms,
            Resource::Risk => now.risk_latency_ms,
        })
    }

    /// Whether the next request of this resource fails; uses up one of `fail_next`.
    pub(crate) fn next_fails(&self, resource: Resource) -> bool {
        let mut now = self.lock();
        let (fail_next, ratio) = match resource {
            Resource::Charges => {
                let ratio = now.charge_failure_ratio;
                (&mut now.fail_next, ratio)
            }
            Resource::Risk => {
                let ratio = now.risk_failure_ratio;
                (&mut now.risk_fail_next, ratio)
            }
        };
        if *fail_next > 0 {
            *fail_next -= 1;
            return true;
        }
        rand::rng().random_bool(ratio)
    }

    fn replace(&self, change: &Change) -> Result<Settings, InvalidChange> {
        let latency = |name, wanted: Option<u64>, at_start| match wanted {
            Some(wanted) if wanted > MAX_LATENCY_MS => Err(InvalidChange::Latency(name)),
            wanted => Ok(wanted.unwrap_or(at_start)),
        };
        let ratio = |name, wanted: Option<f64>| match wanted {
            Some(wanted) if !(0.0..=1.0).contains(&wanted) => Err(InvalidChange::Ratio(name)),
            wanted => Ok(wanted.unwrap_or_default()),
        };
        let settings = Settings {
            latency_ms: latency("latency_ms", change.latency_ms, self.at_start.latency_ms)?,
            risk_latency_ms: latency(
                "risk_latency_ms",
                change.risk_latency_ms,
                self.at_start.risk_latency_ms,
            )?,
            charge_failure_ratio: ratio("charge_failure_ratio", change.charge_failure_ratio)?,
            risk_failure_ratio: ratio("risk_failure_ratio", change.risk_failure_ratio)?,
            fail_next: change.fail_next.unwrap_or_default(),
            risk_fail_next: change.risk_fail_next.unwrap_or_default(),
        };
        *self.lock() = settings;
        Ok(settings)
    }

    fn reset(&self) -> Settings {
        *self.lock() = self.at_start;
        self.at_start
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        // Settings are written in one go: a panic elsewhere leaves none half written.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `GET /sandbox/faults`.
pub(crate) async fn show(State(state): State<crate::State>) -> Json<Settings> {
    Json(*state.network.faults().lock())
}

/// `PUT /sandbox/faults`.
pub(crate) async fn replace(
    State(state): State<crate::State>,
    Json(change): Json<Change>,
) -> Result<Json<Settings>, Problem> {
    let settings = state
        .network
        .faults()
        .replace(&change)
        .map_err(|error| service::problem(ErrorCode::InvalidRequest, error.to_string()))?;
    tracing::info!(?settings, "faults changed");
    Ok(Json(settings))
}

/// `DELETE /sandbox/faults`.
pub(crate) async fn reset(State(state): State<crate::State>) -> Json<Settings> {
    tracing::info!("faults reset");
    Json(state.network.faults().reset())
}
