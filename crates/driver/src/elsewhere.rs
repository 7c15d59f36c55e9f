//! Endpoints as the node knows them, and what becomes of those that a peer names.

use moorline_node::{Address, Vet};
use moorline_transport::{Authority, Endpoint};

use crate::transports::Transports;

/// An endpoint for the node. One that is longer than an address may be, [`Address::MAX`], is none.
pub(crate) fn address(endpoint: &Endpoint) -> Option<Address> {
    let address = Address::new(&endpoint.to_string());
    if let Err(error) = &address {
        tracing::error!(
            event = "endpoint.unusable",
            remote = %endpoint,
            "{endpoint} is left out: {error}"
        );
    }
    address.ok()
}

/// The endpoints at these addresses: what the node knows was read before.
pub(crate) fn endpoints(addresses: &[Address]) -> Vec<Endpoint> {
    addresses.iter().filter_map(|address| address.as_str().parse().ok()).collect()
}

/// Those of the addresses that a transport serves and the peer may name, as they are written here.
pub(crate) fn vet(
    transports: &Transports,
    authority: &Authority,
    vet: Vet,
    named: &[Address],
) -> Vec<Address> {
    let what = match vet {
        Vet::Endpoints => "told of an endpoint",
        Vet::Redirect => "sent to an endpoint",
    };
    let judged = named.iter().map(|named| {
        let endpoint = transports.endpoint(named.as_str()).map_err(|error| error.to_string())?;
        authority.may_name(&endpoint).map_err(|error| error.to_string())?;
        Address::new(&endpoint.to_string()).map_err(|error| error.to_string())
    });
    judged
        .filter_map(|judged| {
            judged
                .inspect_err(|why| {
                    tracing::warn!(
                        event = "link.endpoint_refused",
                        role = "worker",
                        authority = %authority,
                        "Was {what} that the coordinator may not name: {why}"
                    );
                })
                .ok()
        })
        .collect()
}

#[cfg(test)]
mod tests;
