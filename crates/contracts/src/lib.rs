//! What the services of the shop say to each other: ids, money, wire types, protos and error
//! codes. No logic beyond checking a value where it enters, and no IO.

pub mod error_code;
pub mod events;
pub mod ids;
pub mod inventory;
pub mod money;
pub mod orders;
pub mod problem;
pub mod tenant;

/// gRPC contract of pricing, generated from `proto/pricing.proto`.
#[allow(
    clippy::all,
    clippy::doc_markdown,
    clippy::use_self,
    unused_qualifications,
    unreachable_pub,
    reason = "generated code"
)]
pub mod pricing {
    tonic::include_proto!("pricing.v1");
}

/// gRPC contract of payment, generated from `proto/payment.proto`.
#[allow(
    clippy::all,
    clippy::doc_markdown,
    clippy::use_self,
    unused_qualifications,
    unreachable_pub,
    reason = "generated code"
)]
pub mod payment {
    tonic::include_proto!("payment.v1");
}
