-- One row for each order that was tried. A declined card is an answer and stays as one.
CREATE TABLE payments (
    tenant_id           TEXT NOT NULL,
    order_id            UUID NOT NULL,
    payment_id          UUID NOT NULL UNIQUE,
    state               TEXT NOT NULL CHECK (state IN ('captured', 'declined')),
    amount_minor        BIGINT NOT NULL CHECK (amount_minor >= 0),
    currency            TEXT NOT NULL,
    plan                TEXT NOT NULL,
    region              TEXT NOT NULL,
    processor_charge_id TEXT,
    decline_code        TEXT,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, order_id),
    -- Captured money has the processor's receipt; a declined card has the reason.
    CHECK ((state = 'captured') = (processor_charge_id IS NOT NULL)),
    CHECK ((state = 'declined') = (decline_code IS NOT NULL))
);

-- Rendered once for each order, however often its message is delivered.
CREATE TABLE invoices (
    tenant_id   TEXT NOT NULL,
    order_id    UUID NOT NULL,
    invoice_id  UUID NOT NULL UNIQUE,
    total_minor BIGINT NOT NULL,
    currency    TEXT NOT NULL,
    html        TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, order_id)
);
