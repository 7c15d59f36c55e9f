use super::*;

#[test]
fn every_endpoint_gets_its_share_of_the_time() {
    let second = |n| Instant::ZERO + Duration::from_secs(n);
    assert_eq!(share(second(0), second(10), 2), second(5));
    assert_eq!(share(second(1), second(10), 1), second(10));
    assert_eq!(share(second(11), second(10), 1), second(11), "no time is left");
}
