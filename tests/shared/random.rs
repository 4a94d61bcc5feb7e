//! Numbers that look random. Equal seeds give equal numbers.

/// Numbers of 31 bits.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize
    }
}

/// Numbers of 32 bits. Only their high bits are good: the lowest one alternates.
pub struct Random32(pub u32);

impl Random32 {
    pub fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }
}
