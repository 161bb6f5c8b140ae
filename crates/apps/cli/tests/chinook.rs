//! Chinook, the database that everybody knows, moves while it is written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::busy::{runtime, session};
use crate::support::{Move, eventually};

const SCRIPT: &str = include_str!("../../../lab/load/data/chinook_postgres.sql");

/// Chinook has no sequences; new numbers come from one here, as an application would do it.
const NUMBERS: &str = "
    CREATE SEQUENCE invoice_numbers START 1000; ALTER TABLE invoice ALTER invoice_id SET DEFAULT nextval('public.invoice_numbers');
    CREATE SEQUENCE line_numbers START 10000; ALTER SEQUENCE line_numbers OWNED BY invoice_line.invoice_line_id;
    ALTER TABLE invoice_line ALTER invoice_line_id SET DEFAULT nextval('public.line_numbers')";

/// One purchase: a new invoice with two lines, a customer that moves, an old invoice that is taken back.
const PURCHASE: &str = "
    BEGIN;
    WITH bought AS (INSERT INTO public.invoice (customer_id, invoice_date, total) VALUES (1 + {n} % 59, now(), 1.98)
                    RETURNING invoice_id)
    INSERT INTO public.invoice_line (invoice_id, track_id, unit_price, quantity)
    SELECT invoice_id, 1 + ({n} * 7 + line) % 3503, 0.99, 1 FROM bought, generate_series(1, 2) line;
    UPDATE public.customer SET company = 'São Paulo ' || {n}, city = NULL WHERE customer_id = 1 + {n} % 59;
    DELETE FROM public.invoice_line WHERE invoice_id = {n} AND invoice_id < 1000;
    DELETE FROM public.invoice WHERE invoice_id = {n} AND invoice_id < 1000;
    COMMIT";

#[test]
fn chinook_moves_while_purchases_go_on_and_its_numbers_go_on_too() {
    let shop = Move::between(13, 18);
    let runtime = runtime();
    let source = runtime.block_on(session(&shop.source_url));
    runtime.block_on(atalaya_load::chinook::load(&source, SCRIPT)).unwrap();
    shop.source.run_sql("shop", NUMBERS).unwrap();
    let (ending, purchases) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let buyer = runtime.spawn({
        let (ending, purchases) = (Arc::clone(&ending), Arc::clone(&purchases));
        async move {
            while !ending.load(Ordering::Relaxed) {
                let number = purchases.load(Ordering::Relaxed) + 1;
                source.batch(&PURCHASE.replace("{n}", &number.to_string())).await.unwrap();
                purchases.store(number, Ordering::Relaxed);
            }
        }
    });
    let bought = || purchases.load(Ordering::Relaxed);
    eventually("a purchase before the move", || bought() > 10);
    let running = shop.follow(&[]);
    let before = bought();
    eventually("purchases while the move follows", || bought() > before + 50);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    ending.store(true, Ordering::Relaxed);
    runtime.block_on(buyer).unwrap();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
    shop.assert_equal();

    let count = "SELECT count(*) FROM invoice WHERE invoice_id >= 1000";
    assert_eq!(shop.target.run_sql("shop", count).unwrap(), bought().to_string());
    let tracks = "SELECT count(*) FROM track JOIN genre USING (genre_id)";
    assert_eq!(shop.target.run_sql("shop", tracks).unwrap(), "3503");
    let next = "INSERT INTO invoice (customer_id, invoice_date, total) VALUES (1, now(), 1) RETURNING invoice_id";
    assert_eq!(shop.target.run_sql("shop", next).unwrap(), (1000 + bought()).to_string());
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated";
    assert_eq!(shop.target.run_sql("shop", keys).unwrap(), shop.source.run_sql("shop", keys).unwrap());
}
