//! Exactly once: the store remembers which writes of whom it made, as far as their senders may still ask. What a frame carries is told by
//! the log; a write that changed nothing has no frame, and its receipt goes along with the next one that has.

use super::Store;
use crate::Result;
use crate::error::reserve;
use crate::segment::log::Run;
use crate::segment::receipt::{LEN, Receipt, Sender};

/// Senders that are remembered, those that wrote last. Whoever may have been forgotten is told so, never taken for one that did not write.
const SENDERS: usize = 256;
/// Receipts before the answered ones among them are looked for.
const LEAST: usize = 1024;

#[derive(Default)]
pub(super) struct Receipts {
    /// Of writes that were applied, in the log's order.
    made: Vec<Receipt>,
    /// How many there may be before the answered ones are let go.
    most: usize,
    /// No sender above this was forgotten.
    forgotten: Sender,
    /// Those of `made` that no frame has.
    loose: Vec<Receipt>,
    staged: Vec<Receipt>,
    /// Those of `staged` that no frame has.
    frameless: Vec<Receipt>,
    /// So many of `loose` are in a staged frame.
    carried: usize,
    next: Receipt,
    /// Where the run ended before that write.
    begun: usize,
}

/// What is known of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Made(u32),
    /// It is not there. Later ones of its sender are, which came behind it: so it was refused.
    Refused,
    /// It was never made.
    Unmade,
    /// Too many others wrote since.
    Forgotten,
}

impl Receipts {
    /// As the log has it.
    pub fn replay(&mut self, receipt: Receipt) -> Result<()> {
        reserve(&mut self.made, 1, "receipts")?;
        self.push(receipt);
        Ok(())
    }

    fn push(&mut self, receipt: Receipt) {
        if receipt.number == 0 {
            self.forgotten = self.forgotten.max(receipt.sender);
            return;
        }
        self.made.push(receipt);
        if self.made.len() >= self.most.max(LEAST) {
            prune(&mut self.made, &mut self.forgotten);
            self.most = 2 * self.made.len();
        }
    }

    #[cfg(test)]
    pub fn numbers(&self, sender: &Sender) -> Vec<u64> {
        self.made.iter().filter(|receipt| receipt.sender == *sender).map(|receipt| receipt.number).collect()
    }

    /// Of what was answered.
    pub fn let_go(&mut self) {
        prune(&mut self.made, &mut self.forgotten);
    }

    /// All are in the log.
    pub fn written(&mut self) {
        self.loose.clear();
    }

    pub fn any(&self) -> bool {
        !self.made.is_empty()
    }

    /// What [`add_to`](Self::add_to) will take.
    pub fn bytes(&self) -> usize {
        LEN * (1 + self.made.len())
    }

    /// All that may be asked about, for a log that begins anew.
    pub fn add_to(&self, run: &mut Run) {
        let marker = Receipt { sender: self.forgotten, ..Receipt::default() };
        run.add_receipts([&marker].into_iter().filter(|_| self.forgotten > Sender::default()).chain(&self.made));
    }

    pub fn apply(&mut self) {
        self.loose.drain(..self.carried);
        self.loose.append(&mut self.frameless);
        if self.loose.len() > LEAST {
            // What is still asked about will be asked soon: of the oldest nobody waits for an answer.
            prune(&mut self.loose, &mut Sender::default());
        }
        for receipt in std::mem::take(&mut self.staged) {
            self.push(receipt);
        }
        self.carried = 0;
    }

    pub fn drop_staged(&mut self) {
        self.staged.clear();
        self.frameless.clear();
        self.carried = 0;
    }
}

/// Lets go of what was answered, and of senders beyond the newest ones, the greatest of which is noted.
fn prune(receipts: &mut Vec<Receipt>, forgotten: &mut Sender) {
    let mut seen: Vec<(Sender, u64)> = Vec::new();
    if reserve(&mut seen, SENDERS.min(receipts.len()), "receipts").is_err() {
        return;
    }
    let mut kept = receipts.len();
    for at in (0..receipts.len()).rev() {
        let receipt = receipts[at];
        let keep = match seen.iter().position(|(sender, _)| *sender == receipt.sender) {
            Some(at) => {
                let floor = &mut seen[at].1;
                *floor = receipt.floor().max(*floor);
                receipt.number >= *floor
            }
            None if seen.len() < SENDERS => {
                seen.push((receipt.sender, receipt.floor()));
                true
            }
            None => {
                *forgotten = receipt.sender.max(*forgotten);
                false
            }
        };
        if keep {
            kept -= 1;
            receipts[kept] = receipt;
        }
    }
    receipts.drain(..kept);
}

impl Store {
    /// The operation that is staged next is this write. Takes what memory its receipt will need; `result` comes with
    /// [`stage_receipt`](Self::stage_receipt).
    pub fn expect_receipt(&mut self, receipt: Receipt) -> Result<()> {
        let all = &mut self.receipts;
        for list in [&mut all.staged, &mut all.frameless] {
            reserve(list, 1, "receipts")?;
        }
        reserve(&mut all.made, all.staged.len() + 1, "receipts")?;
        reserve(&mut all.loose, all.frameless.len() + 1, "receipts")?;
        all.next = receipt;
        all.begun = self.staged.run.bytes().len();
        self.staged.run.room = LEN * (1 + all.loose.len() + all.frameless.len());
        Ok(())
    }

    /// That operation was staged.
    pub fn stage_receipt(&mut self, result: u32) {
        let all = &mut self.receipts;
        let receipt = Receipt { result, ..all.next };
        all.staged.push(receipt);
        if self.staged.run.bytes().len() == all.begun {
            return all.frameless.push(receipt);
        }
        let others = all.loose[all.carried..].iter().chain(&all.frameless);
        self.staged.run.add_receipts(others.chain([&receipt]));
        all.carried = all.loose.len();
        all.frameless.clear();
    }

    /// Whether a write of this sender was made, or is staged.
    pub fn known(&self, sender: &Sender, number: u64) -> Known {
        let Receipts { made, staged, forgotten, .. } = &self.receipts;
        let mut its = made.iter().chain(staged).filter(|receipt| receipt.sender == *sender).peekable();
        if its.peek().is_none() && sender <= forgotten {
            return Known::Forgotten;
        }
        let mut later = false;
        for receipt in its {
            if receipt.number == number {
                return Known::Made(receipt.result);
            }
            later |= receipt.number > number;
        }
        if later { Known::Refused } else { Known::Unmade }
    }

    /// The highest number of this sender's that was made; 0 if none is known.
    pub fn newest(&self, sender: &Sender) -> u64 {
        self.receipts.made.iter().filter(|receipt| receipt.sender == *sender).map(|receipt| receipt.number).max().unwrap_or(0)
    }
}
