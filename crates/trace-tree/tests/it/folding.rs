//! What becomes one line and what stays apart.

use trace_tree::{
    Kind, TraceTree,
    render::{ShapeOptions, shape},
};

use crate::support::Trace;

const CLIENT: (Kind, &str, &str) = (Kind::Client, "a", "POST /b");
const SERVER: (Kind, &str, &str) = (Kind::Server, "b", "POST /b");

#[track_caller]
fn folds_to(trace: Trace, expected: &[&str]) {
    let tree: TraceTree = trace.tree();
    let options = ShapeOptions {
        folded: true,
        ..ShapeOptions::default()
    };
    assert_eq!(shape(&tree, options).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_pair_without_business_takes_the_servers_name() {
    let mut trace = Trace::default();
    trace.span("call", "", CLIENT, (0, 9));
    trace.span("entry", "call", (Kind::Server, "b", "POST /b/{id}"), (1, 8));
    trace.sql("entry", "b", "SELECT x", (2, 3));
    folds_to(
        trace,
        &["POST /b/{id}", "└── postgres.Query SELECT … FROM x"],
    );
}

#[test]
fn what_stands_beside_the_business_span_is_lifted_in_the_order_of_time() {
    let mut trace = Trace::default();
    trace.span("entry", "", SERVER, (0, 90));
    trace.sql("entry", "b", "SELECT tenants", (1, 5));
    trace
        .span(
            "pool",
            "entry",
            (Kind::Internal, "b", "pool.acquire"),
            (0, 1),
        )
        .attributes
        .insert("db.client.connection.pool.name", "main");
    trace.span("work", "entry", (Kind::Internal, "b", "work"), (10, 80));
    trace.sql("entry", "b", "UPDATE seen", (82, 85));
    trace.sql("work", "b", "INSERT things", (20, 30));
    folds_to(
        trace,
        &[
            "work",
            "├── pool.acquire",
            "├── postgres.Query SELECT … FROM tenants",
            "├── postgres.Exec INSERT INTO things",
            "└── postgres.Exec UPDATE seen",
        ],
    );
}

#[test]
fn two_business_spans_keep_the_servers_line() {
    let mut trace = Trace::default();
    trace.span("entry", "", SERVER, (0, 90));
    trace.span("one", "entry", (Kind::Internal, "b", "one"), (1, 5));
    trace.span("two", "entry", (Kind::Internal, "b", "two"), (6, 9));
    folds_to(trace, &["POST /b", "├── one", "└── two"]);
}

#[test]
fn a_call_with_several_answers_is_not_folded() {
    let mut trace = Trace::default();
    trace.span("call", "", CLIENT, (0, 9));
    trace.span("one", "call", SERVER, (1, 4));
    trace.span("two", "call", SERVER, (5, 8));
    folds_to(trace, &["POST /b", "├── POST /b", "└── POST /b"]);
}

#[test]
fn a_step_that_is_one_call_out_takes_its_status() {
    let mut trace = Trace::default();
    trace.span(
        "step",
        "",
        (Kind::Internal, "a", "stripe.ChargeCreate"),
        (0, 9),
    );
    trace
        .span(
            "post",
            "step",
            (Kind::Client, "a", "POST /v1/charges"),
            (1, 8),
        )
        .attributes
        .insert("http.response.status_code", 402);
    folds_to(trace, &["stripe.ChargeCreate 402"]);
}

#[test]
fn several_attempts_stay_visible() {
    let mut trace = Trace::default();
    trace.span("step", "", (Kind::Internal, "a", "fraud.check"), (0, 9));
    for attempt in 0..3_i64 {
        let start = attempt.unsigned_abs() * 3;
        let call = trace.span(
            &format!("post {attempt}"),
            "step",
            (Kind::Client, "a", "POST /v1/risk"),
            (start, start + 2),
        );
        call.attributes.insert("http.request.resend_count", attempt);
        if attempt < 2 {
            call.attributes.insert("http.response.status_code", 503);
        }
    }
    folds_to(
        trace,
        &[
            "fraud.check",
            "├── POST /v1/risk 503",
            "├── POST /v1/risk (attempt 2) 503",
            "└── POST /v1/risk (attempt 3)",
        ],
    );
}

#[test]
fn an_attempt_at_a_hop_is_told_on_the_business_line() {
    let mut trace = Trace::default();
    trace
        .span("call", "", CLIENT, (0, 9))
        .attributes
        .insert("retry.attempt", 1);
    trace.span("entry", "call", SERVER, (1, 8));
    trace.span("work", "entry", (Kind::Internal, "b", "work"), (2, 7));
    folds_to(trace, &["work (attempt 2)"]);
}

#[test]
fn a_step_that_is_one_query_keeps_the_query() {
    let mut trace = Trace::default();
    trace.span("step", "", (Kind::Internal, "a", "checkInventory"), (0, 9));
    trace.redis("step", "a", "GET inventory:item_42", (1, 8));
    folds_to(
        trace,
        &["checkInventory", "└── redis.Get inventory:item_42"],
    );
}

#[test]
fn a_message_is_two_lines_the_second_with_the_business_name() {
    let mut trace = Trace::default();
    trace.span("send", "", (Kind::Producer, "a", "send q"), (0, 9));
    trace.span(
        "process",
        "send",
        (Kind::Consumer, "b", "process q"),
        (20, 30),
    );
    trace.span(
        "render",
        "process",
        (Kind::Internal, "b", "invoice.render"),
        (21, 29),
    );
    folds_to(trace, &["send q", "└── invoice.render"]);
    let mut trace = Trace::default();
    trace.span("process", "", (Kind::Consumer, "b", "process q"), (20, 30));
    trace.sql("process", "b", "INSERT x", (21, 29));
    folds_to(trace, &["process q", "└── postgres.Exec INSERT INTO x"]);
}

#[test]
fn an_error_of_any_member_is_an_error_of_the_line() {
    let mut trace = Trace::default();
    trace.span("call", "", CLIENT, (0, 9)).status = trace_tree::Status::error("reset");
    trace.span("entry", "call", SERVER, (1, 8));
    trace.span("work", "entry", (Kind::Internal, "b", "work"), (2, 7));
    folds_to(trace, &["work ERROR"]);
}
