use crate::support::TestApp;

#[tokio::test]
async fn ready_says_what_is_missing_and_makes_no_spans() {
    let app = TestApp::spawn().await;
    let client = telemetry::http_client::third_party(std::time::Duration::from_secs(5)).unwrap();
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
