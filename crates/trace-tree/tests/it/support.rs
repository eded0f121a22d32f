//! Traces made by hand.

use std::collections::HashMap;

use trace_tree::{Event, Kind, Link, Span, SpanId, TraceId, TraceTree};

/// 2026-11-21T06:42:48Z
pub(crate) const START: u64 = 1_795_243_368_000_000_000;

pub(crate) fn trace_id() -> TraceId {
    TraceId::from_bytes([0x4b; 16])
}

pub(crate) fn span_id(number: u64) -> SpanId {
    SpanId::from_bytes(number.to_be_bytes())
}

/// Spans named by a word, so that children can name their parents.
#[derive(Default)]
pub(crate) struct Trace {
    spans: Vec<Span>,
    ids: HashMap<String, SpanId>,
}

impl Trace {
    /// Adds a span; times are microseconds after the start of the trace. The first word
    /// of `key` is how children name it, `under` is such a key or empty.
    pub(crate) fn span(
        &mut self,
        key: &str,
        under: &str,
        (kind, service, name): (Kind, &str, &str),
        (start, end): (u64, u64),
    ) -> &mut Span {
        let id = span_id(self.spans.len() as u64 + 1);
        self.ids.insert(key.to_owned(), id);
        let mut span = Span::new(trace_id(), id, name);
        span.parent_span_id = (!under.is_empty()).then(|| self.ids[under]);
        span.kind = kind;
        span.service = service.into();
        span.start_unix_nano = START + start * 1_000;
        span.end_unix_nano = START + end * 1_000;
        self.spans.push(span);
        self.spans.last_mut().expect("just pushed")
    }

    pub(crate) fn sql(
        &mut self,
        under: &str,
        service: &str,
        summary: &str,
        time: (u64, u64),
    ) -> &mut Span {
        let key = format!("{under}/{summary}");
        let span = self.span(&key, under, (Kind::Client, service, summary), time);
        let (operation, collection) = summary.split_once(' ').unwrap_or((summary, ""));
        let collection = collection.trim_start_matches("FOR UPDATE ");
        span.attributes.insert("db.system.name", "postgresql");
        span.attributes.insert("db.operation.name", operation);
        span.attributes.insert("db.query.summary", summary);
        if !collection.is_empty() {
            span.attributes.insert("db.collection.name", collection);
        }
        span
    }

    pub(crate) fn redis(
        &mut self,
        under: &str,
        service: &str,
        text: &str,
        time: (u64, u64),
    ) -> &mut Span {
        let operation = text.split(' ').next().unwrap_or_default();
        let summary = text.split(':').next().unwrap_or_default();
        let key = format!("{under}/{text}");
        let span = self.span(&key, under, (Kind::Client, service, summary), time);
        span.attributes.insert("db.system.name", "redis");
        span.attributes.insert("db.operation.name", operation);
        span.attributes.insert("db.query.summary", summary);
        span.attributes.insert("db.query.text", text);
        span
    }

    pub(crate) fn spans(self) -> Vec<Span> {
        self.spans
    }

    pub(crate) fn tree(self) -> TraceTree {
        TraceTree::build(self.spans)
    }
}

pub(crate) fn event(name: &str, at: u64) -> Event {
    Event {
        time_unix_nano: START + at * 1_000,
        name: name.to_owned(),
        ..Event::default()
    }
}

/// Exactly the lines that every checkout must show.
pub(crate) fn small_checkout() -> Trace {
    use Kind::{Client, Internal, Server};
    let mut trace = Trace::default();
    trace.span(
        "root",
        "",
        (Server, "orders", "POST /checkout"),
        (0, 120_000),
    );
    trace.span(
        "checkout",
        "root",
        (Internal, "orders", "handleCheckout"),
        (300, 119_800),
    );
    trace.span(
        "call",
        "checkout",
        (Client, "orders", "POST /reservations"),
        (1_000, 31_000),
    );
    trace.span(
        "entry",
        "call",
        (Server, "inventory", "POST /reservations"),
        (1_200, 30_900),
    );
    trace.span(
        "check",
        "entry",
        (Internal, "inventory", "checkInventory"),
        (1_300, 30_800),
    );
    trace
        .redis(
            "check",
            "inventory",
            "GET inventory:item_42",
            (1_400, 3_500),
        )
        .events = vec![event("cache miss", 3_400)];
    trace.sql("check", "inventory", "SELECT inventory", (3_600, 30_600));
    trace.span(
        "charge",
        "checkout",
        (Client, "orders", "payment.v1.Payment/Charge"),
        (32_000, 117_000),
    );
    trace.span(
        "pay",
        "charge",
        (Server, "payment", "payment.v1.Payment/Charge"),
        (32_300, 116_800),
    );
    trace.span(
        "process",
        "pay",
        (Internal, "payment", "processPayment"),
        (32_400, 116_700),
    );
    trace.span(
        "fraud",
        "process",
        (Internal, "payment", "fraud.check"),
        (32_500, 33_400),
    );
    trace.span(
        "risk",
        "fraud",
        (Client, "payment", "POST /v1/risk"),
        (32_600, 33_300),
    );
    trace.span(
        "stripe",
        "process",
        (Internal, "payment", "stripe.ChargeCreate"),
        (33_500, 113_500),
    );
    trace.span(
        "post",
        "stripe",
        (Client, "payment", "POST /v1/charges"),
        (33_600, 113_400),
    );
    trace.sql("process", "payment", "INSERT payments", (113_600, 116_600));
    trace
}

