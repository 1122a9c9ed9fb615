//! How many connections each address has, so that none takes all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bits of an IPv6 address that a client cannot choose: a site has all addresses that begin alike.
const SITE_MASK: u128 = !0 << 64;

/// Counts the open connections of each address.
#[derive(Debug, Clone)]
pub(super) struct Neighbours {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// One open connection; dropped, it is not counted any more.
#[derive(Debug)]
pub(super) struct Neighbour {
    neighbours: Neighbours,
    site: IpAddr,
}

impl Neighbours {
    pub(super) fn new(most: usize) -> Self {
        Self {
            counts: Arc::default(),
            most,
        }
    }

    /// Counts a connection, unless its address has as many as it may have.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Neighbour> {
        let site = site(address);
        let mut counts = self.counts();
        let count = counts.entry(site).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Neighbour {
            neighbours: self.clone(),
            site,
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what stands for all addresses of one client.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & SITE_MASK)),
        address @ IpAddr::V4(_) => address,
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let mut counts = self.neighbours.counts();
        if let Some(count) = counts.get_mut(&self.site) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.site);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_so_many_connections() {
        let neighbours = Neighbours::new(2);
        let admit = |address: &str| neighbours.admit(address.parse().unwrap());
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("::ffff:192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_none());
        let _other = admit("192.0.2.2").unwrap();
        drop(first);
        assert!(admit("192.0.2.1").is_some());
        let _one = admit("2001:db8::1").unwrap();
        let _two = admit("2001:db8::2").unwrap();
        assert!(admit("2001:db8::3").is_none());
        let other_site = admit("2001:db8:0:1::1");
        assert!(other_site.is_some());
        drop(other_site);
        assert_eq!(neighbours.counts().len(), 3);
    }
}
