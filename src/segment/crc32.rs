//! CRC-32 as in IEEE 802.3, eight bytes at a step. The tables are made when they are first needed. As constants they
//! would take kilobytes of the wasm that cannot be compressed.

use std::cell::OnceCell;

const POLYNOMIAL: u32 = 0xEDB8_8320;

/// The number of bytes of a step. Each of them has a table of its own.
const STEP: usize = 8;

type Tables = [[u32; 256]; STEP];

fn tables() -> Tables {
    let mut tables = [[0u32; 256]; STEP];
    for byte in 0..256 {
        let mut crc = byte as u32;
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
        tables[0][byte] = crc;
    }
    for step in 1..STEP {
        for byte in 0..256 {
            let before = tables[step - 1][byte];
            tables[step][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
        }
    }
    tables
}

thread_local! {
    static TABLES: OnceCell<Tables> = const { OnceCell::new() };
}

/// Returns the checksum of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    TABLES.with(|made| checksum(made.get_or_init(tables), 0, bytes))
}

/// Returns the checksum of some bytes with `bytes` behind them. `before` is the checksum of the first ones.
#[cfg(feature = "text")]
pub fn crc32_more(before: u32, bytes: &[u8]) -> u32 {
    TABLES.with(|made| checksum(made.get_or_init(tables), before, bytes))
}

fn checksum(t: &Tables, before: u32, bytes: &[u8]) -> u32 {
    // Four bytes that have `behind` bytes behind them within a step.
    let four = |behind: usize, bytes: &[u8; 4], crc: u32| {
        let [a, b, c, d] = (u32::from_le_bytes(*bytes) ^ crc).to_le_bytes().map(usize::from);
        (t[behind + 3][a] ^ t[behind + 2][b]) ^ (t[behind + 1][c] ^ t[behind][d])
    };
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut crc = !before;
    for step in steps {
        let ([first, second], _) = step.as_chunks::<4>() else { continue };
        // Only the first half waits for the step before.
        let half = four(0, second, 0);
        crc = four(4, first, crc) ^ half;
    }
    let (fours, rest) = rest.as_chunks::<4>();
    crc = fours.iter().fold(crc, |crc, bytes| four(0, bytes, crc));
    !rest.iter().fold(crc, |crc, byte| (crc >> 8) ^ t[0][usize::from(crc as u8 ^ byte)])
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_crate_that_native_uses(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(super::crc32(&bytes), crc32fast::hash(&bytes));
        }

        #[test]
        #[cfg(feature = "text")]
        fn goes_on_after_the_first_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..300) {
            let (first, rest) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(super::crc32_more(super::crc32(first), rest), super::crc32(&bytes));
        }
    }
}
