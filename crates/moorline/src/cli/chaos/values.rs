//! What people write for times, shares, rates and addresses, and back.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use moorline_chaos::Share;

use crate::cli::values;

/// The longest time there is: more is a mistake.
const LONGEST: Duration = Duration::from_secs(3_600);

/// A latency or a jitter: a time of at most an hour.
pub(super) fn latency(text: &str) -> Result<Duration, String> {
    let time = values::duration(text)?;
    if time > LONGEST { Err(format!("`{text}` is more than an hour")) } else { Ok(time) }
}

/// A time as `duration` reads it.
pub(super) fn time_text(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// A share: `1%`, `0.5%`, or `0.005`.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let wrong = || format!("`{text}` is not a share; write it as 1%, 0.5% or 0.005");
    let (number, whole) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    // No sign, no exponent, no infinity.
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    share_of(number / whole).ok_or_else(wrong)
}

/// A share from 0 to 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
pub(super) fn share_of(number: f64) -> Option<Share> {
    let ppm = (number * 1_000_000.0).round();
    (0.0..=1_000_000.0).contains(&ppm).then(|| Share::from_ppm(ppm as u32)).flatten()
}

/// A share as `share` reads it.
pub(super) fn share_text(share: Share) -> String {
    format!("{}%", f64::from(share.ppm()) / 10_000.0)
}

/// Bytes in a second: `1MiB`, `1MiB/s`, `64kB`; `none` is no limit.
pub(super) fn bandwidth(text: &str) -> Result<Option<NonZeroU64>, String> {
    let wrong = || format!("`{text}` is not a bandwidth; write it as 1MiB, 500kB/s or none");
    if text == "none" {
        return Ok(None);
    }
    let bytes = values::bytes(text.strip_suffix("/s").unwrap_or(text)).ok_or_else(wrong)?;
    let some = NonZeroU64::new(bytes);
    some.map(Some).ok_or_else(|| "nothing passes in a second: use one-way or half-open".to_owned())
}

/// A bandwidth as `bandwidth` reads it.
pub(super) fn bandwidth_text(bandwidth: Option<NonZeroU64>) -> String {
    let Some(bytes) = bandwidth.map(NonZeroU64::get) else { return "none".to_owned() };
    format!("{}/s", values::bytes_text(bytes))
}

/// Where the proxy listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Listen {
    Tcp(SocketAddr),
    Udp(SocketAddr),
}

/// `tcp://127.0.0.1:9000`, `udp://127.0.0.1:9000`; without a scheme it is TCP.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    let (make, address): (fn(SocketAddr) -> Listen, _) = match text.split_once("://") {
        Some(("tcp", address)) => (Listen::Tcp, address),
        Some(("udp", address)) => (Listen::Udp, address),
        Some(_) => return Err(format!("`{text}` is neither tcp:// nor udp://")),
        None => (Listen::Tcp, text),
    };
    let wrong = || format!("`{text}` is not an address; write it as tcp://127.0.0.1:9000");
    address.parse().map(make).map_err(|_| wrong())
}

/// `HOST:PORT`.
pub(super) fn target(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not HOST:PORT, such as 127.0.0.1:8740");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = !host.is_empty() && !host.contains('/') && !host.contains(char::is_whitespace);
    let whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
    if bare && whole && port_fits { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// An address of the loopback interface.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("`{text}` is not an address; write it as 127.0.0.1:9001");
    let address: SocketAddr = text.parse().map_err(|_| wrong())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("nobody is asked for a password there: only 127.0.0.1 and [::1] are served".to_owned())
    }
}
