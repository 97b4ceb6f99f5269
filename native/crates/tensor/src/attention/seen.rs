//! Which keys a query sees: those before it, or all, of its own segment.

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
    /// For each query, where there are segments.
    own: Vec<Own>,
    causal: bool,
    time: usize,
    length: usize,
    offset: usize,
}

/// The keys of a query's segment: from its first to the last that the query sees, and whether all between are of it.
#[derive(Clone, Copy)]
struct Own {
    first: u32,
    end: u32,
    whole: bool,
}

impl<'a> Seen<'a> {
    pub fn new(s: &Shape, segments: Option<&'a [i32]>) -> Self {
        let mut own = Vec::new();
        if let Some(segments) = segments {
            own.reserve(s.batch * s.time);
            let mut met: std::collections::HashMap<i32, (Own, u32)> =
                std::collections::HashMap::new();
            for row in segments[..s.batch * s.time].chunks(s.time.max(1)) {
                met.clear();
                for (i, &segment) in row.iter().enumerate() {
                    let (first, end) = (i as u32, i as u32 + 1);
                    let whole = true;
                    let (seen, count) =
                        met.entry(segment).or_insert((Own { first, end, whole }, 0));
                    *count += 1;
                    seen.end = end;
                    seen.whole = end - seen.first == *count;
                    own.push(*seen);
                }
                if !s.causal {
                    let from = own.len() - row.len();
                    for (own, segment) in own[from..].iter_mut().zip(row) {
                        *own = met[segment].0;
                    }
                }
            }
        }
        Self {
            segments,
            own,
            causal: s.causal,
            time: s.time,
            length: s.key_length,
            offset: s.key_length - s.time,
        }
    }

    pub fn row(&self, b: usize, row: usize) -> Span {
        let last = if self.causal {
            self.offset + row + 1
        } else {
            self.length
        };
        match self.own.get(b * self.time + row) {
            None => Span { low: 0, high: last },
            Some(own) => Span {
                low: own.first as usize,
                high: last.min(own.end as usize),
            },
        }
    }

    /// The keys that any of these rows sees, in whole panels.
    pub fn block(&self, b: usize, from: usize, to: usize, columns: usize) -> Span {
        let low = (from..to)
            .map(|row| self.row(b, row).low)
            .min()
            .unwrap_or(0);
        let high = if self.causal {
            (self.offset + to).min(self.length)
        } else {
            let ends = (from..to).map(|row| self.row(b, row).high);
            ends.max().unwrap_or(0)
        };
        Span {
            low: low / columns * columns,
            high: high.next_multiple_of(columns).min(self.length),
        }
    }

    /// What these rows see, counted from the key `low` on.
    pub fn spans<'s>(
        &self,
        b: usize,
        from: usize,
        to: usize,
        low: usize,
        spans: &'s mut Vec<Span>,
    ) -> &'s [Span] {
        spans.clear();
        spans.extend((from..to).map(|row| {
            let seen = self.row(b, row);
            Span {
                low: seen.low - low,
                high: seen.high - low,
            }
        }));
        spans
    }

    /// Whether `hide` has nothing to hide in this row.
    pub fn whole(&self, b: usize, row: usize) -> bool {
        self.own
            .get(b * self.time + row)
            .is_none_or(|own| own.whole)
    }

    /// Hides keys of other segments that lie between those of this row's own.
    pub fn hide(&self, b: usize, row: usize, scores: &mut [f32], low: usize) {
        let Some(segments) = self.segments else {
            return;
        };
        let own = self.own[b * self.time + row];
        if own.whole {
            return;
        }
        let line = &segments[b * self.time..][..self.time];
        for key in own.first as usize..own.end as usize {
            if line[key] != line[row] {
                scores[key - low] = f32::NEG_INFINITY;
            }
        }
    }
}
