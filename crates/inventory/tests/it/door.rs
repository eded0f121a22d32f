use contracts::{error_code::ErrorCode, problem::Problem};
use reqwest::Method;
use sqlx::AssertSqlSafe;

use crate::support::{TestApp, eventually};

async fn refused(
    app: &TestApp,
    method: Method,
    path: &str,
    tenant: Option<&str>,
    body: &str,
) -> (u16, Problem) {
    let body = (method == Method::POST).then(|| body.to_owned());
    let (status, body) = app.send(method, path, tenant, body).await;
    (status.as_u16(), serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn every_refusal_is_a_problem_that_says_what_to_correct() {
    use ErrorCode::{BodyTooLarge, InvalidRequest, MethodNotAllowed, NotFound};
    let app = TestApp::spawn().await;
    let tenant = Some("acme");
    let order = r#""order_id": "0192d3a0-0000-7000-8000-000000000000""#;
    let too_large = format!(
        "{{{order}, \"lines\": [], \"x\": \"{}\"}}",
        "x".repeat(70_000)
    );
    let twice = format!(
        r#"{{{order}, "lines": [{{"sku": "a", "quantity": 1}}, {{"sku": "a", "quantity": 1}}]}}"#
    );
    let cases = [
        (
            Method::POST,
            "/reservations",
            None,
            "{}",
            400,
            InvalidRequest,
            "x-tenant-id",
        ),
        (
            Method::POST,
            "/reservations",
            Some("a b"),
            "{}",
            400,
            InvalidRequest,
            "x-tenant-id",
        ),
        (
            Method::DELETE,
            "/reservations/x",
            Some(""),
            "",
            400,
            InvalidRequest,
            "x-tenant-id",
        ),
        (
            Method::POST,
            "/reservations",
            tenant,
            "{",
            400,
            InvalidRequest,
            "JSON",
        ),
        (
            Method::POST,
            "/reservations",
            tenant,
            "{}",
            400,
            InvalidRequest,
            "order_id",
        ),
        (
            Method::POST,
            "/reservations",
            tenant,
            &format!("{{{order}, \"lines\": []}}"),
            400,
            InvalidRequest,
            "lines",
        ),
        (
            Method::POST,
            "/reservations",
            tenant,
            &twice,
            400,
            InvalidRequest,
            "two lines",
        ),
        (
            Method::POST,
            "/reservations",
            tenant,
            &too_large,
            413,
            BodyTooLarge,
            "length limit",
        ),
        (
            Method::DELETE,
            "/reservations/42",
            tenant,
            "",
            400,
            InvalidRequest,
            "UUID",
        ),
        (
            Method::GET,
            "/availability",
            tenant,
            "",
            400,
            InvalidRequest,
            "?sku=",
        ),
        (
            Method::GET,
            "/availability?sku=a%20b",
            tenant,
            "",
            400,
            InvalidRequest,
            "sku",
        ),
        (
            Method::GET,
            "/reservations",
            tenant,
            "",
            405,
            MethodNotAllowed,
            "GET",
        ),
        (Method::GET, "/stock", tenant, "", 404, NotFound, "/stock"),
    ];
    for (method, path, tenant, body, status, code, detail) in cases {
        let (answered, problem) = refused(&app, method, path, tenant, body).await;
        assert_eq!(
            (answered, problem.code),
            (status, code),
            "{path}: {}",
            problem.detail
        );
        assert!(
            problem.detail.contains(detail),
            "{path}: {}",
            problem.detail
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_say_it_is_json_is_refused() {
    let app = TestApp::spawn().await;
    let client = telemetry::http_client::internal(std::time::Duration::from_secs(5)).unwrap();
    let response = client
        .post(app.url.join("/reservations").unwrap())
        .header("x-tenant-id", "acme")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 415);
    let problem: Problem = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem.code, ErrorCode::UnsupportedMediaType);
    app.stop().await;
}

#[tokio::test]
async fn ready_follows_the_database_and_health_does_not() {
    let app = TestApp::spawn().await;
    let get = async |path: &str| app.send(Method::GET, path, None, None).await;
    assert_eq!(get("/ready").await.0, 200);

    let server = app.database.connect().await.unwrap();
    let name = app.database.name();
    let mut admin = admin(&app).await;
    drop(server);
    execute(
        &mut admin,
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
    )
    .await;
    let away =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    execute(&mut admin, away).await;

    let (status, body) = get("/ready").await;
    assert_eq!(status, 503);
    assert!(body.contains("postgres"), "{body}");
    assert_eq!(get("/health").await.0, 200);

    execute(
        &mut admin,
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
    )
    .await;
    eventually("ready again", || async { get("/ready").await.0 == 200 }).await;
    app.stop().await;
}

/// A connection to the server, but not to the database of the services.
async fn admin(app: &TestApp) -> sqlx::PgConnection {
    let mut url = app.database.url();
    url.set_path("/postgres");
    <sqlx::PgConnection as sqlx::Connection>::connect(url.as_str())
        .await
        .unwrap()
}

async fn execute(connection: &mut sqlx::PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .unwrap();
}
