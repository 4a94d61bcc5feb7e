//! The data that a store keeps beside its rows to make searches quick.

use std::cell::{Ref, RefCell, RefMut};

use super::{Codes, Columns, Memo, Tuning};
use crate::segment::{Matrix, Step, Supplied};

/// The codes of the rows, the rows that earlier filters matched, and whether codes were of use in earlier searches. All
/// of this can be made again from the rows and their attributes. It never changes the result of a search.
pub struct SearchState {
    codes: Codes,
    memo: Memo,
    columns: RefCell<Columns>,
}

impl SearchState {
    pub fn new(codes: Codes) -> Self {
        Self { codes, memo: Memo::default(), columns: RefCell::default() }
    }

    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    pub fn memo(&self) -> &Memo {
        &self.memo
    }

    pub fn columns(&self) -> Ref<'_, Columns> {
        self.columns.borrow()
    }

    pub fn columns_mut(&self) -> RefMut<'_, Columns> {
        self.columns.borrow_mut()
    }

    /// Makes some codes of the first `rows` rows, for a few milliseconds at most.
    pub fn code_step(&mut self, matrix: &Matrix, rows: usize, supplied: &mut Supplied) -> Step {
        self.codes.step(matrix, rows, supplied)
    }

    /// Takes note that the rows have new numbers. `codes` are those of the rows in their new order, if there are some
    /// already.
    pub fn rows_moved(&mut self, codes: Option<Codes>) {
        match codes {
            Some(codes) => self.codes = codes,
            None => self.codes.clear(),
        }
        self.columns.get_mut().clear();
    }

    /// Takes note that some rows have changed places. None of them has a code.
    pub fn rows_exchanged(&mut self) {
        self.columns.get_mut().clear();
    }

    /// Makes codes with other settings, for tests.
    pub fn tune(&mut self, dimension: usize, tuning: Tuning) {
        self.codes = Codes::new(dimension, tuning);
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.codes.memory_bytes() + self.columns().memory_bytes()
    }
}
