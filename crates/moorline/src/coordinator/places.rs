//! Where a coordinator may send its workers.

use std::net::SocketAddr;

use moorline_driver::{Peer, Transports};
use moorline_node::Address;
use moorline_transport::{Authority, AuthorityError, Endpoint};

use crate::reach::{Reach, is_clear};
use crate::{Code, Error, Result};

/// Reads the places that operators name, and judges them by what workers let this coordinator name.
#[derive(Clone, Default, Debug)]
pub(crate) struct Places {
    reach: Reach,
    transports: Transports,
}

impl Places {
    pub(super) fn new(reach: Reach, transports: Transports) -> Self {
        Self { reach, transports }
    }

    /// The endpoint that a URL means, or an address without a scheme.
    pub(super) fn read(&self, text: &str) -> Result<Endpoint> {
        self.reach.endpoint(&self.transports, text)
    }

    /// One that all workers may be told of.
    ///
    /// # Errors
    /// Those that workers would leave out, whoever they are.
    pub(super) fn advertised(&self, text: &str) -> Result<Endpoint> {
        let refused = |why: String| Error::refused_setting(Code::ADVERTISE, "advertise", why);
        let endpoint = self.read(text).map_err(|error| refused(error.to_string()))?;
        // What its certificate names is found out where a worker is there that has seen it.
        let most = if is_clear(&endpoint) {
            Authority::this_machine()
        } else {
            Authority::hosts([endpoint.host()])
        };
        match most.may_name(&endpoint) {
            // Transports of the caller's: what is encrypted there is not known here.
            Ok(()) | Err(AuthorityError::Clear { .. }) => {}
            Err(AuthorityError::Unproven { endpoint }) => {
                let why = "it is not encrypted, and workers on other machines are not sent there";
                return Err(refused(format!("{endpoint}: {why}")));
            }
            Err(error) => return Err(refused(error.to_string())),
        }
        Address::new(&endpoint.to_string()).map_err(|error| refused(error.to_string()))?;
        Ok(endpoint)
    }

    /// All of them; workers keep no more than 16.
    pub(super) fn all_advertised<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Endpoint>> {
        let all: Vec<_> = texts.map(|text| self.advertised(text)).collect::<Result<_>>()?;
        not_too_many(all.len())?;
        Ok(all)
    }

    /// What this coordinator proves to be, over TLS, by its certificate as it is now. `None`: it is not known.
    /// It reads a file, so not on the runtime's own threads.
    pub(super) async fn own(&self) -> Option<Authority> {
        #[cfg(feature = "tls")]
        {
            let files = self.reach.tls.clone();
            // One that cannot be read now was read before: workers know it, and this does not.
            tokio::task::spawn_blocking(move || files.authority().ok()).await.ok().flatten()
        }
        #[cfg(not(feature = "tls"))]
        None
    }

    /// Those of the advertised endpoints that its certificate does not name, if it has one.
    #[cfg(feature = "cli")]
    pub(crate) fn unproven<'a>(&self, advertised: &'a [Endpoint]) -> Vec<&'a Endpoint> {
        if self.reach.tls.cert.is_none() {
            return Vec::new();
        }
        let Ok(own) = self.reach.tls.authority() else { return Vec::new() };
        let is_named = |endpoint: &&Endpoint| own.may_name(endpoint).is_ok();
        let encrypted = advertised.iter().filter(|endpoint| endpoint.is_encrypted());
        encrypted.filter(|endpoint| !is_named(endpoint)).collect()
    }
}

/// A worker is told of so many at once and of no more.
pub(super) fn not_too_many(count: usize) -> Result<()> {
    let most = Address::COUNT_MAX;
    if count > most {
        let why = format!("{count} are given, and a worker is told of {most} at most");
        return Err(Error::refused_setting(Code::ADVERTISE, "advertise", why));
    }
    Ok(())
}

/// Why a worker would not go there, as far as this end of its connection knows. `own` is what the coordinator's
/// certificate proves.
pub(super) fn would_follow(
    own: Option<&Authority>,
    peer: &Peer,
    to: &Endpoint,
) -> std::result::Result<(), AuthorityError> {
    would_follow_over(own, &peer.endpoint, &peer.remote, to)
}

/// The same of one that came in at this door from there.
fn would_follow_over(
    own: Option<&Authority>,
    door: &Endpoint,
    remote: &str,
    to: &Endpoint,
) -> std::result::Result<(), AuthorityError> {
    if door.is_encrypted() {
        return own.map_or(Ok(()), |own| own.may_name(to));
    }
    // Of what travels otherwise, and of who comes otherwise, only the worker knows.
    let Ok(remote) = remote.parse::<SocketAddr>() else { return Ok(()) };
    if !is_clear(door) {
        return Ok(());
    }
    match Authority::unproven(remote.ip().to_canonical()).may_name(to) {
        // Whoever ends TLS in front of this coordinator may have proven it.
        Err(AuthorityError::Unproven { .. }) if to.is_encrypted() => Ok(()),
        judged => judged,
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests;
