use serde_json::json;

use super::{Herd, WORKERS, herd};

const MS: u64 = 1_000_000;

#[test]
fn a_herd_is_summed_up_from_its_moments() {
    let (killed, back) = (1_000 * MS, 4_000 * MS);
    // One dial of each before anything happened, one while it was away, one when it is back: all of a
    // second, one after the other.
    let spread = |from: u64| (0..WORKERS as u64).map(move |n| (from + n) * MS);
    let tries: Vec<u64> = spread(0).chain(spread(2_000)).chain(spread(4_000)).collect();
    let ups: Vec<u64> = spread(10).chain(spread(4_001)).collect();
    // The last ones of the first dials are made after the kill in this made-up herd: none is.
    let told = json!({"tries": tries, "ups": ups, "downs": []});
    let Herd { half, nearly_all, all, peak, dials_while_down } =
        herd(&told, killed + 10 * MS, back).unwrap();
    assert_eq!((half, nearly_all, all), (0.500, 0.950, 1.000));
    assert_eq!((peak, dials_while_down), (100.0, 1.0));
}

#[test]
fn a_herd_of_which_some_are_missing_is_an_error() {
    let told = json!({"tries": [], "ups": [5], "downs": []});
    assert!(herd(&told, 0, 0).err().unwrap().to_string().contains("1 of 1000"));
}
