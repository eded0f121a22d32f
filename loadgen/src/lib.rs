//! What people run against a stack: a checkout with its tree, and a trace by its id.

pub mod checkout;
pub mod history;
pub mod shop_client;
pub mod target;
pub mod tempo;
pub mod trace;
pub mod view;
