use super::{Fate, SpanKind, Timeline};
use crate::{Plan, Recording, Run, Sabotage, What};

/// A run that is recorded as a whole.
fn run(plan: &Plan) -> Recording {
    Run::new(plan.clone()).recorded(1_000_000).go().recording.expect("it was asked for")
}

fn timelines() -> impl Iterator<Item = (Recording, Timeline)> {
    (0..12).map(Plan::new).map(|plan| {
        let recording = run(&plan);
        let timeline = Timeline::new(&plan, &recording);
        (recording, timeline)
    })
}

/// A run in which a promise is broken.
fn broken() -> (Plan, Recording) {
    let plan = Plan { sabotage: Some(Sabotage::AnswersLie), ..Plan::new(7) };
    let recording = run(&plan);
    (plan, recording)
}

#[test]
fn every_packet_is_an_arrow_with_the_fate_it_had() {
    let mut fates = std::collections::BTreeSet::new();
    for (recording, timeline) in timelines() {
        let count = |what| recording.iter().filter(|(_, record)| record.what == what).count();
        let fated = |fate| timeline.arrows.iter().filter(|arrow| arrow.fate == fate).count();
        assert_eq!(timeline.arrows.len(), count(What::Sends));
        assert_eq!(fated(Fate::Delivered) + fated(Fate::Late), count(What::Gets));
        assert_eq!(fated(Fate::Lost), count(What::Loses));
        fates.extend(timeline.arrows.iter().map(|arrow| arrow.fate));
        for arrow in &timeline.arrows {
            assert!(arrow.sent <= arrow.ended && !arrow.says.is_empty(), "{arrow:?}");
            let ends_are_apart = (arrow.from == 0) != (arrow.to == 0);
            assert!(ends_are_apart || arrow.fate == Fate::Open, "{arrow:?}");
        }
    }
    assert_eq!(fates.len(), 4, "{fates:?}");
}

#[test]
fn a_lane_is_something_at_every_instant_and_one_thing_only() {
    for (_, timeline) in timelines() {
        for lane in 0..timeline.lanes.len() {
            let mut spans: Vec<_> = timeline.spans.iter().filter(|s| s.lane == lane).collect();
            spans.sort_unstable_by_key(|span| (span.from, span.to));
            for pair in spans.windows(2) {
                assert_eq!(pair[0].to, pair[1].from, "{pair:?}");
            }
            assert_eq!(spans.last().map(|span| span.to), Some(timeline.to));
        }
        let active = |s: &&super::Span| s.kind == SpanKind::Active;
        assert!(timeline.spans.iter().any(|span| active(&span)), "somebody was active");
    }
}

#[test]
fn handlers_that_run_at_once_have_rows_of_their_own() {
    let mut together = 0;
    for (recording, timeline) in timelines() {
        let started = recording.iter().filter(|(_, record)| record.what == What::Starts).count();
        assert_eq!(timeline.bars.len(), started);
        for (place, one) in timeline.bars.iter().enumerate() {
            for other in timeline.bars[..place].iter().filter(|other| other.lane == one.lane) {
                if other.from < one.to && one.from < other.to {
                    assert_ne!(one.row, other.row, "{one:?} {other:?}");
                    together += 1;
                }
            }
        }
    }
    assert!(together > 10, "{together}");
}

#[test]
fn the_pin_is_where_a_promise_was_broken_and_its_causes_are_there() {
    let (plan, recording) = broken();
    let timeline = Timeline::new(&plan, &recording);
    let pin = timeline.pin.expect("a promise was broken");
    assert_eq!(pin.at, timeline.to);
    let causes: Vec<What> = recording.causes(pin.record).map(|(_, record)| record.what).collect();
    for what in [What::Violation, What::Gets, What::Sends, What::Durable, What::Ends, What::Starts]
    {
        assert!(causes.contains(&what), "{what:?} is not in {causes:?}");
    }
}

#[test]
fn the_page_carries_its_data_and_nothing_else_from_anywhere() {
    let (plan, recording) = broken();
    let mut timeline = Timeline::new(&plan, &recording);
    timeline.title = String::from("</script><b>\"&");
    timeline.words[0] = String::from("</script><script>alert(1)</script>");
    let page = timeline.html();
    assert!(!page.contains("{{") && !page.contains("<b>") && !page.contains("alert(1)</script>"));
    assert!(!page.contains("http"), "no address");
    let from = page.find("id=\"data\">").expect("the data") + "id=\"data\">".len();
    let data = &page[from..from + page[from..].find("</script>").expect("its end")];
    let read: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(read["words"][0], "</script><script>alert(1)</script>");
    assert_eq!(read["arrows"].as_array().map(Vec::len), Some(timeline.arrows.len()));
    assert_eq!(read["pin"]["record"], timeline.pin.map(|pin| pin.record).unwrap());
}

/// The elements of an SVG, each closed.
fn elements(svg: &str) -> usize {
    let mut open = Vec::new();
    let mut count = 0;
    for tag in svg.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        assert!(!tag.contains('<'), "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else {
            count += 1;
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    count
}

#[test]
fn the_svg_is_whole_and_shows_what_lies_in_its_time() {
    for (_, timeline) in timelines() {
        let all = timeline.svg(timeline.from, timeline.to);
        assert!(elements(&all) > timeline.lanes.len() + 2);
        // A time with no more arrows than are shown one by one: the longer it is the more there is of it.
        let mut sent: Vec<u64> = timeline.arrows.iter().map(|arrow| arrow.sent).collect();
        sent.sort_unstable();
        let to = sent.get(1_500).or(sent.last()).copied().expect("somebody said something");
        let (whole, part) = (timeline.svg(timeline.from, to), timeline.svg(timeline.from, to / 8));
        assert!(elements(&part) < elements(&whole));
        assert_eq!(all.matches("#dc2626\" stroke-width").count(), 0, "no pin");
    }
    let (plan, recording) = broken();
    let timeline = Timeline::new(&plan, &recording);
    assert!(timeline.svg(timeline.from, timeline.to).contains("#dc2626\" stroke-width"));
    elements(&timeline.svg(timeline.to, timeline.from));
}
