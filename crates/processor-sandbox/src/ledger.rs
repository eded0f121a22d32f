//! What the processor charged, the newest last: `GET /sandbox/charges?order_id=…` shows whether
//! an order was charged once.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};

use crate::charges::Charge;

/// Older charges are forgotten.
const MAX_CHARGES: usize = 10_000;

#[derive(Default)]
pub(crate) struct Ledger {
    charges: Mutex<VecDeque<Charge>>,
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    order_id: Option<String>,
}

/// The processor's shape of a list.
#[derive(Serialize)]
pub(crate) struct List {
    object: &'static str,
    data: Vec<Charge>,
}

impl Ledger {
    pub(crate) fn keep(&self, charge: Charge) {
        let mut charges = self.charges.lock().unwrap_or_else(PoisonError::into_inner);
        if charges.len() == MAX_CHARGES {
            charges.pop_front();
        }
        charges.push_back(charge);
    }

    fn of_order(&self, order_id: Option<&str>) -> Vec<Charge> {
        let charges = self.charges.lock().unwrap_or_else(PoisonError::into_inner);
        charges
            .iter()
            .filter(|charge| order_id.is_none() || charge.order_id() == order_id)
            .cloned()
            .collect()
    }
}

/// `GET /sandbox/charges`.
pub(crate) async fn list(
    State(state): State<crate::State>,
    Query(filter): Query<Filter>,
) -> Json<List> {
    Json(List {
        object: "list",
        data: state.ledger.of_order(filter.order_id.as_deref()),
    })
}
