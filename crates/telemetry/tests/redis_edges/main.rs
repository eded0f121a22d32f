//! The Redis edge on a real Redis, keys of its own per test.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test by panicking"
)]

use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanKind, Status};
use redis::AsyncCommands as _;
use telemetry::{
    redis::{Redis, RedisSettings},
    testing,
};

fn url() -> String {
    std::env::var("SPANTREE_TEST_REDIS")
        .unwrap_or_else(|_| panic!("SPANTREE_TEST_REDIS is not set: run `cargo shop test`"))
}

/// A tenant that nobody else has, so that tests cannot see each other's keys.
fn tenant() -> String {
    format!("test-{}", uuid::Uuid::new_v4().simple())
}

/// A connection for one tenant, whose first command is behind it.
async fn connected() -> (Redis, String) {
    let tenant = tenant();
    let mut redis = Redis::connect(&url()).unwrap().for_tenant(&tenant);
    let () = redis.ping().await.unwrap();
    (redis, tenant)
}

async fn forget(redis: &mut Redis, names: &[&str]) {
    for name in names {
        let () = redis.del(redis.key(name)).await.unwrap();
    }
}

#[tokio::test]
async fn a_command_bears_what_the_conventions_ask_for() {
    let (mut redis, tenant) = connected().await;
    let key = redis.key("inventory:item_42");
    assert_eq!(key, format!("{tenant}:inventory:item_42"));
    let recorded = testing::trace("test", async {
        let miss: Option<i64> = redis.get(&key).await.unwrap();
        let () = redis.set_ex(&key, 7, 60).await.unwrap();
        let hit: Option<i64> = redis.get(&key).await.unwrap();
        (miss, hit)
    })
    .await;
    assert_eq!(recorded.result, (None, Some(7)));
    assert_eq!(
        recorded.shape(),
        "test\n  GET inventory CLIENT\n  SETEX inventory CLIENT\n  GET inventory CLIENT\n"
    );
    let address = url::Url::parse(&url()).unwrap();
    for (key, expected) in [
        ("db.system.name", "redis"),
        ("db.namespace", "0"),
        ("db.operation.name", "SETEX"),
        ("db.query.summary", "SETEX inventory"),
        ("db.query.text", "SETEX inventory:item_42 ? ?"),
        ("server.address", address.host_str().unwrap()),
        ("server.port", &address.port().unwrap().to_string()),
        ("tenant.id", &tenant),
    ] {
        assert_eq!(
            recorded.attribute("SETEX inventory", key).as_deref(),
            Some(expected),
            "{key}"
        );
    }
    let set = recorded.span("SETEX inventory");
    assert_eq!(set.span_kind, SpanKind::Client);
    assert_eq!(set.status, Status::Unset);
    let found: Vec<_> = recorded
        .spans_named("GET inventory")
        .map(|span| {
            testing::attribute(span, "db.response.returned_rows")
                .unwrap()
                .as_str()
        })
        .collect();
    assert_eq!(found, ["0", "1"]);
    forget(&mut redis, &["inventory:item_42"]).await;
}

#[tokio::test]
async fn a_read_of_many_keys_is_one_span_that_counts_the_hits() {
    let (mut redis, _) = connected().await;
    let keys = [redis.key("inventory:a"), redis.key("inventory:b")];
    let () = redis.set(&keys[0], 1).await.unwrap();
    let recorded = testing::trace("test", async {
        redis.mget::<_, Vec<Option<i64>>>(&keys[..]).await.unwrap()
    })
    .await;
    assert_eq!(recorded.result, [Some(1), None]);
    assert_eq!(recorded.shape(), "test\n  MGET inventory CLIENT\n");
    for (key, expected) in [
        ("db.query.text", "MGET inventory:a inventory:b"),
        ("db.response.returned_rows", "1"),
    ] {
        assert_eq!(
            recorded.attribute("MGET inventory", key).as_deref(),
            Some(expected)
        );
    }
    forget(&mut redis, &["inventory:a"]).await;
}

#[tokio::test]
async fn a_pipeline_is_one_span_with_its_size() {
    let (mut redis, _) = connected().await;
    let (a, b) = (redis.key("inventory:a"), redis.key("inventory:b"));
    let recorded = testing::trace("test", async {
        let () = redis::pipe()
            .set(&a, 1)
            .ignore()
            .set(&b, 2)
            .ignore()
            .query_async(&mut redis)
            .await
            .unwrap();
        redis::pipe()
            .atomic()
            .get(&a)
            .get(&b)
            .query_async::<(i64, i64)>(&mut redis)
            .await
            .unwrap()
    })
    .await;
    assert_eq!(recorded.result, (1, 2));
    assert_eq!(
        recorded.shape(),
        "test\n  PIPELINE SET inventory CLIENT\n  MULTI GET inventory CLIENT\n"
    );
    for (key, expected) in [
        ("db.operation.name", "PIPELINE SET"),
        ("db.operation.batch.size", "2"),
        ("db.query.text", "SET inventory:a ?; SET inventory:b ?"),
    ] {
        assert_eq!(
            recorded.attribute("PIPELINE SET inventory", key).as_deref(),
            Some(expected)
        );
    }
    forget(&mut redis, &["inventory:a", "inventory:b"]).await;
}

