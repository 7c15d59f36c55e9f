//! `moorline cert`: a small private authority for workers and coordinators that prove themselves.

mod authority;
mod certificate_file;
mod files;
mod parsed;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use self::authority::{Authority, Wanted};
use self::certificate_file::CertificateFile;
use self::files::{Pending, Readers};
use self::parsed::{DAY, Parsed, Use};
use super::exit::Exit;
use super::{Context, Outcome, output};
use crate::{Code, Error, Result};

/// Letters in the common name of a subject (RFC 5280, `ub-common-name`).
const NAME_MAX: usize = 64;

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make an authority: a certificate that signs others, and its key.
    #[command(after_long_help = "\
Examples:
  moorline cert init
  moorline cert init --dir /etc/moorline/ca --name 'moorline of the lab'

Keep the key where nobody else can read it: who has it can be any worker and any coordinator.")]
    Init(InitArgs),
    /// Issue a certificate and its key: for a worker of that name, or for a coordinator.
    #[command(after_long_help = "\
Examples:
  moorline cert issue gpu-1                        for the worker gpu-1: gpu-1.pem and gpu-1.key
  moorline cert issue coordinator --coordinator --san moorline.example.com --san 10.0.0.5

A coordinator that asks for certificates lets the worker gpu-1 in with the one that was issued to
gpu-1, and with no other.")]
    Issue(IssueArgs),
    /// Show what stands in a certificate, and how long it is valid.
    #[command(after_long_help = "\
Examples:
  moorline cert show gpu-1.pem
  moorline cert show gpu-1.pem --within 30         exit code 3 if it ends within 30 days

The exit code is 3 if a certificate of the file has expired or is not valid yet.")]
    Show(ShowArgs),
    /// Issue a certificate again before it expires, in the place of the old one.
    #[command(after_long_help = "\
Examples:
  moorline cert renew gpu-1.pem
  moorline cert renew gpu-1 --within 30            only if it ends within 30 days, as a timer does

It has the names and the key of the old one, and is valid for as long as that was. The file is
replaced in one step: a worker or a coordinator that runs reads it again by itself, and has either
the old one or the new one. With --new-key the key goes first; what reads both between the two
goes on with what it has until the certificate has followed.")]
    Renew(RenewArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct InitArgs {
    /// Where it is kept. It is made if it is not there, for its owner alone.
    #[arg(long, value_name = "DIR", default_value = "moorline-ca")]
    dir: PathBuf,

    /// What it calls itself.
    #[arg(long, value_name = "NAME", default_value = "moorline authority", value_parser = name)]
    name: String,

    /// For how many days it counts: no certificate of it counts for longer.
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = days())]
    days: u32,
}

#[derive(clap::Args, Debug)]
pub(super) struct IssueArgs {
    /// The name of the worker as it is in its --name, or what the coordinator is called; at most 64
    /// bytes.
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,

    /// For a coordinator instead of a worker.
    #[arg(long, requires = "san")]
    coordinator: bool,

    /// A DNS name or an address by which workers reach the coordinator. May be given several times.
    #[arg(long, value_name = "DNS|IP", requires = "coordinator", value_parser = alternative_name)]
    san: Vec<String>,

    /// For how many days it is valid; not for longer than its authority.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = days())]
    days: u32,

    /// Where the authority is.
    #[arg(long, value_name = "DIR", default_value = "moorline-ca")]
    dir: PathBuf,

    /// Where NAME.pem and NAME.key are put.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

#[derive(clap::Args, Debug)]
pub(super) struct ShowArgs {
    /// A file of certificates (PEM).
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Exit code 3 also if one of them ends within so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    within: u32,
}

#[derive(clap::Args, Debug)]
pub(super) struct RenewArgs {
    /// The certificate's file, or the name it was issued to.
    #[arg(value_name = "FILE|NAME")]
    target: String,

    /// For how many days it is valid [default: for as long as the old one was].
    #[arg(long, value_name = "N", value_parser = days())]
    days: Option<u32>,

    /// Only if it ends within so many days.
    #[arg(long, value_name = "DAYS")]
    within: Option<u32>,

    /// With a new key, in the place of FILE.key.
    #[arg(long)]
    new_key: bool,

    /// Where the authority is.
    #[arg(long, value_name = "DIR", default_value = "moorline-ca")]
    dir: PathBuf,

    /// Where NAME.pem is, for a name.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// Days: one at least, and a hundred years at most.
fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=36_500)
}

