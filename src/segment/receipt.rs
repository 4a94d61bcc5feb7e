//! Receipts of writes. A frame may carry any number of them behind its operation, where native passes over them: so it can be told later,
//! from the log alone, whether a write that somebody asked for and never heard of was made, and with what result.

/// Bytes of one: a mark with a version, sender, number, how far back the sender still waits, result.
pub const LEN: usize = 36;
const MARK: u32 = u32::from_le_bytes(*b"nwR\x01");

/// Who asked for a write: sixteen letters. They begin with the time, so that later ones are greater.
pub type Sender = u128;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    pub sender: Sender,
    /// Its sender's own, ascending from 1.
    pub number: u64,
    /// When this one was asked, the sender had the answers to all below its number less this.
    pub back: u32,
    pub result: u32,
}

impl Receipt {
    /// Whatever has a lower number will not be asked about.
    pub fn floor(&self) -> u64 {
        self.number.saturating_sub(self.back.into())
    }

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

    /// The receipt at the beginning of what lies behind an operation.
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
