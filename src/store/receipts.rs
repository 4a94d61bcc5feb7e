//! Receipts, by which a write is made exactly once although its sender may ask for it again. The store remembers which
//! writes it made and for whom, as long as their senders may still ask. The frames of the log carry the receipts. A
//! write that changed nothing has no frame. Its receipt is written with the next write that has one.

use super::Store;
use crate::Result;
use crate::error::reserve;
use crate::segment::Run;
use crate::segment::receipt::{LEN, Receipt, Sender};

/// The most senders that are remembered: those that wrote last. A sender that may have been forgotten is told so. It is
/// never told that it wrote nothing.
const SENDERS: usize = 256;
/// Receipts that their senders will not ask about any more are not removed before there are this many in all.
const LEAST: usize = 1024;

#[derive(Default)]
pub(super) struct Receipts {
    /// The receipts of the writes that were applied, in the log's order, and then of those that are staged.
    made: Vec<Receipt>,
    staged: usize,
    /// The number of receipts at which they are looked through again, if it is more than [`LEAST`].
    most: usize,
    /// The greatest sender that was forgotten, or 0.
    forgotten: Sender,
    /// The receipts that no frame of the log carries: those of applied writes, and then those of staged writes.
    loose: Vec<Receipt>,
    loose_applied: usize,
    /// The number of receipts in `loose` that a staged frame carries.
    carried: usize,
    /// The receipt of the write that is staged next. It has no result yet.
    next: Receipt,
    /// The length of the staged frames before that write, in bytes.
    begun: usize,
}

/// Says whether a write was made, as far as the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The write was made, with this result.
    Made(u32),
    /// The write was not made, but a later write of its sender was. Writes come in order, so this one was refused.
    Refused,
    /// The write was never made.
    Unmade,
    /// The store may have forgotten the sender, because too many others have written since.
    Forgotten,
}

impl Receipts {
    /// Takes over the receipts of a frame that was read. `behind` is what the frame has behind its operation.
    #[inline(never)]
    pub fn replay(&mut self, mut behind: &[u8]) -> Result<()> {
        while let Some(receipt) = Receipt::decode(behind) {
            behind = &behind[LEN..];
            if receipt.number == 0 {
                self.forgotten = self.forgotten.max(receipt.sender);
                continue;
            }
            reserve(&mut self.made, 1, "receipts")?;
            self.made.push(receipt);
            self.limit();
        }
        Ok(())
    }

    fn limit(&mut self) {
        if self.made.len() >= self.most.max(LEAST) {
            self.let_go();
            self.most = 2 * self.made.len();
        }
    }

    /// Removes the receipts that their senders will not ask about any more. Nothing may be staged.
    #[inline(never)]
    pub fn let_go(&mut self) {
        self.forgotten = prune(&mut self.made, self.forgotten);
    }

    pub fn any(&self) -> bool {
        !self.made.is_empty()
    }

    /// Returns the number of bytes that [`add_to`](Self::add_to) will add at most.
    pub fn bytes(&self) -> usize {
        LEN * (1 + self.made.len())
    }

    /// Adds all receipts that a sender may ask about, for the log that a compaction writes.
    pub fn add_to(&self, run: &mut Run) {
        let marker = Receipt { sender: self.forgotten, ..Receipt::default() };
        run.add_receipts(&[&[marker][..usize::from(self.forgotten > 0)], &self.made]);
    }

    /// Takes note that all receipts are in the log.
    pub fn written(&mut self) {
        self.loose.clear();
        self.loose_applied = 0;
    }

    pub fn apply(&mut self) {
        self.loose.copy_within(self.carried.., 0);
        self.loose.truncate(self.loose.len() - self.carried);
        if self.loose.len() > LEAST {
            prune(&mut self.loose, 0);
        }
        (self.staged, self.carried, self.loose_applied) = (0, 0, self.loose.len());
        self.limit();
    }

    pub fn drop_staged(&mut self) {
        self.made.truncate(self.made.len() - self.staged);
        self.loose.truncate(self.loose_applied);
        (self.staged, self.carried) = (0, 0);
    }

    #[cfg(test)]
    pub fn numbers(&self, sender: Sender) -> Vec<u64> {
        self.made.iter().filter(|receipt| receipt.sender == sender).map(|receipt| receipt.number).collect()
    }
}

/// Removes the receipts that their senders will not ask about any more, and those of all senders but the newest ones.
/// Returns the greatest sender that was ever forgotten.
#[inline(never)]
fn prune(receipts: &mut Vec<Receipt>, mut forgotten: Sender) -> Sender {
    // One receipt for each sender. Its number is the lowest one that the sender may still ask about.
    let mut seen: Vec<Receipt> = Vec::new();
    if reserve(&mut seen, SENDERS, "receipts").is_err() {
        return forgotten;
    }
    let mut kept = receipts.len();
    for at in (0..receipts.len()).rev() {
        let receipt = receipts[at];
        if let Some(of) = seen.iter_mut().find(|of| of.sender == receipt.sender) {
            of.number = of.number.max(receipt.floor());
            if receipt.number < of.number {
                continue;
            }
        } else if seen.len() < SENDERS {
            seen.push(Receipt { number: receipt.floor(), ..receipt });
        } else {
            forgotten = forgotten.max(receipt.sender);
            continue;
        }
        kept -= 1;
        receipts[kept] = receipt;
    }
    receipts.copy_within(kept.., 0);
    receipts.truncate(receipts.len() - kept);
    forgotten
}

impl Store {
    /// Announces the receipt of the operation that is staged next, and takes the memory that it will need.
    /// [`stage_receipt`](Self::stage_receipt) adds the result.
    pub fn expect_receipt(&mut self, receipt: Receipt) -> Result<()> {
        let all = &mut self.receipts;
        reserve(&mut all.made, 1, "receipts")?;
        reserve(&mut all.loose, 1, "receipts")?;
        all.next = receipt;
        all.begun = self.staged.run().bytes().len();
        self.staged.expect_receipts(1 + all.loose.len());
        Ok(())
    }

    /// Stages the receipt of the operation that was just staged, with the operation's result.
    pub fn stage_receipt(&mut self, result: u32) {
        let all = &mut self.receipts;
        let receipt = Receipt { result, ..all.next };
        all.made.push(receipt);
        all.staged += 1;
        if self.staged.run().bytes().len() == all.begun {
            all.loose.push(receipt);
        } else {
            self.staged.add_receipts(&[&all.loose[all.carried..], &[receipt]]);
            all.carried = all.loose.len();
        }
    }

    /// Returns what is known about the write `number` of this sender. A staged write counts as made.
    #[inline(never)]
    pub fn known(&self, sender: Sender, number: u64) -> Known {
        let newest = self.newest(sender);
        if newest == 0 && sender <= self.receipts.forgotten {
            return Known::Forgotten;
        }
        match self.receipts.made.iter().find(|receipt| receipt.sender == sender && receipt.number == number) {
            Some(receipt) => Known::Made(receipt.result),
            None if newest > number => Known::Refused,
            None => Known::Unmade,
        }
    }

    /// Returns the highest number of a write of this sender that was made or is staged, or 0 if none is known.
    #[inline(never)]
    pub fn newest(&self, sender: Sender) -> u64 {
        self.receipts
            .made
            .iter()
            .fold(0, |most, receipt| if receipt.sender == sender { most.max(receipt.number) } else { most })
    }
}
