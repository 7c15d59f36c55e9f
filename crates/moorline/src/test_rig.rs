//! What several tests of this crate stand on.

use moorline_memory::MemoryTransport;

use crate::{Client, Coordinator};

/// A coordinator in this process, and a client of it.
pub(crate) async fn coordinator(transport: &MemoryTransport) -> (Coordinator, Client) {
    let coordinator = Coordinator::builder()
        .transport(transport.clone())
        .listen("mem://here")
        .admin("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let client = Client::new(coordinator.admin_url().unwrap()).unwrap();
    (coordinator, client)
}