/// What may be the common name of a subject.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a name has 1 to 64 bytes and no control characters".to_owned());
    }
    if text.len() > NAME_MAX {
        let len = text.len();
        return Err(format!(
            "it has {len} bytes; a name in a certificate has at most {NAME_MAX}: give the worker a \
             shorter --name"
        ));
    }
    Ok(text.to_owned())
}

/// What a server may be reached by.
fn alternative_name(text: &str) -> Result<String, String> {
    let dns = text.strip_prefix("*.").unwrap_or(text);
    rustls_pki_types::ServerName::try_from(dns)
        .map(|_| text.to_owned())
        .map_err(|_| "it is neither a DNS name nor an address".to_owned())
}

pub(super) fn run(command: Command, context: Context) -> Outcome {
    match command {
        Command::Init(args) => init(&args, context),
        Command::Issue(args) => issue(&args, context),
        Command::Show(args) => show(&args, context),
        Command::Renew(args) => renew(&args, context),
    }
}

fn init(args: &InitArgs, context: Context) -> Outcome {
    authority::init(&args.dir, &args.name, args.days)?;
    written(&args.dir.join(authority::CERT), Some(&args.dir.join(authority::KEY)), context)
}

fn issue(args: &IssueArgs, context: Context) -> Outcome {
    let _alone = authority::lock(&args.dir)?;
    let authority = open(&args.dir)?;
    let (cert, key) = paths(&args.out, &args.name);
    // Neither is made without the other.
    if let Some(there) = [&cert, &key].into_iter().find(|path| path.exists()) {
        return Err(files::exists(there));
    }
    let is_for = if args.coordinator { Use::Server } else { Use::Client };
    let wanted = Wanted { name: &args.name, names: &args.san, is_for, days: args.days };
    let (certificate, private) = authority.issue(&wanted)?;
    let key_file = Pending::new(&key, &private, Readers::Owner)?;
    let cert_file = Pending::new(&cert, &certificate, Readers::All)?;
    key_file.create()?;
    cert_file.create().inspect_err(|_| {
        // A key without a certificate is of no use, and would be in the way.
        let _ = std::fs::remove_file(&key);
    })?;
    written(&cert, Some(&key), context)
}

fn renew(args: &RenewArgs, context: Context) -> Outcome {
    let _alone = authority::lock(&args.dir)?;
    let authority = open(&args.dir)?;
    let named = Path::new(&args.target);
    let is_file = named.is_file();
    let path = if is_file { named.to_owned() } else { paths(&args.out, &args.target).0 };
    // Not the link to it.
    let cert = path.canonicalize().map_err(|error| unusable(&path, &error))?;
    let old = Parsed::first_in(&cert)?;
    if !old.is_signed_by(&authority.cert) {
        let detail =
            format!("{} was not issued by the authority in {}", path.display(), args.dir.display());
        return Err(Error::Command { code: Code::CERT_FOREIGN, detail });
    }
    if old.is_for == Use::Authority {
        return Err(unusable(&path, &"it is an authority; make another with `moorline cert init`"));
    }
    let left = left(&old);
    if args.within.is_some_and(|within| left > i64::from(within)) {
        output::note(&format!("{} is valid for {left} days: it stays as it is", path.display()));
        return Ok(Exit::Done);
    }
    let lasted = u32::try_from((old.until - old.from) / DAY).unwrap_or(1).max(1);
    let wanted = Wanted {
        name: &old.subject,
        names: &old.names,
        is_for: old.is_for,
        days: args.days.unwrap_or(lasted),
    };
    let file = CertificateFile::read(&cert)?;
    if !args.new_key {
        let text = file.with(&authority.again(&wanted, &old)?);
        Pending::new(&cert, &text, Readers::Owner)?.like_the_old()?.replace()?;
        return written(&cert, None, context);
    }
    if file.has_key() {
        let detail = "its key is in the same file: without --new-key the key stays, and with it there \
                      would be two";
        return Err(unusable(&path, &detail));
    }
    let key = cert.with_extension("key");
    let key = key.canonicalize().map_err(|error| unusable(&key, &error))?;
    let (certificate, private) = authority.issue(&wanted)?;
    // Both are ready before the first takes its place: there is hardly a moment between the two.
    let key_file = Pending::new(&key, &private, Readers::Owner)?.like_the_old()?;
    let certificate = file.with(&certificate);
    let cert_file = Pending::new(&cert, &certificate, Readers::Owner)?.like_the_old()?;
    key_file.replace()?;
    cert_file.replace()?;
    written(&cert, Some(&key), context)
}

