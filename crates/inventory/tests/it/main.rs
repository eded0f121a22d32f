//! Inventory on real Postgres and Redis, with pricing and an SQS endpoint beside it.

mod support;

mod availability;
mod commit;
mod contention;
mod door;
mod expire;
mod ledger;
mod price_change;
mod release;
mod reserve;
mod trace;
