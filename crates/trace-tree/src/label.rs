//! What a line is called, made from the attributes of the semantic conventions.

use crate::{Span, escape};

mod database;

/// The label of a span: `redis.Get inventory:item_42`,
/// `postgres.Query SELECT … FROM inventory`, or the span's name; with the attempt of a
/// retry and the status of an HTTP answer from 400 on. Safe to print.
///
/// ```
/// use trace_tree::{Span, SpanId, TraceId, label::label};
///
/// let trace = TraceId::from_bytes([1; 16]);
/// let mut span = Span::new(trace, SpanId::from_bytes([1; 8]), "SELECT inventory");
/// span.attributes.insert("db.system.name", "postgresql");
/// span.attributes.insert("db.query.summary", "SELECT inventory");
/// assert_eq!(label(&span), "postgres.Query SELECT … FROM inventory");
///
/// let mut span = Span::new(trace, SpanId::from_bytes([1; 8]), "POST /v1/charges");
/// span.attributes.insert("http.request.resend_count", 1);
/// span.attributes.insert("http.response.status_code", 503);
/// assert_eq!(label(&span), "POST /v1/charges (attempt 2) 503");
/// ```
#[must_use]
pub fn label(span: &Span) -> String {
    line_label(span, &[span])
}

/// The label of a line that `primary` names: attempt and status may come from any member.
pub(crate) fn line_label(primary: &Span, members: &[&Span]) -> String {
    with_suffixes(database::label(primary).as_deref(), primary, members)
}

/// The span's own name, with the same suffixes.
pub(crate) fn full_label(span: &Span) -> String {
    with_suffixes(None, span, &[span])
}

fn with_suffixes(label: Option<&str>, primary: &Span, members: &[&Span]) -> String {
    let name = label.unwrap_or(&primary.name);
    let mut text = escape(name.trim()).into_owned();
    if text.is_empty() {
        text.push_str("(unnamed)");
    }
    if let Some(attempt) = members.iter().find_map(|span| attempt(span)) {
        text.push_str(&format!(" (attempt {attempt})"));
    }
    if let Some(status) = members.iter().find_map(|span| http_failure(span)) {
        text.push_str(&format!(" {status}"));
    }
    text
}

/// The attempt of a call that was made again: 2 for the first retry.
fn attempt(span: &Span) -> Option<i64> {
    let resends = span
        .int("http.request.resend_count")
        .or_else(|| span.int("retry.attempt"))?;
    (resends > 0).then(|| resends.saturating_add(1))
}

fn http_failure(span: &Span) -> Option<i64> {
    span.int("http.response.status_code")
        .filter(|status| (400..=599).contains(status))
}

/// What failed: `processor_unavailable in charge: the processor did not answer`.
/// `None` when no member is an error. Safe to print.
///
/// The span that names the line speaks first; else the innermost one, since outer
/// spans repeat what came from within.
pub(crate) fn failure(primary: &Span, members: &[&Span]) -> Option<String> {
    let failed = [primary]
        .into_iter()
        .chain(members.iter().rev().copied())
        .find(|span| span.is_error())?;
    let stage = [failed]
        .into_iter()
        .chain(members.iter().copied())
        .find_map(|span| span.text("error.stage"));
    let status = members.iter().find_map(|span| http_failure(span));
    let mut text = failed
        .attr("error.type")
        .map(ToString::to_string)
        // The label says the HTTP status already.
        .filter(|class| Some(class) != status.map(|status| status.to_string()).as_ref())
        .unwrap_or_default();
    if let Some(stage) = stage {
        text.push_str(if text.is_empty() { "in " } else { " in " });
        text.push_str(stage);
    }
    if let Some(message) = failed.status.message().or_else(|| exception(failed)) {
        text.push_str(if text.is_empty() { "" } else { ": " });
        text.push_str(message.trim());
    }
    Some(escape(&text).into_owned())
}

fn exception(span: &Span) -> Option<&str> {
    let event = span
        .events
        .iter()
        .rev()
        .find(|event| event.name == "exception")?;
    event.attributes.text("exception.message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SpanId, Status, TraceId};

    fn span(name: &str) -> Span {
        Span::new(TraceId::default(), SpanId::default(), name)
    }

    #[test]
    fn attempts_count_from_the_first_retry_on() {
        let mut call = span("POST /v1/risk");
        call.attributes.insert("retry.attempt", 0);
        assert_eq!(label(&call), "POST /v1/risk");
        call.attributes.insert("retry.attempt", 2);
        assert_eq!(label(&call), "POST /v1/risk (attempt 3)");
    }

    #[test]
    fn labels_and_messages_cannot_command_the_terminal() {
        let mut call = span("\u{1b}]0;owned\u{7}");
        call.status = Status::error("\u{1b}[2Jgone");
        assert_eq!(label(&call), "\\u{1b}]0;owned\\u{7}");
        assert_eq!(failure(&call, &[&call]).as_deref(), Some("\\u{1b}[2Jgone"));
    }

    #[test]
    fn a_failure_says_class_stage_and_message_once() {
        let mut client = span("POST /v1/charges");
        client.attributes.insert("http.response.status_code", 503);
        client.attributes.insert("error.type", "503");
        client.status = Status::error("");
        assert_eq!(failure(&client, &[&client]).as_deref(), Some(""));
        let mut business = span("stripe.ChargeCreate");
        assert_eq!(
            failure(&business, &[&business, &client]).as_deref(),
            Some("")
        );
        business
            .attributes
            .insert("error.type", "processor_unavailable");
        business.attributes.insert("error.stage", "charge");
        business.status = Status::error("the processor did not answer");
        assert_eq!(
            failure(&business, &[&business, &client]).as_deref(),
            Some("processor_unavailable in charge: the processor did not answer")
        );
        assert_eq!(failure(&span("x"), &[]), None);
    }
}
