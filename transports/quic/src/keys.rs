//! The keys that outlive the process, and the connection ids made with them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use quinn_proto::InvalidCid;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::settings::RESET_EVERY;

/// Of a connection id: what never comes twice, and what proves that it was made here.
const NONCE: usize = 8;
const PROOF: usize = 4;

/// A key of 32 bytes from which the others are derived. Nobody gets to see it.
#[derive(Clone)]
pub(crate) struct Key([u8; 32]);

/// Nothing random could be had from the system.
#[derive(Debug, thiserror::Error)]
#[error("the system has no random bytes")]
pub(crate) struct NoRandom;

impl Key {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub(crate) fn random() -> Result<Self, NoRandom> {
        random().map(Self)
    }

    fn derive(&self, what: &'static str) -> Derived {
        Derived { prk: Salt::new(HKDF_SHA256, b"moorline quic 1").extract(&self.0), what }
    }

    /// How a listener names its connections, and how it resets those that it does not know any more.
    pub(crate) fn endpoint(&self) -> Result<EndpointConfig, NoRandom> {
        let mut config = EndpointConfig::new(Arc::new(self.derive("reset").hmac()));
        let ids = Ids { key: self.derive("connection id").hmac(), seed: random()?, count: 0 };
        config.cid_generator(move || Box::new(ids.clone()));
        config.min_reset_interval(RESET_EVERY);
        Ok(config)
    }

    /// With what a listener seals the proof of an address.
    pub(crate) fn token(&self) -> Prk {
        Prk::new_less_safe(HKDF_SHA256, &self.derive("token").bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A key for one purpose: HKDF (RFC 5869) with the purpose as its info.
struct Derived {
    prk: Prk,
    what: &'static str,
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

impl Derived {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let info = [self.what.as_bytes()];
        // Neither fails: 32 bytes are one block of SHA-256, and as many as were asked for.
        let _ = self.prk.expand(&info, Bytes32).and_then(|okm| okm.fill(&mut bytes));
        bytes
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.bytes())
    }
}

/// Connection ids of which no two are ever alike, though the key stays the same: whoever was reset once
/// knows the token of its own id, and must not meet it again as somebody else's. Quinn's own, hashed ones
/// have 24 bits of chance.
#[derive(Clone)]
struct Ids {
    key: hmac::Key,
    /// Of this endpoint.
    seed: [u8; 16],
    count: u64,
}

impl Ids {
    fn proof(&self, nonce: &[u8]) -> [u8; PROOF] {
        first(&hmac::sign(&self.key, &[b"proof", nonce].concat()))
    }
}

fn first<const N: usize>(tag: &hmac::Tag) -> [u8; N] {
    std::array::from_fn(|n| tag.as_ref()[n])
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        self.count += 1;
        let of = [&b"nonce"[..], &self.seed, &self.count.to_be_bytes()].concat();
        let nonce: [u8; NONCE] = first(&hmac::sign(&self.key, &of));
        let proof = self.proof(&nonce);
        ConnectionId::new(&[&nonce[..], &proof].concat())
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let (nonce, proof) = id.split_at_checked(NONCE).ok_or(InvalidCid)?;
        if self.proof(nonce) == *proof { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        NONCE + PROOF
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests;
