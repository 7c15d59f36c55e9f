//! `moorline conformance`: whether a worker or a coordinator of any make keeps what the protocol promises.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_conformance::{
    Judged, Limits, Program, Promise, Report, Verdict, coordinator, worker,
};
use moorline_driver::Transports;
use moorline_node::{Credential, Name};
use moorline_transport::Endpoint;

use super::exit::Exit;
use super::global::Format;
use super::values::some_duration;
use super::{Context, Outcome, output};
use crate::reach::Reach;
use crate::{Client, Error, Submit, TlsFiles};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Start a worker against a coordinator that plays one promise after the other, and judge what it
    /// does. It needs the handlers `echo` (gives back its payload) and `sleep` (runs as many seconds as
    /// its payload says).
    Worker(WorkerArgs),
    /// Play workers against a coordinator that runs, one promise after the other, and judge what it does.
    /// They have names of their own and leave with a Goodbye: it is not disturbed.
    Coordinator(CoordinatorArgs),
}

/// What both have in common.
#[derive(clap::Args, Debug)]
struct Which {
    /// List the promises and where they are written, and judge nothing.
    #[arg(long)]
    list: bool,

    /// How long to wait for each thing that has to happen.
    #[arg(long, value_name = "DURATION", value_parser = some_duration, default_value = "20s")]
    patience: Duration,

    /// How long a whole promise may take.
    #[arg(long, value_name = "DURATION", value_parser = some_duration, default_value = "2m")]
    limit: Duration,

    /// How many promises are judged at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    jobs: usize,
}

impl Which {
    fn limits(&self) -> Limits {
        Limits { patience: self.patience, limit: self.limit, jobs: self.jobs }
    }
}

#[derive(clap::Args, Debug)]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    which: Which,

    /// Judge this promise and no other; may be given several times.
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(worker::PROMISES.iter().map(|one| one.name)))]
    only: Vec<String>,

    /// The transport to listen with, by its scheme.
    #[arg(long, value_name = "SCHEME", default_value = "grpc")]
    transport: String,

    /// The handler that gives back its payload.
    #[arg(long, value_name = "HANDLER", default_value = "echo")]
    echo: String,

    /// The handler that runs as many seconds as its payload says in decimal.
    #[arg(long, value_name = "HANDLER", default_value = "sleep")]
    sleep: String,

    /// What starts the worker. `{url}` in an argument is where the coordinator is and `{dir}` the worker's
    /// own directory, as in MOORLINE_CONFORMANCE_URL and MOORLINE_CONFORMANCE_DIR.
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "list")]
    command: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct CoordinatorArgs {
    #[command(flatten)]
    which: Which,

    /// Judge this promise and no other; may be given several times.
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(coordinator::PROMISES.iter().map(|one| one.name)))]
    only: Vec<String>,

    /// Hand in tasks by this admin API, so that promises about work can be judged; each worker has a handler
    /// of its own for them.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,

    #[command(flatten)]
    shown: ShownArgs,

    /// Where it listens for workers.
    #[arg(required_unless_present = "list")]
    url: Option<String>,
}

/// What the workers of a script show of themselves, and whom they believe.
#[derive(clap::Args, Debug)]
struct ShownArgs {
    /// The certificates of who signed the coordinator's [default: whom the system trusts].
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,

    /// The certificate of the workers, for a coordinator that asks for one: it is of the name in --name.
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "name"])]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// The one name of all workers, for a coordinator to which they prove it: promises are judged one at a
    /// time then, whatever --jobs says [default: each has a name of its own]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The file with what the workers prove themselves with, such as a token; a newline behind it is none
    /// of it.
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
}

impl ShownArgs {
    fn reach(&self) -> Reach {
        let (ca, cert, key) = (self.tls_ca.clone(), self.tls_cert.clone(), self.tls_key.clone());
        Reach { tls: TlsFiles { ca, cert, key }, ..Reach::default() }
    }

    fn name(&self) -> crate::Result<Option<Name>> {
        let name = self.name.as_deref().map(Name::new).transpose();
        name.map_err(|error| Error::setting("name", error))
    }

    fn credential(&self) -> crate::Result<Option<Credential>> {
        self.credential_file.as_deref().map(credential).transpose()
    }
}

/// What a file says, without the newline that editors and `echo` leave behind.
fn credential(file: &Path) -> crate::Result<Credential> {
    let refused = |problem: String| {
        Error::setting("credential-file", format!("{}: {problem}", file.display()))
    };
    let mut bytes = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Credential::new(bytes).map_err(|error| refused(error.to_string()))
}

pub(super) async fn run(command: Command, context: Context) -> Outcome {
    match command {
        Command::Worker(args) => judge_worker(args, context).await,
        Command::Coordinator(args) => judge_coordinator(args, context).await,
    }
}

