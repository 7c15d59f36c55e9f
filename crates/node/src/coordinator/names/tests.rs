use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn a_name_keeps_its_number_while_anybody_bears_it_and_gives_it_to_another_afterwards() {
    let mut names = WorkerNames::default();
    let ann = names.hold(&name("ann"));
    assert_eq!(names.hold(&name("ann")), ann);
    let bob = names.hold(&name("bob"));
    assert_ne!(ann, bob);
    names.release(&name("ann"));
    assert_ne!(names.hold(&name("cid")), ann, "one still bears it");
    names.release(&name("ann"));
    assert_eq!(names.hold(&name("dan")), ann);
    assert_eq!(names.len(), 3);
}

#[test]
fn strangers_without_end_take_no_more_numbers_than_there_are_at_a_time() {
    let mut names = WorkerNames::default();
    for n in 0..10_000 {
        let stranger = name(&format!("stranger-{n}"));
        assert!(names.hold(&stranger).0 < 2);
        if n > 0 {
            names.release(&name(&format!("stranger-{}", n - 1)));
        }
    }
    assert_eq!(names.len(), 1);
}
