//! The transport of docs/your-own-transport.md keeps every promise, and that page says what it is like.

#[path = "../examples/packets_over_tcp.rs"]
mod packets_over_tcp;

use packets_over_tcp::{block_on, subject};

moorline_transport::conformance! {
    subject: subject(),
    block_on: block_on,
}

#[test]
fn the_code_of_the_documentation_is_that_of_the_example() {
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    let example = plain(include_str!("../examples/packets_over_tcp.rs"))
        + &plain(include_str!("your_own_transport.rs"));
    let document = include_str!("../../../docs/your-own-transport.md");
    let blocks: Vec<&str> = document
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or(""))
        .collect();
    assert!(blocks.len() >= 4, "{} blocks", blocks.len());
    for block in blocks {
        for piece in block.split("// ...\n") {
            assert!(example.contains(&plain(piece)), "{piece}");
        }
    }
}

#[test]
fn the_documentation_names_every_promise() {
    let document = include_str!("../../../docs/your-own-transport.md");
    for promise in moorline_transport::conformance::PROMISES {
        let row = format!("\n| `{}` | {} |\n", promise.name(), promise.proves());
        assert!(document.contains(&row), "{row}");
    }
}
