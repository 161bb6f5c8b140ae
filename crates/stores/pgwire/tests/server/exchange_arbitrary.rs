//! A password exchange between both of its sides, one of whose messages is damaged on its way: it never succeeds.

use atalaya_damage::{Blow, blow};
use atalaya_pgwire::server::{HEADER_BYTES, SaslInitial, ScramServer, ScramVerifier};
use atalaya_pgwire::{SaslClient, SaslMechanism};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

/// Few, since nothing here is secret and each side computes them once a case.
const ITERATIONS: u32 = 2;

/// Messages on their way: the one of this number is broken, the others come as they were sent.
struct Way<'a> {
    number: usize,
    blows: &'a [Blow],
    sent: usize,
    is_damaged: bool,
}

impl Way<'_> {
    fn carry(&mut self, message: &[u8]) -> Vec<u8> {
        let mut arrived = message.to_vec();
        if self.sent == self.number {
            self.blows.iter().for_each(|blow| blow.strike(&mut arrived));
            self.is_damaged = arrived != message;
        }
        self.sent += 1;
        arrived
    }
}

/// Whether the server has let the client in, and whether the client believes the server; `None` where it did not come so
/// far.
fn exchange(end_point: Option<Vec<u8>>, way: &mut Way<'_>) -> Option<(bool, bool)> {
    let offered: Vec<String> =
        ScramServer::mechanisms(end_point.as_deref()).iter().map(|name| (*name).to_owned()).collect();
    let mut client = SaslClient::choose(&offered, "secret", end_point.clone()).unwrap();
    assert_eq!(client.mechanism() == SaslMechanism::ScramSha256Plus, end_point.is_some());
    let verifier = ScramVerifier::of_password("secret", [7; 16], ITERATIONS);
    let mut server = ScramServer::new(verifier, end_point, [9; 18]);
    let mut out = BytesMut::new();
    client.start(&mut out).unwrap();
    let body = way.carry(&out[HEADER_BYTES..]);
    let initial = SaslInitial::decode(&body).ok()?;
    let challenge = way.carry(&server.initial(initial.mechanism, initial.data).ok()?);
    out.clear();
    client.proceed(&challenge, &mut out).ok()?;
    let proof = way.carry(&out[HEADER_BYTES..]);
    let signature = way.carry(&server.proceed(&proof).ok()?);
    let is_believed = client.finish(&signature).is_ok();
    assert_eq!(is_believed, client.is_finished());
    Some((true, is_believed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_exchange_succeeds_when_nothing_was_damaged_and_only_then(
        number in 0..4_usize,
        blows in vec(blow(), 0..3),
        end_point in prop::option::of(vec(any::<u8>(), 1..40)),
    ) {
        let mut way = Way { number, blows: &blows, sent: 0, is_damaged: false };
        let outcome = exchange(end_point, &mut way);
        // The server cannot know what becomes of its own last message; the client does.
        let is_let_in = outcome.is_some_and(|(is_let_in, _)| is_let_in);
        let is_believed = outcome.is_some_and(|(_, is_believed)| is_believed);
        prop_assert_eq!(is_let_in, !way.is_damaged || number == 3, "message {}", number);
        prop_assert_eq!(is_believed, !way.is_damaged, "message {}", number);
    }
}
