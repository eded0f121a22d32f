//! The runner behind `cargo shop`: starts the whole shop natively, watches it, and leaves
//! nothing behind.
//!
//! [`Stack`] is the centre: private Postgres and Redis, an SQS endpoint and a trace store in
//! this process, the five services as child processes. The command line and the end-to-end
//! tests use the same one.

pub mod control;
pub mod demo;
pub mod doctor;
pub mod stack;
pub mod state;

pub mod database;
pub mod seed;
pub mod services;

pub mod postgres;
pub mod redis;
pub mod sqs;

pub mod install;
pub mod ports;
pub mod process;
pub mod programs;
pub mod progress;
pub mod run_folder;
pub mod workspace;

mod pid;
mod watchdog;

pub use process::PartFailed;
pub use services::Service;
pub use stack::{Stack, StackOptions};