#[tokio::test]
async fn a_refused_command_bears_the_servers_error_code() {
    let (mut redis, _) = connected().await;
    let key = redis.key("inventory:list");
    let () = redis.rpush(&key, 1).await.unwrap();
    let recorded = testing::trace("test", async {
        assert!(redis.get::<_, Option<i64>>(&key).await.is_err());
        assert!(
            redis::pipe()
                .get(&key)
                .query_async::<(i64,)>(&mut redis)
                .await
                .is_err()
        );
    })
    .await;
    assert_eq!(
        recorded.shape(),
        "test\n  GET inventory CLIENT [error: WRONGTYPE]\n  \
         PIPELINE GET inventory CLIENT [error: WRONGTYPE]\n"
    );
    assert_eq!(
        recorded
            .attribute("GET inventory", "db.response.status_code")
            .as_deref(),
        Some("WRONGTYPE")
    );
    forget(&mut redis, &["inventory:list"]).await;
}

#[tokio::test]
async fn the_tenant_of_the_context_is_taken_when_there_is_no_other() {
    let mut redis = Redis::connect(&url()).unwrap();
    let recorded = testing::trace("test", async {
        telemetry::with_tenant("acme", async {
            redis
                .get::<_, Option<i64>>("acme:inventory:nothing")
                .await
                .unwrap()
        })
        .await
    })
    .await;
    assert_eq!(recorded.result, None);
    for (key, expected) in [
        ("tenant.id", "acme"),
        ("db.query.text", "GET inventory:nothing"),
    ] {
        assert_eq!(
            recorded.attribute("GET inventory", key).as_deref(),
            Some(expected)
        );
    }
    assert_eq!(redis.key("inventory:nothing"), "inventory:nothing");
}

#[tokio::test]
async fn where_telemetry_is_suppressed_there_is_no_span() {
    let (mut redis, _) = connected().await;
    let recorded = testing::trace("test", async {
        telemetry::untraced(async { redis.ping::<String>().await.unwrap() }).await
    })
    .await;
    assert_eq!(recorded.shape(), "test\n");
}

#[tokio::test]
async fn a_command_nobody_waits_for_any_more_ends_as_cancelled() {
    let (mut redis, _) = connected().await;
    let key = redis.key("queue:empty");
    let recorded = testing::trace("test", async {
        let pop = redis.blpop::<_, Option<(String, i64)>>(&key, 30.0);
        tokio::time::timeout(Duration::from_millis(50), pop)
            .await
            .is_err()
    })
    .await;
    assert!(recorded.result);
    assert_eq!(
        recorded.shape(),
        "test\n  BLPOP queue CLIENT [error: cancelled]\n"
    );
}

#[tokio::test]
async fn a_dead_redis_fails_fast_and_comes_back_without_help() {
    // A port that was free a moment ago and that nobody listens on.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut real = url::Url::parse(&url()).unwrap();
    let target = (real.host_str().unwrap().to_owned(), real.port().unwrap());
    real.set_port(Some(address.port())).unwrap();
    let mut redis = Redis::connect(real.as_str()).unwrap();
    let started = Instant::now();
    let recorded = testing::trace("test", async {
        for _ in 0..3 {
            assert!(redis.get::<_, Option<i64>>("inventory:a").await.is_err());
        }
    })
    .await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    let span = "  GET inventory CLIENT [error: connection_refused]\n";
    assert_eq!(recorded.shape(), format!("test\n{}", span.repeat(3)));

    // Redis is back, behind a relay on that very port: the first command already succeeds.
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let relay = telemetry::spawn_detached(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(target.clone())
                .await
                .unwrap();
            telemetry::spawn_detached(async move {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    assert_eq!(redis.ping::<String>().await.unwrap(), "PONG");
    relay.abort();
}

#[tokio::test]
async fn a_silent_redis_fails_within_the_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = RedisSettings {
        connection_timeout: Duration::from_millis(100),
        response_timeout: Duration::from_millis(100),
    };
    let mut redis = Redis::connect_with(&format!("redis://{address}"), &settings).unwrap();
    let recorded = testing::trace("test", async {
        redis.get::<_, Option<i64>>("inventory:a").await.is_err()
    })
    .await;
    assert!(recorded.result);
    assert_eq!(
        recorded.shape(),
        "test\n  GET inventory CLIENT [error: timeout]\n"
    );
}
