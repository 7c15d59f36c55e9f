use serde_json::json;

use super::super::peers::table::Turn;
use super::cut::{Fate, Fault, WORKERS, fate, shown};
use super::side::{LIMITS, Side};
use super::{cut, memory, proxy, speed, wire};

fn turn(per_second: f64, p50: f64) -> Turn {
    Turn { per_second, p50, p99: 3.0 * p50 }
}

/// The line of a table that begins with this cell.
fn line<'t>(text: &'t str, name: &str) -> &'t str {
    let begin = format!("| {name} |");
    text.lines().find(|line| line.starts_with(&begin)).unwrap_or_else(|| panic!("{name}: {text}"))
}

#[test]
fn what_is_ours_is_compared_with_its_own_library_and_with_tls_if_it_has_that() {
    let rows = speed::rows();
    let name = |place: usize| format!("{:?}", rows[place].what);
    for row in &rows {
        let what = format!("{:?}", row.what);
        let library = match what.as_str() {
            r#"Messages("grpc")"# | r#"Tasks("grpc")"# => Some(r#"Bare("tonic")"#),
            r#"Messages("grpcs")"# | r#"Tasks("grpcs")"# => Some(r#"Bare("tonic-tls")"#),
            r#"Messages("quic")"# | r#"Tasks("quic")"# => Some(r#"Bare("quinn")"#),
            r#"Messages("ws")"# | r#"Tasks("ws")"# => Some(r#"Bare("tungstenite")"#),
            r#"Messages("wss")"# | r#"Tasks("wss")"# => Some(r#"Bare("tungstenite-tls")"#),
            _ => None,
        };
        assert_eq!(row.library.map(name).as_deref(), library, "{what}");
        let encrypted = ["tls", "quinn", "grpcs", "quic", "wss"];
        let limit = usize::from(encrypted.iter().any(|word| what.contains(word)));
        assert_eq!(row.limit, limit, "{what}");
    }
    // Three for each transport, and the limits.
    assert_eq!(rows.len(), 3 * 5 + LIMITS.len());
}

#[test]
fn ratios_are_of_the_same_round() {
    let rows = speed::rows();
    let quic = rows.iter().position(|row| format!("{:?}", row.what).contains("\"quic\"")).unwrap();
    let bare = rows[quic].library.unwrap();
    // Ours is half as fast, four times, half as fast: medians alone would say as fast.
    let rounds: Vec<Vec<Turn>> = [(10_000.0, 20_000.0), (20_000.0, 5_000.0), (30_000.0, 60_000.0)]
        .into_iter()
        .map(|(ours, theirs)| {
            let mut round = vec![turn(100_000.0, 1.0); rows.len()];
            (round[quic], round[bare]) = (turn(ours, 300.0), turn(theirs, 100.0));
            round
        })
        .collect();
    let many = speed::text(256, &rows, &rounds);
    assert_eq!(
        line(&many, "quic: reliable messages"),
        "| quic: reliable messages | 20,000 | 300 / 900 | 0.50 | 0.20 |"
    );
    assert_eq!(line(&many, "bare quinn"), "| bare quinn | 20,000 | 100 / 300 |  | 0.20 |");
    assert_eq!(
        line(&many, "length-prefixed TLS"),
        "| length-prefixed TLS | 100,000 | 1 / 3 |  |  |"
    );
    let one = speed::text(1, &rows, &rounds);
    assert_eq!(
        line(&one, "quic: reliable messages"),
        "| quic: reliable messages | 20,000 | 300 / 900 | 3.00 | 300.00 |"
    );
}

#[test]
fn each_transport_stands_beside_the_library_beneath_it() {
    // In the order of the sides: 0, 1, 2 and so on, and more of it in a second round.
    let count = Side::all().count();
    let costs: Vec<Vec<f64>> = [1.0, 10.0, 100.0]
        .map(|times| (0..count).map(|place| place as f64 * times).collect())
        .into();
    let text = memory::text(1_000, &costs);
    assert_eq!(line(&text, "length-prefixed TLS"), "| length-prefixed TLS | 10.0 | | |");
    assert_eq!(line(&text, "grpc"), "| grpc | 20.0 | 30.0 | +10.0 |");
    assert_eq!(line(&text, "wss"), "| wss | 100.0 | 110.0 | +10.0 |");

    let each: Vec<[f64; 2]> = (0..count).map(|place| [place as f64 * 100.0, 10.0]).collect();
    let text = wire::text(240, &each);
    assert_eq!(line(&text, "length-prefixed TCP"), "| length-prefixed TCP | 0 + 10 = 10 | | |");
    // 100 bytes more than the library with a payload of 34.
    assert_eq!(line(&text, "quic"), "| quic | 600 + 10 = 610 | 700 + 10 = 710 | 134 |");
}

