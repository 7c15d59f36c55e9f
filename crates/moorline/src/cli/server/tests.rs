use super::{Contexts, STANDARD, ServerArgs};
use crate::Code;

fn contexts(current: Option<&str>) -> Contexts {
    let mut contexts = Contexts::default();
    contexts.add("lab", "http://127.0.0.1:1").unwrap();
    contexts.add("fab", "http://127.0.0.1:2").unwrap();
    contexts.current = current.map(str::to_owned);
    contexts
}

fn url(flag: [Option<&str>; 2], variable: Option<&str>, current: Option<&str>) -> String {
    let [server, context] = flag.map(|text| text.map(str::to_owned));
    let args = ServerArgs { server, context, timeout: None };
    args.url(variable.map(str::to_owned), || Ok(contexts(current))).unwrap()
}

#[test]
fn a_flag_goes_before_the_variable_that_before_the_context_and_that_before_the_standard() {
    let (flag, variable) = (Some("http://[::1]:9"), Some("http://127.0.0.1:7"));
    assert_eq!(url([flag, None], variable, Some("lab")), "http://[::1]:9");
    assert_eq!(url([None, Some("fab")], variable, Some("lab")), "http://127.0.0.1:2");
    assert_eq!(url([None, None], variable, Some("lab")), "http://127.0.0.1:7");
    assert_eq!(url([None, None], None, Some("lab")), "http://127.0.0.1:1");
    assert_eq!(url([None, None], None, None), STANDARD);
}

#[test]
fn a_context_that_is_not_there_is_an_error_and_never_the_standard() {
    let unknown = ServerArgs { context: Some("lap".into()), ..ServerArgs::default() };
    let error = unknown.url(None, || Ok(contexts(None))).unwrap_err();
    assert_eq!(error.code(), Code::CONTEXT);
    assert_eq!(error.to_string(), "there is no context `lap`; did you mean `lab`?");
    let removed = ServerArgs::default().url(None, || Ok(contexts(Some("old"))));
    assert_eq!(removed.unwrap_err().code(), Code::CONTEXT);
}

#[test]
fn who_names_a_server_needs_no_file_of_contexts() {
    let unreadable = || Err(crate::Error::Stopped);
    let args = ServerArgs { server: Some("http://127.0.0.1:3".into()), ..ServerArgs::default() };
    assert_eq!(args.url(None, unreadable).unwrap(), "http://127.0.0.1:3");
    let variable = Some("http://127.0.0.1:4".to_owned());
    assert_eq!(ServerArgs::default().url(variable, unreadable).unwrap(), "http://127.0.0.1:4");
    assert!(ServerArgs::default().url(None, unreadable).is_err());
}
