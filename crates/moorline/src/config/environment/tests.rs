use super::super::table::Key;
use super::super::value::Value;
use super::read;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

#[test]
fn what_others_put_into_the_environment_is_no_setting() {
    let (layer, problems) = read(&variables(&[
        ("PATH", "/bin"),
        ("MOORLINE_CONFIG", "x.toml"),
        ("MOORLINE_SERVER", "http://127.0.0.1:8741"),
        ("MOORLINE_TASK_ID", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("MOORLINE_ATTEMPT", "2"),
        ("MOORLINE_IDEMPOTENCY_KEY", "x"),
        ("MOORLINE_SIM_SEED", "42"),
        ("MOORLINE_TEST_MEGABYTES", "64"),
        // A service named moorline, and one named moorline-coordinator.
        ("MOORLINE_PORT", "tcp://10.0.0.7:8740"),
        ("MOORLINE_SERVICE_HOST", "10.0.0.7"),
        ("MOORLINE_SERVICE_PORT", "8740"),
        ("MOORLINE_SERVICE_PORT_GRPC", "8740"),
        ("MOORLINE_COORDINATOR_PORT_8740_TCP", "tcp://10.0.0.7:8740"),
        ("MOORLINE_COORDINATOR_PORT_8740_TCP_ADDR", "10.0.0.7"),
        // Written, and left empty.
        ("MOORLINE_WORKER_NAME", ""),
        ("MOORLINE_WORKRE_NAME", ""),
    ]));
    assert!(layer.is_empty(), "{layer:?}");
    assert_eq!(problems, []);
}

#[test]
fn a_variable_of_ours_that_is_none_is_an_error_with_a_suggestion() {
    for (name, meant) in [
        ("MOORLINE_WORKER_HEARTBEAT_INTERVALL", "`MOORLINE_WORKER_HEARTBEAT_INTERVAL`"),
        ("MOORLINE_WORKER_NMAE", "`MOORLINE_WORKER_NAME`"),
        ("MOORLINE_CONFG", "`MOORLINE_CONFIG`"),
        // A number is no address of a service.
        ("MOORLINE_PORT", ""),
        ("MOORLINE_COORDINATOR_PORT_X_TCP", ""),
    ] {
        let (_, problems) = read(&variables(&[(name, "1")]));
        assert_eq!(problems.len(), 1, "{name}");
        assert_eq!(problems[0].code, crate::Code::UNKNOWN_VARIABLE);
        assert!(problems[0].text.contains(name), "{}", problems[0].text);
        assert!(problems[0].text.contains(meant), "{}", problems[0].text);
    }
}

#[test]
fn the_short_name_of_the_log_level_holds_unless_the_long_one_is_there() {
    let level = |pairs| read(&variables(pairs)).0[&Key::LogLevel].0.clone();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(level(&[("MOORLINE_LOG", "debug")]), text("debug"));
    let both = [("MOORLINE_LOG_LEVEL", "warn"), ("MOORLINE_LOG", "debug")];
    assert_eq!(level(&both), text("warn"));
    let emptied = [("MOORLINE_LOG_LEVEL", ""), ("MOORLINE_LOG", "debug")];
    assert_eq!(level(&emptied), text("debug"));
}
