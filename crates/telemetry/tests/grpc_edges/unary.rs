//! Unary calls: names, attributes, and the status rules of both sides.

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use telemetry::testing::{self, Recorded};
use tonic::Code;

use crate::notes::{NotesClient, PATIENCE, channel, serve, text};

fn of_kind<'a, T>(recorded: &'a Recorded<T>, kind: &SpanKind) -> &'a SpanData {
    recorded
        .spans
        .iter()
        .find(|span| span.span_kind == *kind)
        .unwrap_or_else(|| panic!("no {kind:?} span in\n{}", recorded.shape()))
}

#[tokio::test]
async fn a_call_is_a_client_span_and_the_servers_span_is_its_child() {
    let address = serve().await;
    let mut client = NotesClient::new(channel(address, PATIENCE));

    let recorded = testing::trace("test", client.say("hello")).await;

    assert_eq!(recorded.result.as_deref().unwrap(), "hello");
    assert_eq!(
        recorded.shape(),
        "test\n  test.Notes/Say CLIENT\n    test.Notes/Say SERVER\n"
    );
    let port = address.port().to_string();
    for kind in [SpanKind::Client, SpanKind::Server] {
        let span = of_kind(&recorded, &kind);
        assert_eq!(span.status, Status::Unset);
        for (key, value) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "test.Notes/Say"),
            ("rpc.response.status_code", "OK"),
            ("server.address", "127.0.0.1"),
            ("server.port", &port),
        ] {
            assert_eq!(text(span, key).as_deref(), Some(value), "{kind:?} {key}");
        }
        assert_eq!(text(span, "error.type"), None);
        assert_eq!(text(span, "retry.attempt"), None);
    }
    let server = of_kind(&recorded, &SpanKind::Server);
    assert_eq!(
        text(server, "network.peer.address").as_deref(),
        Some("127.0.0.1")
    );
    assert_eq!(text(server, "client.address").as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn every_code_but_ok_is_an_error_of_the_client_and_six_are_of_the_server() {
    const SERVER_FAULTS: [&str; 6] = [
        "UNKNOWN",
        "DEADLINE_EXCEEDED",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
    ];
    let mut client = NotesClient::connected().await;

    for number in 0..=16 {
        let recorded = testing::trace("test", client.say(&format!("status:{number}"))).await;

        let client_span = of_kind(&recorded, &SpanKind::Client);
        let server_span = of_kind(&recorded, &SpanKind::Server);
        let code = text(client_span, "rpc.response.status_code").unwrap();
        assert_eq!(
            text(server_span, "rpc.response.status_code").as_ref(),
            Some(&code)
        );
        let fault = SERVER_FAULTS.contains(&code.as_str());
        assert_eq!(testing::is_error(client_span), number != 0, "{code}");
        assert_eq!(testing::is_error(server_span), fault, "{code}");
        assert_eq!(
            text(client_span, "error.type"),
            (number != 0).then(|| code.clone())
        );
        assert_eq!(text(server_span, "error.type"), fault.then_some(code));
    }
}

#[tokio::test]
async fn a_method_that_no_service_knows_never_names_a_server_span() {
    let mut client = NotesClient::connected().await;

    for path in ["/test.Notes/MadeUp", "/made.Up/Say"] {
        let recorded = testing::trace("test", client.unary(path, "")).await;

        let refused = recorded.result.as_ref().unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
        let server = recorded.span("_OTHER");
        assert_eq!(server.span_kind, SpanKind::Server);
        assert_eq!(text(server, "rpc.method").as_deref(), Some("_OTHER"));
        assert_eq!(text(server, "error.type").as_deref(), Some("UNIMPLEMENTED"));
    }
}

#[tokio::test]
async fn an_answer_without_a_status_is_unknown() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", client.unary("/test.Notes/Silent", "")).await;

    assert!(recorded.result.is_err());
    for kind in [SpanKind::Client, SpanKind::Server] {
        let span = of_kind(&recorded, &kind);
        assert!(testing::is_error(span));
        assert_eq!(
            text(span, "rpc.response.status_code").as_deref(),
            Some("UNKNOWN")
        );
    }
}
