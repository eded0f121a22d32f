-- The last count of an item. What happened since stands in stock_movements:
--   on hand   = counted_quantity + sum of movements since counted_at
--   available = on hand - held reservations
-- `version` grows with every movement and recount, so that a cached figure can be told
-- from the truth under the row lock, without adding up the ledger again. Whoever counts or
-- moves takes the time under that lock, by the wall clock: the start of a transaction that
-- waited for the lock lies before things that happened earlier.
CREATE TABLE inventory (
    tenant_id        TEXT NOT NULL,
    sku              TEXT NOT NULL,
    counted_quantity BIGINT NOT NULL,
    counted_at       TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    version          BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, sku)
);

-- Append-only. A sale is a negative quantity.
CREATE TABLE stock_movements (
    movement_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    sku         TEXT NOT NULL,
    quantity    BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    order_id    UUID,
    note        TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- Finds the movements of a tenant, but not the recent ones: a tenant with a long history
-- pays for all of it. `(tenant_id, created_at)` is the index that would end that; the lab
-- of slow tenants adds it and takes it away.
CREATE INDEX stock_movements_tenant ON stock_movements (tenant_id);

-- A message delivered twice must not move stock twice.
CREATE UNIQUE INDEX stock_movements_order ON stock_movements (tenant_id, order_id, sku)
    WHERE order_id IS NOT NULL;

-- Stock held for an order that is not paid yet.
CREATE TABLE reservations (
    tenant_id  TEXT NOT NULL,
    order_id   UUID NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('held', 'committed', 'released', 'expired')),
    -- The answer to give again when the same order asks again.
    answer     JSONB NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, order_id)
);

CREATE INDEX reservations_expiring ON reservations (expires_at) WHERE state = 'held';

CREATE TABLE reservation_lines (
    tenant_id TEXT NOT NULL,
    order_id  UUID NOT NULL,
    sku       TEXT NOT NULL,
    quantity  BIGINT NOT NULL CHECK (quantity > 0),
    -- Lines of a reservation that is no longer held stop counting against the item.
    held      BOOLEAN NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, order_id, sku),
    FOREIGN KEY (tenant_id, order_id) REFERENCES reservations (tenant_id, order_id)
);

CREATE INDEX reservation_lines_held ON reservation_lines (tenant_id, sku) WHERE held;
