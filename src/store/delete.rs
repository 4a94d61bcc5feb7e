//! Staging of deletions: by ids, and by a filter.

use super::Store;
use super::arena::Item;
use super::lists::refuse_lists;
use super::stage::Mark;
use crate::Result;
use crate::error::reserve;
use crate::order::sort_by;
use crate::search::Filter;

impl Store {
    /// Stages the deletion of the documents with these ids. Returns how many of them exist.
    pub fn stage_delete<'a>(&mut self, collection: &str, ids: impl Iterator<Item = Result<&'a str>>) -> Result<usize> {
        self.check_writable()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let staged = self.stage_deletes(seen, ids);
        if staged.is_err() {
            self.forget_deletes(seen, &mark);
        }
        staged
    }

    fn forget_deletes(&mut self, seen: usize, mark: &Mark) {
        self.staged.untouch(&self.index, seen, mark.staged());
        self.unstage(mark);
    }

    fn stage_deletes<'a>(&mut self, seen: usize, ids: impl Iterator<Item = Result<&'a str>>) -> Result<usize> {
        let mut count = 0;
        for id in ids {
            if let Some((item, _)) = self.staged.find(&self.index, seen, id?) {
                self.staged.delete(&mut self.index, seen, item, count)?;
                count += 1;
            }
        }
        self.staged.count_deletes(count);
        Ok(count)
    }

    /// Stages the deletion of the documents that match, in the order of their ids. Returns how many there are.
    pub fn stage_delete_where(&mut self, collection: &str, filter: &Filter) -> Result<usize> {
        self.check_writable()?;
        filter.check()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let mut items: Vec<Item> = Vec::new();
        let mut add = |item: Item, matches: bool| {
            refuse_lists(filter, self.index.arena.attrs(item))?;
            if matches {
                reserve(&mut items, 1, "ids to delete")?;
                items.push(item);
            }
            Ok::<(), crate::Error>(())
        };
        let number = self.staged.base(seen);
        let matches = self.matches(filter, number);
        if let Some(base) = number.and_then(|base| self.index.collection(base)) {
            for doc in base.docs() {
                let item = self.index.doc(doc).item;
                if !self.staged.touches(&self.index, seen, self.index.arena.id_bytes(item)) {
                    add(item, matches(doc))?;
                }
            }
        }
        for item in self.staged.upserted(seen) {
            add(item, filter.matches(self.index.arena.attrs(item)))?;
        }
        drop(matches);
        let id = |n: u32| self.index.arena.id_bytes(items[n as usize]);
        let mut order: Vec<u32> = Vec::new();
        reserve(&mut order, items.len(), "ids to delete")?;
        order.extend(0..items.len() as u32);
        sort_by(&mut order, &|a, b| id(a).cmp(id(b)))?;
        let mut items = order.iter().map(|n| items[*n as usize]).enumerate();
        if let Err(error) = items.try_for_each(|(before, item)| self.staged.delete(&mut self.index, seen, item, before))
        {
            self.forget_deletes(seen, &mark);
            return Err(error);
        }
        self.staged.count_deletes(order.len());
        Ok(order.len())
    }
}
