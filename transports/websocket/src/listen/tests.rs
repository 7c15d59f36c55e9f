use std::net::TcpStream;
use std::time::Duration;

use futures::task::noop_waker_ref;
use moorline_transport::Transport;

use super::*;
use crate::WebSocketTransport;

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for open in ["ws://0.0.0.0:0", "ws://[::]:0", "ws://192.0.2.1:0"] {
        let endpoint: Endpoint = open.parse().expect("an endpoint");
        let error =
            listen(endpoint.clone(), Security::new()).await.map(|_| ()).expect_err("refused");
        assert_eq!(error, ListenError::NotLoopback { endpoint });
    }
    let bound = listen(
        "ws://0.0.0.0:0".parse().expect("an endpoint"),
        Security::new().with_clear_listeners(),
    );
    assert_ne!(bound.await.expect("that was asked for").endpoint().port(), 0);
    for near in ["ws://127.0.0.1:0", "ws://127.9.9.9:0", "ws://localhost:0/a"] {
        let listener =
            listen(near.parse().expect("an endpoint"), Security::new()).await.expect("listens");
        assert_ne!(listener.endpoint().port(), 0, "the real port is told");
        assert!(near.ends_with(listener.endpoint().path()) || near.ends_with(":0"));
    }
}

fn listener_for(crowd: usize) -> (WebSocketListener, u16) {
    let runtime = Runtime::current().expect("a runtime");
    let door = runtime.bind(([127, 0, 0, 1], 0).into()).expect("bound");
    let port = door.port().expect("bound");
    let endpoint: Endpoint = format!("ws://127.0.0.1:{port}").parse().expect("an endpoint");
    let arriving = FuturesUnordered::new();
    (WebSocketListener { door, runtime, tls: None, endpoint, arriving, crowd }, port)
}

#[tokio::test]
async fn those_who_say_nothing_are_a_bounded_crowd_until_they_are_let_go() {
    let (mut listener, port) = listener_for(2);
    let silent: Vec<_> =
        (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("connected")).collect();
    let mut cx = Context::from_waker(noop_waker_ref());
    while listener.arriving.len() < 2 {
        assert!(listener.poll_accept(&mut cx).is_pending());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..20 {
        assert!(listener.poll_accept(&mut cx).is_pending());
        assert_eq!(listener.arriving.len(), 2, "the third has to wait");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let endpoint = listener.endpoint();
    let mut dial = WebSocketTransport::new().dial(&endpoint);
    assert!(futures::poll!(&mut dial).is_pending());
    // From here on time passes as soon as nothing else happens.
    tokio::time::pause();
    for _ in 0..2 {
        let told = listener.accept().await;
        let Err(AcceptError::Refused { reason: Reason::RegisterTimeout, .. }) = told else {
            panic!("{told:?}");
        };
    }
    tokio::time::resume();
    drop(silent);
    let taken = async {
        loop {
            if let Ok(connection) = listener.accept().await {
                return connection;
            }
        }
    };
    let (dialled, _taken) = futures::future::join(dial, taken).await;
    dialled.expect("there is room again");
}
