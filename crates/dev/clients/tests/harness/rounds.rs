//! The same program, several times: directly, then through the gateway in ways that make servers change hands.

use clients::{Report, differences};

use super::{Door, Gateway, Lab, Pooling, Program, Tls};

/// What programs are tried with in every way.
pub(crate) const NEWEST: u16 = 18;
/// The oldest that is served, and one between: what the gateway asks of a server has to be understood there, too.
pub(crate) const OLDER: [u16; 2] = [13, 16];
/// As many schemas as the largest round has copies.
const COPIES_MAX: usize = 3;

/// One way through the gateway.
pub(crate) struct Round {
    name: &'static str,
    pooling: Pooling,
    servers_max: usize,
    copies: usize,
    /// How many servers a copy may need at a time. With one server more than there are copies, none of which keeps more
    /// than one while it asks for another, nobody waits for ever.
    servers: usize,
}

const fn session(copies: usize) -> Round {
    Round { name: "session pooling", pooling: Pooling::Session, servers_max: 40, copies, servers: 2 }
}

const fn transaction(name: &'static str, servers_max: usize, copies: usize, servers: usize) -> Round {
    Round { name, pooling: Pooling::Transaction, servers_max, copies, servers }
}

/// What is run at every change: both ways of pooling, with servers that change hands all the time.
pub(crate) const ALWAYS: &[Round] = &[
    session(1),
    transaction("transaction pooling, few servers", 3, 2, 2),
    transaction("transaction pooling, one server", 1, 2, 1),
];

/// What is run on servers of older versions: both ways of pooling.
pub(crate) const BOTH_WAYS: &[Round] = &[session(1), transaction("transaction pooling, one server", 1, 2, 1)];

/// More copies of each.
pub(crate) const SOAK: &[Round] = &[
    session(COPIES_MAX),
    transaction("transaction pooling, alone", 2, 1, 2),
    transaction("transaction pooling, few servers", COPIES_MAX + 1, COPIES_MAX, 2),
    transaction("transaction pooling, one server", 1, COPIES_MAX, 1),
];

/// Runs a program directly and in every round, and fails with all differences.
pub(crate) fn agree_with_the_gateway(program: Program, major: u16, rounds: &[Round]) {
    let copies = rounds.iter().map(|round| round.copies).max().unwrap_or(1);
    let lab = Lab::new(major, copies);
    let direct = reports(program, &lab, &lab.direct(), copies, 2);
    let mut found = String::new();
    for round in rounds {
        let gateway = Gateway::start(&lab, round.pooling, round.servers_max, Tls::Without);
        let through = reports(program, &lab, &gateway.door(), round.copies, round.servers);
        found += &compared(round.name, &direct, &through);
    }
    assert!(found.is_empty(), "{program:?} is told something else through the gateway before {major}:\n{found}");
}

/// Runs a program directly without TLS, and through a gateway that lets nobody in without it.
pub(crate) fn agree_with_the_gateway_over_tls(program: Program) {
    let lab = Lab::new(NEWEST, 1);
    let direct = reports(program, &lab, &lab.direct(), 1, 2);
    let gateway = Gateway::start(&lab, Pooling::Transaction, 2, Tls::Required);
    let found = compared("over TLS", &direct, &reports(program, &lab, &gateway.door(), 1, 2));
    assert!(found.is_empty(), "{program:?} is told something else over TLS:\n{found}");
}

/// Runs a program directly twice: what differs from run to run proves nothing about a gateway.
pub(crate) fn agree_with_each_other(program: Program) {
    let lab = Lab::new(NEWEST, COPIES_MAX);
    let [first, second] = [(); 2].map(|()| reports(program, &lab, &lab.direct(), COPIES_MAX, 2));
    let found = compared("direct again", &first, &second);
    assert!(found.is_empty(), "{program:?} does not say the same twice:\n{found}");
}

/// What so many copies say, all at once.
fn reports(program: Program, lab: &Lab, door: &Door, copies: usize, servers: usize) -> Vec<Report> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..copies)
            .map(|copy| {
                scope.spawn(move || {
                    lab.reset(copy);
                    program.report(lab, door, copy, servers)
                })
            })
            .collect();
        running.into_iter().map(|copy| copy.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn compared(name: &str, direct: &[Report], through: &[Report]) -> String {
    let each = direct.iter().zip(through).enumerate();
    each.filter_map(|(copy, (direct, through))| {
        differences(direct, through).map(|found| format!("##### {name}, copy {copy}\n{found}"))
    })
    .collect()
}
