use std::time::Duration;

use moorline_link::{First, Jitter, LinkConfig, Quality, Timeouts};

use crate::{BoxError, Code, Preset, Reconnect, TaskCtx, Worker, WorkerBuilder};

fn builder() -> WorkerBuilder {
    Worker::builder("mem://nowhere").transport(moorline_memory::MemoryTransport::new()).name("w")
}

/// What the machine is told.
fn link(builder: WorkerBuilder) -> LinkConfig {
    builder.build().unwrap().options.config.link
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The numbers of the table of defaults, each by itself: a change of any is a change for users.
#[tokio::test]
async fn a_worker_of_which_nothing_is_said_has_the_documented_defaults() {
    let worker = builder().build().unwrap();
    let config = &worker.options.config;
    let heartbeat = config.link.heartbeat;
    assert_eq!(heartbeat.interval(), s(5));
    assert_eq!(heartbeat.silence(s(5)), s(15));
    assert_eq!(heartbeat.misses(), 3);
    assert_eq!((heartbeat.clamp(s(0)), heartbeat.clamp(s(3_600))), (s(1), s(15)));
    let reconnect = &config.link.reconnect;
    let backoff = reconnect.backoff();
    assert_eq!((backoff.initial_delay(), backoff.max_delay()), (s(1), s(60)));
    assert_eq!(backoff.jitter(), Jitter::Full { floor: Duration::from_millis(100) });
    assert_eq!(backoff.first(), First::Window);
    assert_eq!(reconnect.attempts_allowed(), 0);
    let timeouts = config.link.timeouts;
    assert_eq!((timeouts.connect(), timeouts.register()), (s(10), s(10)));
    assert_eq!((timeouts.restore(), timeouts.goodbye()), (s(30), s(5)));
    assert_eq!((config.runner.slots, config.runner.task_timeout), (1, None));
    assert_eq!(worker.drain_timeout, s(30));
    // And what has no accessor: that it comes back, stable after 30 s, first window of at most 10 min,
    // dials 100 ms apart, the bounds of the lanes.
    assert_eq!(config.link, LinkConfig::default());
}

#[tokio::test]
async fn production_is_what_a_worker_does_anyway() {
    assert_eq!(link(builder().preset(Preset::Production)), link(builder()));
}

#[tokio::test]
async fn what_is_set_by_its_own_name_wins_over_preset_and_policy_in_any_order() {
    type Set = fn(WorkerBuilder) -> WorkerBuilder;
    let own: [Set; 6] = [
        |b| b.auto_reconnect(true),
        |b| b.max_reconnect_attempts(7),
        |b| b.reconnect_base_delay(s(2)),
        |b| b.reconnect_max_delay(s(20)),
        |b| b.heartbeat(s(4), s(16)),
        |b| b.connect_timeout(s(9)),
    ];
    let first: Set = |b| b.preset(Preset::Edge).reconnect(Reconnect::off().jitter(Jitter::Equal));
    let before = link(own.iter().fold(first(builder()), |b, set| set(b)));
    let after = link(first(own.iter().rev().fold(builder(), |b, set| set(b))));
    assert_eq!(before, after);
    let expected = moorline_link::Reconnect::new(*before.reconnect.backoff()).max_attempts(7);
    assert_eq!(before.reconnect, expected, "it comes back, seven times");
    let backoff = before.reconnect.backoff();
    assert_eq!((backoff.initial_delay(), backoff.max_delay()), (s(2), s(20)));
    assert_eq!(backoff.jitter(), Jitter::Equal, "the policy goes before the preset");
    assert_eq!(before.heartbeat.interval(), s(4));
    assert_eq!(before.timeouts.connect(), s(9));
}

#[tokio::test]
async fn a_preset_gives_what_nothing_else_was_said_about() {
    let edge = link(builder().preset(Preset::Edge).reconnect_max_delay(s(20)));
    let backoff = edge.reconnect.backoff();
    assert_eq!(backoff.initial_delay(), Duration::from_millis(500));
    assert_eq!(backoff.max_delay(), s(20));
    assert_eq!(edge.heartbeat.interval(), s(3));
    assert_eq!(edge.heartbeat.silence(s(3)), s(10));
}

#[tokio::test]
async fn timeouts_arrive_each_in_its_own_place() {
    let set = builder().connect_timeout(s(1)).register_timeout(s(2)).restore_timeout(s(3));
    assert_eq!(link(set).timeouts, Timeouts::new(s(1), s(2), s(3), s(5)).unwrap());
    assert_eq!(link(builder().heartbeat_misses(5)).heartbeat.misses(), 5);
    let limit = builder().reconnect(Reconnect::forever().give_up_after(s(60)));
    let expected = moorline_link::Reconnect::default().give_up_after(Some(s(60)));
    assert_eq!(link(limit).reconnect, expected);
}

#[tokio::test]
async fn impossible_values_are_refused_with_their_numbers() {
    let nothing = Duration::ZERO;
    let (delays, steps) = (Code::BACKOFF_DELAYS, Code::TIMEOUT);
    let cases = [
        (builder().reconnect_base_delay(s(90)), "90s", delays),
        (builder().preset(Preset::Development).reconnect_base_delay(s(20)), "10s", delays),
        (builder().reconnect_base_delay(nothing), "0ns", delays),
        (builder().connect_timeout(nothing), "connect timeout", steps),
        (builder().register_timeout(nothing), "register timeout", steps),
        (builder().restore_timeout(nothing), "restore timeout", steps),
        (builder().heartbeat(nothing, s(1)), "0ns", Code::HEARTBEAT_INTERVAL),
        (builder().heartbeat_misses(0), "at least one", Code::HEARTBEAT_TIMEOUT),
        (builder().min_stability(1.01), "1.01 is not 0 to 1", Code::SETTING),
        (builder().min_stability(-0.1), "-0.1 is not 0 to 1", Code::SETTING),
        (builder().min_stability(f64::NAN), "NaN is not 0 to 1", Code::SETTING),
        (builder().max_round_trip(nothing), "round trip", Code::SETTING),
        (
            builder().reconnect(Reconnect::forever().give_up_after(nothing)),
            "give up after",
            Code::SETTING,
        ),
    ];
    for (builder, named, code) in cases {
        let task = |_ctx: TaskCtx, (): ()| async { Ok::<_, BoxError>(()) };
        let error = builder.task("t", task).build().unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(named), "{error} does not say {named}");
    }
}

#[tokio::test]
async fn what_a_good_link_is_follows_from_the_preset_and_from_what_is_set_by_name() {
    let quality = |builder: WorkerBuilder| link(builder).quality;
    assert_eq!(quality(builder()), Quality::new(700_000, s(1)).unwrap());
    let edge = builder().preset(Preset::Edge);
    assert_eq!(quality(edge), Quality::new(800_000, s(1)).unwrap());
    let own = builder().min_stability(0.95).max_round_trip(s(2)).preset(Preset::Edge);
    assert_eq!(quality(own), Quality::new(950_000, s(2)).unwrap());
    for (share, ppm) in [(0.0, 0), (1.0, 1_000_000)] {
        assert_eq!(quality(builder().min_stability(share)).stability_ppm(), ppm);
    }
}

#[tokio::test]
async fn a_coordinator_can_spread_the_first_dial_only_over_what_the_worker_allows() {
    let told = link(builder().reconnect(Reconnect::forever().max_first_window(s(30))));
    let machine = moorline_link::Reconnect::default();
    assert_eq!(told.reconnect, machine.max_first_window(s(30)));
    assert_eq!(link(builder()).reconnect, machine.max_first_window(s(600)));
}
