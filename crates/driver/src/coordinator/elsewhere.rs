//! Where workers are told that they find the coordinator too, and where they are sent.

use moorline_link::WorkerId;
use moorline_node::Address;
use moorline_transport::Endpoint;

use super::{Control, CoordinatorHandle, Stopped};
use crate::elsewhere::address;

impl CoordinatorHandle {
    /// Tells every worker where this coordinator can be reached too: with its registration, and with the
    /// next answer to a heartbeat. The first 16 count; none take back what was told.
    ///
    /// A worker keeps those that this coordinator may name: see
    /// [`Authority`](moorline_transport::Authority).
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn advertise(&self, endpoints: &[Endpoint]) -> Result<(), Stopped> {
        self.order(Control::Advertise { endpoints: addresses(endpoints) })
    }

    /// Where workers go that are sent away from now on, because this coordinator drains or stops: instead of
    /// coming back here. The first 16 count.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn send_instead(&self, to: &[Endpoint]) -> Result<(), Stopped> {
        self.order(Control::Instead { to: addresses(to) })
    }

    /// Sends a worker elsewhere: it registers there first, leaves here then, and stays if it cannot. The first
    /// 16 count. Whether it was told: it is connected and understands it, and one of the endpoints at least
    /// is short enough to be sent (512 bytes).
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn redirect(&self, worker: WorkerId, to: &[Endpoint]) -> Result<bool, Stopped> {
        let to = addresses(to);
        self.control(|reply| Control::Redirect { worker, to, reply }).await
    }

    fn order(&self, order: Control) -> Result<(), Stopped> {
        self.shared.control.send(order).map_err(|_| Stopped)
    }
}

fn addresses(endpoints: &[Endpoint]) -> Vec<Address> {
    endpoints.iter().filter_map(address).collect()
}
