//! Receipts of writes. A frame may have any number of them behind its operation, where native ignores them. If a sender
//! got no answer to a write, the log alone can tell it later whether the write was made, and with what result.

/// The length of a receipt in bytes: a mark with a version (4), the sender (16), the number (8), `back` (4) and the
/// result (4).
pub const LEN: usize = 36;
const MARK: u32 = u32::from_le_bytes(*b"nwR\x01");

/// The name of a sender: sixteen letters. They begin with the time, so that later senders are greater.
pub type Sender = u128;

/// The note that a certain write was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Who asked for the write.
    pub sender: Sender,
    /// The number that the sender gave the write. It ascends from 1.
    pub number: u64,
    /// When the write was asked for, the sender had all answers except those to its last `back` writes.
    pub back: u32,
    /// The result that the write returned.
    pub result: u32,
}

impl Receipt {
    /// Returns the lowest number that the sender may still ask about.
    pub fn floor(&self) -> u64 {
        self.number.saturating_sub(self.back.into())
    }

    /// Adds the receipt in the form that the log has.
    #[inline(never)]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(&MARK.to_le_bytes());
        bytes[4..20].copy_from_slice(&self.sender.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.number.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.back.to_le_bytes());
        bytes[32..].copy_from_slice(&self.result.to_le_bytes());
        out.extend_from_slice(&bytes);
    }

    /// Reads the receipt at the beginning of the bytes behind an operation. Returns None if there is no receipt.
    #[inline(never)]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<LEN>()?;
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if u32_at(0) != MARK {
            return None;
        }
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let half = |at: usize| u128::from(u64_at(at).swap_bytes());
        Some(Self { sender: half(4) << 64 | half(12), number: u64_at(20), back: u32_at(28), result: u32_at(32) })
    }
}
