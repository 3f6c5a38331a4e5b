//! The bound on connections per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// How many connections beyond the bound are accepted, to be refused with a reason.
const SURPLUS: u32 = 8;

/// The admission of another connection from an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// The connection is within the bound.
    Within,
    /// The connection exceeds the bound, and is refused with a reason.
    Surplus,
    /// Too many surplus connections are open already; this one is dropped at once.
    Dropped,
}

/// The number of connections from each address. An IPv6 host has a network of 2⁶⁴ addresses
/// (RFC 4291 §2.5.1), which counts as one address.
#[derive(Default)]
pub struct Addresses {
    most: Option<u32>,
    counts: HashMap<IpAddr, u32>,
    of_slot: HashMap<u32, IpAddr>,
}

impl Addresses {
    /// Creates an empty count. `most`, if set, is the maximum number of connections per address.
    pub fn new(most: Option<u32>) -> Addresses {
        Addresses { most, ..Addresses::default() }
    }

    /// Counts a new connection in a slot. `peer` is called only if there is a bound.
    pub fn join(&mut self, slot: u32, peer: impl FnOnce() -> Option<SocketAddr>) -> Admission {
        let Some(most) = self.most else { return Admission::Within };
        // A client without an address is gone already.
        let Some(address) = peer().map(|peer| host(peer.ip())) else { return Admission::Dropped };
        let count = self.counts.entry(address).or_default();
        if *count >= most.saturating_add(SURPLUS) {
            return Admission::Dropped;
        }
        *count += 1;
        let admission = if *count > most { Admission::Surplus } else { Admission::Within };
        self.of_slot.insert(slot, address);
        admission
    }

    /// Counts the end of the connection in a slot.
    pub fn leave(&mut self, slot: u32) {
        if let Some(address) = self.of_slot.remove(&slot)
            && let Some(count) = self.counts.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&address);
            }
        }
    }
}

/// Returns the address that stands for a host.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Addresses, Admission};

    #[test]
    fn each_host_has_its_bound_and_some_surplus() {
        let mut addresses = Addresses::new(Some(2));
        let mut join =
            |slot, peer: &str| addresses.join(slot, || Some(peer.parse().expect("an address with a port")));
        assert_eq!(join(0, "192.0.2.1:1"), Admission::Within);
        assert_eq!(join(1, "[::ffff:192.0.2.1]:2"), Admission::Within);
        assert_eq!(join(2, "192.0.2.1:3"), Admission::Surplus);
        assert_eq!(join(3, "192.0.2.2:3"), Admission::Within);
        assert_eq!(join(4, "[2001:db8::1]:1"), Admission::Within);
        assert_eq!(join(5, "[2001:db8::2:0:0:1]:1"), Admission::Within);
        assert_eq!(join(6, "[2001:db8::3]:1"), Admission::Surplus);
        assert_eq!(join(7, "[2001:db8:0:1::1]:1"), Admission::Within);
        for slot in 10..17 {
            assert_eq!(join(slot, "192.0.2.1:4"), Admission::Surplus);
        }
        assert_eq!(join(17, "192.0.2.1:4"), Admission::Dropped);
        for slot in [0, 1, 2, 10, 11, 12, 13, 14, 15] {
            addresses.leave(slot);
        }
        assert_eq!(addresses.join(0, || "192.0.2.1:9".parse().ok()), Admission::Within);
        assert_eq!(addresses.join(1, || "192.0.2.1:9".parse().ok()), Admission::Surplus);
        assert_eq!((addresses.counts.len(), addresses.of_slot.len()), (4, 8));
    }
}
