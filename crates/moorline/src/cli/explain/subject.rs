//! One code with everything there is to say about it.

use moorline_link::{Reason, Retry};
use serde_json::{Value, json};

use crate::Code;
use crate::cli::exit::Exit;

/// What is explained.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::cli) struct Subject(Code);

/// The first two digits of a code, what they stand for, and when such a thing happens.
pub(super) const GROUPS: &[(u16, &str, &str)] = &[
    (
        10,
        "Settings",
        "A flag, a variable, a key of a file or an argument of a builder cannot be used as it is.",
    ),
    (11, "Starting", "A process starts and cannot have what it needs from its machine."),
    (
        12,
        "Settings that depend on each other, and addresses",
        "Values or addresses that are fine alone do not go together, or not with this machine.",
    ),
    (13, "Input and output", "A command reads or writes a file or a stream that a person named."),
    (
        14,
        "The command line",
        "A command was asked for something that its own files or a person have to settle first.",
    ),
    (21, "Connection lost", "A connection that was there ended, or no longer carries anything."),
    (22, "Dialing", "A worker dials and does not come as far as registering."),
    (
        29,
        "Waiting for a connection",
        "A program waits for a worker's connection, and not for ever.",
    ),
    (31, "Admission", "A worker came through and the coordinator refused to register it."),
    (32, "Taken over", "Another process of the same worker registered."),
    (
        33,
        "The coordinator's side",
        "The coordinator says something about itself or about its sessions.",
    ),
    (34, "The worker's side", "A worker's process ended, or another one of it began."),
    (35, "On purpose", "A person, or a program for a person, ended the connection."),
    (39, "Giving up", "A worker's own limits for coming back are used up."),
    (40, "Tasks", "A client asks for something that does not fit where its task stands."),
    (50, "The store", "The coordinator opens, reads or writes its store."),
    (
        60,
        "The admin API",
        "A client and a coordinator's admin API do not find or understand each other.",
    ),
    (70, "The simulator", "A scenario is to be run that cannot be."),
    (71, "The fault proxy", "A proxy between real sockets is to do what it cannot."),
];

impl Subject {
    /// Everything there is, by code.
    pub(super) fn all() -> Vec<Self> {
        let reasons = Reason::ALL.iter().map(|&reason| Self(reason.into()));
        let mut all: Vec<_> = Code::ALL.iter().map(|&code| Self(code)).chain(reasons).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn code(self) -> Code {
        self.0
    }

    /// The reason it is the code of.
    fn reason(self) -> Option<Reason> {
        Reason::from_code(self.0.number())
    }

    /// The word of the reason; codes that are none have an empty one.
    pub(super) fn name(self) -> &'static str {
        self.reason().map_or("", Reason::name)
    }

    pub(super) fn meaning(self) -> &'static str {
        self.0.meaning()
    }

    pub(super) fn hint(self) -> &'static str {
        self.0.hint()
    }

    /// When such a thing happens.
    pub(super) fn when(self) -> &'static str {
        let group = GROUPS.iter().find(|(group, ..)| *group == self.group());
        group.map_or("", |(_, _, when)| when)
    }

    pub(super) fn group(self) -> u16 {
        self.0.number() / 100
    }

    /// What a worker does by itself after it; of codes that are no reasons, nothing is said.
    pub(super) fn retry(self) -> Option<&'static str> {
        Some(match self.reason()?.retry() {
            Retry::Backoff => "The worker comes back by itself, by its reconnect policy.",
            Retry::Slow => "The worker comes back by itself, each time after its longest delay.",
            Retry::Renew => {
                "The worker comes back by itself: once with a fresh credential, then each time after its longest delay."
            }
            Retry::Never => "The worker does not come back until it is started again.",
        })
    }

    /// The exit code of a process that ends with it.
    pub(super) fn exit(self) -> u8 {
        Exit::from(self.0) as u8
    }

    pub(super) fn text(self) -> String {
        let name = if self.name().is_empty() { String::new() } else { format!(" {}", self.name()) };
        let mut lines = vec![
            format!("{}{name}", self.code()),
            format!("  Meaning    {}", self.meaning()),
            format!("  When       {}", self.when()),
            format!("  What to do {}", self.hint()),
        ];
        lines.extend(self.retry().map(|retry| format!("  Retry      {retry}")));
        lines.push(format!("  Exit code  {}", self.exit()));
        lines.join("\n")
    }

    pub(super) fn json(self) -> Value {
        let reason = self.reason().map(|reason| match reason.retry() {
            Retry::Backoff => (reason.name(), "backoff"),
            Retry::Slow => (reason.name(), "slow"),
            Retry::Renew => (reason.name(), "renew"),
            Retry::Never => (reason.name(), "never"),
        });
        json!({
            "code": self.code().to_string(),
            "reason": reason.map(|(name, _)| name),
            "meaning": self.meaning(),
            "when": self.when(),
            "hint": self.hint(),
            "retry": reason.map(|(_, retry)| retry),
            "exit": self.exit(),
        })
    }
}

/// A code or a reason, in any case, with or without the letters before its number.
pub(super) fn parse(text: &str) -> Result<Subject, String> {
    let plain = text.trim().trim_start_matches("error[").trim_end_matches([']', ':']);
    let upper = plain.to_ascii_uppercase();
    let with_letters = if upper.starts_with("ML") { upper } else { format!("ML{upper}") };
    let word = plain.to_ascii_lowercase().replace('-', "_");
    let all = Subject::all();
    let wanted = Code::parse(&with_letters).or(Reason::from_name(&word).map(Code::from));
    if let Some(found) = all.iter().find(|subject| Some(subject.code()) == wanted) {
        return Ok(*found);
    }
    let likeness = |subject: &Subject| {
        let code = strsim::jaro_winkler(&with_letters, &subject.code().to_string());
        (code, strsim::jaro_winkler(&word, subject.name()))
    };
    let is_number = word.trim_start_matches("ml").starts_with(|c: char| c.is_ascii_digit());
    let nearest = all
        .iter()
        .map(|subject| match likeness(subject) {
            (code, _) if is_number => (code, subject.code().to_string()),
            (_, name) => (name, subject.name().to_owned()),
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let suggestion = match nearest {
        Some((_, nearest)) => format!("did you mean {nearest}?"),
        None => "`moorline explain` lists all".to_owned(),
    };
    Err(format!("there is no such code or reason; {suggestion}"))
}
