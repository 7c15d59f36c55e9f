use moorline_link::{Reason, Retry};

use super::Exit;
use crate::{Code, Error, TaskId};

#[test]
fn every_code_ends_the_process_as_documented() {
    let codes = Code::ALL.iter().map(|&code| format!("{code} {}", Exit::from(code) as u8));
    insta::assert_snapshot!(codes.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_reason_that_ends_a_worker_for_good_has_an_exit_code_that_says_whether_a_restart_helps() {
    let final_ones = Reason::ALL.iter().filter(|reason| reason.retry() == Retry::Never);
    let lines = final_ones.map(|&reason| format!("{reason} {}", Exit::from(reason) as u8));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_admin_address_in_use_is_told_from_one_that_makes_no_sense() {
    let listen = |kind: std::io::ErrorKind| Error::AdminListen {
        address: "127.0.0.1:8741".into(),
        source: kind.into(),
    };
    assert_eq!(Exit::from(&listen(std::io::ErrorKind::AddrInUse)), Exit::InUse);
    assert_eq!(Exit::from(&listen(std::io::ErrorKind::AddrNotAvailable)), Exit::Config);
    let nobody = Error::NoSuchTask { task: TaskId::from(1) };
    assert_eq!(Exit::from(&nobody), Exit::NotFound);
}
