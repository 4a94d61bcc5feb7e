//! Receipts of writes. A frame may carry any number of them behind its operation, where native passes over them: so it can be told later,
//! from the log alone, whether a write that somebody asked for and never heard of was made, and with what result.

/// Bytes of one: a mark and a version, sender, number, how far back the sender still waits, result.
pub const LEN: usize = 36;
const MARK: [u8; 4] = *b"nwR\x01";

/// Who asked for a write. Made of the time first, so that later ones are greater.
pub type Sender = [u8; 16];

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

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&self.sender);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.back.to_le_bytes());
        out.extend_from_slice(&self.result.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (mark, rest) = bytes.split_first_chunk::<4>()?;
        let (sender, rest) = rest.split_first_chunk::<16>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (back, rest) = rest.split_first_chunk::<4>()?;
        let result = rest.first_chunk::<4>()?;
        (*mark == MARK).then(|| Self {
            sender: *sender,
            number: u64::from_le_bytes(*number),
            back: u32::from_le_bytes(*back),
            result: u32::from_le_bytes(*result),
        })
    }
}

/// The receipts at the beginning of what lies behind an operation.
pub fn receipts(bytes: &[u8]) -> impl Iterator<Item = Receipt> {
    bytes.chunks_exact(LEN).map_while(Receipt::decode)
}
