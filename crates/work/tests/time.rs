//! Time as a number.

use core::time::Duration;

use moorline_work::Instant;

#[test]
fn an_instant_is_the_nanoseconds_it_was_made_of_and_arithmetic_saturates() {
    let (five, seven) = (Instant::from_nanos(5), Instant::from_nanos(7));
    let nanos = Duration::from_nanos;
    assert_eq!((five.as_nanos(), seven.as_nanos()), (5, 7));
    assert_eq!((five + nanos(2), seven.before(nanos(2))), (seven, five));
    assert_eq!((seven.since(five), five.since(seven)), (nanos(2), Duration::ZERO));
    assert_eq!(five.before(Duration::MAX), Instant::ZERO);
    assert_eq!(five + Duration::MAX, Instant::FAR);
}
