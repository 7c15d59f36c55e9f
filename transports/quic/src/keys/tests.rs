use std::collections::BTreeSet;

use super::*;

fn ids(key: u8, seed: u8) -> Ids {
    let key = Key::new([key; 32]).derive("connection id").hmac();
    Ids { key, seed: [seed; 16], count: 0 }
}

#[test]
fn ids_are_known_again_by_who_has_the_key_and_by_nobody_else() {
    let (mut before, after, other) = (ids(1, 1), ids(1, 2), ids(2, 1));
    for _ in 0..1_000 {
        let id = before.generate_cid();
        assert_eq!(id.len(), before.cid_len());
        assert!(after.validate(&id).is_ok(), "the seed is not needed");
        assert!(other.validate(&id).is_err());
        let mut forged = id.to_vec();
        forged[0] ^= 1;
        assert!(after.validate(&ConnectionId::new(&forged)).is_err());
    }
    assert!(after.validate(&ConnectionId::new(&[])).is_err());
    assert!(after.validate(&ConnectionId::new(&[7; NONCE])).is_err());
}

#[test]
fn no_two_ids_are_alike_though_the_key_is() {
    let mut seen = BTreeSet::new();
    for seed in 0..10 {
        let mut ids = ids(1, seed);
        for _ in 0..1_000 {
            assert!(seen.insert(ids.generate_cid().to_vec()));
        }
    }
}

#[test]
fn keys_differ_by_purpose_and_say_nothing() {
    let key = Key::new([7; 32]);
    let all: BTreeSet<_> =
        ["reset", "connection id", "token"].map(|what| key.derive(what).bytes()).into();
    assert_eq!(all.len(), 3);
    assert!(!all.contains(&[0; 32]) && !all.contains(&[7; 32]));
    assert_eq!(key.derive("reset").bytes(), Key::new([7; 32]).derive("reset").bytes());
    assert_ne!(key.derive("reset").bytes(), Key::new([8; 32]).derive("reset").bytes());
    assert_eq!(format!("{key:?}"), "Key");
}
