-- One price list for each tenant, in one currency.
CREATE TABLE price_lists (
    tenant_id TEXT PRIMARY KEY,
    currency  TEXT NOT NULL
);

CREATE TABLE prices (
    tenant_id        TEXT NOT NULL REFERENCES price_lists (tenant_id),
    sku              TEXT NOT NULL,
    unit_price_minor BIGINT NOT NULL CHECK (unit_price_minor >= 0),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, sku)
);

-- A condition and an adjustment. Rules apply by priority, the lowest number first.
CREATE TABLE price_rules (
    rule_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES price_lists (tenant_id),
    priority     INTEGER NOT NULL,
    -- NULL: every item of the tenant.
    sku          TEXT,
    min_quantity BIGINT NOT NULL DEFAULT 1 CHECK (min_quantity >= 1),
    -- Hundredths of a percent off: 1000 is ten percent.
    basis_points INTEGER NOT NULL CHECK (basis_points BETWEEN 0 AND 10000)
);

CREATE INDEX price_rules_tenant ON price_rules (tenant_id);

-- Says which price changed to whoever watches prices.
CREATE FUNCTION notify_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('prices', json_build_object('tenant_id', NEW.tenant_id, 'sku', NEW.sku)::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER price_changed AFTER UPDATE ON prices
    FOR EACH ROW WHEN (OLD.unit_price_minor IS DISTINCT FROM NEW.unit_price_minor)
    EXECUTE FUNCTION notify_price();
