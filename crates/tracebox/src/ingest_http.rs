//! OTLP over HTTP: protobuf and JSON, plain or gzip. Answers and errors come in the
//! encoding of the request, errors as `google.rpc.Status`.

use std::error::Error as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::json;
use tower_http::decompression::RequestDecompressionLayer;

use crate::ingest_grpc::{answer, data_points, log_records};
use crate::otlp_json;
use crate::store::Store;

pub(crate) fn router(store: &Arc<Store>, max_request: usize) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .route("/v1/metrics", post(metrics))
        // What it cannot decompress is refused below, in the request's own encoding.
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
        .with_state(Receiver {
            store: Arc::clone(store),
            max_request,
        })
}

#[derive(Clone)]
struct Receiver {
    store: Arc<Store>,
    max_request: usize,
}

async fn traces(State(receiver): State<Receiver>, request: Request) -> Result<Response, Failure> {
    let (encoding, body) = receiver.read(request).await?;
    let request = receiver.decoded(match encoding {
        Encoding::Protobuf => protobuf::<ExportTraceServiceRequest>(body),
        Encoding::Json => otlp_json::traces(&body).map_err(|error| malformed(encoding, &error)),
    })?;
    let answer = answer(receiver.store.ingest(request));
    Ok(match encoding {
        Encoding::Protobuf => encoding.respond(StatusCode::OK, answer.encode_to_vec()),
        Encoding::Json => {
            let json = match answer.partial_success {
                None => json!({}),
                Some(partial) => json!({"partialSuccess": {
                    "rejectedSpans": partial.rejected_spans.to_string(),
                    "errorMessage": partial.error_message,
                }}),
            };
            encoding.respond(StatusCode::OK, json.to_string().into_bytes())
        }
    })
}

async fn logs(State(receiver): State<Receiver>, request: Request) -> Result<Response, Failure> {
    let (encoding, body) = receiver.read(request).await?;
    let count = receiver.decoded(match encoding {
        Encoding::Protobuf => protobuf(body).map(|r: ExportLogsServiceRequest| log_records(&r)),
        Encoding::Json => otlp_json::log_records(&body).map_err(|e| malformed(encoding, &e)),
    })?;
    receiver.store.counters.log_records(count);
    Ok(encoding.accepted(&ExportLogsServiceResponse::default()))
}

async fn metrics(State(receiver): State<Receiver>, request: Request) -> Result<Response, Failure> {
    let (encoding, body) = receiver.read(request).await?;
    let count = receiver.decoded(match encoding {
        Encoding::Protobuf => protobuf(body).map(|r: ExportMetricsServiceRequest| data_points(&r)),
        Encoding::Json => otlp_json::data_points(&body).map_err(|e| malformed(encoding, &e)),
    })?;
    receiver.store.counters.data_points(count);
    Ok(encoding.accepted(&ExportMetricsServiceResponse::default()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn respond(self, status: StatusCode, body: Vec<u8>) -> Response {
        let content_type = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
    }

    fn accepted(self, answer: &impl Message) -> Response {
        match self {
            Self::Protobuf => self.respond(StatusCode::OK, answer.encode_to_vec()),
            Self::Json => self.respond(StatusCode::OK, b"{}".to_vec()),
        }
    }
}

/// An export that could not be read. Retrying it would not help, and the status says so.
struct Failure {
    encoding: Encoding,
    status: StatusCode,
    message: String,
}

/// `google.rpc.Status`, as far as OTLP uses it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = match self.status {
            StatusCode::PAYLOAD_TOO_LARGE => tonic::Code::ResourceExhausted,
            _ => tonic::Code::InvalidArgument,
        };
        let code = code as i32;
        let body = match self.encoding {
            Encoding::Protobuf => RpcStatus {
                code,
                message: self.message,
            }
            .encode_to_vec(),
            Encoding::Json => json!({"code": code, "message": self.message})
                .to_string()
                .into_bytes(),
        };
        self.encoding.respond(self.status, body)
    }
}

impl Receiver {
    async fn read(&self, request: Request) -> Result<(Encoding, Bytes), Failure> {
        let read = self.read_body(request).await;
        if read.is_err() {
            self.store.counters.malformed_request();
        }
        read
    }

    async fn read_body(&self, request: Request) -> Result<(Encoding, Bytes), Failure> {
        let (head, body) = request.into_parts();
        let Some(encoding) = Encoding::of(&head.headers) else {
            return Err(Failure {
                encoding: Encoding::Json,
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                message: "content-type must be application/x-protobuf or application/json"
                    .to_owned(),
            });
        };
        // The layer takes the header away where it decompresses.
        if let Some(unknown) = head.headers.get(header::CONTENT_ENCODING)
            && unknown != "identity"
        {
            return Err(Failure {
                encoding,
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                message: "content-encoding must be gzip or identity".to_owned(),
            });
        }
        let body = self.body(encoding, body).await?;
        Ok((encoding, body))
    }

    /// The limit counts decompressed bytes: a small body must not blow up.
    async fn body(&self, encoding: Encoding, body: Body) -> Result<Bytes, Failure> {
        let read = axum::body::to_bytes(body, self.max_request).await;
        read.map_err(|error| {
            if error.source().is_some_and(|s| s.is::<LengthLimitError>()) {
                Failure {
                    encoding,
                    status: StatusCode::PAYLOAD_TOO_LARGE,
                    message: format!("request is larger than {} bytes", self.max_request),
                }
            } else {
                malformed(encoding, &error)
            }
        })
    }

    fn decoded<T>(&self, decoded: Result<T, Failure>) -> Result<T, Failure> {
        if decoded.is_err() {
            self.store.counters.malformed_request();
        }
        decoded
    }
}

fn protobuf<M: Message + Default>(body: Bytes) -> Result<M, Failure> {
    M::decode(body).map_err(|error| malformed(Encoding::Protobuf, &error))
}

fn malformed(encoding: Encoding, error: &dyn std::error::Error) -> Failure {
    Failure {
        encoding,
        status: StatusCode::BAD_REQUEST,
        message: format!("cannot read the request: {error}"),
    }
}
