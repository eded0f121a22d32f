-- Who may check out. The API key itself is never stored: its SHA-256 is enough to
-- recognise it, and of no use to somebody who reads this table.
CREATE TABLE tenants (
    tenant_id    TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    plan         TEXT NOT NULL,
    region       TEXT NOT NULL,
    api_key_hash TEXT NOT NULL UNIQUE,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- One row for each idempotency key. It is claimed before any work is done and holds the
-- answer afterwards. `order_id` is chosen at the claim, so that a checkout taken up again
-- after a crash asks inventory and payment for the same order and nothing is done twice.
CREATE TABLE checkouts (
    tenant_id       TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash    TEXT NOT NULL,
    order_id        UUID NOT NULL,
    -- Another request with the same key takes over a claim that is older than its lease.
    claimed_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    answer_status   SMALLINT,
    answer_body     JSONB,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, idempotency_key)
);

CREATE TABLE orders (
    tenant_id    TEXT NOT NULL,
    order_id     UUID NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('paid')),
    lines        JSONB NOT NULL,
    total_minor  BIGINT NOT NULL CHECK (total_minor >= 0),
    currency     TEXT NOT NULL,
    user_id      TEXT,
    trace_id     TEXT,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, order_id)
);

-- Messages that were decided in the same transaction as the order. The relay sends them
-- and deletes the row; the trace context is the one in force when the row was written, so
-- that the wait in this table shows in the trace.
CREATE TABLE outbox (
    outbox_id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    queue       TEXT NOT NULL,
    body        TEXT NOT NULL,
    traceparent TEXT,
    tracestate  TEXT,
    baggage     TEXT,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Wakes the relay at commit; the channel carries no data.
CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY outbox;
    RETURN NULL;
END
$$;

CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();
