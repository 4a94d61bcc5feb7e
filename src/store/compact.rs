//! Compaction. The living documents are written to a new pair of sinks, in native's order (collections by name, ids by
//! bytes). This happens in slices, and searches go on in between. Once the host has made the new pair the current one,
//! memory is brought into the same order, also in slices, by exchanging rows in place. At every moment each document's
//! row is where the index says.

use std::ops::Range;

use super::Store;
use super::index::{Collection, Repack};
use crate::Result;
use crate::error::{Context, fail, out_of_memory, reserve};
use crate::mutant::mutant;
use crate::order::sort_by;
use crate::search::Codes;
use crate::segment::op::{AttrsScan, Op, Reader};
use crate::segment::{LogContents, Matrix, Run, Step, Supplied, fill_rows, header_bytes};
use crate::sink::ByteSink;

/// The bytes of rows that are written or exchanged in one slice. They take some milliseconds.
const SLICE_BYTES: usize = 1 << 20;

/// Fails, because a call of a compaction does not fit what it has done so far.
fn out_of_turn<T>() -> Result<T> {
    fail!(InvalidArgument, "a compaction step came out of turn")
}

/// The number of ids that are sorted in one slice. A collection is sorted in parts of this length, which are merged as
/// they are written.
const RUN: usize = 8192;

pub(super) struct Compaction {
    data: Box<dyn ByteSink>,
    log: Box<dyn ByteSink>,
    /// The documents, collection by collection, in sorted parts.
    docs: Vec<u32>,
    /// The documents in the order of their new rows, as far as it is known.
    order: Vec<u32>,
    /// The collections in the order of their names, and the place in `docs` where the documents of each one end.
    ends: Vec<(u32, usize)>,
    /// The next collection to be sorted or written: a place in `ends`.
    at: usize,
    /// The sorted parts of the present collection, each without the documents that are already written.
    runs: Vec<Range<usize>>,
    /// The frames of the present slice.
    run: Run,
    /// The number of the first new row of the present slice.
    from: usize,
    contents: LogContents,
    ends_newer: bool,
    /// With compact memory: the codes of the rows in their new order, and the rows that have no codes yet.
    codes: Codes,
    rows: Matrix,
    repack: Repack,
    stage: Stage,
}

#[derive(PartialEq)]
enum Stage {
    /// The documents before this one are in sorted parts.
    Sorting(usize),
    Writing,
    /// The rows of a slice must be written. True if it is the last slice.
    Slice(bool),
    Written,
    Durable,
    Adopting(usize),
}

