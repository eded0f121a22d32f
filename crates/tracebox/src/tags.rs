//! Names and values of attributes, for the completion in a client's search form.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use crate::query::{Filter, KINDS, STATUSES};
use crate::query_api::BadRequest;
use crate::search_request::{Parameters, TimeRange};
use crate::server::busy;
use crate::store::{SpanView, Store, TraceView, ValueView};
use crate::traceql;

/// What a filter can ask besides attributes.
const INTRINSICS: [&str; 8] = [
    "duration",
    "kind",
    "name",
    "rootName",
    "rootServiceName",
    "status",
    "statusMessage",
    "traceDuration",
];
const SCOPES: [&str; 6] = [
    "resource",
    "span",
    "intrinsic",
    "event",
    "link",
    "instrumentation",
];
const MAX_VALUES: usize = 1000;

pub(crate) async fn names_v1(
    State(store): State<Arc<Store>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, BadRequest> {
    let asked = Asked::parse(query.as_deref())?;
    let scopes = busy(move || names(&store, &asked, false)).await;
    let names: BTreeSet<_> = scopes.into_values().flatten().collect();
    Ok(Json(json!({ "tagNames": names, "metrics": {} })))
}

pub(crate) async fn names_v2(
    State(store): State<Arc<Store>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, BadRequest> {
    let asked = Asked::parse(query.as_deref())?;
    let scopes = busy(move || names(&store, &asked, true)).await;
    let scopes: Vec<_> = scopes
        .into_iter()
        .map(|(name, tags)| json!({ "name": name, "tags": tags }))
        .collect();
    Ok(Json(json!({ "scopes": scopes, "metrics": {} })))
}

pub(crate) async fn values_v1(
    State(store): State<Arc<Store>>,
    Path(tag): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, BadRequest> {
    let asked = Asked::parse(query.as_deref())?;
    let values = busy(move || values(&store, &asked, &tag)).await;
    let values: BTreeSet<_> = values.into_iter().map(|(_, value)| value).collect();
    Ok(Json(json!({ "tagValues": values, "metrics": {} })))
}

pub(crate) async fn values_v2(
    State(store): State<Arc<Store>>,
    Path(tag): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, BadRequest> {
    let asked = Asked::parse(query.as_deref())?;
    let values = busy(move || values(&store, &asked, &tag)).await;
    let values: Vec<_> = values
        .into_iter()
        .map(|(kind, value)| json!({ "type": kind, "value": value }))
        .collect();
    Ok(Json(json!({ "tagValues": values, "metrics": {} })))
}

/// The parameters that all four share.
struct Asked {
    scope: Option<String>,
    range: TimeRange,
    filter: Filter,
    limit: usize,
}

impl Asked {
    fn parse(query: Option<&str>) -> Result<Self, BadRequest> {
        let parameters = Parameters::parse(query)?;
        let scope = parameters.get("scope").filter(|scope| *scope != "none");
        if let Some(scope) = scope
            && !SCOPES.contains(&scope)
        {
            return Err(BadRequest(format!("invalid scope: {scope}")));
        }
        // A form sends its half-written query along: as long as it cannot be read,
        // everything is offered, as Tempo does.
        let conditions = parameters.get("q").and_then(|q| traceql::parse(q).ok());
        Ok(Self {
            scope: scope.map(str::to_owned),
            range: TimeRange::of(&parameters)?,
            filter: Filter::TraceQl(conditions.unwrap_or_default()),
            limit: parameters.count("limit", MAX_VALUES)?.min(MAX_VALUES),
        })
    }

    fn wants(&self, scope: &str) -> bool {
        self.scope.as_deref().is_none_or(|wanted| wanted == scope)
    }

    /// Shows every span in the range that passes the filter.
    fn each_span(
        &self,
        store: &Store,
        mut visit: impl FnMut(TraceView<'_>, SpanView<'_>) -> ControlFlow<()>,
    ) {
        let ids = store.newest_first(|trace| self.range.overlaps(trace.start, trace.end));
        store.visit(&ids, |trace| {
            (self.filter.matches(trace).into_iter()).try_for_each(|span| visit(trace, span))
        });
    }
}

fn names(store: &Store, asked: &Asked, v2: bool) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut scopes: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    asked.each_span(store, |_, span| {
        let mut add = |scope, key: &str| {
            let names = scopes.entry(scope).or_default();
            if names.len() < asked.limit && !names.contains(key) {
                names.insert(key.to_owned());
            }
        };
        if asked.wants("resource") {
            span.resource_attributes()
                .for_each(|(key, _)| add("resource", key));
        }
        if asked.wants("span") {
            span.attributes().for_each(|(key, _)| add("span", key));
        }
        ControlFlow::Continue(())
    });
    // The first version names intrinsics only if asked for them.
    if asked.wants("intrinsic") && (v2 || asked.scope.is_some()) {
        scopes.insert("intrinsic", INTRINSICS.map(str::to_owned).into());
    }
    scopes
}

fn values(store: &Store, asked: &Asked, tag: &str) -> BTreeSet<(&'static str, String)> {
    match tag {
        "status" | "span:status" => return keywords(&STATUSES),
        "kind" | "span:kind" => return keywords(&KINDS),
        "duration" | "span:duration" | "traceDuration" | "trace:duration" => {
            return BTreeSet::new();
        }
        _ => {}
    }
    let mut values = BTreeSet::new();
    asked.each_span(store, |trace, span| {
        if let Some(value) = value(tag, trace, span).and_then(typed) {
            values.insert(value);
        }
        if values.len() < asked.limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    values
}

fn keywords(words: &[&str]) -> BTreeSet<(&'static str, String)> {
    let typed = words.iter().map(|word| ("keyword", (*word).to_owned()));
    typed.collect()
}

fn value<'a>(tag: &str, trace: TraceView<'a>, span: SpanView<'a>) -> Option<ValueView<'a>> {
    let any = |key: &str| span.attribute(key).or_else(|| span.resource_attribute(key));
    match tag {
        "name" | "span:name" => Some(ValueView::Text(span.name())),
        "statusMessage" | "span:statusMessage" => Some(ValueView::Text(span.status_message())),
        "rootName" | "trace:rootName" | "root.name" => {
            trace.root().map(|root| ValueView::Text(root.name()))
        }
        "rootServiceName" | "trace:rootService" | "root.service.name" => {
            trace.root().map(|root| ValueView::Text(root.service()))
        }
        _ => {
            if let Some(key) = tag.strip_prefix("resource.") {
                span.resource_attribute(key)
            } else if let Some(key) = tag.strip_prefix("span.") {
                span.attribute(key)
            } else {
                any(tag.strip_prefix('.').unwrap_or(tag))
            }
        }
    }
}

fn typed(value: ValueView<'_>) -> Option<(&'static str, String)> {
    match value {
        ValueView::Text("") | ValueView::Other => None,
        ValueView::Text(text) => Some(("string", text.to_owned())),
        ValueView::Bool(value) => Some(("bool", value.to_string())),
        ValueView::Int(number) => Some(("int", number.to_string())),
        ValueView::Double(number) => Some(("float", number.to_string())),
    }
}
