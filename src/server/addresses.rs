//! How many connections each address has, where that is bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// How many beyond the bound are accepted yet, to be told of it.
const SURPLUS: u32 = 8;

/// What an address gets for one more connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// It is one of those that may be.
    Within,
    /// It is one too many, and is told so.
    Surplus,
    /// Enough of its kind are being told: it is let go of at once.
    None,
}

/// The connections of each address. IPv6 gives a host a network of 2⁶⁴ addresses (RFC 4291 §2.5.1): that counts as one.
#[derive(Default)]
pub struct Addresses {
    most: Option<u32>,
    counts: HashMap<IpAddr, u32>,
    of_slot: HashMap<u32, IpAddr>,
}

impl Addresses {
    /// With at most so many connections an address, if there is a bound at all.
    pub fn new(most: Option<u32>) -> Addresses {
        Addresses { most, ..Addresses::default() }
    }

    /// Somebody has connected, whose connection would stand in this slot. `peer` is asked only if it is wanted.
    pub fn join(&mut self, slot: u32, peer: impl FnOnce() -> Option<SocketAddr>) -> Place {
        let Some(most) = self.most else { return Place::Within };
        // Who is gone already, before anything came, is told nothing.
        let Some(address) = peer().map(|peer| host(peer.ip())) else { return Place::None };
        let count = self.counts.entry(address).or_default();
        if *count >= most.saturating_add(SURPLUS) {
            return Place::None;
        }
        *count += 1;
        let place = if *count > most { Place::Surplus } else { Place::Within };
        self.of_slot.insert(slot, address);
        place
    }

    /// The slot's connection has gone.
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

/// What counts as one host.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Addresses, Place};

    #[test]
    fn each_host_has_so_many_and_some_that_are_told() {
        let mut addresses = Addresses::new(Some(2));
        let mut join =
            |slot, peer: &str| addresses.join(slot, || Some(peer.parse().expect("an address with a port")));
        assert_eq!(join(0, "192.0.2.1:1"), Place::Within);
        assert_eq!(join(1, "[::ffff:192.0.2.1]:2"), Place::Within);
        assert_eq!(join(2, "192.0.2.1:3"), Place::Surplus);
        assert_eq!(join(3, "192.0.2.2:3"), Place::Within);
        assert_eq!(join(4, "[2001:db8::1]:1"), Place::Within);
        assert_eq!(join(5, "[2001:db8::2:0:0:1]:1"), Place::Within);
        assert_eq!(join(6, "[2001:db8::3]:1"), Place::Surplus);
        assert_eq!(join(7, "[2001:db8:0:1::1]:1"), Place::Within);
        for slot in 10..17 {
            assert_eq!(join(slot, "192.0.2.1:4"), Place::Surplus);
        }
        assert_eq!(join(17, "192.0.2.1:4"), Place::None);
        for slot in [0, 1, 2, 10, 11, 12, 13, 14, 15] {
            addresses.leave(slot);
        }
        assert_eq!(addresses.join(0, || "192.0.2.1:9".parse().ok()), Place::Within);
        assert_eq!(addresses.join(1, || "192.0.2.1:9".parse().ok()), Place::Surplus);
        assert_eq!((addresses.counts.len(), addresses.of_slot.len()), (4, 8));
    }
}
