//! Ranges of network addresses, as in `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use thiserror::Error;

/// All addresses that begin with the same bits. A range of IPv4 addresses that is written in IPv6 is one of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange(IpNet);

/// Bits in front of an IPv4 address that is written as an IPv6 one.
const MAPPED_PREFIX_BITS: u8 = 96;

/// A text that is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an address, or a range of them like 10.0.0.0/8 or fd00::/8")]
pub struct AddressRangeError;

impl AddressRange {
    /// Returns whether an address lies in the range. An IPv4 address that is written as an IPv6 one is an IPv4 address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Without `/`, one address. Bits behind the prefix don't matter.
impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let range = if text.contains('/') {
            text.parse::<IpNet>().map_err(|_| AddressRangeError)?
        } else {
            text.parse::<IpAddr>()
                .map_err(|_| AddressRangeError)?
                .into()
        };
        match (range.addr().to_canonical(), range.prefix_len()) {
            (address @ IpAddr::V4(_), bits @ MAPPED_PREFIX_BITS..) => {
                let range = IpNet::new(address, bits - MAPPED_PREFIX_BITS);
                range.map(Self).map_err(|_| AddressRangeError)
            }
            _ => Ok(Self(range)),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::api::middleware::address_range::*;

    #[test]
    fn what_is_in_a_range() {
        let check = |range: &str, address: &str, expected: bool| {
            let range: AddressRange = range.parse().unwrap();
            let holds = range.holds(address.parse().unwrap());
            assert_eq!(holds, expected, "{address} in {range}");
        };
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.9.9.9/8", "10.0.0.1", true);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("::ffff:10.0.0.0/104", "10.255.0.1", true);
        check("::ffff:10.0.0.0/104", "::ffff:11.0.0.1", false);
        check("::ffff:10.0.0.1", "10.0.0.1", true);
        check("0.0.0.0/0", "192.0.2.1", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "fe80::1", true);
        check("fd00::/8", "fdff::1", true);
        check("fd00::/8", "fe80::1", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "a/8",
            "10.0.0.0/-1",
        ] {
            assert_eq!(
                text.parse::<AddressRange>(),
                Err(AddressRangeError),
                "{text}"
            );
        }
    }
}
