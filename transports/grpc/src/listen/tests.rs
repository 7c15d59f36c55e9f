use super::*;
use crate::home::Homes;

fn home() -> Home {
    Homes::default().here().expect("tokio's")
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for open in ["grpc://0.0.0.0:0", "grpc://[::]:0", "grpc://192.0.2.1:0"] {
        let endpoint: Endpoint = open.parse().expect("an endpoint");
        let error = listen(endpoint.clone(), Security::new(), home())
            .await
            .map(|_| ())
            .expect_err("refused");
        assert_eq!(error, ListenError::NotLoopback { endpoint });
    }
    let bound = listen(
        "grpc://0.0.0.0:0".parse().expect("an endpoint"),
        Security::new().with_clear_listeners(),
        home(),
    );
    assert_ne!(bound.await.expect("that was asked for").endpoint().port(), 0);
    for near in ["grpc://127.0.0.1:0", "grpc://127.9.9.9:0", "grpc://localhost:0"] {
        let listener = listen(near.parse().expect("an endpoint"), Security::new(), home())
            .await
            .expect("listens");
        assert_ne!(listener.endpoint().port(), 0, "the real port is told");
    }
}

#[test]
fn what_is_not_the_stream_is_answered() {
    let request = |method: Method, path: &str, kind: &'static str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(())
            .expect("a request")
    };
    assert!(check(&request(Method::POST, PATH, "application/grpc+proto")).is_ok());
    let page = check(&request(Method::GET, "/", "text/html")).expect_err("refused");
    assert_eq!(page.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let other =
        check(&request(Method::POST, "/other.Service/Method", CONTENT_TYPE)).expect_err("refused");
    assert_eq!(
        Status::from_header_map(other.headers()).map(|status| status.code()),
        Some(Code::Unimplemented)
    );
}

fn size_of_task<A, B, C, D, F: Future>(_: fn(A, B, C, D) -> F) -> usize {
    size_of::<F>()
}

/// A coordinator has one for each worker.
#[test]
fn the_task_of_a_connection_is_small() {
    let size = size_of_task(serve);
    assert!(size <= 2_048, "{size} bytes");
}
