use super::codes::kernel::{GROUP, ones};
use crate::Result;
use crate::error::{reserve, zeros};

/// A set of rows, in groups of sixteen as codes lie.
pub struct Bits {
    /// Bit i of group g is row 16 g + i.
    pub groups: Vec<u16>,
    pub ones: usize,
}

impl Bits {
    /// None of `rows` rows.
    pub fn none(rows: usize) -> Result<Self> {
        let mut groups = Vec::new();
        zeros(&mut groups, rows.div_ceil(GROUP), "a set of rows")?;
        Ok(Self { groups, ones: 0 })
    }

    /// Room for `rows` rows; those that come are not in.
    pub fn grow(&mut self, rows: usize) -> Result<()> {
        let (before, groups) = (self.groups.len(), rows.div_ceil(GROUP));
        reserve(&mut self.groups, groups.saturating_sub(before), "a set of rows")?;
        self.groups.resize(groups.max(before), 0);
        Ok(())
    }

    /// A row that is there already counts once.
    pub fn insert(&mut self, row: usize) {
        let group = &mut self.groups[row / GROUP];
        let before = *group;
        *group |= 1 << (row % GROUP);
        self.ones += usize::from(*group != before);
    }

    /// Whether the row is in; none behind the last group is.
    pub fn contains(&self, row: usize) -> bool {
        self.groups.get(row / GROUP).is_some_and(|group| group >> (row % GROUP) & 1 == 1)
    }

    /// Keeps those that `other` has too.
    pub fn and(&mut self, other: &Bits) {
        self.ones = 0;
        for (n, group) in self.groups.iter_mut().enumerate() {
            *group &= other.groups.get(n).unwrap_or(&0);
            self.ones += group.count_ones() as usize;
        }
    }

    /// The rows from `from` on, in order.
    pub fn rows(&self, from: usize) -> impl Iterator<Item = usize> {
        let groups = self.groups.iter().enumerate().skip(from / GROUP).filter(|(_, group)| **group > 0);
        groups.flat_map(|(n, group)| ones(u32::from(*group)).map(move |i| n * GROUP + i)).filter(move |row| *row >= from)
    }
}
