//! Tokens that are found in the text as they are written, before it is split into words.

/// `pass` 0 is looked for first, 1 in what pass 0 left over (Hugging Face's `normalized` tokens).
#[derive(Clone, Debug)]
pub struct AddedToken {
    pub content: Vec<u8>,
    pub id: u32,
    pub pass: u8,
}

/// Finds the leftmost token, and of those that begin there the longest.
pub struct AddedTokens {
    /// By first byte, longest first.
    by_first: Vec<Vec<(Vec<u8>, u32)>>,
    any: bool,
}

impl AddedTokens {
    pub fn new<'a>(tokens: impl Iterator<Item = &'a AddedToken>) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        let mut any = false;
        for token in tokens.filter(|token| !token.content.is_empty()) {
            by_first[token.content[0] as usize].push((token.content.clone(), token.id));
            any = true;
        }
        for list in &mut by_first {
            list.sort_by_key(|(content, _)| std::cmp::Reverse(content.len()));
        }
        Self { by_first, any }
    }

    /// Start, end and id of the first token at or after `from`.
    pub fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize, u32)> {
        if !self.any {
            return None;
        }
        (from..text.len()).find_map(|at| {
            self.by_first[text[at] as usize]
                .iter()
                .find(|(content, _)| text[at..].starts_with(content))
                .map(|(content, id)| (at, at + content.len(), *id))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_two_tokens_at_one_place_wins() {
        let token = |content: &str, id| AddedToken {
            content: content.into(),
            id,
            pass: 0,
        };
        let tokens = [token("<a>", 1), token("<a>b", 2), token("b", 3)];
        let added = AddedTokens::new(tokens.iter());
        assert_eq!(added.find(b"x<a>bb", 0), Some((1, 5, 2)));
        assert_eq!(added.find(b"x<a>bb", 5), Some((5, 6, 3)));
        assert_eq!(added.find(b"x<a", 0), None);
    }
}
