use super::codes::kernel::{GROUP, ones};
use crate::Result;
use crate::error::{reserve, zeros};

/// A set of rows. It has one number for each group of sixteen rows, because codes lie in such groups.
pub struct Bits {
    /// Bit i of group g is row 16 g + i.
    pub groups: Vec<u16>,
    pub ones: usize,
}

impl Bits {
    /// Returns a set for `rows` rows that contains none of them.
    pub fn none(rows: usize) -> Result<Self> {
        let mut groups = Vec::new();
        zeros(&mut groups, rows.div_ceil(GROUP), "a set of rows")?;
        Ok(Self { groups, ones: 0 })
    }

    /// Makes room for `rows` rows. The set does not contain the new ones.
    pub fn grow(&mut self, rows: usize) -> Result<()> {
        let (before, groups) = (self.groups.len(), rows.div_ceil(GROUP));
        reserve(&mut self.groups, groups.saturating_sub(before), "a set of rows")?;
        self.groups.resize(groups.max(before), 0);
        Ok(())
    }

    /// Adds a row. A row that is in the set already counts once.
    pub fn insert(&mut self, row: usize) {
        let group = &mut self.groups[row / GROUP];
        let before = *group;
        *group |= 1 << (row % GROUP);
        self.ones += usize::from(*group != before);
    }

    /// Adds a row or takes it out. There is room for it.
    pub fn set(&mut self, row: usize, contains: bool) {
        self.insert(row);
        if !contains {
            self.groups[row / GROUP] &= !(1 << (row % GROUP));
            self.ones -= 1;
        }
    }

    /// Returns whether the set contains the row. It contains no row after the last group.
    pub fn contains(&self, row: usize) -> bool {
        self.groups.get(row / GROUP).is_some_and(|group| group >> (row % GROUP) & 1 == 1)
    }

    /// Keeps only the rows that `other` contains, too.
    pub fn and(&mut self, other: &Bits) {
        self.ones = 0;
        for (n, group) in self.groups.iter_mut().enumerate() {
            *group &= other.groups.get(n).unwrap_or(&0);
            self.ones += group.count_ones() as usize;
        }
    }

    /// Iterates over the rows from `from` on, in order.
    pub fn rows(&self, from: usize) -> impl Iterator<Item = usize> {
        let groups = self.groups.iter().enumerate().skip(from / GROUP).filter(|(_, group)| **group > 0);
        groups
            .flat_map(|(n, group)| ones(u32::from(*group)).map(move |i| n * GROUP + i))
            .filter(move |row| *row >= from)
    }
}
