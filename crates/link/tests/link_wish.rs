//! What was asked for too soon: the newest wish counts.

mod support;

use moorline_link::{Kick, LinkConfig, LinkInput, LinkVerdict, State};
use support::{Bench, MS, SECOND};

#[test]
fn a_kick_that_is_granted_takes_the_place_of_a_migration_that_waits() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.pass(60 * SECOND);
    bench.input(LinkInput::Reconnect);
    bench.until_active();
    bench.forget();
    assert_eq!(bench.input(LinkInput::Migrate), LinkVerdict::Later { within: 100 * MS });
    assert_eq!(bench.input(LinkInput::Kick(Kick::Network)), LinkVerdict::Accepted);
    bench.pass(10 * SECOND);
    assert_eq!((bench.dials(), bench.link.state()), (vec![], State::Active));
}
