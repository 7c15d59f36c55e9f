//! `matrix`: the process tests over every transport, and on every runtime of workers.
//!
//! The test program is run as it was built, once for each combination, with `MOORLINE_TEST_TRANSPORT` and
//! `MOORLINE_TEST_RUNTIME`. What need not run everywhere is in one file, [`EXCEPTIONS`], each with its
//! reason, and is counted in the table: nothing is left out without a word.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::write::root;

/// How workers and coordinators may talk to each other: the first is what the test command runs over.
const TRANSPORTS: &[&str] = &["grpc", "grpcs", "quic", "ws", "wss"];

/// What workers may run on: the first is what the test command runs them on.
const RUNTIMES: &[&str] = &["tokio", "smol", "async-std", "threads"];

/// What runs if nobody says: over each transport once, and between them on each runtime. The test command
/// has run gRPC on tokio by then.
const USUAL: &[(&str, &str)] = &[
    ("grpc", "smol"),
    ("grpcs", "threads"),
    ("quic", "smol"),
    ("ws", "async-std"),
    ("wss", "tokio"),
];

/// In the place of transports: where the test command runs it, and nowhere else.
const ONCE: &str = "once";

/// Which tests do not run everywhere, and why.
const EXCEPTIONS: &str = "crates/moorline/tests/process/matrix.txt";

/// Nothing takes so long that is well.
const LIMIT: Duration = Duration::from_secs(600);

/// How many lines of a run that failed are shown from where its failures are told, and how much of each.
const LINES: usize = 60;
const WIDTH: usize = 300;
/// And from its end, where their names are.
const LAST: usize = 12;

struct Options {
    /// Transports, each with a runtime.
    combinations: Vec<(String, String)>,
    program: Option<PathBuf>,
    jobs: usize,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let options = options(args)?;
    let program = match &options.program {
        Some(program) => program.canonicalize()?,
        None => built()?,
    };
    let all = list(&program)?;
    let text = std::fs::read_to_string(root().join(EXCEPTIONS))?;
    let exceptions = exceptions(&text, &all)?;
    let combinations = options.combinations.iter();
    let runs: Vec<Run> = combinations
        .map(|(transport, runtime)| Run::new(transport, runtime, &all, &exceptions))
        .collect();
    // Told no test, the program would run all of them.
    if let Some(empty) = runs.iter().find(|run| run.tests.is_empty()) {
        return Err(format!("{EXCEPTIONS} leaves nothing of {}", empty.name()).into());
    }
    let results = all_of(&runs, &program, options.jobs);
    println!("\n{}", table(&runs, &results));
    for exception in exceptions.iter().filter(|exception| exception.is_mentioned(&runs)) {
        println!("{exception}");
    }
    let failed: Vec<_> = runs.iter().zip(&results).filter(|(_, result)| !result.ok).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|(run, _)| run.name()).collect();
    Err(format!("failed: {}", names.join(", ")).into())
}

fn options(args: &[String]) -> Result<Options, String> {
    let (mut transports, mut runtimes, mut every) = (Vec::new(), Vec::new(), false);
    let (mut program, mut jobs) = (None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or_else(|| format!("{arg} takes a value"));
        let known = |value: String, all: &[&str]| {
            if all.contains(&&*value) {
                return Ok(value);
            }
            Err(format!("`{value}` is not one of {}", all.join(", ")))
        };
        match arg.as_str() {
            "--transport" => transports.push(known(value()?, TRANSPORTS)?),
            "--runtime" => runtimes.push(known(value()?, RUNTIMES)?),
            "--all" => every = true,
            "--program" => program = Some(PathBuf::from(value()?)),
            "--jobs" => {
                let text = value()?;
                let count = text.parse().ok().filter(|&jobs| jobs > 0);
                jobs = Some(count.ok_or_else(|| format!("--jobs takes a number, not `{text}`"))?);
            }
            other => return Err(format!("takes no `{other}`")),
        }
    }
    let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let combinations = if !every && transports.is_empty() && runtimes.is_empty() {
        USUAL.iter().map(|&(transport, runtime)| (transport.into(), runtime.into())).collect()
    } else {
        if transports.is_empty() {
            transports = owned(TRANSPORTS);
        }
        if runtimes.is_empty() {
            runtimes = owned(if every { RUNTIMES } else { &RUNTIMES[..1] });
        }
        let on = |transport: &String| {
            runtimes.iter().map(|on| (transport.clone(), on.clone())).collect::<Vec<_>>()
        };
        transports.iter().flat_map(on).collect()
    };
    // The tests wait more than they work: twice the cores are used, by two programs at a time.
    Ok(Options { combinations, program, jobs: jobs.unwrap_or(2) })
}

/// The test program as the test command builds it: with other packages left out it would be built anew.
fn built() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let built = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--no-run", "--quiet", "--message-format=json"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err(format!("cargo test --no-run: {}", built.status).into());
    }
    for line in String::from_utf8(built.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let source = message["target"]["src_path"].as_str().unwrap_or_default();
        if Path::new(source).ends_with("moorline/tests/process/main.rs")
            && let Some(program) = message["executable"].as_str()
        {
            return Ok(program.into());
        }
    }
    Err("cargo test --no-run named no process tests".into())
}

