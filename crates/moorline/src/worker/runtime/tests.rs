use super::*;
use crate::Code;

#[test]
fn each_runtime_of_this_build_is_read_by_the_name_it_is_shown_with() {
    for runtime in Runtime::ALL {
        assert_eq!(runtime.to_string().parse::<Runtime>().ok(), Some(*runtime));
        assert!(Runtime::NAMES.contains(&runtime.name()));
    }
}

#[test]
fn a_runtime_that_is_not_there_is_told_from_one_that_is_none() {
    let error = "fibers".parse::<Runtime>().expect_err("no runtime");
    assert_eq!(error.code(), Code::SETTING);
    let known = Runtime::ALL.iter().map(|runtime| runtime.name()).collect::<Vec<_>>().join(", ");
    assert!(
        error.to_string().ends_with(&format!("`fibers` is no runtime; this build has {known}"))
    );
    for name in Runtime::NAMES {
        match name.parse::<Runtime>() {
            Ok(runtime) => assert_eq!(runtime.name(), *name),
            Err(error) => {
                let way_out = format!("build it with the feature `{name}`");
                assert!(error.to_string().ends_with(&way_out), "{error}");
            }
        }
    }
}

#[test]
fn only_tokio_has_to_be_entered() {
    for runtime in Runtime::ALL {
        let host = Host::of(*runtime);
        assert_eq!(host.is_err(), *runtime == Runtime::Tokio);
    }
}

#[test]
fn a_sleep_on_tokio_may_be_waited_for_anywhere() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let host = tokio.block_on(async { Host::of(Runtime::Tokio) }).expect("it is entered");
    futures::executor::block_on(host.sleep(Duration::from_millis(1)));
}
