//! Which keys a query sees: those before it, of its own segment.

use super::Shape;

/// Keys low .. high - 1.
#[derive(Clone, Copy)]
pub struct Span {
    pub low: usize,
    pub high: usize,
}

/// Which keys a query sees.
pub struct Seen<'a> {
    segments: Option<&'a [i32]>,
    /// For each query: its segment's first key, and whether all keys from there on are of its segment.
    starts: Vec<(u32, bool)>,
    time: usize,
    length: usize,
    offset: usize,
}

impl<'a> Seen<'a> {
    pub fn new(s: &Shape, segments: Option<&'a [i32]>) -> Self {
        let mut starts = Vec::new();
        if let Some(segments) = segments {
            starts.reserve(s.batch * s.time);
            let mut first: std::collections::HashMap<i32, (u32, u32)> =
                std::collections::HashMap::new();
            for row in segments[..s.batch * s.time].chunks(s.time.max(1)) {
                first.clear();
                for (i, &segment) in row.iter().enumerate() {
                    let (start, count) = first.entry(segment).or_insert((i as u32, 0));
                    *count += 1;
                    starts.push((*start, i as u32 + 1 - *start == *count));
                }
            }
        }
        Self {
            segments,
            starts,
            time: s.time,
            length: s.key_length,
            offset: s.key_length - s.time,
        }
    }

    pub fn row(&self, b: usize, row: usize) -> Span {
        let low = if self.starts.is_empty() {
            0
        } else {
            self.starts[b * self.time + row].0 as usize
        };
        Span {
            low,
            high: self.offset + row + 1,
        }
    }

    /// The keys that any of these rows sees, in whole panels.
    pub fn block(&self, b: usize, from: usize, to: usize, columns: usize) -> Span {
        let low = (from..to)
            .map(|row| self.row(b, row).low)
            .min()
            .unwrap_or(0);
        let high = (self.offset + to).min(self.length);
        Span {
            low: low / columns * columns,
            high: high.next_multiple_of(columns).min(self.length),
        }
    }

    /// Hides keys of other segments that lie between those of this row's own.
    pub fn hide(&self, b: usize, row: usize, scores: &mut [f32], low: usize) {
        let Some(segments) = self.segments else {
            return;
        };
        let (start, whole) = self.starts[b * self.time + row];
        if whole {
            return;
        }
        let line = &segments[b * self.time..][..self.time];
        for key in start as usize..=row {
            if line[key] != line[row] {
                scores[key - low] = f32::NEG_INFINITY;
            }
        }
    }
}
