//! docs/conformance.md lists what is promised, and every promise is written where it says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use moorline_conformance::{Promise, coordinator, worker};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table(title: &str, command: &str, beside: &str, promises: &[Promise]) -> String {
    let mut text = format!("## {title}\n\n`moorline conformance {command}`\n\n{beside}");
    text += "| promise | how it is seen | written |\n| --- | --- | --- |\n";
    for Promise { name, proves, written } in promises {
        let file = written.trim_start_matches("docs/");
        let section = written.split('#').nth(1).unwrap_or_default();
        writeln!(text, "| `{name}` | {proves} | [{section}]({file}) |").unwrap();
    }
    text
}

/// What there is to say to a coordinator that does not take everybody in.
const COORDINATORS: &str = "\
With TLS, `--tls-ca FILE` says whose signature the coordinator's certificate bears. Where workers have to prove
who they are, `--tls-cert FILE` and `--tls-key FILE`, or `--credential-file FILE` with a token for instance, are
what all of them show, and `--name NAME` is whose it is: promises are judged one at a time then, as there is
one name. One that is broken may leave that name in use, and be followed by others that only say so.

";

fn document() -> String {
    let mut text = String::from(
        "# What workers and coordinators keep\n\n\
         <!-- Made from crates/conformance/src by `MOORLINE_WRITE_DOCS=1 cargo test -p moorline-conformance --test\n     \
         document`; a test compares. -->\n\n\
         What `moorline conformance` judges, of any make: [your own worker](your-own-worker.md) says how.\n\n",
    );
    text += &table("Workers", "worker -- COMMAND", "", worker::PROMISES);
    text += "\n";
    text += &table("Coordinators", "coordinator URL", COORDINATORS, coordinator::PROMISES);
    text
}

#[test]
fn the_document_lists_what_is_promised() {
    let (path, text) = (root().join("docs/conformance.md"), document());
    if std::env::var_os("MOORLINE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/conformance.md is not what is judged: MOORLINE_WRITE_DOCS=1");
}

#[test]
fn a_promise_is_written_where_it_says() {
    for promise in worker::PROMISES.iter().chain(coordinator::PROMISES) {
        let (file, anchor) = promise.written.split_once('#').unwrap();
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let has = text.lines().filter(|line| line.starts_with('#')).any(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c));
            kept.collect::<String>().replace(' ', "-") == anchor
        });
        assert!(has, "{}: {} has no section {anchor}", promise.name, file);
    }
}

#[test]
fn names_are_said_once() {
    for promises in [worker::PROMISES, coordinator::PROMISES] {
        let mut names: Vec<_> = promises.iter().map(|one| one.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), promises.len());
    }
}
