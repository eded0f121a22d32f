use contracts::{ids::OrderId, payment::charge_response::Outcome};
use telemetry::testing::{attribute, is_error, trace};
use tonic::Code;

use crate::support::{TestApp, tree};

fn decline_code(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Declined(declined) => Some(&declined.decline_code),
        Outcome::Captured(_) => None,
    }
}

#[tokio::test]
async fn a_good_card_is_charged_and_the_trace_tells_the_story() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();

    let charged = trace(
        "test",
        telemetry::with_tenant("acme", app.charge(order, "tok_visa")),
    )
    .await;

    let Ok(Outcome::Captured(captured)) = &charged.result else {
        panic!("{:?}", charged.result);
    };
    let charges = app.sandbox.charges(order).await;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0]["id"], captured.processor_charge_id);
    assert_eq!(
        (&charges[0]["amount"], &charges[0]["currency"]),
        (&1999.into(), &"eur".into())
    );
    assert_eq!(app.payments(order).await, [("captured".to_owned(), 1999)]);

    assert_eq!(
        tree(&charged),
        "\
test
  payment.v1.Payment/Charge CLIENT
    payment.v1.Payment/Charge SERVER
      processPayment
        SELECT payments CLIENT
        fraud.check
          POST /v1/risk CLIENT
        stripe.ChargeCreate
          POST /v1/charges CLIENT
        INSERT payments CLIENT
"
    );
    let order = order.to_string();
    for (key, value) in [
        ("tenant.id", "acme"),
        ("order.id", &order),
        ("payment.amount", "1999"),
        ("payment.currency", "EUR"),
        ("payment.plan", "team"),
        ("payment.region", "eu"),
    ] {
        assert_eq!(
            charged.attribute("processPayment", key).as_deref(),
            Some(value),
            "{key}"
        );
    }
    for span in ["fraud.check", "stripe.ChargeCreate", "INSERT payments"] {
        assert_eq!(
            charged.attribute(span, "tenant.id").as_deref(),
            Some("acme"),
            "{span}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn a_declined_card_is_an_answer_with_a_code_and_no_failure() {
    let mut app = TestApp::spawn().await;
    for (token, code) in [
        ("tok_chargeDeclined", "generic_decline"),
        ("tok_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("tok_chargeDeclinedExpiredCard", "expired_card"),
        ("tok_chargeDeclinedLostCard", "lost_card"),
    ] {
        let order = OrderId::generate();
        let declined = trace("test", app.charge(order, token)).await;
        assert_eq!(decline_code(declined.result.as_ref().unwrap()), Some(code));
        assert_eq!(app.payments(order).await, [("declined".to_owned(), 1999)]);
        for step in ["processPayment", "stripe.ChargeCreate"] {
            assert!(!is_error(declined.span(step)), "{}", declined.shape());
        }
        assert!(tree(&declined).contains("stripe.ChargeCreate (card declined)"));
    }
    app.stop().await;
}

#[tokio::test]
async fn a_card_that_smells_of_fraud_is_declined_and_not_charged() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    let declined = trace("test", app.charge(order, "tok_fraudulent")).await;
    assert_eq!(
        decline_code(declined.result.as_ref().unwrap()),
        Some("fraudulent")
    );
    assert_eq!(declined.spans_named("stripe.ChargeCreate").count(), 0);
    assert!(app.sandbox.charges(order).await.is_empty());
    assert_eq!(app.payments(order).await, [("declined".to_owned(), 1999)]);

    let elevated = app
        .charge(OrderId::generate(), "tok_riskLevelElevated")
        .await;
    assert!(matches!(elevated, Ok(Outcome::Captured(_))));
    app.stop().await;
}

#[tokio::test]
async fn a_token_that_stands_for_no_card_is_declined() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    let declined = app.charge(order, "tok_of_nobody").await.unwrap();
    assert_eq!(decline_code(&declined), Some("invalid_token"));
    assert!(app.sandbox.charges(order).await.is_empty());
    assert_eq!(app.payments(order).await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn asking_again_gets_the_first_answer_and_charges_nothing() {
    let mut app = TestApp::spawn().await;
    for (first_token, second_token) in [
        ("tok_visa", "tok_mastercard"),
        ("tok_chargeDeclined", "tok_visa"),
    ] {
        let order = OrderId::generate();
        let first = app.charge(order, first_token).await.unwrap();
        let again = trace("test", app.charge(order, first_token)).await;
        assert_eq!(again.result.as_ref().unwrap(), &first);
        assert_eq!(again.spans_named("stripe.ChargeCreate").count(), 0);
        assert_eq!(app.charge(order, second_token).await.unwrap(), first);
        assert_eq!(app.sandbox.charges(order).await.len(), 1);
        assert_eq!(app.payments(order).await.len(), 1);
    }
    app.stop().await;
}

#[tokio::test]
async fn the_same_order_with_another_amount_is_refused() {
    let app = TestApp::spawn().await;
    let order = OrderId::generate();
    app.charge(order, "tok_visa").await.unwrap();
    for (amount_minor, currency) in [(2000, "EUR"), (1999, "USD")] {
        let mut request = app.request(order, "tok_visa");
        request.amount_minor = amount_minor;
        request.currency = currency.to_owned();
        let refused = app.send(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("another amount"), "{refused}");
    }
    assert_eq!(app.sandbox.charges(order).await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn one_order_asked_for_many_times_at_once_is_charged_once() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    let (a, b, c, d) = tokio::join!(
        app.charge(order, "tok_visa"),
        app.charge(order, "tok_visa"),
        app.charge(order, "tok_visa"),
        app.charge(order, "tok_visa"),
    );
    let first = a.unwrap();
    assert!(matches!(first, Outcome::Captured(_)));
    for other in [b, c, d] {
        assert_eq!(other.unwrap(), first);
    }
    assert_eq!(app.sandbox.charges(order).await.len(), 1);
    assert_eq!(app.payments(order).await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn the_same_order_id_of_two_tenants_is_two_orders() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    app.charge(order, "tok_visa").await.unwrap();
    app.tenant = "globex".to_owned();
    assert!(app.payments(order).await.is_empty());
    app.charge(order, "tok_visa").await.unwrap();
    assert_eq!(app.sandbox.charges(order).await.len(), 2);
    app.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_named() {
    let app = TestApp::spawn().await;
    let order = OrderId::generate();
    let good = app.request(order, "tok_visa");
    let with = |change: fn(&mut contracts::payment::ChargeRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    for (request, named) in [
        (
            with(|request| request.tenant_id = "a b".into()),
            "tenant_id",
        ),
        (with(|request| request.order_id = "42".into()), "order_id"),
        (with(|request| request.amount_minor = 0), "amount_minor"),
        (with(|request| request.amount_minor = -1), "amount_minor"),
        (with(|request| request.currency = "XYZ".into()), "XYZ"),
        (
            with(|request| request.card_token = "4242424242424242".into()),
            "card_token",
        ),
        (with(|request| request.plan = String::new()), "plan"),
        (with(|request| request.region = "e u".into()), "region"),
    ] {
        let refused = trace("test", app.send(request)).await;
        let status = refused.result.as_ref().unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{named}");
        assert!(status.message().contains(named), "{status}");
        assert!(
            !status.message().contains("4242"),
            "a card number must not be repeated"
        );
        assert_eq!(refused.spans_named("processPayment").count(), 0);
        assert!(
            refused
                .spans
                .iter()
                .all(|span| attribute(span, "order.id").is_none())
        );
    }
    assert!(app.sandbox.charges(order).await.is_empty());
    app.stop().await;
}
