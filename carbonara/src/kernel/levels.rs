//! The instruction sets that tests compare.

use fearless_simd::Level;

/// Returns the best instruction set of this machine, and those below it.
pub(super) fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_mut, reason = "elsewhere there is one")
    )]
    let mut levels = vec![best];
    #[cfg(target_arch = "x86_64")]
    levels.extend(
        [
            best.as_avx2().map(Level::Avx2),
            best.as_sse4_2().map(Level::Sse4_2),
            best.as_sse2().map(Level::Sse2),
        ]
        .into_iter()
        .flatten(),
    );
    levels
}
