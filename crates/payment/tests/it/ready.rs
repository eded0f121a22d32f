use crate::support::{PATIENCE, TestApp};

#[tokio::test]
async fn ready_says_what_is_missing() {
    let app = TestApp::spawn().await;
    let client = telemetry::http_client::third_party(PATIENCE).unwrap();
    let get = async |path: &str| {
        client
            .get(app.url.join(path).unwrap())
            .send()
            .await
            .unwrap()
    };

    assert_eq!(get("/health").await.status(), 200);
    assert_eq!(get("/ready").await.status(), 200);

    app.database.drop_it().await.unwrap();
    let unready = get("/ready").await;
    assert_eq!(unready.status(), 503);
    assert!(unready.text().await.unwrap().contains("postgres"));
    assert_eq!(get("/health").await.status(), 200);
    app.stop().await;
}

#[tokio::test]
async fn health_and_ready_make_no_spans() {
    let app = TestApp::spawn().await;
    let client = telemetry::http_client::internal(PATIENCE).unwrap();
    let probed = telemetry::testing::trace("test", async {
        for path in ["/health", "/ready"] {
            client
                .get(app.url.join(path).unwrap())
                .send()
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
        }
    })
    .await;
    assert_eq!(probed.shape(), "test\n  GET CLIENT\n  GET CLIENT\n");
    app.stop().await;
}
