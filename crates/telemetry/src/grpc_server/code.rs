//! gRPC status codes: how they arrive, what they are called, and which are errors for whom.

use http::{HeaderMap, StatusCode};
use tonic::Code;

const GRPC_STATUS: &str = "grpc-status";

/// `rpc.response.status_code` as the conventions spell it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether a code is the server's fault. The other codes tell the caller something.
pub(crate) fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The code in headers or trailers, if it stands there.
pub(crate) fn in_headers(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// The code of an answer that is not gRPC at all, such as that of a proxy.
///
/// Source: <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
pub(crate) fn of_http(status: StatusCode) -> Option<Code> {
    match status {
        StatusCode::OK => None,
        StatusCode::BAD_REQUEST => Some(Code::Internal),
        StatusCode::UNAUTHORIZED => Some(Code::Unauthenticated),
        StatusCode::FORBIDDEN => Some(Code::PermissionDenied),
        StatusCode::NOT_FOUND => Some(Code::Unimplemented),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Some(Code::Unavailable),
        _ => Some(Code::Unknown),
    }
}

/// The code seen so far in one call. A trailer outweighs the head of the answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeenCode(Option<Code>);

impl SeenCode {
    pub(crate) fn head(&mut self, head: &http::response::Parts) {
        self.0 = in_headers(&head.headers).or_else(|| of_http(head.status));
    }

    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.0 = in_headers(trailers).or(self.0);
    }

    pub(crate) fn get(self) -> Option<Code> {
        self.0
    }

    /// The code of a call whose answer came to its end. A server that ends a stream without
    /// a status has not said that it went well.
    pub(crate) fn at_end(self) -> Code {
        self.0.unwrap_or(Code::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_codes_are_the_servers_fault() {
        let faults: Vec<&str> = (0..=16)
            .map(Code::from_i32)
            .filter(|code| is_server_error(*code))
            .map(name)
            .collect();

        assert_eq!(
            faults,
            [
                "UNKNOWN",
                "DEADLINE_EXCEEDED",
                "UNIMPLEMENTED",
                "INTERNAL",
                "UNAVAILABLE",
                "DATA_LOSS"
            ]
        );
    }

    #[test]
    fn a_status_in_the_trailers_outweighs_the_head() {
        let mut seen = SeenCode::default();
        let mut trailers = HeaderMap::new();
        trailers.insert(GRPC_STATUS, http::HeaderValue::from_static("13"));
        let (head, ()) = http::Response::new(()).into_parts();

        seen.head(&head);
        assert_eq!(seen.get(), None);
        seen.trailers(&trailers);

        assert_eq!(seen.at_end(), Code::Internal);
    }

    #[test]
    fn a_stream_without_a_status_is_unknown() {
        assert_eq!(SeenCode::default().at_end(), Code::Unknown);
    }
}
