use super::{TimedBounds, TimedVerdict, check_timed};

fn bounds(text: &str) -> TimedBounds {
    text.parse().expect("the letters of a world with clocks")
}

#[test]
fn nobody_is_declared_dead_before_its_time() {
    // Nothing breaks, one connection breaks, packets take their time, and another worker is there.
    for text in ["timed-b0-n3000", "timed-b1-n9000", "timed-b0-d40-n2000", "timed-w2-b1-n8000"] {
        let checked = check_timed(bounds(text), &mut |_| true);
        let is_planted = cfg!(moorline_planted = "SAFE-9") && text.contains("b1");
        let is_broken = matches!(checked.verdict, TimedVerdict::Broken(..));
        assert_eq!(is_broken, is_planted, "{text}: {:?}", checked.verdict);
        assert!(is_planted || checked.verdict == TimedVerdict::Holds, "{text}");
    }
}

#[test]
fn what_is_said_of_a_model_with_clocks_is_read_back() {
    for text in ["timed-w1-b0-d0-n1", "timed-w3-b3-d200-n100000"] {
        assert_eq!(bounds(text).to_string(), text);
    }
    for wrong in ["", "w1", "timed-w0", "timed-w4", "timed-d201", "timed-n0", "timed-x1", "timed-"]
    {
        assert!(wrong.parse::<TimedBounds>().is_err(), "{wrong}");
    }
}