/// A checkout with all that is stored: the tenant's look-up, pricing, the order, the outbox.
pub(crate) fn checkout() -> Trace {
    use Kind::{Client, Consumer, Internal, Producer, Server};
    let mut trace = Trace::default();
    trace.span(
        "root",
        "",
        (Server, "orders", "POST /checkout"),
        (0, 120_000),
    );
    trace.sql("root", "orders", "SELECT tenants", (100, 900));
    let checkout = trace.span(
        "checkout",
        "root",
        (Internal, "orders", "handleCheckout"),
        (1_000, 119_800),
    );
    checkout.attributes.insert("tenant.id", "acme");
    checkout.attributes.insert("order.item_count", 1);
    trace
        .span(
            "call",
            "checkout",
            (Client, "orders", "POST /reservations"),
            (1_100, 31_000),
        )
        .attributes
        .insert("http.response.status_code", 201);
    trace.span(
        "entry",
        "call",
        (Server, "inventory", "POST /reservations"),
        (1_200, 30_900),
    );
    trace
        .span(
            "check",
            "entry",
            (Internal, "inventory", "checkInventory"),
            (1_300, 30_800),
        )
        .attributes
        .insert("inventory.items_available", 17);
    trace
        .redis(
            "check",
            "inventory",
            "GET inventory:item_42",
            (1_400, 3_500),
        )
        .events = vec![event("cache miss", 3_400)];
    trace.sql("check", "inventory", "SELECT inventory", (3_600, 24_600));
    trace.redis(
        "check",
        "inventory",
        "SET inventory:item_42 ? EX 60",
        (24_700, 25_100),
    );
    let method = "pricing.v1.Pricing/QuoteCart";
    trace.span(
        "quote",
        "check",
        (Client, "inventory", method),
        (25_200, 28_000),
    );
    trace.span(
        "quoting",
        "quote",
        (Server, "pricing", method),
        (25_400, 27_800),
    );
    trace.span(
        "pricing",
        "quoting",
        (Internal, "pricing", "pricing.quote"),
        (25_500, 27_700),
    );
    trace.redis(
        "pricing",
        "pricing",
        "MGET price:item_42 rules",
        (25_600, 26_100),
    );
    trace.sql("pricing", "pricing", "SELECT price_lists", (26_200, 27_500));
    trace.sql(
        "check",
        "inventory",
        "SELECT FOR UPDATE inventory",
        (28_100, 29_000),
    );
    trace.sql(
        "check",
        "inventory",
        "INSERT reservations",
        (29_100, 30_000),
    );
    trace.sql("check", "inventory", "COMMIT", (30_100, 30_700));
    let method = "payment.v1.Payment/Charge";
    trace.span(
        "charge",
        "checkout",
        (Client, "orders", method),
        (32_000, 117_000),
    );
    trace.span(
        "pay",
        "charge",
        (Server, "payment", method),
        (32_300, 116_800),
    );
    trace.span(
        "process",
        "pay",
        (Internal, "payment", "processPayment"),
        (32_400, 116_700),
    );
    trace.span(
        "fraud",
        "process",
        (Internal, "payment", "fraud.check"),
        (32_500, 33_400),
    );
    trace.span(
        "risk",
        "fraud",
        (Client, "payment", "POST /v1/risk"),
        (32_600, 33_300),
    );
    trace.span(
        "stripe",
        "process",
        (Internal, "payment", "stripe.ChargeCreate"),
        (33_500, 113_500),
    );
    trace.span(
        "post",
        "stripe",
        (Client, "payment", "POST /v1/charges"),
        (33_600, 113_400),
    );
    trace.sql("process", "payment", "INSERT payments", (113_600, 116_600));
    trace.sql("checkout", "orders", "INSERT orders", (117_100, 118_300));
    trace.sql("checkout", "orders", "INSERT outbox", (118_400, 119_600));
    for (queue, service) in [
        ("inventory-events", "inventory"),
        ("payment-events", "payment"),
    ] {
        let send = format!("send {queue}");
        let process = format!("process {queue}");
        let sent = trace.span(
            &send,
            "checkout",
            (Producer, "orders", &send),
            (125_000, 129_000),
        );
        let link = Link {
            trace_id: sent.trace_id,
            span_id: sent.span_id,
            ..Link::default()
        };
        trace
            .span(
                &process,
                &send,
                (Consumer, service, &process),
                (140_000, 146_000),
            )
            .links = vec![link];
    }
    trace.sql(
        "process inventory-events",
        "inventory",
        "INSERT stock_movements",
        (141_000, 144_000),
    );
    trace.span(
        "render",
        "process payment-events",
        (Internal, "payment", "invoice.render"),
        (141_000, 145_500),
    );
    trace.sql("render", "payment", "INSERT invoices", (143_000, 145_000));
    trace
}
