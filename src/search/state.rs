//! What a store keeps beside its rows so that searches are quick.

use std::cell::{Ref, RefCell, RefMut};

use super::{Codes, Columns, Memo, Step, Tuning};
use crate::segment::{Matrix, Supplied};

/// The codes of the rows, which rows the filters match that were seen, and what earlier searches taught. All of it can be made anew from
/// the rows and their attributes: a search is exact whatever is here.
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

    /// The rows have other numbers from now on. `codes`: those of the rows in their new order, where there are some already.
    pub fn rows_moved(&mut self, codes: Option<Codes>) {
        match codes {
            Some(codes) => self.codes = codes,
            None => self.codes.clear(),
        }
        self.columns.get_mut().clear();
    }

    /// Some rows, none of which has a code, changed places.
    pub fn rows_exchanged(&mut self) {
        self.columns.get_mut().clear();
    }

    /// For tests: codes made in another way.
    pub fn tune(&mut self, dimension: usize, tuning: Tuning) {
        self.codes = Codes::new(dimension, tuning);
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.codes.memory_bytes() + self.columns().memory_bytes()
    }
}
