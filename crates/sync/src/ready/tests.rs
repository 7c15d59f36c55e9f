use super::*;

#[test]
fn who_is_ready_is_listed_once_until_it_was_looked_at() {
    let ready = Arc::new(Ready::default());
    let (first, second) = (Ready::mark(&ready, 1), Ready::mark(&ready, 2));
    first.wake_by_ref();
    second.wake_by_ref();
    first.wake_by_ref();
    let mut listed = Vec::new();
    ready.take(&mut listed);
    assert_eq!(listed.iter().map(|mark| *mark.name()).collect::<Vec<_>>(), [1, 2]);

    first.wake_by_ref();
    let mut again = Vec::new();
    ready.take(&mut again);
    assert!(again.is_empty(), "it was not looked at yet");
    listed.iter().for_each(|mark| mark.seen());
    first.wake_by_ref();
    ready.take(&mut again);
    assert_eq!(again.len(), 1);
}

#[test]
fn a_mark_that_outlives_its_list_holds_nothing() {
    let ready = Arc::new(Ready::default());
    let name = Arc::new(());
    let mark = Ready::mark(&ready, Arc::clone(&name));
    mark.wake_by_ref();
    drop(ready);
    mark.wake();
    assert_eq!(Arc::strong_count(&name), 1);
}
