//! Little-endian numbers from a file that nobody vouches for.

use super::MOST;
use std::io::{BufRead, Read};

/// Knows how long the file is, so that no length in it can ask for more memory than the file has bytes.
pub struct Reader<'a> {
    source: Box<dyn BufRead + 'a>,
    left: usize,
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(source: impl BufRead + 'a, length: usize) -> Self {
        Self {
            source: Box::new(source),
            left: length,
            at: 0,
        }
    }

    pub fn left(&self) -> usize {
        self.left
    }

    pub fn error(&self, what: &str) -> String {
        format!("{what} (byte {})", self.at)
    }

    pub fn take(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let missing = length.saturating_sub(self.left);
        if missing > 0 {
            return Err(self.error(&format!("the file ends {missing} bytes too early")));
        }
        let mut taken = vec![0; length];
        self.fill(&mut taken)?;
        Ok(taken)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        if bytes.len() > self.left {
            return Err(self.error("the file ends too early"));
        }
        if let Err(error) = self.source.read_exact(bytes) {
            return Err(self.error(&format!("the file cannot be read: {error}")));
        }
        self.left -= bytes.len();
        self.at += bytes.len();
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    pub fn flag(&mut self) -> Result<bool, String> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a flag is neither 0 nor 1")),
        }
    }

    pub fn i32(&mut self) -> Result<i32, String> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, String> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub fn f64(&mut self) -> Result<f64, String> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A number of things, 32 bits in the file.
    pub fn count(&mut self, what: &str) -> Result<usize, String> {
        let count = self.i32()?;
        usize::try_from(count).map_err(|_| self.error(&format!("{what}: {count}")))
    }

    /// A number of things, 64 bits in the file.
    pub fn long_count(&mut self, what: &str) -> Result<usize, String> {
        let count = self.i64()?;
        if (0..MOST).contains(&count) {
            return Ok(count as usize);
        }
        Err(self.error(&format!("{what}: {count}")))
    }

    pub fn floats(&mut self, count: usize) -> Result<Vec<f32>, String> {
        if count > self.left / 4 {
            return Err(self.error(&format!(
                "{count} numbers do not fit into the rest of the file"
            )));
        }
        let mut floats = Vec::with_capacity(count);
        let mut piece = [0; 1 << 16];
        while floats.len() < count {
            let length = piece.len().min(4 * (count - floats.len()));
            self.fill(&mut piece[..length])?;
            let numbers = piece[..length]
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            floats.extend(numbers);
        }
        if floats.iter().any(|value| !value.is_finite()) {
            return Err(self.error("a weight is no finite number"));
        }
        Ok(floats)
    }

    /// Up to a zero byte, without it.
    pub fn word(&mut self) -> Result<Vec<u8>, String> {
        let mut word = Vec::new();
        let read = self
            .source
            .by_ref()
            .take(self.left as u64)
            .read_until(0, &mut word);
        if read.is_err() || word.pop() != Some(0) {
            return Err(self.error("a word of the dictionary does not end"));
        }
        self.left -= word.len() + 1;
        self.at += word.len() + 1;
        Ok(word)
    }
}
