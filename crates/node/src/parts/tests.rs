use super::*;

fn cut(body: &Bytes) -> (Message<()>, Vec<Part>) {
    let (first, mut rest) = Rest::begin(Seq(7), body.clone(), 96, &Room::new());
    let body_len = u32::try_from(body.len()).unwrap();
    let mut parts = Vec::new();
    while let Some(part) = Rest::part(&mut rest, &Room::new()) {
        assert!(part.bytes.len() + 32 <= PACKET_MAX);
        parts.push(part);
    }
    assert_eq!(rest, None);
    (Message { seq: Seq(7), head: (), body_len, body: first }, parts)
}

#[test]
fn a_body_of_any_size_is_whole_again_after_cutting() {
    for len in [0, 1, 1_023, 65_535, 65_536, 65_537, 200_000, BODY_MAX as usize] {
        let body: Bytes = (0..len).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
        let (message, parts) = cut(&body);
        let mut assembly = Assembly::new();
        let mut whole = assembly.message(Lane::B, message).unwrap();
        for part in &parts {
            assert_eq!(whole, None, "whole before its last part");
            whole = assembly.part(part).unwrap();
        }
        assert_eq!(whole.unwrap().body, body);
    }
}

#[test]
fn parts_that_do_not_continue_the_message_are_refused() {
    let body = Bytes::from(vec![1; 200_000]);
    let (message, parts) = cut(&body);
    let bad = [
        Part { seq: Seq(8), ..parts[0].clone() },
        Part { offset: parts[0].offset + 1, ..parts[0].clone() },
        Part { bytes: Bytes::new(), ..parts[0].clone() },
        Part { bytes: Bytes::from(vec![1; 200_000]), ..parts[0].clone() },
    ];
    for part in bad {
        let mut assembly = Assembly::new();
        assert_eq!(assembly.message(Lane::B, message.clone()), Ok(None));
        assert_eq!(assembly.part(&part), Err(BadPart), "{:?} at {}", part.seq, part.offset);
    }
    assert_eq!(Assembly::<()>::new().part(&parts[0]), Err(BadPart));
}

#[test]
fn another_message_before_the_last_one_is_whole_is_refused() {
    let (message, _) = cut(&Bytes::from(vec![1; 200_000]));
    let mut assembly = Assembly::new();
    assert_eq!(assembly.message(Lane::B, message.clone()), Ok(None));
    assert_eq!(assembly.message(Lane::B, message.clone()), Err(BadPart));
    let small = Message { seq: Seq(1), head: (), body_len: 0, body: Bytes::new() };
    assert!(assembly.message(Lane::C, small).is_ok(), "lane C goes on between parts");
    let with_body = Message { seq: Seq(1), head: (), body_len: 1, body: Bytes::from_static(b"x") };
    assert_eq!(assembly.message(Lane::C, with_body), Err(BadPart));
}

#[test]
fn a_body_larger_than_allowed_is_refused_before_it_is_kept() {
    let message = Message { seq: Seq(1), head: (), body_len: BODY_MAX + 1, body: Bytes::new() };
    assert_eq!(Assembly::new().message(Lane::B, message), Err(BadPart));
}
