//! The test programs of packages: built one by one, and stopped at the first test that fails.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::mutant::Mutant;
use super::state::State;
use super::tree::Tree;

type Error = Box<dyn std::error::Error>;

/// What has not ended in so many times its patience waits for something that does not come.
const WAITS: u32 = 20;
/// How the system ends what has used up its time: SIGXCPU.
const OUT_OF_TIME: i32 = 24;

/// Seeds of the simulator's worlds in the second stage.
const SEEDS: &str = "0..400";

/// A test program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Program {
    package: String,
    /// A file below `tests`, or `None` for the unit tests.
    name: Option<String>,
}

impl Program {
    fn label(&self) -> String {
        let package = self.package.trim_start_matches("moorline-");
        format!("{package}/{}", self.name.as_deref().unwrap_or("unit"))
    }
}

/// What test programs say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Passed,
    Failed { program: String, test: String },
    TimedOut { program: String },
    Unbuilt,
}

/// Whether a file can change what a test program says.
pub(super) fn concerns(file: &str, label: &str) -> bool {
    let (package, name) = label.split_once('/').unwrap_or((label, ""));
    let parts: Vec<&str> = file.split('/').collect();
    match parts[..] {
        ["crates", other, "tests", ref rest @ ..] => {
            let one = rest.first().map(|one| one.trim_end_matches(".rs"));
            // What is shared by several is below folders that are no program.
            package == other && (one == Some(name) || rest.len() > 1)
        }
        ["crates", "link" | "work" | "node" | "wire" | "store", ..] | ["sim", ..] => true,
        _ => false,
    }
}

/// How both copies are built.
pub(super) fn environment<'a>(command: &'a mut Command, build: &Path) -> &'a mut Command {
    command
        // A mutant may well leave something unused.
        .env("RUSTFLAGS", "--cap-lints=allow")
        // Only there is a function that is constant and still asks which mutant is meant.
        .env("RUSTC_BOOTSTRAP", "moorline_link,moorline_work")
        .env("CARGO_TARGET_DIR", build)
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
}

/// Builds and runs test programs in a tree.
#[derive(Debug)]
pub(super) struct Suite {
    tree: PathBuf,
    build: PathBuf,
    /// How long each takes when nothing is wrong, by its label.
    usual: BTreeMap<String, Duration>,
    kept: PathBuf,
}

impl Suite {
    /// How long programs take is kept beside the tree, but of those that what was copied can change.
    pub(super) fn new(tree: &Tree, build: PathBuf) -> Result<Self, Error> {
        let kept = tree.place().with_extension("usual.json");
        let text = fs::read_to_string(&kept).unwrap_or_else(|_| "{}".to_owned());
        let all: BTreeMap<String, u64> = serde_json::from_str(&text)?;
        let usual = all
            .into_iter()
            .filter(|(label, _)| !tree.copied().iter().any(|file| concerns(file, label)))
            .map(|(label, millis)| (label, Duration::from_millis(millis)))
            .collect();
        Ok(Self { tree: tree.place().to_owned(), build, usual, kept })
    }

    /// The programs of packages in the order in which a mutant is shown to them, built together where
    /// it is likely that all are needed.
    pub(super) fn groups(
        &self,
        packages: &[&str],
        mutant: &Mutant,
        state: &State,
    ) -> Result<Vec<Vec<Program>>, Error> {
        let mut programs = Vec::new();
        for package in packages {
            programs.extend(self.programs(package)?);
        }
        let words: Vec<&str> = mutant.file.split(['/', '.', '_']).collect();
        programs.sort_by_cached_key(|program| {
            let label = program.label();
            let caught = state.caught_by(&label, &mutant.file);
            let name = program.name.as_deref().unwrap_or_default();
            let akin = name.split('_').filter(|word| words.contains(word)).count();
            (Reverse(caught), Reverse(akin), self.usual.get(&label).copied(), label)
        });
        let mut groups = Vec::new();
        for size in [1, 2, usize::MAX] {
            let rest = programs.split_off(size.min(programs.len()));
            groups.push(std::mem::replace(&mut programs, rest));
        }
        groups.retain(|group| !group.is_empty());
        Ok(groups)
    }

