//! Postgres: the ledger of stock, and the reservations against it. Locks are taken in one order
//! by everybody: items by name, then the reservation, then its lines.

mod ledger;
mod reservations;

use contracts::ids::Sku;

pub(crate) use ledger::{find_held, find_stock, insert_movements, lock_items};
pub(crate) use reservations::{
    Answer, Hold, ReservationState, expire_reservations, find_reservation, insert_reservation,
    lock_reservation, release_reservation,
};

fn texts(skus: &[Sku]) -> Vec<String> {
    skus.iter().map(Sku::to_string).collect()
}

/// An item's name, which was checked before it was stored.
fn read_sku(text: String) -> Result<Sku, sqlx::Error> {
    Sku::try_from(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