/// Every test of the program.
fn list(program: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let output = Command::new(program).args(["--list", "--format", "terse"]).output()?;
    if !output.status.success() {
        return Err(format!("{} --list: {}", program.display(), output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// Tests that run over some transports only.
#[derive(PartialEq, Eq, Debug)]
struct Exception {
    /// A test with its module, or a module with `::`.
    what: String,
    over: Vec<String>,
    why: String,
}

impl Exception {
    fn is_about(&self, test: &str) -> bool {
        if self.what.ends_with("::") { test.starts_with(&self.what) } else { test == self.what }
    }

    fn is_mentioned(&self, runs: &[Run]) -> bool {
        runs.iter().any(|run| run.left_out.iter().any(|test| self.is_about(test)))
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.over == [ONCE] {
            return write!(f, "{} over gRPC on tokio only: {}", self.what, self.why);
        }
        write!(f, "{} over {} only: {}", self.what, self.over.join(" "), self.why)
    }
}

/// Lines of the form `TEST or MODULE:: | TRANSPORT.. | REASON`, or with [`ONCE`] for the transports; each has
/// to be about a test there is.
fn exceptions(text: &str, all: &[String]) -> Result<Vec<Exception>, String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let wrong = |what: &str| Err(format!("{EXCEPTIONS}: {what} in `{line}`"));
        let parts: Vec<_> = line.split('|').map(str::trim).collect();
        let [what, over, why] = parts.as_slice() else { return wrong("not three parts") };
        let over: Vec<_> = over.split_whitespace().map(str::to_owned).collect();
        let is_known = |one: &String| TRANSPORTS.contains(&one.as_str());
        if over.is_empty() || !(over == [ONCE] || over.iter().all(is_known)) {
            return wrong("no transport");
        }
        if why.chars().filter(|c| c.is_alphabetic()).count() < 8 {
            return wrong("no reason");
        }
        let exception = Exception { what: (*what).to_owned(), over, why: (*why).to_owned() };
        if !all.iter().any(|test| exception.is_about(test)) {
            return wrong("no such test");
        }
        found.push(exception);
    }
    Ok(found)
}

/// One combination.
struct Run {
    transport: String,
    runtime: String,
    tests: Vec<String>,
    left_out: Vec<String>,
}

impl Run {
    fn new(transport: &str, runtime: &str, all: &[String], exceptions: &[Exception]) -> Self {
        let is_first = (transport, runtime) == (TRANSPORTS[0], RUNTIMES[0]);
        let is_left_out = |test: &&String| {
            let mut about = exceptions.iter().filter(|exception| exception.is_about(test));
            about.any(|exception| {
                let is_over = |one: &String| one == transport || (one == ONCE && is_first);
                !exception.over.iter().any(is_over)
            })
        };
        let (left_out, tests) = all.iter().partition::<Vec<_>, _>(is_left_out);
        let owned = |tests: Vec<&String>| tests.into_iter().cloned().collect();
        let (transport, runtime) = (transport.to_owned(), runtime.to_owned());
        Self { transport, runtime, tests: owned(tests), left_out: owned(left_out) }
    }

    fn name(&self) -> String {
        format!("{} on {}", self.transport, self.runtime)
    }

    fn go(&self, program: &Path) -> Finished {
        let begun = Instant::now();
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=10", &LIMIT.as_secs().to_string()])
            .arg(program)
            .arg("--exact")
            .args(&self.tests)
            .env("MOORLINE_TEST_TRANSPORT", &self.transport)
            .env_remove("MOORLINE_TEST_RUNTIME")
            .current_dir(root().join("crates/moorline"));
        // The default is what a worker does that is told nothing.
        if self.runtime != RUNTIMES[0] {
            command.env("MOORLINE_TEST_RUNTIME", &self.runtime);
        }
        let (ok, said) = match command.output() {
            Ok(output) => {
                let both = [output.stdout, output.stderr].concat();
                (output.status.success(), String::from_utf8_lossy(&both).into_owned())
            }
            Err(error) => (false, error.to_string()),
        };
        Finished { ok, said, took: begun.elapsed() }
    }
}

/// What a run came to.
struct Finished {
    ok: bool,
    said: String,
    took: Duration,
}

/// Runs them, so many at a time; the order of the results is that of the runs.
fn all_of(runs: &[Run], program: &Path, jobs: usize) -> Vec<Finished> {
    let next = AtomicUsize::new(0);
    let results: Vec<_> = runs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(run), Some(result)) = (runs.get(at), results.get(at)) else { return };
                    let finished = run.go(program);
                    let word = if finished.ok { "ok" } else { "FAILED" };
                    println!("{}: {word} ({} s)", run.name(), finished.took.as_secs());
                    if !finished.ok {
                        println!("{}", told(&finished.said));
                    }
                    // Nobody panics while it is held.
                    if let Ok(mut result) = result.lock() {
                        *result = Some(finished);
                    }
                }
            });
        }
    });
    let lost = || Finished { ok: false, said: String::new(), took: Duration::ZERO };
    results
        .into_iter()
        .map(|result| result.into_inner().ok().flatten().unwrap_or_else(lost))
        .collect()
}

