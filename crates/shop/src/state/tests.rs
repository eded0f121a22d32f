use super::*;

fn stack() -> RunningStack {
    RunningStack::new(Addresses {
        orders_url: "http://127.0.0.1:8080".to_owned(),
        inventory_url: "http://127.0.0.1:8081".to_owned(),
        processor_url: "http://127.0.0.1:8090".to_owned(),
        tempo_url: "http://127.0.0.1:3200".to_owned(),
        otlp_url: "http://127.0.0.1:4317".to_owned(),
        database_url: "postgres://p@127.0.0.1:5432/d".to_owned(),
        redis_url: "redis://127.0.0.1:6379".to_owned(),
        tenants: vec![RunningTenant {
            tenant_id: "acme".to_owned(),
            api_key: "sk_test_acme".to_owned(),
            large: false,
        }],
    })
}

#[test]
fn a_published_stack_is_found_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(folder_name()).join("up.json");
    let published = publish_in(&path, &stack()).unwrap();
    let found = find_in(&path).unwrap();
    assert_eq!(found, stack());
    assert_eq!(found.api_key("acme"), Some("sk_test_acme"));
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    drop(published);
    assert!(find_in(&path).is_none());
    assert!(!path.parent().unwrap().exists());
}

#[test]
fn the_stack_of_a_dead_process_is_ignored_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("up.json");
    let mut dead = stack();
    dead.runner.born = "1".to_owned();
    write_private(&path, &serde_json::to_string(&dead).unwrap()).unwrap();
    assert!(find_in(&path).is_none());
    let published = publish_in(&path, &stack()).unwrap();
    assert!(find_in(&path).is_some());
    drop(published);
}

#[test]
fn a_stack_that_runs_is_not_pushed_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("up.json");
    let mut other = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let mut first = stack();
    first.runner = ProcessId::of(other.id());
    write_private(&path, &serde_json::to_string(&first).unwrap()).unwrap();
    let error = publish_in(&path, &stack()).unwrap_err().to_string();
    assert!(error.contains(&format!("kill {}", other.id())), "{error}");
    other.kill().unwrap();
    other.wait().unwrap();
}