fn show(args: &ShowArgs, context: Context) -> Outcome {
    let all = Parsed::all_in(&args.file)?;
    let shown: Vec<Shown> = all.iter().map(Shown::of).collect();
    if context.json {
        output::json(&shown)?;
    } else {
        let texts: Vec<String> = shown.iter().map(Shown::text).collect();
        output::line(&texts.join("\n\n"))?;
    }
    let (now, within) = (now(), i64::from(args.within) * DAY);
    let is_bad = |one: &Parsed| one.from > now || one.until <= now + within;
    Ok(if all.iter().any(is_bad) { Exit::NotMet } else { Exit::Done })
}

/// The authority of this directory; whoever has left its key open is told so.
fn open(directory: &Path) -> Result<Authority> {
    let authority = Authority::open(directory)?;
    if authority::is_open_to_others(directory) {
        let key = directory.join(authority::KEY);
        output::note(&format!(
            "others may read {0}: whoever has it can be any worker; chmod 600 {0}",
            key.display()
        ));
    }
    Ok(authority)
}

/// What was written, where, and how long it is good for.
#[derive(Serialize)]
struct Written<'a> {
    cert: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Path>,
    #[serde(flatten)]
    certificate: Shown,
}

fn written(cert: &Path, key: Option<&Path>, context: Context) -> Outcome {
    let certificate = Shown::of(&Parsed::first_in(cert)?);
    if context.json {
        output::json(&Written { cert, key, certificate })?;
    } else {
        let files = [Some(cert), key].into_iter().flatten();
        let lines: Vec<String> = files.map(|path| path.display().to_string()).collect();
        output::line(&lines.join("\n"))?;
        output::note(&format!(
            "{}, valid until {} ({} days)",
            certificate.subject, certificate.until, certificate.days_left
        ));
    }
    Ok(Exit::Done)
}

/// A certificate as it is printed.
#[derive(Serialize)]
struct Shown {
    subject: String,
    names: Vec<String>,
    #[serde(rename = "for")]
    is_for: Use,
    issuer: String,
    from: String,
    until: String,
    /// Whole ones; below 0: it has expired.
    days_left: i64,
    serial: String,
    sha256: String,
}

impl Shown {
    fn of(parsed: &Parsed) -> Self {
        Self {
            subject: parsed.subject.clone(),
            names: parsed.names.clone(),
            is_for: parsed.is_for,
            issuer: parsed.issuer.clone(),
            from: time(parsed.from),
            until: time(parsed.until),
            days_left: left(parsed),
            serial: parsed.serial.clone(),
            sha256: parsed.fingerprint(),
        }
    }

    fn text(&self) -> String {
        let days = match self.days_left {
            left @ ..0 => format!("expired {} days ago", -left),
            left => format!("{left} days left"),
        };
        let names = if self.names.is_empty() { "-".to_owned() } else { self.names.join(", ") };
        [
            ("subject", self.subject.clone()),
            ("names", names),
            ("for", self.is_for.word().to_owned()),
            ("issuer", self.issuer.clone()),
            ("valid", format!("{} to {} ({days})", self.from, self.until)),
            ("serial", self.serial.clone()),
            ("sha256", self.sha256.clone()),
        ]
        .map(|(key, value)| format!("{key:<8} {value}"))
        .join("\n")
    }
}

/// Whole days until it ends; below 0: since it has.
fn left(parsed: &Parsed) -> i64 {
    (parsed.until - now()).div_euclid(DAY)
}

/// A time of a certificate for people and programs.
fn time(seconds: i64) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::SystemTime::UNIX_EPOCH + since).to_string()
}

/// Now, in seconds of Unix time.
fn now() -> i64 {
    authority::unix_time()
}

/// The files of this name: what cannot be in the name of a file is replaced.
fn paths(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    let plain = |c: char| if c.is_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    let mut file: String = name.chars().map(plain).collect();
    if file.starts_with('.') {
        file.insert(0, '_');
    }
    (directory.join(format!("{file}.pem")), directory.join(format!("{file}.key")))
}

/// A file that is none of ours.
fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    let detail = format!("{} cannot be used: {problem}", path.display());
    Error::Command { code: Code::CERT_FILE, detail }
}

#[cfg(test)]
mod tests;