/// Where a run tells its failures, and their names at its end: between them is what processes logged.
fn told(said: &str) -> String {
    let from = said.find("\nfailures:").unwrap_or(0);
    let lines: Vec<_> = said[from..].lines().collect();
    let cut = |line: &&str| line.chars().take(WIDTH).collect::<String>();
    let last = lines.len().saturating_sub(LAST).max(LINES.min(lines.len()));
    let shown = lines.iter().take(LINES).chain(lines.iter().skip(last));
    shown.map(cut).collect::<Vec<_>>().join("\n")
}

fn table(runs: &[Run], results: &[Finished]) -> String {
    let mut text = format!(
        "{:<10} {:<10} {:>6} {:>9} {:>6}\n",
        "TRANSPORT", "RUNTIME", "TESTS", "LEFT OUT", "TIME"
    );
    for (run, result) in runs.iter().zip(results) {
        let word = if result.ok { "ok" } else { "FAILED" };
        let _ = writeln!(
            text,
            "{:<10} {:<10} {:>6} {:>9} {:>4} s {word}",
            run.transport,
            run.runtime,
            run.tests.len(),
            run.left_out.len(),
            result.took.as_secs()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{LAST, LINES, RUNTIMES, Run, TRANSPORTS, WIDTH, exceptions, options, told};

    fn all() -> Vec<String> {
        ["faults::a", "faults::b", "surface::c"].map(str::to_owned).into()
    }

    #[test]
    fn what_does_not_run_everywhere_is_named_with_its_reason() {
        let text = "# a comment\n\nfaults::b | grpc ws | it speaks TCP itself\n\
                    surface:: | grpc | no worker is dialled\n";
        let exceptions = exceptions(text, &all()).unwrap();
        let tests = |transport| Run::new(transport, "tokio", &all(), &exceptions);
        assert_eq!(tests("grpc").tests, all());
        assert_eq!(tests("ws").tests, ["faults::a", "faults::b"]);
        assert_eq!(tests("quic").tests, ["faults::a"]);
        assert_eq!(tests("quic").left_out, ["faults::b", "surface::c"]);
        let once = super::exceptions("faults:: | once | nobody dials here", &all()).unwrap();
        let on = |runtime| Run::new("grpc", runtime, &all(), &once).tests;
        assert_eq!((on("tokio"), on("smol")), (all(), vec!["surface::c".to_owned()]));
    }

    #[test]
    fn an_exception_has_a_test_a_transport_and_a_reason() {
        for wrong in [
            "faults::a | grpc",
            "faults::a | grpc |",
            "faults::a | | it speaks TCP itself",
            "faults::a | smoke | it speaks TCP itself",
            "faults::a | once grpc | it speaks TCP itself",
            "faults::gone | grpc | it speaks TCP itself",
            "gone:: | grpc | it speaks TCP itself",
        ] {
            assert!(exceptions(wrong, &all()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_a_run_that_failed_the_failures_and_their_names_are_shown() {
        let long = "x".repeat(2 * WIDTH);
        let said = format!("noise\nfailures:\n{}the end\n", format!("{long}\n").repeat(1_000));
        let told = told(&said);
        assert!(!told.contains("noise") && told.contains("failures:"), "{told}");
        assert!(told.ends_with("the end"), "{told}");
        assert_eq!(told.lines().count(), LINES + LAST);
        assert!(told.lines().all(|line| line.len() <= WIDTH));
        assert_eq!(super::told("short\nfailures:\none"), "\nfailures:\none");
    }

    #[test]
    fn transports_and_runtimes_are_chosen_by_name() {
        let args = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let chosen = |line: &str| {
            let chosen = options(&args(line)).unwrap().combinations;
            chosen.iter().map(|(over, on)| format!("{over} on {on}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            chosen("--transport quic --transport ws --runtime smol"),
            "quic on smol, ws on smol"
        );
        assert_eq!(chosen("--transport quic"), "quic on tokio");
        assert!(chosen("--runtime threads").starts_with("grpc on threads, grpcs on threads, "));
        assert_eq!(options(&args("--all")).unwrap().combinations.len(), 20);
        // If nobody says, each of both is there.
        let usual = options(&[]).unwrap().combinations;
        let mut over: Vec<_> = usual.iter().map(|(over, _)| over.as_str()).collect();
        over.dedup();
        assert_eq!(over, TRANSPORTS);
        assert!(RUNTIMES.iter().all(|on| usual.iter().any(|(_, usual)| usual == on)));
        for wrong in ["--transport smoke", "--runtime steam", "--transport", "--fast", "--jobs x"] {
            assert!(options(&args(wrong)).is_err(), "{wrong}");
        }
    }
}
