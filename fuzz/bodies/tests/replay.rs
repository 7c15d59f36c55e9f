//! Everything that fuzzing once reached, and everything it once found: without a fuzzer.

#![allow(clippy::print_stderr, reason = "which input failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use moorline_fuzz::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Inputs in the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Says which input it was, when one fails.
struct Naming<'a>(&'a Path);

impl Drop for Naming<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0.display());
        }
    }
}

fn replay(target: &str) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = corpus(target);
    assert!(corpus.len() >= 20, "{} inputs are no corpus", corpus.len());
    for (path, bytes) in corpus {
        let _naming = Naming(&path);
        body(&bytes);
    }
}

macro_rules! replays {
    ($($test:ident: $target:ident,)*) => {
        $(
            #[test]
            fn $test() {
                replay(stringify!($target));
            }
        )*

        /// Every target is replayed here, and libFuzzer has it.
        #[test]
        fn every_target_has_its_replay_its_corpus_and_its_fuzzer() {
            let here = BTreeSet::from([$(stringify!($target)),*]);
            assert_eq!(here, TARGETS.iter().map(|(name, _)| *name).collect());
            let named = |folder: &str| -> BTreeSet<String> {
                let entries = fs::read_dir(fuzz().join(folder)).unwrap();
                let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
                entries.map(|entry| stem(entry.unwrap().path())).collect()
            };
            let here: BTreeSet<String> = here.into_iter().map(str::to_owned).collect();
            assert_eq!(named("fuzz_targets"), here);
            assert_eq!(named("corpus"), here);
        }
    };
}

replays! {
    policies_of_reconnecting: backoff,
    packets_of_workers: wire_up,
    packets_of_coordinators: wire_down,
    walks_of_a_link: link,
    walks_of_a_hub: hub,
    inputs_of_a_dispatcher: dispatcher,
    a_dispatcher_between_store_and_workers: dispatcher_model,
    inputs_of_a_runner: runner,
    worlds: world,
    hostile_worlds: world_hostile,
    configuration_files: config,
    scenario_files: scenario,
    requests_to_the_admin_api: admin_request,
    certificates_that_are_shown: certificate,
    scripts_of_a_bad_network: chaos_script,
    endpoints_that_are_pushed: endpoint,
    messages_of_grpc: grpc_messages,
    urls_of_proxies: proxy_url,
    lanes_of_quic: quic_lane,
    answers_of_coordinators_and_proxies: websocket_answer,
    frames_of_websocket: websocket_frames,
    heads_of_http: websocket_head,
}
