use super::*;

fn endpoints(names: &[&str]) -> Endpoints {
    Endpoints::new(names.iter().map(|name| name.parse().expect("an endpoint")).collect())
}

fn order(endpoints: &Endpoints) -> Vec<String> {
    endpoints.in_turn().into_iter().map(|(_, endpoint)| endpoint.host().to_owned()).collect()
}

#[test]
fn the_last_good_endpoint_is_tried_first_and_the_others_in_order_behind_it() {
    let mut three = endpoints(&["mem://a", "mem://b", "mem://c"]);
    assert_eq!(order(&three), ["a", "b", "c"]);
    three.good(Place(1));
    assert_eq!(order(&three), ["b", "c", "a"]);
}

#[test]
fn an_endpoint_that_takes_connections_but_not_the_worker_is_not_tried_first_again() {
    let mut two = endpoints(&["mem://a", "mem://b"]);
    two.bad(Place(0));
    assert_eq!(order(&two), ["b", "a"]);
    two.bad(Place(0));
    assert_eq!(order(&two), ["b", "a"], "it was not the first");
    two.bad(Place(1));
    assert_eq!(order(&two), ["a", "b"]);
}

#[test]
fn every_endpoint_gets_its_share_of_the_time() {
    let second = |n| Instant::ZERO + Duration::from_secs(n);
    assert_eq!(share(second(0), second(10), 2), second(5));
    assert_eq!(share(second(1), second(10), 1), second(10));
    assert_eq!(share(second(11), second(10), 1), second(11), "no time is left");
}
