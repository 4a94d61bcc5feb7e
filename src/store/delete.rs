//! Staging deletions: by ids, and of what matches a filter.

use super::Store;
use super::arena::Item;
use super::staged::Effect;
use crate::Result;
use crate::error::reserve;
use crate::order::sort_by;
use crate::search::Filter;
use crate::segment::op::Op;

impl Store {
    /// Deletes those of the ids that are there; returns how many they were.
    pub fn stage_delete<'a>(&mut self, collection: &str, ids: impl Iterator<Item = Result<&'a str>>) -> Result<usize> {
        self.check_writable()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let staged = self.stage_deletes(seen, collection, ids);
        if staged.is_err() {
            self.untouch(seen, mark.effects);
            self.unstage(&mark);
        }
        staged
    }

    fn stage_deletes<'a>(&mut self, seen: usize, collection: &str, ids: impl Iterator<Item = Result<&'a str>>) -> Result<usize> {
        let mut count = 0;
        for id in ids {
            if let Some(item) = self.staged.find(&self.index, seen, id?) {
                self.stage_delete_item(seen, collection, item, count)?;
                count += 1;
            }
        }
        self.staged.deletes += count;
        Ok(count)
    }

    /// One that is there, `before` others being staged by the same operation.
    fn stage_delete_item(&mut self, seen: usize, collection: &str, item: Item, before: usize) -> Result<()> {
        self.staged.reserve_touched(&self.index, seen, 1)?;
        self.index.reserve(self.staged.upserts, self.staged.deletes + before + 1, self.staged.creates)?;
        self.staged.run.push(&Op::Delete { collection, id: self.index.arena.id(item) })?;
        self.staged.touch(&self.index, seen, self.staged.effects.len(), item);
        self.staged.effects.push(Effect::Delete(seen, item));
        Ok(())
    }

    /// Deletes the documents that match, in the order of their ids; returns how many they were.
    pub fn stage_delete_where(&mut self, collection: &str, filter: &Filter) -> Result<usize> {
        self.check_writable()?;
        filter.check()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let mut items: Vec<Item> = Vec::new();
        let mut add = |item: Item, matches: bool| {
            if matches {
                reserve(&mut items, 1, "ids to delete")?;
                items.push(item);
            }
            Ok::<(), crate::Error>(())
        };
        let number = self.staged.seen[seen].base;
        let matches = self.matches(filter, number);
        if let Some(base) = number.and_then(|base| self.index.collection(base)) {
            for doc in base.docs() {
                let item = self.index.doc(doc).item;
                if self.staged.touched(&self.index, seen, self.index.arena.id_bytes(item)).is_none() {
                    add(item, matches(doc))?;
                }
            }
        }
        for effect in self.staged.seen[seen].touched.iter() {
            if let Effect::Upsert(_, item, _) = self.staged.effects[*effect as usize] {
                add(item, filter.matches(self.index.arena.attrs(item)))?;
            }
        }
        drop(matches);
        let id = |n: u32| self.index.arena.id_bytes(items[n as usize]);
        let mut order: Vec<u32> = Vec::new();
        reserve(&mut order, items.len(), "ids to delete")?;
        order.extend(0..items.len() as u32);
        sort_by(&mut order, &|a, b| id(a).cmp(id(b)))?;
        let mut items = order.iter().map(|n| items[*n as usize]).enumerate();
        if let Err(error) = items.try_for_each(|(before, item)| self.stage_delete_item(seen, collection, item, before)) {
            self.untouch(seen, mark.effects);
            self.unstage(&mark);
            return Err(error);
        }
        self.staged.deletes += order.len();
        Ok(order.len())
    }
}
