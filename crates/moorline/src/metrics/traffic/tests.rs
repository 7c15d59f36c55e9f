use super::*;
use crate::metrics::tests::series;

fn page(traffic: &Traffic) -> BTreeMap<String, f64> {
    let mut page = Page::default();
    traffic.measure(&mut page);
    series(&page.finish())
}

#[test]
fn no_client_can_make_a_label_of_its_own() {
    let traffic = Traffic::default();
    let odd = Method::from_bytes(b"BREW").unwrap();
    for _ in 0..3 {
        traffic.answered(None, &odd, StatusCode::NOT_FOUND, Duration::from_millis(2));
    }
    traffic.answered(Some("/api/v1/tasks"), &Method::GET, StatusCode::OK, Duration::from_secs(31));
    let all = page(&traffic);
    let of = |name: &str, labels: &str| {
        all[&format!("moorline_http_request_duration_seconds_{name}{{{labels}}}")]
    };
    let other = "route=\"other\",method=\"other\",status_class=\"4xx\"";
    assert_eq!(of("count", other), 3.0);
    assert_eq!(of("bucket", &format!("{other},le=\"0.001\"")), 0.0);
    assert_eq!(of("bucket", &format!("{other},le=\"0.0025\"")), 3.0);
    let list = "route=\"/api/v1/tasks\",method=\"GET\",status_class=\"2xx\"";
    assert_eq!((of("count", list), of("sum", list)), (1.0, 31.0));
    assert_eq!(of("bucket", &format!("{list},le=\"30\"")), 0.0);
}

#[test]
fn who_follows_is_counted_as_long_as_it_does() {
    let traffic = Traffic::default();
    let permit = Arc::clone(traffic.streams()).try_acquire_owned().unwrap();
    assert_eq!(page(&traffic)["moorline_coordinator_stream_clients"], 1.0);
    drop(permit);
    assert_eq!(page(&traffic)["moorline_coordinator_stream_clients"], 0.0);
}
