//! The tree of one checkout: the shape that people see, and everything that is stored.

use e2e::{Shop, cart, tree};
use loadgen::history;
use reqwest::StatusCode;
use trace_tree::{Kind, TraceTree, Value, fold::View, label};

/// The six lines of the promise, with their depth, in their order.
const PROMISE: [(usize, &str); 8] = [
    (0, "handleCheckout"),
    (1, "checkInventory"),
    (2, "redis.Get inventory:item_42"),
    (2, "postgres.Query SELECT … FROM inventory"),
    (1, "processPayment"),
    (2, "fraud.check"),
    (2, "stripe.ChargeCreate"),
    (2, "postgres.Exec INSERT INTO payments"),
];

fn folded_lines(tree: &TraceTree) -> Vec<(usize, String)> {
    fn walk(
        tree: &TraceTree,
        view: &View,
        line: usize,
        depth: usize,
        lines: &mut Vec<(usize, String)>,
    ) {
        let this = &view.lines()[line];
        lines.push((depth, label::label(tree.span(this.primary))));
        for child in &this.children {
            walk(tree, view, *child, depth + 1, lines);
        }
    }
    let view = View::folded(tree);
    let mut lines = Vec::new();
    for root in view.roots() {
        walk(tree, &view, *root, 0, &mut lines);
    }
    lines
}

#[tokio::test]
async fn one_checkout_is_one_tree() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let answer = shop.checkout(&cart()).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let tree = shop.checkout_trace(answer.trace_id()).await?;

    let lines = folded_lines(&tree);
    let mut rest = lines.iter();
    for (depth, label) in PROMISE {
        assert!(
            rest.any(|line| line.0 == depth && line.1 == label),
            "`{label}` at depth {depth} is missing or out of order in {lines:#?}"
        );
    }
    // Waiting for a connection is for the machine to decide.
    let stored: String = tree::outline(&tree)
        .lines()
        .filter(|line| !line.ends_with(" pool.acquire"))
        .map(|line| format!("{line}\n"))
        .collect();
    insta::assert_snapshot!("stored_tree", stored);
    assert_links_and_attributes(&tree);

    // Nothing else was traced: no probe, no poll of the outbox, no empty receive.
    let others: Vec<String> = shop
        .tempo
        .search("", 100)
        .await?
        .into_iter()
        .map(|found| found.root_trace_name)
        .filter(|name| name != "POST /checkout" && !name.starts_with("receive "))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(history::is_whole(&tree));
    shop.stop().await
}

fn assert_links_and_attributes(tree: &TraceTree) {
    let check = |service: &str, kind: Kind, name: &str, expected: &[(&str, Value)]| {
        let span = tree.span(tree::only(tree, service, kind, name));
        for (key, value) in expected {
            assert_eq!(
                span.attr(key),
                Some(value),
                "{key} of {name}: {:?}",
                span.attributes
            );
        }
    };
    let text = |value: &str| Value::Str(value.to_owned());
    let checkout = tree.span(tree::only(tree, "orders", Kind::Internal, "handleCheckout"));
    let order_id = checkout.text("order.id").unwrap();
    let pseudonym = checkout.text("enduser.pseudo.id").unwrap();
    assert!(
        !pseudonym.is_empty() && !pseudonym.contains("user_7"),
        "{pseudonym}"
    );

    check(
        "orders",
        Kind::Server,
        "POST /checkout",
        &[
            ("http.request.method", text("POST")),
            ("http.route", text("/checkout")),
            ("url.path", text("/checkout")),
            ("url.scheme", text("http")),
            ("http.response.status_code", Value::Int(201)),
        ],
    );
    check(
        "orders",
        Kind::Internal,
        "handleCheckout",
        &[
            ("tenant.id", text("acme")),
            ("order.item_count", Value::Int(1)),
        ],
    );
    check(
        "orders",
        Kind::Client,
        "POST /reservations",
        &[
            ("http.request.method", text("POST")),
            ("server.address", text("127.0.0.1")),
            ("http.response.status_code", Value::Int(200)),
        ],
    );
    check(
        "inventory",
        Kind::Internal,
        "checkInventory",
        &[("tenant.id", text("acme")), ("order.id", text(order_id))],
    );
    let check_inventory = tree.span(tree::only(
        tree,
        "inventory",
        Kind::Internal,
        "checkInventory",
    ));
    assert!(
        check_inventory
            .int("inventory.items_available")
            .is_some_and(|available| available > 0)
    );
    check(
        "inventory",
        Kind::Client,
        "GET inventory",
        &[
            ("db.system.name", text("redis")),
            ("db.operation.name", text("GET")),
            ("db.query.text", text("GET inventory:item_42")),
            ("tenant.id", text("acme")),
        ],
    );
    check(
        "inventory",
        Kind::Client,
        "SELECT inventory",
        &[
            ("db.system.name", text("postgresql")),
            ("db.operation.name", text("SELECT")),
            ("db.collection.name", text("inventory")),
            ("db.query.summary", text("SELECT inventory")),
            ("db.response.returned_rows", Value::Int(1)),
            ("tenant.id", text("acme")),
        ],
    );
    for (service, kind) in [("inventory", Kind::Client), ("pricing", Kind::Server)] {
        check(
            service,
            kind,
            "pricing.v1.Pricing/QuoteCart",
            &[
                ("rpc.system.name", text("grpc")),
                ("rpc.method", text("pricing.v1.Pricing/QuoteCart")),
                ("rpc.response.status_code", text("OK")),
            ],
        );
    }
    check(
        "payment",
        Kind::Internal,
        "processPayment",
        &[
            ("tenant.id", text("acme")),
            ("order.id", text(order_id)),
            ("payment.currency", text("USD")),
            ("payment.plan", text("starter")),
            ("payment.region", text("eu-west-1")),
        ],
    );
    let payment = tree.span(tree::only(
        tree,
        "payment",
        Kind::Internal,
        "processPayment",
    ));
    assert!(
        payment
            .int("payment.amount")
            .is_some_and(|amount| amount > 0)
    );

    for (service, queue) in [
        ("inventory", "inventory-events"),
        ("payment", "payment-events"),
    ] {
        let sent = tree::only(tree, "orders", Kind::Producer, &format!("send {queue}"));
        let processed = tree::only(tree, service, Kind::Consumer, &format!("process {queue}"));
        assert_eq!(
            tree.parent(processed),
            Some(sent),
            "the creation context is the parent"
        );
        assert_eq!(
            tree.span(processed).links[0].span_id,
            tree.span(sent).span_id,
            "and a link"
        );
        for index in [sent, processed] {
            let span = tree.span(index);
            assert_eq!(span.text("messaging.system"), Some("aws_sqs"));
            assert_eq!(span.text("messaging.destination.name"), Some(queue));
            assert!(
                span.text("messaging.message.id").is_some(),
                "{:?}",
                span.attributes
            );
        }
    }

    for span in tree.spans() {
        assert!(!span.is_error(), "{} is an error", span.name);
        assert!(span.end_unix_nano >= span.start_unix_nano, "{}", span.name);
        let secrets = ["tok_visa", "user_7", "sk_test"];
        let everything = format!("{span:?}");
        assert!(
            secrets.iter().all(|secret| !everything.contains(secret)),
            "{everything}"
        );
    }
}
