//! Ranges of network addresses, as in `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    base: IpAddr,
    prefix_bits: u32,
}

/// What stands before an IPv4 address that is written as an IPv6 one, in bits.
const MAPPED_PREFIX_BITS: u32 = 96;

/// A text that is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an address, or a range of them like 10.0.0.0/8 or fd00::/8")]
pub struct AddressRangeError;

impl AddressRange {
    /// Returns whether an address lies in the range. An IPv4 address that is written as an IPv6 one is an IPv4 address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let (base, length) = bits(self.base);
        let (address, other_length) = bits(address.to_canonical());
        // A range of all addresses of a family shifts everything out.
        let rest = length - self.prefix_bits;
        length == other_length && base.checked_shr(rest) == address.checked_shr(rest)
    }
}

/// Returns an address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// Without `/`, one address. Bits behind the prefix don't matter.
impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.trim().parse().map_err(|_| AddressRangeError)?;
        let (_, length) = bits(base);
        let prefix_bits = match prefix {
            None => length,
            Some(prefix) => prefix.trim().parse().map_err(|_| AddressRangeError)?,
        };
        if prefix_bits > length {
            return Err(AddressRangeError);
        }
        // Such a range is one of IPv4 addresses, as the addresses in it are.
        match (base, base.to_canonical()) {
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if prefix_bits >= MAPPED_PREFIX_BITS => {
                Ok(Self {
                    base: canonical,
                    prefix_bits: prefix_bits - MAPPED_PREFIX_BITS,
                })
            }
            _ => Ok(Self { base, prefix_bits }),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
