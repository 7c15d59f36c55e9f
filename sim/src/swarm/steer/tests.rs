use moorline_link::{Presence, State};

use super::Steering;
use crate::decide::Draws;
use crate::{Coverage, Families, Family, FrameKind, Met, Mode, Moment, Origin, Size, Temper};

/// What was met: results of an active link under partitions a hundred times as often as under crashes, and
/// other frames under crashes, too.
fn some() -> Coverage {
    let mut some = Coverage::default();
    let active = Met::Link(State::Active);
    for _ in 0..100 {
        some.add(Family::N8, active, FrameKind::Result);
        some.add(Family::H1, active, FrameKind::Beat);
    }
    some.add(Family::H1, active, FrameKind::Result);
    some
}

#[test]
fn a_plan_is_drawn_towards_an_empty_cell_by_what_led_to_its_neighbours() {
    let steering = Steering::towards(&some());
    let aimed: Vec<Origin> = (0..4_000).map(|seed| steering.aim(Origin::new(seed))).collect();
    let narrowed: Vec<&Origin> = aimed.iter().filter(|origin| origin.is_narrowed()).collect();
    assert!((1_700..2_100).contains(&narrowed.len()), "every second one: {}", narrowed.len());
    // A result of an active link, under faults of a family that had none.
    let has = |origin: &&&Origin, families: &[Family]| {
        families.iter().all(|family| origin.only.contains(*family))
    };
    let all = [Family::C2, Family::N8, Family::H1];
    let waits = |origin: &&&Origin| origin.at == Some(Moment::Result);
    assert!(narrowed.iter().any(|origin| has(&origin, &all) && waits(&origin)));
    assert!(narrowed.iter().any(|origin| has(&origin, &all) && origin.at.is_none()));
    // A beat was only met under crashes: there was nothing else to add.
    let without = |origin: &&&Origin| !has(origin, &[Family::N8]);
    assert!(
        narrowed.iter().any(|origin| has(&origin, &[Family::C2, Family::H1]) && without(&origin))
    );
    // Those that the seed has stay.
    for origin in &narrowed {
        let drawn = Families::draw(&Draws::new(origin.seed), Temper::Common, Mode::Honest);
        assert!(drawn.iter().all(|family| origin.only.contains(family)), "{origin}");
        let more = origin.only.iter().filter(|family| !drawn.contains(*family)).count();
        assert!(more <= 10, "{origin}");
    }
    // Nobody knows how to meet anything else.
    let known = |origin: &&&Origin| origin.only.contains(Family::H1);
    assert_eq!(narrowed.iter().filter(known).count(), narrowed.len());
    assert!(narrowed.iter().all(|origin| !origin.only.contains(Family::N5)), "it is hostile only");
}

#[test]
fn what_is_said_of_a_seed_stays_and_what_is_known_of_nothing_changes_nothing() {
    let steering = Steering::towards(&some());
    for seed in 0..200 {
        let only = Families::NONE.with(Family::O1);
        let origin = Origin { only, size: Size::Brief, ..Origin::new(seed) };
        assert_eq!(steering.aim(origin), origin);
        assert_eq!(
            Steering::towards(&Coverage::default()).aim(Origin::new(seed)),
            Origin::new(seed)
        );
        let hostile = Origin { mode: Mode::Hostile, size: Size::Brief, ..Origin::new(seed) };
        let aimed = steering.aim(hostile);
        assert_eq!((aimed.seed, aimed.mode, aimed.size), (seed, Mode::Hostile, Size::Brief));
    }
}

#[test]
fn a_cell_that_cannot_be_met_is_no_target() {
    let mut all = Coverage::default();
    for family in Family::ALL {
        for met in Met::ALL {
            for kind in FrameKind::ALL.iter().filter(|kind| met.can_meet(**kind)) {
                all.add(*family, met, *kind);
            }
        }
    }
    assert_eq!((all.covered(), all.surprises().count()), (Coverage::reachable(), 0));
    assert!(Steering::towards(&all).targets.is_empty());
    all.add(Family::C1, Met::Presence(Presence::Lost), FrameKind::Assign);
    let surprise = (Family::C1, Met::Presence(Presence::Lost), FrameKind::Assign, 1);
    assert_eq!(all.surprises().collect::<Vec<_>>(), [surprise]);
}