async fn judge_worker(args: WorkerArgs, context: Context) -> Outcome {
    let promises = chosen(worker::PROMISES, &args.only);
    if args.which.list {
        return list(&promises, context);
    }
    let transports = Reach::default().dialling(Transports::new())?;
    let listen = listen_at(&transports, &args.transport)?;
    let Some(transport) = transports.get(listen.scheme()) else {
        return Ok(output::usage("--transport is none of this build"));
    };
    let mut command = args.command.into_iter();
    let program = Program::new(command.next().unwrap_or_default(), command);
    let subject = worker::Subject::shared(Arc::clone(&transport), listen, program)
        .with_handlers(args.echo, args.sleep)
        .with_limits(args.which.limits());
    let mut progress = Progress { done: 0, all: promises.len() };
    let report = worker::run(&subject, &promises, |judged| progress.told(judged)).await;
    tell(&report, context)
}

async fn judge_coordinator(args: CoordinatorArgs, context: Context) -> Outcome {
    let promises = chosen(coordinator::PROMISES, &args.only);
    let Some(url) = args.url.filter(|_| !args.which.list) else { return list(&promises, context) };
    let reach = args.shown.reach();
    let transports = reach.dialling(Transports::new())?;
    let at = reach.coordinator(&transports, &url)?;
    let Some(transport) = transports.get(at.scheme()) else {
        return Ok(output::usage("the scheme of URL is none of this build"));
    };
    let mut subject = coordinator::Subject::shared(transport, at).with_limits(args.which.limits());
    if let Some(name) = args.shown.name()? {
        subject = subject.with_name(name);
    }
    if let Some(credential) = args.shown.credential()? {
        subject = subject.with_credential(credential);
    }
    if let Some(admin) = args.admin {
        subject = subject.with_tasks(Admin(Client::new(admin)?));
    }
    let mut progress = Progress { done: 0, all: promises.len() };
    let report = coordinator::run(&subject, &promises, |judged| progress.told(judged)).await;
    tell(&report, context)
}

/// Hands in tasks by the admin API.
struct Admin(Client);

impl coordinator::Submit for Admin {
    fn submit(&self, handler: String, payload: Bytes) -> BoxFuture<'_, Result<(), String>> {
        async move {
            let submitted = self.0.submit(Submit::new(handler, payload)).await;
            submitted.map(drop).map_err(|error| error.to_string())
        }
        .boxed()
    }
}

/// Any free port of this machine.
fn listen_at(transports: &Transports, scheme: &str) -> crate::Result<Endpoint> {
    let text = format!("{scheme}://127.0.0.1:0");
    transports
        .endpoint(&text)
        .map_err(|error| crate::Error::setting("transport", error.to_string()))
}

/// The promises that were named; all if none was.
fn chosen(promises: &[Promise], only: &[String]) -> Vec<Promise> {
    let is_wanted =
        |promise: &&Promise| only.is_empty() || only.iter().any(|one| one == promise.name);
    promises.iter().filter(is_wanted).copied().collect()
}

fn list(promises: &[Promise], context: Context) -> Outcome {
    let name = |promise: &Promise| promise.name.to_owned();
    output::list(context, promises, name, |_| {
        let row = |one: &Promise| {
            vec![one.name.to_owned(), one.written.to_owned(), one.proves.to_owned()]
        };
        output::table(
            &["PROMISE", "WRITTEN", "HOW IT IS SEEN"],
            &promises.iter().map(row).collect::<Vec<_>>(),
        )
    })?;
    Ok(Exit::Done)
}

/// Tells whoever waits how far it is.
struct Progress {
    done: usize,
    all: usize,
}

impl Progress {
    fn told(&mut self, judged: &Judged) {
        self.done += 1;
        let name = judged.promise.name;
        output::note(&format!("{}/{} {}: {name}", self.done, self.all, word(&judged.verdict)));
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Kept => "kept",
        Verdict::NotJudged { .. } => "not judged",
        Verdict::Broken(_) => "broken",
    }
}

fn tell(report: &Report, context: Context) -> Outcome {
    let name = |judged: &Judged| judged.promise.name.to_owned();
    output::list(context, &report.judged, name, |_| {
        let row = |one: &Judged| {
            let took = format!("{:.1}s", one.took.as_secs_f64());
            vec![one.promise.name.to_owned(), word(&one.verdict).to_owned(), took]
        };
        let rows: Vec<_> = report.judged.iter().map(row).collect();
        output::table(&["PROMISE", "VERDICT", "TOOK"], &rows)
    })?;
    if matches!(context.format, Format::Table | Format::Wide) {
        let told = report.judged.iter().filter(|one| one.verdict != Verdict::Kept);
        for judged in told {
            output::line(&format!("\n{}", output::printable(&judged.to_string())))?;
        }
        let [kept, broken, not_judged] = report.counts();
        output::line(&format!("\n{kept} kept, {broken} broken, {not_judged} not judged"))?;
    }
    Ok(if report.is_kept() { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_what_its_file_says_without_the_newline_behind_it() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("token");
        for (written, said) in
            [("a token", "a token"), ("one\n", "one"), ("two\r\n", "two"), ("a\n\n", "a\n")]
        {
            std::fs::write(&file, written).unwrap();
            assert_eq!(credential(&file).unwrap().as_bytes(), said.as_bytes(), "{written:?}");
        }
        std::fs::write(&file, "\n").unwrap();
        let told = credential(&file).unwrap_err().to_string();
        assert!(told.contains("must not be empty") && told.contains("token"), "{told}");
        std::fs::remove_file(&file).unwrap();
        assert!(credential(&file).is_err());
    }
}
