use clap::Parser;
use moorline_sim::{Families, Family, Moment, Origin, Plan};

use super::{Drawing, Mode, Size, family, moment};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    drawing: Drawing,
    #[arg(long)]
    seed: u64,
}

#[test]
fn a_family_is_named_by_its_id_or_its_title() {
    for one in Family::ALL {
        assert_eq!(family(one.name()), Ok(*one));
        assert_eq!(family(&super::typed(*one)), Ok(*one));
    }
    assert_eq!(family("half-open"), Ok(Family::C3));
    assert_eq!(family(" h1"), Ok(Family::H1));
    assert!(family("weather").unwrap_err().contains("N8 partition"));
    assert_eq!(moment("Result"), Ok(Moment::Result));
    assert!(moment("noon").unwrap_err().contains("hello, welcome"));
}

/// What a failure prints is read as what it was drawn by.
#[test]
fn an_origin_is_read_as_it_is_written() {
    let modes =
        [(Mode::Honest, Size::Usual), (Mode::Honest, Size::Brief), (Mode::Hostile, Size::Brief)];
    for (mode, size) in modes {
        for only in [vec![], vec![Family::N8], vec![Family::C3, Family::H1]] {
            for at in [None, Some(Moment::Result), Some(Moment::Lease)] {
                let drawing = Drawing { mode, size, only: only.clone(), at };
                let origin = drawing.origin(7);
                let line = format!("x {origin}");
                let read = Line::try_parse_from(line.split(' ')).unwrap();
                assert_eq!((&read.drawing, read.seed), (&drawing, 7), "{line}");
                assert_eq!(format!("--seed 7{}", drawing.flags()), origin.to_string());
            }
        }
    }
    assert_eq!(Drawing::default().origin(7), Origin::new(7));
}

#[test]
fn only_faults_of_the_families_that_were_named_are_left() {
    let drawing = Drawing { only: vec![Family::H1, Family::C3], ..Drawing::default() };
    let only = Families::NONE.with(Family::H1).with(Family::C3);
    let plans: Vec<Plan> = (0..200).map(|seed| drawing.origin(seed).plan()).collect();
    for plan in &plans {
        assert!(plan.episodes.iter().all(|episode| only.contains(episode.fault.family())));
    }
    for family in only.iter() {
        let has = |plan: &&Plan| plan.episodes.iter().any(|one| one.fault.family() == family);
        assert!(plans.iter().filter(has).count() > 60, "{family:?}");
    }
}
