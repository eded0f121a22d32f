//! Streams: the span ends with the stream, and the status comes from the trailers.

use futures_util::StreamExt as _;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use telemetry::testing;
use tonic::Code;

use crate::notes::{NotesClient, text};

const WATCH: &str = "test.Notes/Watch";

fn finished_here(kind: &SpanKind) -> Vec<SpanData> {
    let mut spans = testing::finished_spans();
    spans.retain(|span| {
        span.span_kind == *kind
            && Some(span.span_context.trace_id().to_string()) == telemetry::current_trace_id()
    });
    spans
}

#[tokio::test]
async fn the_spans_last_until_the_stream_ends() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", async {
        let mut notes = client.watch("event").await.unwrap();
        assert_eq!(notes.message().await.unwrap().unwrap().text, "one");
        assert!(finished_here(&SpanKind::Client).is_empty());
        let mut read = 1;
        while let Some(note) = notes.next().await {
            note.unwrap();
            read += 1;
        }
        assert_eq!(finished_here(&SpanKind::Client).len(), 1);
        read
    })
    .await;

    assert_eq!(recorded.result, 3);
    assert_eq!(
        recorded.shape(),
        "test\n  test.Notes/Watch CLIENT\n    test.Notes/Watch SERVER (price changed)\n"
    );
    for span in recorded.spans_named(WATCH) {
        assert_eq!(
            text(span, "rpc.response.status_code").as_deref(),
            Some("OK")
        );
        assert_eq!(span.status, Status::Unset);
    }
}

#[tokio::test]
async fn a_stream_that_fails_in_its_trailers_is_an_error_on_both_sides() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", async {
        let notes = client.watch("fail").await.unwrap();
        notes.collect::<Vec<_>>().await
    })
    .await;

    let last = recorded.result.last().unwrap();
    assert_eq!(last.as_ref().unwrap_err().code(), Code::Internal);
    assert_eq!(
        recorded.shape(),
        "test\n  test.Notes/Watch CLIENT [error: INTERNAL]\n    test.Notes/Watch SERVER [error: INTERNAL]\n"
    );
}

#[tokio::test]
async fn a_stream_that_its_client_drops_is_cancelled() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", async {
        let mut notes = client.watch("wait").await.unwrap();
        notes.message().await.unwrap();
        drop(notes);
    })
    .await;

    for span in recorded.spans_named(WATCH) {
        assert_eq!(
            text(span, "rpc.response.status_code").as_deref(),
            Some("CANCELLED")
        );
        // For the client a call that did not end is an error, for the server it is not.
        let is_client = span.span_kind == SpanKind::Client;
        assert_eq!(testing::is_error(span), is_client);
    }
    assert_eq!(recorded.spans_named(WATCH).count(), 2);
}