    /// The unit tests and the files below `tests`.
    fn programs(&self, package: &str) -> Result<Vec<Program>, Error> {
        let folder = match package.strip_prefix("moorline-") {
            Some("sim") => self.tree.join("sim"),
            Some(name) => self.tree.join("crates").join(name),
            None => return Err(format!("where is {package}?").into()),
        };
        let named = |name: Option<String>| Program { package: package.to_owned(), name };
        if package == "moorline-sim" {
            return Ok(vec![named(Some("seeds".to_owned()))]);
        }
        let mut programs = vec![named(None)];
        for entry in fs::read_dir(folder.join("tests"))? {
            let path = entry?.path();
            let is_one =
                path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists();
            if let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_one) {
                programs.push(named(Some(name.to_owned())));
            }
        }
        programs.sort();
        Ok(programs)
    }

    /// Builds all programs of packages, sees that they pass when nothing is wrong, and says where they are.
    pub(super) fn prepare(
        &mut self,
        packages: &[&str],
    ) -> Result<BTreeMap<Program, PathBuf>, Error> {
        let mut programs = Vec::new();
        for package in packages {
            programs.extend(self.programs(package)?);
        }
        let built = self.build(&programs)?.ok_or("the tests do not compile, with nothing wrong")?;
        for (program, path) in &built {
            if !self.usual.contains_key(&program.label()) {
                self.time(program, path)?;
            }
        }
        Ok(built)
    }

    /// Shows the mutant of this number to programs that have all mutants in them: those first that caught
    /// most of its file in the least time, and none that takes longer than this.
    pub(super) fn choose(
        &self,
        built: &BTreeMap<Program, PathBuf>,
        (mutant, number): (&Mutant, usize),
        state: &State,
        longest: Duration,
        over: impl Fn() -> bool,
    ) -> Result<Option<Verdict>, Error> {
        let words: Vec<&str> = mutant.file.split(['/', '.', '_']).collect();
        let usual =
            |program: &Program| self.usual.get(&program.label()).copied().unwrap_or_default();
        let mut programs: Vec<_> =
            built.iter().filter(|(program, _)| usual(program) <= longest).collect();
        programs.sort_by_cached_key(|(program, _)| {
            let caught = state.caught_by(&program.label(), &mutant.file) as u128;
            let name = program.name.as_deref().unwrap_or_default();
            let akin = name.split('_').filter(|word| words.contains(word)).count() as u128;
            let cost = usual(program).as_millis() + 20;
            Reverse((1 + 2 * caught + 4 * akin) * 1_000_000 / cost)
        });
        for (program, path) in programs {
            if over() {
                return Ok(None);
            }
            let patience = Duration::from_secs(5) + 5 * usual(program);
            let verdict = self.run(program, path, patience, Some(number))?;
            if verdict != Verdict::Passed {
                return Ok(Some(verdict));
            }
        }
        Ok(Some(Verdict::Passed))
    }

    /// Whether it is not known how long one of these takes.
    pub(super) fn is_new(&self, programs: &[Program]) -> bool {
        programs.iter().any(|one| !self.usual.contains_key(&one.label()))
    }

    /// Sees how long programs take while nothing is wrong in the tree, and that they pass then.
    pub(super) fn measure(&mut self, programs: &[Program]) -> Result<(), Error> {
        let built = self.build(programs)?.ok_or("the tests do not compile, with nothing wrong")?;
        for (program, path) in built {
            self.time(&program, &path)?;
        }
        Ok(())
    }

    fn time(&mut self, program: &Program, path: &Path) -> Result<(), Error> {
        let begun = Instant::now();
        match self.run(program, path, Duration::from_secs(600), None)? {
            Verdict::Passed => {}
            wrong @ (Verdict::Failed { .. } | Verdict::TimedOut { .. } | Verdict::Unbuilt) => {
                return Err(format!("with nothing wrong: {wrong:?}").into());
            }
        }
        println!("{} takes {} ms", program.label(), begun.elapsed().as_millis());
        self.usual.insert(program.label(), begun.elapsed());
        let millis = |(label, time): (&String, &Duration)| {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            (label.clone(), serde_json::Value::from(millis))
        };
        let all: serde_json::Map<_, _> = self.usual.iter().map(millis).collect();
        Ok(fs::write(&self.kept, serde_json::to_string_pretty(&all)?)?)
    }

    /// Runs programs until one fails.
    pub(super) fn ask(&self, programs: &[Program]) -> Result<Verdict, Error> {
        let Some(built) = self.build(programs)? else { return Ok(Verdict::Unbuilt) };
        for program in programs {
            let path = built.get(program).ok_or("cargo built no such program")?;
            let usual = self.usual.get(&program.label()).copied().unwrap_or_default();
            let verdict = self.run(program, path, Duration::from_secs(10) + 5 * usual, None)?;
            if verdict != Verdict::Passed {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Passed)
    }

    /// Builds programs, and says where they are. `None` if they do not compile.
    fn build(&self, programs: &[Program]) -> Result<Option<BTreeMap<Program, PathBuf>>, Error> {
        let mut built = BTreeMap::new();
        let mut packages: Vec<&str> =
            programs.iter().map(|program| program.package.as_str()).collect();
        packages.dedup();
        for package in packages {
            let own = || programs.iter().filter(|program| program.package == package);
            let mut command = Command::new(env!("CARGO"));
            command.args(["test", "--no-run", "--jobs", "1", "--package", package]);
            command.args(["--message-format", "json", "--quiet"]);
            for program in own() {
                match &program.name {
                    None => command.arg("--lib"),
                    Some(name) => command.args(["--test", name]),
                };
            }
            let command = environment(&mut command, &self.build).current_dir(&self.tree);
            let output = command.stderr(Stdio::null()).output()?;
            if !output.status.success() {
                return Ok(None);
            }
            for line in String::from_utf8(output.stdout)?.lines() {
                let message: serde_json::Value = serde_json::from_str(line)?;
                let Some(path) = message["executable"].as_str() else { continue };
                let is_lib = message["target"]["kind"][0] == "lib";
                let name = message["target"]["name"].as_str().filter(|_| !is_lib);
                let found = own().find(|program| program.name.as_deref() == name);
                if let Some(program) = found {
                    built.insert(program.clone(), path.into());
                }
            }
        }
        Ok(Some(built))
    }

    fn run(
        &self,
        program: &Program,
        path: &Path,
        patience: Duration,
        chosen: Option<usize>,
    ) -> Result<Verdict, Error> {
        let folder = match program.package.strip_prefix("moorline-") {
            Some("sim") => self.tree.join("sim"),
            Some(name) => self.tree.join("crates").join(name),
            None => self.tree.clone(),
        };
        // A loop that never ends may want all memory there is. Its end is told by its own time, for a busy
        // machine is slow at what is right.
        let limits = format!("ulimit -v 4194304; ulimit -S -t {}", patience.as_secs().max(1));
        let mut child = Command::new("sh")
            .args(["-c", &format!("{{ {limits}; }} 2>/dev/null; exec \"$0\" \"$@\"")])
            .arg(path)
            .args(["--test-threads", "1"])
            .env(super::switch::VARIABLE, chosen.unwrap_or(0).to_string())
            .current_dir(folder)
            .env("MOORLINE_SIM_SEEDS", SEEDS)
            // What failed is enough: not the smallest input.
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("PROPTEST_FAILURE_PERSISTENCE", "off")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = child.stdout.take().ok_or("a child without stdout")?;
        let (sender, lines) = channel();
        // Ends with the child.
        std::thread::spawn(move || {
            let mut said = BufReader::new(said);
            let mut line = Vec::new();
            while said.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                if sender.send(String::from_utf8_lossy(&line).trim().to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        let until = Instant::now() + WAITS * patience;
        let mut running = String::new();
        let verdict = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(test) = line.strip_prefix("test ") {
                        running = test.split(' ').next().unwrap_or_default().to_owned();
                    }
                    if line.ends_with("FAILED") {
                        break Verdict::Failed { program: program.label(), test: running };
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    break Verdict::TimedOut { program: program.label() };
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait()?;
                    break if status.success() {
                        Verdict::Passed
                    } else if status.signal() == Some(OUT_OF_TIME) {
                        Verdict::TimedOut { program: program.label() }
                    } else {
                        Verdict::Failed { program: program.label(), test: running }
                    };
                }
            }
        };
        let _ = child.kill();
        child.wait()?;
        Ok(verdict)
    }
}
