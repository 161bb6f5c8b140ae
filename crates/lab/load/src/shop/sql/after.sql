-- Keys, indexes, references, views and triggers, once the data is there.
ALTER TABLE shop.category ADD PRIMARY KEY (id);
ALTER TABLE shop.supplier ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX supplier_contract_identity ON shop.supplier_contract (supplier_id, number);
ALTER TABLE shop.supplier_contract REPLICA IDENTITY USING INDEX supplier_contract_identity;
ALTER TABLE shop.customer ADD PRIMARY KEY (id), ADD CONSTRAINT customer_public_id UNIQUE (public_id);
CREATE UNIQUE INDEX customer_email ON shop.customer (lower(email::text));
CREATE INDEX customer_asleep ON shop.customer (created_at) WHERE NOT active;
ALTER TABLE shop.address ADD PRIMARY KEY (id);
CREATE INDEX address_customer ON shop.address (customer_id) INCLUDE (city);
ALTER TABLE shop.product ADD PRIMARY KEY (id), ADD CONSTRAINT product_sku UNIQUE (sku);
CREATE INDEX product_tags ON shop.product USING gin (tags);
CREATE INDEX product_category ON shop.product (category_id, price DESC NULLS LAST);
ALTER TABLE shop.department ADD PRIMARY KEY (id);
ALTER TABLE shop.employee ADD PRIMARY KEY (id);
ALTER TABLE shop.purchase_order ADD PRIMARY KEY (id);
CREATE INDEX purchase_order_customer ON shop.purchase_order (customer_id, placed_at);
CREATE INDEX purchase_order_open ON shop.purchase_order (placed_at) WHERE status IN ('new', 'paid');
ALTER TABLE shop.order_line ADD PRIMARY KEY (order_id, line);
CREATE INDEX order_line_product ON shop.order_line (product_id);
ALTER TABLE shop.invoice ADD PRIMARY KEY (id), ADD CONSTRAINT invoice_order UNIQUE (order_id);
ALTER TABLE shop.stock_movement ADD PRIMARY KEY (id);
CREATE INDEX stock_movement_product ON shop.stock_movement (product_id, at);
-- Kept in the catalog, not in the rows: rows older than the column have no value of it stored.
ALTER TABLE shop.stock_movement ADD COLUMN checked boolean NOT NULL DEFAULT false;
ALTER TABLE shop.price_history ADD PRIMARY KEY (product_id, currency, valid_from);
CREATE INDEX price_history_valid_from ON shop.price_history (valid_from);
-- Not unique: it lets a follower find rows of a table without a key.
CREATE INDEX audit_log_ticket ON shop.audit_log (ticket);
ALTER TABLE shop.document ADD PRIMARY KEY (id);
ALTER TABLE shop.session_event ADD PRIMARY KEY (id);
CREATE INDEX session_event_at ON shop.session_event USING brin (at);
ALTER TABLE shop.promotion ADD PRIMARY KEY (id),
    ADD CONSTRAINT promotion_one_at_a_time EXCLUDE USING gist (during WITH &&);
ALTER TABLE shop.coupon ADD PRIMARY KEY (code);
ALTER TABLE shop."Ware House; ""Nº"" 'ß' %s" ADD CONSTRAINT "Ware House Key" PRIMARY KEY ("Id");
CREATE UNIQUE INDEX "Ware House ""select""" ON shop."Ware House; ""Nº"" 'ß' %s" ("select");
ALTER TABLE shop.odd_value ADD PRIMARY KEY (id);

ALTER TABLE shop.category ADD FOREIGN KEY (parent_id) REFERENCES shop.category;
ALTER TABLE shop.supplier_contract ADD FOREIGN KEY (supplier_id) REFERENCES shop.supplier;
ALTER TABLE shop.address ADD FOREIGN KEY (customer_id) REFERENCES shop.customer ON DELETE CASCADE;
ALTER TABLE shop.product ADD FOREIGN KEY (category_id) REFERENCES shop.category,
    ADD FOREIGN KEY (supplier_id) REFERENCES shop.supplier;
-- The cycle: a department has a head, who works in a department.
ALTER TABLE shop.employee ADD FOREIGN KEY (department_id) REFERENCES shop.department,
    ADD FOREIGN KEY (manager_id) REFERENCES shop.employee;
ALTER TABLE shop.department ADD FOREIGN KEY (head_id) REFERENCES shop.employee DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE shop.purchase_order ADD FOREIGN KEY (customer_id) REFERENCES shop.customer,
    ADD FOREIGN KEY (address_id) REFERENCES shop.address ON DELETE SET NULL;
ALTER TABLE shop.order_line ADD FOREIGN KEY (order_id) REFERENCES shop.purchase_order ON DELETE CASCADE,
    ADD FOREIGN KEY (product_id) REFERENCES shop.product;
ALTER TABLE shop.invoice ADD FOREIGN KEY (order_id) REFERENCES shop.purchase_order;
ALTER TABLE shop.stock_movement ADD FOREIGN KEY (product_id) REFERENCES shop.product;
ALTER TABLE shop.price_history ADD FOREIGN KEY (product_id) REFERENCES shop.product;

CREATE STATISTICS shop.address_place (dependencies) ON city, postcode FROM shop.address;

CREATE VIEW shop.order_total AS
    SELECT order_id, count(*) AS lines, sum(quantity * unit_price) AS total
    FROM shop.order_line GROUP BY order_id;
CREATE VIEW shop.customer_revenue AS
    SELECT c.id, c.name, sum(t.total) AS total
    FROM shop.customer c JOIN shop.purchase_order o ON o.customer_id = c.id
    JOIN shop.order_total t ON t.order_id = o.id GROUP BY c.id;
CREATE MATERIALIZED VIEW shop.category_stock AS
    SELECT category_id, count(*) AS products, sum(stock) AS stock FROM shop.product GROUP BY category_id;
CREATE UNIQUE INDEX category_stock_category ON shop.category_stock (category_id);

CREATE TRIGGER touch BEFORE UPDATE ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TRIGGER touch BEFORE UPDATE ON shop.product FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TRIGGER touch BEFORE UPDATE ON shop.purchase_order FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TRIGGER touch BEFORE UPDATE ON shop.document FOR EACH ROW
    WHEN (OLD.reads IS DISTINCT FROM NEW.reads) EXECUTE FUNCTION shop.touch();
