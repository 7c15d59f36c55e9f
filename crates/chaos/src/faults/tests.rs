use std::num::NonZeroU64;
use std::time::Duration;

use super::{Faults, Patch, Share, Way, Ways};

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let before = Faults {
        latency: Duration::from_millis(1),
        jitter: Duration::from_millis(2),
        loss: Share(3),
        bandwidth: NonZeroU64::new(4),
        corrupt: Share(5),
        reorder: Share(6),
        duplicate: Share(7),
    };
    assert_eq!(Patch::default().on(before), before);
    let all = Patch {
        latency: Some(Duration::ZERO),
        jitter: Some(Duration::ZERO),
        loss: Some(Share::NONE),
        bandwidth: Some(None),
        corrupt: Some(Share::NONE),
        reorder: Some(Share::NONE),
        duplicate: Some(Share::NONE),
    };
    assert_eq!(all.on(before), Faults::NONE);
    let one = Patch { loss: Some(Share::ALL), ..Patch::default() };
    assert_eq!(one.on(before), Faults { loss: Share::ALL, ..before });
}

#[test]
fn a_share_is_at_most_everything() {
    assert_eq!(Share::from_ppm(1_000_000), Some(Share::ALL));
    assert_eq!(Share::from_ppm(1_000_001), None);
    assert_eq!(format!("{:?}", Share(12_500)), "1.25%");
}

#[test]
fn ways_are_one_or_both() {
    let meant = |ways: Ways| Way::ALL.map(|way| ways.has(way));
    assert_eq!(meant(Ways::Both), [true, true]);
    assert_eq!(meant(Ways::ToTarget), [true, false]);
    assert_eq!(meant(Ways::Back), [false, true]);
    assert_eq!(Way::ALL.map(Way::other), [Way::Back, Way::ToTarget]);
}
