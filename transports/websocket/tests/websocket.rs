//! The WebSocket transport keeps what every transport has to keep, over real sockets on loopback: clear
//! and encrypted, on tokio and off it.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "../../memory/tests/essentials/mod.rs"]
mod essentials;

use common::{OffTokio, encrypted};
use essentials::PACKET_MAX;
use moorline_transport::{Endpoint, UNWRITTEN_MAX};
use moorline_websocket::WebSocketTransport;

/// What the kernel holds on both sides, what TLS does, and what the sender does.
const SLOW_READER_MAX: usize = (1 << 20) + UNWRITTEN_MAX + PACKET_MAX;

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

macro_rules! keeps {
    ($($name:ident($($more:expr),*);)*) => {
        mod clear {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let here = endpoint("ws://127.0.0.1:0");
                essentials::$name(&WebSocketTransport::new(), &here, $($more),*).await;
            })*
        }
        mod encrypted {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let here = endpoint("wss://127.0.0.1:0");
                essentials::$name(&encrypted(), &here, $($more),*).await;
            })*
        }
        mod on_one_thread {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let here = endpoint("ws://127.0.0.1:0/moorline");
                essentials::$name(&WebSocketTransport::new(), &here, $($more),*).await;
            })*
        }
        mod off_tokio {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let here = endpoint("ws://127.0.0.1:0");
                let transport = OffTokio(WebSocketTransport::new());
                essentials::$name(&transport, &here, $($more),*).await;
            })*
        }
        mod encrypted_off_tokio {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let here = endpoint("wss://127.0.0.1:0");
                essentials::$name(&OffTokio(encrypted()), &here, $($more),*).await;
            })*
        }
    };
}

keeps! {
    packets_arrive_in_order_both_ways_and_whole();
    a_slow_reader_holds_the_writer_back(SLOW_READER_MAX);
    an_abrupt_end_is_a_reset();
    one_half_that_is_dropped_cuts_the_connection();
    an_orderly_end_comes_behind_what_was_sent();
    an_orderly_end_waits_for_a_peer_that_reads_late();
    a_dial_to_nothing_is_refused();
    a_dial_can_be_cancelled();
    connections_outlive_their_listener();
    an_address_is_listened_on_once();
    many_connections_at_once();
}
