use std::cell::RefCell;

use super::Outcomes;
use crate::cli::exit::Exit;
use crate::{Error, TaskId};

fn missing() -> Result<(), Error> {
    Err(Error::NoSuchTask { task: TaskId::from(1) })
}

#[test]
fn several_targets_end_with_one_code() {
    let exit = |results: Vec<Result<(), Error>>| {
        let failures = results.iter().filter(|result| result.is_err()).count();
        let told = RefCell::new(0);
        let mut outcomes = Outcomes::telling(|error: &Error| {
            *told.borrow_mut() += 1;
            Exit::from(error)
        });
        for result in results {
            outcomes.note(result).unwrap();
        }
        assert_eq!(*told.borrow(), failures, "each failure is told once");
        outcomes.exit()
    };
    let taken = || Err(Error::IdTaken { task: TaskId::from(1) });
    assert_eq!(exit(vec![Ok(()), Ok(())]), Exit::Done);
    assert_eq!(exit(vec![missing()]), Exit::NotFound);
    assert_eq!(exit(vec![missing(), missing()]), Exit::NotFound);
    assert_eq!(exit(vec![missing(), taken()]), Exit::Partly);
    assert_eq!(exit(vec![Ok(()), missing()]), Exit::Partly);
}

#[test]
fn a_failure_that_is_not_about_one_target_ends_the_command() {
    let mut outcomes = Outcomes::telling(|error: &Error| Exit::from(error));
    assert!(outcomes.note::<()>(Err(Error::Stopped)).is_err());
}
