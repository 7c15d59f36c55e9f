//! What reads and writes the hot path in one pass, beside the generated code.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_node::{DownFrame, Packet, UpFrame};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use prost::Message as _;
use support::{
    down, down_packet, hot_down, hot_up, lane_of_down, lane_of_up, packet, up, up_packet,
};

use super::twisted::{Dice, twisted};
use super::{decode_down, decode_up, encode_down, encode_up, reference};
use crate::DecodeError;
use crate::generated::worker as pb;

/// A few frames, most of them of the hot path: what is odd about such a packet is odd there.
fn few_up() -> impl Strategy<Value = Packet<UpFrame>> {
    prop::collection::vec(prop_oneof![5 => hot_up(), 1 => up()], 1..4)
        .prop_map(|frames| packet(frames, lane_of_up, UpFrame::size_bound))
}

fn few_down() -> impl Strategy<Value = Packet<DownFrame>> {
    prop::collection::vec(prop_oneof![5 => hot_down(), 1 => down()], 1..4)
        .prop_map(|frames| packet(frames, lane_of_down, DownFrame::size_bound))
}

/// Both ways to read a packet say the same of it, whoever it is from. Returns what, see [`sort`].
fn read_alike(bytes: &[u8]) -> [String; 2] {
    let bytes = Bytes::copy_from_slice(bytes);
    let up = decode_up(bytes.clone());
    assert_eq!(up, reference::decode_up(&bytes), "{bytes:?}");
    let down = decode_down(bytes.clone());
    assert_eq!(down, reference::decode_down(&bytes), "{bytes:?}");
    [sort(up.map(|read| read.unknown_fields)), sort(down.map(|read| read.unknown_fields))]
}

/// The generated code reads it as it was meant, and would have written the same bytes.
fn written_alike(up: &Packet<UpFrame>, down: &Packet<DownFrame>) {
    let bytes = encode_up(up);
    assert_eq!(reference::decode_up(&bytes).unwrap().frames, up.frames);
    assert_eq!(pb::Packet::decode(bytes.clone()).unwrap().encode_to_vec(), bytes);
    let bytes = encode_down(down);
    assert_eq!(reference::decode_down(&bytes).unwrap().frames, down.frames);
    assert_eq!(pb::Packet::decode(bytes.clone()).unwrap().encode_to_vec(), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_the_generated_code_writes(up in up_packet(), down in down_packet()) {
        written_alike(&up, &down);
    }

    #[test]
    fn odd_packets_are_read_as_by_the_generated_code(
        up in prop_oneof![4 => few_up(), 1 => up_packet()],
        down in prop_oneof![4 => few_down(), 1 => down_packet()],
        seed in any::<u64>(),
    ) {
        let mut dice = Dice(seed);
        for _ in 0..4 {
            read_alike(&twisted(&encode_up(&up), 6, &mut dice));
            read_alike(&twisted(&encode_down(&down), 6, &mut dice));
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_as_by_the_generated_code(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        read_alike(&bytes);
    }
}

/// What the fuzzers of the wire format have in their corpora.
#[test]
fn packets_that_fuzzing_reached_are_read_as_by_the_generated_code() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for target in ["wire_up", "wire_down"] {
        let mut read = 0;
        for entry in std::fs::read_dir(corpus.join(target)).unwrap() {
            read_alike(&std::fs::read(entry.unwrap().path()).unwrap());
            read += 1;
        }
        assert!(read >= 20, "{read} inputs are no corpus");
    }
}

/// The shape of a judgement, without its numbers.
fn sort(judged: Result<u32, DecodeError>) -> String {
    match judged {
        Ok(0) => "all known".to_owned(),
        Ok(_) => "something unknown".to_owned(),
        Err(DecodeError::Malformed { detail }) => {
            let last = detail.rsplit(": ").next().unwrap_or_default();
            last.chars().filter(|letter| !letter.is_ascii_digit()).collect()
        }
        Err(error) => {
            let name = format!("{error:?}");
            name.split(' ').next().unwrap_or_default().to_owned()
        }
    }
}

/// Everything that can be said of a packet with such frames.
const SORTS: [&str; 26] = [
    "BodyLength",
    "BodyTooLarge",
    "Empty",
    "EmptyPart",
    "Missing",
    "MixedLanes",
    "Name",
    "OutOfRange",
    "SeveralKinds",
    "SixtyFourBit (expected Varint)",
    "TextTooLong",
    "ThirtyTwoBit (expected SixtyFourBit)",
    "ThirtyTwoBit (expected Varint)",
    "UnknownMessage",
    "Varint (expected SixtyFourBit)",
    "WrongDirection",
    "WrongLane",
    "a number above  bits",
    "all known",
    " is no field number",
    "Assign.handler is of another type",
    "TaskKey.attempt is of another type",
    "data is not UTF- encoded",
    "field  has wire type ",
    "something unknown",
    "the bytes end inside a field",
];

#[test]
fn the_odd_packets_are_odd_in_every_way() {
    let mut runner = TestRunner::deterministic();
    let mut dice = Dice(1);
    let mut sorts = BTreeMap::<_, u32>::new();
    for _ in 0..10_000 {
        let up = few_up().new_tree(&mut runner).unwrap().current();
        let down = few_down().new_tree(&mut runner).unwrap().current();
        let wholes = [encode_up(&up), encode_down(&down)];
        for whole in wholes.iter().cycle().take(6) {
            for judged in read_alike(&twisted(whole, 4, &mut dice)) {
                *sorts.entry(judged).or_default() += 1;
            }
        }
    }
    for sort in SORTS {
        assert!(sorts.contains_key(sort), "{sort:?} is not in {sorts:#?}");
    }
}

#[test]
fn a_packet_cut_anywhere_is_read_as_by_the_generated_code() {
    let mut runner = TestRunner::deterministic();
    let mut dice = Dice(2);
    for _ in 0..200 {
        let up = few_up().new_tree(&mut runner).unwrap().current();
        let down = few_down().new_tree(&mut runner).unwrap().current();
        for whole in [encode_up(&up), encode_down(&down)] {
            let bytes = twisted(&whole, 4, &mut dice);
            for cut in 0..bytes.len().min(300) {
                read_alike(&bytes[..cut]);
            }
        }
    }
}

fn block(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn a_head_is_merged_with_one_of_its_kind_and_replaces_any_other() {
    let (key, word) = (block(1, &[24, 1]), vec![16, 1]);
    // A result in two halves, an accept between them or not; a key in two halves.
    let halves = [block(5, &key), block(5, &word)];
    let between = [&halves[0][..], &block(6, &key), &halves[1]].concat();
    let other = [block(6, &key), block(5, &word)].concat();
    let twice = [block(5, &[&key[..], &word].concat()), block(5, &block(1, &[]))].concat();
    let cases = [
        (halves.concat(), "all known"),
        (between, "Missing"),
        (other, "Missing"),
        (twice, "all known"),
    ];
    for (heads, sort) in cases {
        let message = [&[8, 1][..], &heads].concat();
        let [judged, _] = read_alike(&block(1, &block(5, &message)));
        assert_eq!(judged, sort, "{heads:?}");
    }
}
