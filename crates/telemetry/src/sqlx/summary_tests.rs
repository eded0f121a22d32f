//! What statements are called.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn named(sql: &str, expected: &str) {
    assert_eq!(summarize(sql).text, expected, "{sql}");
}

#[test]
fn simple_statements_are_named_by_operation_and_table() {
    named("SELECT * FROM inventory WHERE sku = $1", "SELECT inventory");
    named("select 1", "SELECT");
    named("insert into payments (id) values ($1)", "INSERT payments");
    named("UPDATE ONLY orders SET state = $1", "UPDATE orders");
    named("DELETE FROM ONLY outbox WHERE id = $1", "DELETE outbox");
    named("TRUNCATE TABLE stock_movements", "TRUNCATE stock_movements");
    named(
        "MERGE INTO stock s USING moved m ON true WHEN MATCHED THEN DO NOTHING",
        "MERGE stock",
    );
    named("COPY invoices FROM STDIN", "COPY invoices");
    named("COMMIT", "COMMIT");
    named("", "postgresql");
    named("%%%", "postgresql");
}

#[test]
fn a_join_is_named_by_its_first_table() {
    named(
        "SELECT i.sku FROM inventory AS i JOIN stock_movements m ON m.sku = i.sku",
        "SELECT inventory",
    );
    named("SELECT a.x, b.y FROM a, b", "SELECT a");
}

#[test]
fn a_locking_select_says_so() {
    named(
        "SELECT sku FROM inventory WHERE sku = ANY($1) ORDER BY sku FOR UPDATE",
        "SELECT FOR UPDATE inventory",
    );
    named(
        "SELECT id FROM outbox ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED",
        "SELECT FOR UPDATE outbox",
    );
    named("SELECT x FROM a FOR NO KEY UPDATE", "SELECT FOR UPDATE a");
    named("SELECT substring(x FOR 3) FROM a", "SELECT a");
}

#[test]
fn functions_in_from_are_passed_over() {
    named(
        "SELECT * FROM unnest($1::text[], $2::int[]) AS l(sku, quantity) JOIN inventory USING (sku)",
        "SELECT inventory",
    );
    named("SELECT * FROM generate_series(1, 3)", "SELECT");
    named("SELECT * FROM LATERAL pg_catalog.now()", "SELECT");
}

#[test]
fn the_main_verb_behind_with_counts() {
    named(
        "WITH lines AS (SELECT * FROM unnest($1)) INSERT INTO reservations SELECT * FROM lines",
        "INSERT reservations",
    );
    named(
        "WITH RECURSIVE t(n) AS NOT MATERIALIZED (SELECT 1), u AS (SELECT 2) SELECT * FROM t, prices",
        "SELECT prices",
    );
    named(
        "WITH due AS (SELECT id FROM reservations FOR UPDATE) UPDATE reservations SET state = 'expired'",
        "UPDATE reservations",
    );
}

#[test]
fn a_select_from_with_queries_only_is_named_by_what_they_do() {
    named(
        "WITH new AS (INSERT INTO orders (id) VALUES ($1) RETURNING id) SELECT id FROM new",
        "INSERT orders",
    );
    named(
        "WITH a AS (SELECT * FROM inventory) SELECT * FROM a",
        "SELECT inventory",
    );
    named(
        "SELECT * FROM (SELECT * FROM inventory) AS i",
        "SELECT inventory",
    );
    named(
        "SELECT EXISTS (SELECT 1 FROM orders WHERE id = $1)",
        "SELECT orders",
    );
}

#[test]
fn from_that_is_no_clause_is_not_a_table() {
    named("SELECT a IS DISTINCT FROM b FROM c", "SELECT c");
    named(
        "SELECT extract(year FROM created_at) FROM orders",
        "SELECT orders",
    );
    named("SELECT extract(year FROM now())", "SELECT");
    named("SELECT 'x FROM y' FROM z", "SELECT z");
}

#[test]
fn names_are_folded_and_lose_their_schema() {
    named(
        "SELECT * FROM Inventory.\"Stock Levels\"",
        "SELECT Stock Levels",
    );
    named("INSERT INTO public.ORDERS VALUES (1)", "INSERT orders");
}

#[test]
fn definitions_name_their_table() {
    named(
        "CREATE TABLE IF NOT EXISTS orders (id uuid)",
        "CREATE orders",
    );
    named(
        "CREATE INDEX CONCURRENTLY i ON stock_movements (tenant_id)",
        "CREATE stock_movements",
    );
    named("ALTER TABLE ONLY orders ADD x int", "ALTER orders");
    named("DROP TABLE IF EXISTS a", "DROP a");
}

#[test]
fn a_leading_comment_overrides_the_name_and_nothing_else() {
    let summary = summarize("/* summary: stock of   a cart */ SELECT * FROM inventory");
    assert_eq!(summary.text, "stock of a cart");
    assert_eq!(summary.operation.as_deref(), Some("SELECT"));
    assert_eq!(summary.collection.as_deref(), Some("inventory"));
    named("/* summary: */ SELECT 1", "SELECT");
    named("/* a note */ SELECT * FROM a", "SELECT a");
}

#[test]
fn a_summary_never_exceeds_the_limit_of_the_conventions() {
    let sql = format!("SELECT * FROM {}", "x".repeat(1000));
    assert_eq!(summarize(&sql).text.chars().count(), MAX_SUMMARY);
}

#[test]
fn the_memory_of_summaries_is_bounded() {
    let summaries = Summaries::default();
    for n in 0..MAX_CACHED + 10 {
        assert_eq!(summaries.of(&format!("SELECT {n} FROM a")).text, "SELECT a");
    }
    assert_eq!(summaries.seen.read().unwrap().len(), MAX_CACHED);
}

proptest! {
    #[test]
    fn any_text_has_a_name(sql in ".{0,300}") {
        let summary = summarize(&sql);
        prop_assert!(!summary.text.is_empty());
        prop_assert!(summary.text.chars().count() <= MAX_SUMMARY);
    }

    #[test]
    fn any_order_of_sql_words_has_a_name(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "FROM", "WITH", "AS", "(", ")", ",", "a", "b.c", "\"d\"", "JOIN", "FOR",
                "UPDATE", "INSERT", "INTO", "'s'", "$1", "$x$", "/*", "*/", "--", "\n", ";", "E'\\",
                "DISTINCT", "ON", "RECURSIVE", "TABLE", "CREATE", ".", "é",
            ]),
            0..40,
        )
    ) {
        let summary = summarize(&words.join(" "));
        prop_assert!(!summary.text.is_empty());
        prop_assert_eq!(&summarize(&words.join(" ")), &summary);
    }

    #[test]
    fn noise_around_a_select_does_not_change_its_name(
        table in "[a-z_][a-z0-9_]{0,20}",
        text in "[^']{0,20}",
        lines in "[ \n\t]{1,5}",
    ) {
        prop_assume!(!["only", "lateral", "where", "group", "order", "limit", "union", "except",
            "intersect", "for", "window", "from", "join"].contains(&table.as_str()));
        let sql = format!("SELECT{lines}'{text}', (SELECT 1){lines}FROM{lines}{table} -- {table}");
        prop_assert_eq!(summarize(&sql).text, format!("SELECT {table}"));
    }
}