impl Store {
    /// Begins to write a new pair of sinks, and removes what they hold. Nothing may be staged until the compaction has
    /// ended.
    pub fn begin_compaction(&mut self, mut data: Box<dyn ByteSink>, mut log: Box<dyn ByteSink>) -> Result<()> {
        self.check_writable()?;
        if !self.staged.is_empty() {
            fail!(InvalidArgument, "commit the staged writes first");
        }
        if self.log.held_bytes() > 0 {
            self.flush()?;
        }
        let (mut docs, mut order, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        reserve(&mut docs, self.index.live(), "compaction")?;
        reserve(&mut order, self.index.live(), "compaction")?;
        reserve(&mut ends, self.index.collection_count(), "compaction")?;
        for number in self.index.sorted_collections()? {
            docs.extend(self.index.collection(number).into_iter().flat_map(Collection::docs));
            ends.push((number, docs.len()));
        }
        data.truncate_to(0).context("clear the new data")?;
        log.truncate_to(0).context("clear the new log")?;
        data.append(&header_bytes(self.dimension())).context("write the new data's header")?;
        self.receipts.let_go();
        let (runs, stage) = (Vec::new(), Stage::Sorting(0));
        let (codes, rows, run) = (self.quick.codes().successor(), Matrix::new(self.dimension()), Run::default());
        self.compaction = Some(Compaction {
            data,
            log,
            docs,
            order,
            ends,
            at: 0,
            runs,
            run,
            from: 0,
            contents: LogContents::default(),
            ends_newer: false,
            codes,
            rows,
            repack: Repack::default(),
            stage,
        });
        Ok(())
    }

    /// Does what [`compact_step_with`](Self::compact_step_with) does, if all rows are in memory. Returns true after the
    /// last slice.
    pub fn compact_step(&mut self) -> Result<bool> {
        match self.compact_step_with(&mut Supplied::default())? {
            Step::More => Ok(false),
            Step::Done => Ok(true),
            Step::Wanting => fail!(Unsupported, "the rows are not in memory"),
        }
    }

    /// Sorts or writes a slice. Asks `rows` for the rows that are not in memory. An error ends the compaction, because
    /// a slice is missing then.
    pub fn compact_step_with(&mut self, rows: &mut Supplied) -> Result<Step> {
        let unwritten = |compaction: &mut Compaction| {
            matches!(compaction.stage, Stage::Sorting(_) | Stage::Writing | Stage::Slice(_))
        };
        let Some(mut compaction) = self.compaction.take_if(unwritten) else { return out_of_turn() };
        if let Stage::Sorting(at) = compaction.stage {
            self.sort_slice(&mut compaction, at)?;
        } else if compaction.stage == Stage::Writing {
            self.fill_slice(&mut compaction)?;
        }
        let done = match compaction.stage {
            Stage::Slice(last) => self.write_slice(&mut compaction, last, rows)?,
            _ => Step::More,
        };
        self.compaction = Some(compaction);
        Ok(done)
    }

    fn sort_slice(&self, to: &mut Compaction, from: usize) -> Result<()> {
        let mut at = from;
        // Several small collections fit into one slice. `to.at` is the first one that may not be sorted completely.
        while at < from + RUN {
            let Some((_, end)) = to.ends.get(to.at) else {
                to.stage = Stage::Writing;
                to.at = 0;
                return Ok(());
            };
            let until = (*end).min(at + RUN);
            sort_by(&mut to.docs[at..until], &|a, b| self.index.order(a, b))?;
            if until == *end {
                to.at += 1;
            }
            at = until;
        }
        to.stage = Stage::Sorting(at);
        Ok(())
    }

    /// Returns the document with the lowest id among those that are left of the present collection.
    fn next_doc(&self, to: &mut Compaction) -> Option<u32> {
        let heads = to.runs.iter().enumerate().filter(|(_, run)| !run.is_empty());
        let (lowest, _) = heads.min_by(|(_, a), (_, b)| self.index.order(to.docs[a.start], to.docs[b.start]))?;
        to.runs[lowest].next().map(|at| to.docs[at])
    }

    fn fill_slice(&self, to: &mut Compaction) -> Result<()> {
        let most = (SLICE_BYTES / (self.dimension() * 4)).max(1).min(to.docs.len() - to.order.len());
        to.from = to.order.len();
        let (mut run, mut encoded) = (Run::default(), Vec::new());
        let mut written = 0;
        let mut done = false;
        while run.bytes().len() < SLICE_BYTES {
            let left = to.runs.iter().any(|run| !run.is_empty());
            if !left {
                let Some((number, end)) = to.ends.get(to.at).copied() else {
                    done = true;
                    break;
                };
                let Some(collection) = self.index.collection(number) else { return out_of_turn() };
                run.push(&Op::Create { collection: &collection.name })?;
                if collection.meta.len() > 8 {
                    run.push(&Op::SetMeta { collection: &collection.name, meta: &collection.meta })?;
                }
                to.runs.clear();
                let start = to.order.len();
                reserve(&mut to.runs, (end - start).div_ceil(RUN), "compaction")?;
                to.runs.extend((start..end).step_by(RUN).map(|from| from..end.min(from + RUN)));
                to.at += 1;
                continue;
            }
            if written == most {
                break;
            }
            let Some(doc) = self.next_doc(to) else { break };
            let (collection, id, attrs) = self.doc_parts(doc);
            encoded.clear();
            attrs.write(&mut encoded)?;
            let attrs = AttrsScan {
                bytes: &encoded,
                canonical: true,
                newer: Reader::new(&encoded).attrs().is_ok_and(|scan| scan.newer),
            };
            run.push(&Op::Upsert { collection, id, row: to.order.len() as u64, attrs, named: false })?;
            to.order.push(doc);
            written += 1;
        }
        // The last frame of all may be the last one of the previous slice.
        to.ends_newer = if run.is_empty() { to.ends_newer } else { run.ends_newer() };
        if done && (to.ends_newer || self.receipts.any()) {
            run.room = self.receipts.bytes();
            // Neither of these changes anything: the creation of a collection that exists or, if there is no
            // collection, the drop of one.
            run.push(&match to.ends.last().and_then(|(number, _)| self.index.collection(*number)) {
                Some(collection) => Op::Create { collection: &collection.name },
                None => Op::Drop { collection: "" },
            })?;
            self.receipts.add_to(&mut run);
        }
        to.contents.applied(&run);
        to.contents.len += run.bytes().len() as u64;
        to.run = run;
        to.stage = Stage::Slice(done);
        Ok(())
    }

    fn write_slice(&self, to: &mut Compaction, last: bool, supplied: &mut Supplied) -> Result<Step> {
        let docs = &to.order[to.from..];
        if !supplied.want(self.data.matrix(), &mut docs.iter().map(|doc| self.doc_row(*doc)))? {
            return Ok(Step::Wanting);
        }
        let floats = docs.len() * self.dimension();
        let mut rows: Vec<f32> = Vec::new();
        rows.try_reserve_exact(floats).map_err(|_| out_of_memory("compaction", floats * 4))?;
        for doc in docs {
            rows.extend_from_slice(supplied.get(self.data.matrix(), self.doc_row(*doc)).unwrap_or(&[]));
        }
        to.data.append(bytemuck::cast_slice(&rows)).context("write the new data")?;
        to.log.append(to.run.bytes()).context("write the new log")?;
        if self.options.compact {
            let first = to.rows.len();
            to.rows.grow(docs.len())?;
            fill_rows(&mut to.rows, first, &rows);
            to.codes.catch_up(&to.rows, to.rows.len())?;
            to.rows.let_go(to.codes.rows());
        }
        to.stage = if last { Stage::Written } else { Stage::Writing };
        Ok(if last { Step::Done } else { Step::More })
    }

    /// Makes the new pair durable. For a transactional store the host does that. An error ends the compaction, because
    /// the contents of the new files are unknown then.
    pub fn finish_compaction(&mut self) -> Result<()> {
        let Some(mut compaction) = self.compaction.take_if(|compaction| compaction.stage == Stage::Written) else {
            return out_of_turn();
        };
        if !self.options.transactional {
            if !mutant!(CompactedDataUnflushed) {
                compaction.data.flush().context("flush the new data")?;
            }
            if !mutant!(CompactedLogUnflushed) {
                compaction.log.flush().context("flush the new log")?;
            }
        }
        compaction.stage = Stage::Durable;
        self.compaction = Some(compaction);
        Ok(())
    }

    /// Gives up the new pair, and leaves the store as it was. Does nothing once the new pair is adopted.
    pub fn abandon_compaction(&mut self) {
        if !matches!(&self.compaction, Some(Compaction { stage: Stage::Adopting(_), .. })) {
            self.compaction = None;
        }
    }

    /// Makes the store use the new pair, after the host has made it the current one. [`adopt_step`](Self::adopt_step)
    /// then brings memory into the new order.
    pub fn adopt_compaction(&mut self) -> Result<()> {
        let Some(compaction) = self.compaction.as_mut().filter(|compaction| compaction.stage == Stage::Durable) else {
            return out_of_turn();
        };
        let data = std::mem::replace(&mut compaction.data, Box::new(crate::sink::CountingSink::default()));
        self.data.adopt(data);
        if self.options.compact {
            let codes = std::mem::replace(&mut compaction.codes, self.quick.codes().successor());
            self.quick.rows_moved(Some(codes));
            *self.data.matrix_mut() = std::mem::replace(&mut compaction.rows, Matrix::new(self.data.dimension()));
            self.index.renumber(&compaction.order);
        } else {
            self.quick.rows_moved(None);
        }
        let log = std::mem::replace(&mut compaction.log, Box::new(crate::sink::CountingSink::default()));
        self.log.adopt(log, compaction.contents);
        self.receipts.written();
        self.orphaned = 0;
        self.index.updates = 0;
        compaction.stage = Stage::Adopting(0);
        Ok(())
    }

    /// Brings a slice of the rows in memory into their new order, and then a slice of the ids and attributes. Returns
    /// true when all are done.
    pub fn adopt_step(&mut self) -> Result<bool> {
        let Some(compaction) = &mut self.compaction else { return out_of_turn() };
        let Stage::Adopting(at) = &mut compaction.stage else { return out_of_turn() };
        // A search since the last slice may have kept columns and matching rows by the old numbers of the rows.
        self.quick.rows_exchanged();
        let slice = (SLICE_BYTES / (self.data.dimension() * 4)).max(16);
        let end = if self.options.compact { compaction.order.len() } else { (*at + slice).min(compaction.order.len()) };
        for row in *at..end {
            let from = self.index.doc(compaction.order[row]).row as usize;
            if from != row {
                self.data.matrix_mut().swap(row, from);
                self.index.swap_rows(row, from);
            }
        }
        *at = end;
        if end < compaction.order.len() {
            return Ok(false);
        }
        self.data.adopted_rows(end);
        self.index.truncate_rows(end);
        // If there is no memory for packing them anew, the ids and attributes stay as they are.
        let done = self.index.repack(&compaction.order, &mut compaction.repack).unwrap_or(true);
        if done {
            self.compaction = None;
        }
        Ok(done)
    }

    /// Compacts completely, onto sinks that no host has to promote. The store goes on with the new sinks.
    ///
    /// For a store in a directory use `compact_dir`. Do not rename two new files over `data` and `log`, one after the
    /// other: if the process ends between the two, the old log stands beside the new data, and the store may open with
    /// wrong vectors. If the new files are to be a store of their own, write them to an empty directory, and open that.
    pub fn compact_into(&mut self, data: Box<dyn ByteSink>, log: Box<dyn ByteSink>) -> Result<()> {
        self.begin_compaction(data, log)?;
        let written = loop {
            match self.compact_step() {
                Ok(false) => {}
                Ok(true) => break self.finish_compaction(),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = written {
            self.abandon_compaction();
            return Err(error);
        }
        self.adopt_compaction()?;
        while !self.adopt_step()? {}
        Ok(())
    }
}