#[test]
fn a_fate_is_counted_from_the_fault_and_from_its_end() {
    let second = 1_000_000_000_u64;
    let list = |first: u64| (0..WORKERS as u64).map(|nth| first + nth).collect::<Vec<_>>();
    // Before the fault and after it.
    let ups = [list(2 * second), list(17 * second)].concat();
    let moments = json!({ "tries": [], "ups": ups, "downs": list(12 * second) });
    let fate_of = |cut: u64, healed: u64| fate(&moments, cut * second, healed * second, true);
    let Fate { noticed, half, all, unharmed } = fate_of(10, 15).unwrap();
    let seconds = [noticed, half, all].map(|at| (at.unwrap() * 10.0).round() / 10.0);
    assert_eq!((seconds, unharmed), ([2.0, 2.0, 2.0], false));
    assert_eq!(shown(all.unwrap() / 4.0), "500 ms");

    // After the last moment: nothing happened to anybody.
    assert_eq!(fate_of(30, 30).unwrap(), Fate { unharmed: true, ..Fate::default() });
    let silent = fate(&moments, 30 * second, 30 * second, false).unwrap();
    assert!(!silent.unharmed, "nothing was heard since");
    // Not everybody came back.
    let some = json!({ "ups": [7], "downs": list(5) });
    let Fate { noticed, half, all, .. } = fate(&some, 4, 4, true).unwrap();
    assert!(noticed.is_some() && half.is_none() && all.is_none());
    assert!(fate(&json!({ "ups": [] }), 0, 0, true).is_err());
}

#[test]
fn a_round_in_which_nobody_came_back_counts_as_forever() {
    let came = Fate { noticed: Some(0.001), half: Some(0.75), all: Some(1.25), unharmed: false };
    let gone = Fate { noticed: Some(12.0), ..Fate::default() };
    let unharmed = Fate { unharmed: true, ..Fate::default() };
    let round = |first: Fate| {
        let mut round = vec![came; Side::pairs().count()];
        (round[0], round[5]) = (first, unharmed);
        round
    };
    let rounds = [round(gone), round(came), round(gone)];
    let text = cut::text(Fault::Kill, &rounds.iter().map(|round| &round[..]).collect::<Vec<_>>());
    assert_eq!(line(&text, "bare tonic"), "| bare tonic | 12.0 s | never | never |");
    assert_eq!(line(&text, "moorline, grpc"), "| moorline, grpc | 1 ms | 750 ms | 1.2 s |");
    assert_eq!(line(&text, "moorline, quic"), "| moorline, quic | connection goes on | | |");
}

#[test]
fn an_answer_of_the_proxy_is_read_and_a_refusal_is_none() {
    let status = json!({ "to_target": { "bytes": 7 }, "back": { "bytes": 9 } });
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{status}");
    assert_eq!(proxy::bytes(&proxy::body(&answer).unwrap()).unwrap(), [7, 9]);
    assert!(proxy::bytes(&json!({ "back": { "bytes": 9 } })).is_err());
    assert!(proxy::body("HTTP/1.1 409 Conflict\r\n\r\n{}").is_err());
    assert!(proxy::body("HTTP/1.1 200 OK\r\n").is_err());
}

#[test]
fn sides_with_tls_are_those_that_have_it() {
    let encrypted: Vec<String> =
        Side::all().filter(|side| side.is_encrypted()).map(Side::name).collect();
    assert_eq!(
        encrypted,
        [
            "length-prefixed TLS",
            "bare tonic, TLS",
            "moorline, grpcs",
            "bare quinn",
            "moorline, quic",
            "bare tungstenite, TLS",
            "moorline, wss",
        ]
    );
    let datagrams: Vec<String> = Side::all().filter(|side| side.is_udp()).map(Side::name).collect();
    assert_eq!(datagrams, ["bare quinn", "moorline, quic"]);
}
