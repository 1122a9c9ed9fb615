//! Which member of the group works on which sack.

use uuid::Uuid;

use crate::driver::{Sack, SackCount};

/// The namespace of the weights; any constant does, as long as every member uses the same.
const WEIGHT_NAMESPACE: Uuid = Uuid::from_u128(0x6b1d_40a5_7c0e_4c55_9d0e_53a1_21d7_8e3b);

/// Returns the sacks that `member` is responsible for among `members`.
///
/// Rendezvous hashing (Thaler and Ravishankar, 1998): each sack goes to the member with the largest weight for it, so that a
/// member that comes or goes moves only the sacks that it gets or had.
pub(crate) fn owned_sacks(member: &str, members: &[String], sacks: SackCount) -> Vec<Sack> {
    sacks
        .sacks()
        .filter(|sack| {
            let own = weight(member, *sack);
            members.iter().all(|other| {
                other == member || (weight(other, *sack), other.as_str()) < (own, member)
            })
        })
        .collect()
}

/// A hash that is the same in every process and release.
fn weight(member: &str, sack: Sack) -> u128 {
    Uuid::new_v5(&WEIGHT_NAMESPACE, format!("{sack}/{member}").as_bytes()).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::SACKS_DEFAULT;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_sack_has_exactly_one_owner() {
        let members = names(&["a", "b", "c"]);
        let mut owned: Vec<Sack> = members
            .iter()
            .flat_map(|member| owned_sacks(member, &members, SACKS_DEFAULT))
            .collect();
        owned.sort_unstable();
        assert_eq!(owned, SACKS_DEFAULT.sacks().collect::<Vec<_>>());
    }

    #[test]
    fn a_single_member_owns_everything() {
        assert_eq!(owned_sacks("a", &names(&["a"]), SACKS_DEFAULT).len(), 128);
        assert_eq!(owned_sacks("a", &[], SACKS_DEFAULT).len(), 128);
    }

    #[test]
    fn a_new_member_takes_sacks_but_moves_no_others() {
        let before = owned_sacks("a", &names(&["a", "b"]), SACKS_DEFAULT);
        let after = owned_sacks("a", &names(&["a", "b", "c"]), SACKS_DEFAULT);
        assert!(after.iter().all(|sack| before.contains(sack)));
        assert!(after.len() < before.len());
    }
}
