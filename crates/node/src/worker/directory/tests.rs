use super::*;

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn address(name: &str) -> Address {
    Address::new(name).expect("an address")
}

fn addresses(names: &str) -> Vec<Address> {
    names.split_whitespace().map(address).collect()
}

fn directory(names: &str) -> Directory {
    Directory::new(addresses(names))
}

/// Where the `n`th dial goes.
fn order(directory: &mut Directory, n: u64) -> String {
    let order = directory.dial(at(n), ConnId(n), false);
    order.iter().map(Address::as_str).collect::<Vec<_>>().join(" ")
}

/// The `n`th dial reaches a place, which takes us in or does not.
fn tries(directory: &mut Directory, n: u64, name: &str, is_taken_in: bool) -> bool {
    directory.reached(ConnId(n), address(name));
    if is_taken_in {
        directory.registered(ConnId(n));
    }
    directory.ended(ConnId(n))
}

#[test]
fn the_last_good_place_comes_first_and_the_others_in_order_behind_it() {
    let mut three = directory("a b c b");
    assert_eq!(order(&mut three, 1), "a b c");
    tries(&mut three, 1, "b", true);
    assert_eq!(order(&mut three, 2), "b a c");
    tries(&mut three, 2, "c", true);
    assert_eq!(order(&mut three, 3), "c a b");
}

#[test]
fn a_place_that_takes_connections_but_not_the_worker_comes_behind_the_others() {
    let mut two = directory("a b");
    tries(&mut two, 1, "a", false);
    assert_eq!(order(&mut two, 2), "b a");
    tries(&mut two, 2, "b", false);
    assert_eq!(order(&mut two, 3), "a b", "one failure each");
    tries(&mut two, 3, "a", false);
    tries(&mut two, 4, "a", false);
    assert_eq!(order(&mut two, 5), "b a");
    tries(&mut two, 5, "a", true);
    assert_eq!(order(&mut two, 6), "a b", "one success makes up for it");
}

#[test]
fn old_trouble_has_a_bound() {
    let mut two = directory("a b");
    (0..1_000).for_each(|n| {
        tries(&mut two, n, "a", false);
    });
    (0..u64::from(FAILURES_MAX)).for_each(|n| {
        tries(&mut two, n, "b", false);
    });
    assert_eq!(order(&mut two, 2_000), "a b");
}

#[test]
fn what_was_told_comes_behind_what_was_configured_and_takes_the_place_of_what_was_told_before() {
    let mut directory = directory("a b");
    assert_eq!(directory.tell(addresses("c b d")), Some(addresses("c d")), "b is configured");
    assert_eq!(directory.tell(addresses("b c d")), None, "it is the same");
    assert_eq!(order(&mut directory, 1), "a b c d");
    tries(&mut directory, 1, "c", false);
    assert_eq!(directory.tell(addresses("e c")), Some(addresses("e c")));
    assert_eq!(order(&mut directory, 2), "a b e c", "c failed, and that is not forgotten");
    assert_eq!(directory.tell(Vec::new()), Some(Vec::new()));
    assert_eq!(order(&mut directory, 3), "a b");
}

#[test]
fn beside_a_connection_a_redirect_is_tried_alone() {
    let mut directory = directory("a b");
    assert!(directory.redirect(at(0), addresses("x y")));
    assert_eq!(directory.clone().dial(at(1), ConnId(1), false), addresses("x y a b"));
    assert_eq!(directory.dial(at(1), ConnId(1), true), addresses("x y"));
    assert!(tries(&mut directory, 1, "x", false), "that was the redirect");
    assert_eq!(directory.dial(at(2), ConnId(2), true), addresses("a b"), "it is not tried again");
    assert!(!directory.ended(ConnId(2)));
}

#[test]
fn where_a_redirect_led_is_remembered_until_it_fails() {
    let mut directory = directory("a");
    assert!(directory.redirect(at(0), addresses("x")));
    directory.dial(at(1), ConnId(1), true);
    assert!(!tries(&mut directory, 1, "x", true), "it did not fail");
    assert_eq!(order(&mut directory, 2), "x a");
    tries(&mut directory, 2, "x", false);
    assert_eq!(order(&mut directory, 3), "a");
}

#[test]
fn the_end_of_another_connection_is_not_that_of_a_redirect() {
    let mut directory = directory("a");
    assert!(directory.redirect(at(0), addresses("x")));
    assert!(!directory.ended(ConnId(1)), "the one on which it was told");
    directory.dial(at(1), ConnId(2), false);
    assert!(!directory.ended(ConnId(1)));
    assert!(directory.ended(ConnId(2)));
}

#[test]
fn a_worker_is_not_sent_round_for_ever() {
    let mut directory = directory("a");
    for n in 0..HOPS_MAX as u64 {
        assert!(directory.redirect(at(n), addresses("x")), "{n}");
    }
    assert_eq!(directory.followed(), HOPS_MAX);
    assert!(!directory.redirect(at(59), addresses("y")));
    assert_eq!(order(&mut directory, 59), "x a", "the last one that was followed counts");
    assert!(directory.redirect(at(60), addresses("y")), "the first is a minute old");
    assert!(!directory.redirect(at(60), addresses("z")), "the second is not");
}

#[test]
fn a_redirect_that_could_not_be_tried_for_long_is_forgotten() {
    let mut directory = directory("a");
    assert!(directory.redirect(at(0), addresses("x")));
    assert_eq!(directory.clone().dial(at(59), ConnId(1), false), addresses("x a"));
    assert_eq!(directory.dial(at(60), ConnId(1), false), addresses("a"));
}

#[test]
fn shuffled_places_have_an_order_of_each_workers_own_that_stays_and_gives_way_to_what_is_better() {
    let names = "a b c d";
    let of = |seed| Directory::new(addresses(names)).shuffled(seed);
    let mut firsts = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..400 {
        let mut directory = of(seed);
        let own = order(&mut directory, 1);
        assert_eq!(order(&mut directory, 2), own, "it stays");
        assert_eq!(order(&mut of(seed), 1), own, "it is drawn from the seed alone");
        let mut sorted: Vec<_> = own.split(' ').collect();
        *firsts.entry(sorted[0].to_owned()).or_default() += 1;
        let (first, last) = (sorted[0].to_owned(), sorted[3].to_owned());
        sorted.sort_unstable();
        assert_eq!(sorted.join(" "), names, "each is there once");
        tries(&mut directory, 3, &last, true);
        assert!(order(&mut directory, 4).starts_with(&last), "what took it in comes first");
        tries(&mut directory, 5, &first, false);
        assert!(order(&mut directory, 6).ends_with(&first), "what failed comes last");
    }
    // 100 each, if it were even; three standard deviations are 26.
    assert!(firsts.values().all(|count| (60..=140).contains(count)), "{firsts:?}");
}
