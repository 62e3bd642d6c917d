//! A campaign's chance.

/// Numbers that look random, the same for the same seed (`xorshift64*`, Vigna 2016).
pub struct Dice(pub u64);

impl Dice {
    /// One of 0 to n - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % n
    }
}
