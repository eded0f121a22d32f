//! How the tenant travels between services. Orders learns it from the API key; behind orders
//! it is a header over HTTP and a field over gRPC and SQS. Baggage carries it too, for
//! telemetry only: no service decides anything by baggage.

/// The request header that names the tenant behind the edge.
pub const TENANT_HEADER: &str = "x-tenant-id";
