//! What a proxy does, for people and as JSON.

use std::time::Duration;

use moorline_chaos::{Change, Counts, Event, Fate, Id, Kind, Origin, Snapshot, WayCounts};
use serde_json::{Map, Value, json};

use super::change;

/// How everything stands.
pub(super) fn status(snapshot: &Snapshot) -> Value {
    let open = snapshot.open.iter().map(|member| {
        json!({
            "connection": name(member.id),
            "peer": member.peer.to_string(),
            "answered": member.answered,
            "to_target": counts_of(&member.counts.to_target),
            "back": counts_of(&member.counts.back),
        })
    });
    json!({
        "seed": snapshot.seed,
        "cut": snapshot.cut,
        "silent": snapshot.silent.map(change::way_text),
        "faults": {
            "to_target": change::faults(snapshot.to_target),
            "back": change::faults(snapshot.back),
        },
        "connections": snapshot.connections,
        "flows": snapshot.flows,
        "refused": snapshot.refused,
        "unreachable": snapshot.unreachable,
        "ended": snapshot.ended,
        "events_dropped": snapshot.events_dropped,
        "to_target": counts_of(&snapshot.total.to_target),
        "back": counts_of(&snapshot.total.back),
        "open": open.collect::<Vec<_>>(),
    })
}

/// `tcp-1`, `udp-3`.
fn name(id: Id) -> String {
    let kind = match id.kind {
        Kind::Tcp => "tcp",
        Kind::Udp => "udp",
    };
    format!("{kind}-{}", id.number)
}

/// Every count, also those of nothing.
fn pairs(counts: &WayCounts) -> [(&'static str, u64); 9] {
    let WayCounts {
        bytes,
        pieces,
        swallowed,
        stalls,
        lost,
        overflowed,
        corrupted,
        duplicated,
        reordered,
    } = *counts;
    [
        ("bytes", bytes),
        ("pieces", pieces),
        ("swallowed", swallowed),
        ("stalls", stalls),
        ("lost", lost),
        ("overflowed", overflowed),
        ("corrupted", corrupted),
        ("duplicated", duplicated),
        ("reordered", reordered),
    ]
}

fn counts_of(counts: &WayCounts) -> Map<String, Value> {
    pairs(counts).into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

/// An event as one JSON object.
pub(super) fn object(event: &Event) -> Value {
    let head = |name: &str, at: &Duration| {
        let mut head = Map::new();
        head.insert("event".into(), format!("chaos.{name}").into());
        head.insert("at_s".into(), at.as_secs_f64().into());
        head
    };
    let mut object;
    match event {
        Event::Opened { at, id, peer, answered } => {
            object = head("opened", at);
            object.insert("connection".into(), name(*id).into());
            object.insert("peer".into(), peer.to_string().into());
            object.insert("answered".into(), (*answered).into());
        }
        Event::Ended { at, id, fate, counts } => {
            object = head("ended", at);
            object.insert("connection".into(), name(*id).into());
            object.insert("fate".into(), fate_word(*fate).into());
            object.insert("to_target".into(), counts_of(&counts.to_target).into());
            object.insert("back".into(), counts_of(&counts.back).into());
        }
        Event::Refused { at, peer } => {
            object = head("refused", at);
            object.insert("peer".into(), peer.to_string().into());
        }
        Event::Changed { at, change, origin } => {
            object = head("changed", at);
            object.insert("by".into(), by(*origin).into());
            object.extend(change::told(*change));
        }
        Event::Failed { at, change, origin, problem } => {
            object = head("failed", at);
            object.insert("by".into(), by(*origin).into());
            object.extend(change::told(*change));
            object.insert("error".into(), problem.clone().into());
        }
    }
    object.into()
}

/// An event as a line for people.
pub(super) fn line(event: &Event) -> String {
    let (at, text) = match event {
        Event::Opened { at, id, peer, answered } => {
            let silence = if *answered { "" } else { ", and hears nothing" };
            (at, format!("{}  opened by {peer}{silence}", name(*id)))
        }
        Event::Ended { at, id, fate, counts } => {
            (at, format!("{}  {}: {}", name(*id), fate_text(*fate), sum(counts)))
        }
        Event::Refused { at, peer } => (at, format!("refused {peer}: too many connections")),
        Event::Changed { at, change, origin } => {
            (at, format!("{} (by {})", change_text(*change), by(*origin)))
        }
        Event::Failed { at, change, origin, problem } => {
            (at, format!("{} (by {}) failed: {problem}", change_text(*change), by(*origin)))
        }
    };
    format!("{:>9.3}s  {text}", at.as_secs_f64())
}

/// What was done, in one line.
pub(super) fn sum(counts: &Counts) -> String {
    let way = |name: &str, counts: &WayCounts| {
        let mut text = format!("{} bytes {name}", counts.bytes);
        // Bytes are there already, and pieces say little.
        for (name, count) in pairs(counts).into_iter().skip(2).filter(|(_, count)| *count > 0) {
            let name = if name == "swallowed" { "bytes swallowed" } else { name };
            text += &format!(", {count} {name}");
        }
        text
    };
    format!("{}; {}", way("to the target", &counts.to_target), way("back", &counts.back))
}

fn change_text(change: Change) -> String {
    let told = change::told(change);
    let words = told.iter().map(|(name, value)| {
        let value = value.as_str().unwrap_or_default();
        if name == "do" { value.to_owned() } else { format!("{name}={value}") }
    });
    // As they are ordered in a map, the verb is not the first one.
    let mut words: Vec<String> = words.collect();
    words.sort_by_key(|word| word.contains('='));
    words.join(" ")
}

fn by(origin: Origin) -> &'static str {
    match origin {
        Origin::Caller => "control",
        Origin::Timeline => "script",
    }
}

fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Closed => "closed",
        Fate::Broken => "broken",
        Fate::Unreachable => "unreachable",
        Fate::Cut => "cut",
        Fate::Reset => "reset",
        Fate::Idle => "idle",
    }
}

fn fate_text(fate: Fate) -> &'static str {
    match fate {
        Fate::Closed => "closed by its ends",
        Fate::Broken => "reset by one of its ends",
        Fate::Unreachable => "ended: the target cannot be reached",
        Fate::Cut => "cut",
        Fate::Reset => "reset",
        Fate::Idle => "forgotten: nothing came or left for two minutes",
    }
}
