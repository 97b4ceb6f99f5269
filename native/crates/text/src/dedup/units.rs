//! Lines or paragraphs that are in many documents: counted exactly out of core, removed from their copies after the first.

use super::spill::{PARTS, Spill};
use crate::jsonl::{Texts, push_json_string};
use crate::minhash::{Scratch, word_hash};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

#[derive(Clone, Copy)]
pub enum Unit {
    Line,
    /// Lines up to one that is blank.
    Paragraph,
}

/// The passes: `add` every batch, `count`, and `remove` of every batch in the same order.
pub struct UnitDeduplicator {
    unit: Unit,
    /// Shorter units are never removed: a brace, a bullet, a name.
    min_words: usize,
    occurrences: u32,
    hashes: Spill,
    /// How often each unit that occurs too often has come by so far.
    seen: FxHashMap<u64, u32>,
    pub totals: UnitTotals,
}

#[derive(Clone, Copy, Default)]
pub struct UnitTotals {
    pub units: u64,
    pub removed: u64,
    pub removed_bytes: u64,
    /// Documents of which nothing but white space was left.
    pub emptied: u32,
}

impl UnitDeduplicator {
    pub fn new(
        unit: Unit,
        min_words: usize,
        occurrences: u32,
        folder: &Path,
        budget: usize,
    ) -> Self {
        Self {
            unit,
            min_words: min_words.max(1),
            occurrences,
            hashes: Spill::new(folder, budget),
            seen: FxHashMap::default(),
            totals: UnitTotals::default(),
        }
    }

    pub fn spilled(&self) -> u64 {
        self.hashes.spilled()
    }

    /// Different units that occur too often: what stays in memory.
    pub fn repeated(&self) -> usize {
        self.seen.len()
    }

    pub fn add(&mut self, texts: &Texts) -> io::Result<()> {
        let found: Vec<Vec<(u64, Range<usize>)>> = (0..texts.len())
            .into_par_iter()
            .map_init(Scratch::default, |scratch, document| {
                self.hashed(texts.text(document), scratch)
            })
            .collect();
        for (hash, _) in found.into_iter().flatten() {
            self.totals.units += 1;
            self.hashes.push((hash, 0))?;
        }
        Ok(())
    }

    /// Finds the units that occur more often than they may.
    pub fn count(&mut self) -> io::Result<()> {
        for part in 0..PARTS {
            for same in self.hashes.part(part)?.chunk_by(|a, b| a.0 == b.0) {
                if same.len() > self.occurrences as usize {
                    self.seen.insert(same[0].0, 0);
                }
            }
        }
        Ok(())
    }

    /// Lines `{"id","text","removed"}`; a document of which nothing is left has an empty text.
    pub fn remove(&mut self, texts: &Texts) -> Vec<u8> {
        let suspects: Vec<Vec<(u64, Range<usize>)>> = (0..texts.len())
            .into_par_iter()
            .map_init(Scratch::default, |scratch, document| {
                let mut units = self.hashed(texts.text(document), scratch);
                units.retain(|(hash, _)| self.seen.contains_key(hash));
                units
            })
            .collect();
        let mut lines = Vec::with_capacity(texts.bytes() + texts.bytes() / 8);
        let mut left = String::new();
        for (document, units) in suspects.into_iter().enumerate() {
            let text = texts.text(document);
            left.clear();
            let (mut at, mut removed) = (0, 0u32);
            for (hash, range) in units {
                let Some(seen) = self.seen.get_mut(&hash) else {
                    continue;
                };
                *seen = seen.saturating_add(1);
                if *seen > self.occurrences {
                    left.push_str(&text[at..range.start]);
                    at = range.end;
                    removed += 1;
                }
            }
            left.push_str(&text[at..]);
            let rest = if removed > 0 { left.trim_end() } else { text };
            self.totals.removed += u64::from(removed);
            self.totals.removed_bytes += (text.len() - rest.len()) as u64;
            self.totals.emptied += u32::from(removed > 0 && rest.is_empty());
            lines.extend_from_slice(b"{\"id\":");
            lines.extend_from_slice(texts.id_json(document).as_bytes());
            lines.extend_from_slice(b",\"text\":");
            push_json_string(rest, &mut lines);
            lines.extend_from_slice(format!(",\"removed\":{removed}}}\n").as_bytes());
        }
        lines
    }

    /// The units of a text that are long enough, by the hash of their words, with what separates them from the next.
    fn hashed(&self, text: &str, scratch: &mut Scratch) -> Vec<(u64, Range<usize>)> {
        units(text, self.unit)
            .into_iter()
            .filter_map(|range| {
                let hash = word_hash(&text[range.clone()], self.min_words, scratch)?;
                Some((hash, range))
            })
            .collect()
    }
}

/// Ranges that follow one another: each unit has the line ends and blank lines after it.
fn units(text: &str, unit: Unit) -> Vec<Range<usize>> {
    let mut units: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    let mut after_blank = false;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let blank = line.trim().is_empty();
        let goes_on = match unit {
            Unit::Line => blank,
            Unit::Paragraph => blank || !after_blank,
        };
        match units.last_mut() {
            Some(last) if goes_on => last.end = end,
            _ => units.push(at..end),
        }
        after_blank = blank;
        at = end;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        unit: Unit,
        occurrences: u32,
        budget: usize,
        documents: &[&str],
    ) -> (String, UnitTotals) {
        let documents: Vec<String> = documents.iter().map(|text| text.to_string()).collect();
        let mut dedup = UnitDeduplicator::new(unit, 2, occurrences, &std::env::temp_dir(), budget);
        let (first, rest) = documents.split_at(1);
        let batches = [Texts::from_strings(first), Texts::from_strings(rest)];
        batches.iter().for_each(|batch| dedup.add(batch).unwrap());
        dedup.count().unwrap();
        let lines: Vec<u8> = batches
            .iter()
            .flat_map(|batch| dedup.remove(batch))
            .collect();
        (String::from_utf8(lines).unwrap(), dedup.totals)
    }

    #[test]
    fn removes_lines_from_the_copies_after_the_first() {
        for budget in [1, usize::MAX] {
            let (lines, totals) = run(
                Unit::Line,
                1,
                budget,
                &[
                    "Accept all cookies\nOne of a kind\n}\n",
                    "accept ALL cookies!\n\n}\nTwo of them",
                    "Accept all cookies",
                ],
            );
            let expected = [
                r#"{"id":0,"text":"Accept all cookies\nOne of a kind\n}\n","removed":0}"#,
                r#"{"id":0,"text":"}\nTwo of them","removed":1}"#,
                r#"{"id":1,"text":"","removed":1}"#,
            ];
            assert_eq!(lines.trim_end().split('\n').collect::<Vec<_>>(), expected);
            assert_eq!((totals.removed, totals.emptied), (2, 1));
        }
    }

    #[test]
    fn paragraphs_end_at_blank_lines_and_may_occur_as_often_as_allowed() {
        let repeated = "a b\nc d\n\nother one\n \n\n";
        let (lines, totals) = run(Unit::Paragraph, 2, 10, &[repeated, repeated, repeated]);
        assert_eq!(lines.matches("a b").count(), 2);
        assert_eq!((totals.units, totals.removed, totals.emptied), (6, 2, 1));
    }
}
