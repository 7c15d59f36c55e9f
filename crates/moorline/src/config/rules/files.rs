//! What is wrong with files of certificates and tokens that can be read in principle.

use std::path::Path;

use super::super::problem::{Level, Problem};
use super::super::{Config, Key, Role, roles};
use crate::Code;
use crate::auth::tokens::{self, Taken};

impl Config {
    /// Workers that see the certificate leave out what it does not name. Whoever ends TLS in front of the
    /// coordinator may have another one: so nothing is refused for it.
    pub(super) fn unproven(&self) -> Option<Problem> {
        if self.list(Key::Advertise).is_empty() {
            return None;
        }
        let (places, advertised) = roles::coordinator(self).advertising();
        let advertised = advertised.ok()?;
        let first = *places.unproven(&advertised).first()?;
        let text = format!(
            "the certificate does not name `{}`: no worker that sees it goes to {first}",
            first.host()
        );
        let problem = Problem::new(Code::ADVERTISE, text).level(Level::Warning).hint(
            "Have a certificate issued with that name beside the others; leave it as it is if a proxy with such a certificate is in front.",
        );
        Some(self.point(problem, &[Key::Advertise, Key::CoordinatorCertFile]))
    }

    /// Workers that are asked for no certificate can show none.
    pub(super) fn nobody_let_in(&self) -> Option<Problem> {
        let keys = [Key::CertificatesOnly, Key::CoordinatorCaFile];
        let [only, ca] = keys;
        if !self.flag(only) || self.text(ca).is_some() {
            return None;
        }
        let text = "workers have to show certificates, and no authority says which are good";
        Some(self.point(Problem::new(Code::NOBODY_LET_IN, text), &keys))
    }

    /// A worker's token may come later; a coordinator without tokens would let nobody in.
    pub(super) fn tokens(&self, role: Role) -> Vec<Problem> {
        let (key, level) = match role {
            Role::Worker => (Key::JoinToken, Level::Warning),
            Role::Coordinator => (Key::CoordinatorTokens, Level::Error),
        };
        let Some(path) = self.text(key).map(Path::new) else { return Vec::new() };
        let read = match role {
            Role::Worker => tokens::own(path).map(|_| ()),
            Role::Coordinator => Taken::read(path).map(|_| ()),
        };
        let unusable =
            read.err().map(|error| Problem::new(Code::TOKEN_FILE, error.to_string()).level(level));
        let open = tokens::is_open(path).map(|mode| {
            let text = format!(
                "{} is for everybody on this machine: its mode is {mode:04o}",
                path.display()
            );
            Problem::new(Code::TOKEN_READABLE, text).level(Level::Warning)
        });
        unusable.into_iter().chain(open).map(|problem| self.point(problem, &[key])).collect()
    }
}
