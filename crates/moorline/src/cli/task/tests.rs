use super::Outcomes;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::logs::LogFormat;
use crate::{Error, TaskId};

const CONTEXT: Context = Context { json: true, log_format: LogFormat::Auto };

fn missing() -> Result<(), Error> {
    Err(Error::NoSuchTask { task: TaskId::from(1) })
}

#[test]
fn several_targets_end_with_one_code() {
    let exit = |results: Vec<Result<(), Error>>| {
        let mut outcomes = Outcomes::default();
        for result in results {
            outcomes.note(result, CONTEXT).unwrap();
        }
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
    assert!(Outcomes::default().note::<()>(Err(Error::Stopped), CONTEXT).is_err());
}
