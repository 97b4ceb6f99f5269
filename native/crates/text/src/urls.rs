//! Lists of domains, addresses and words that addresses are looked up in. Millions of entries at 8 bytes each: only
//! 64-bit hashes are kept, of which ten million and a billion look-ups meet by chance about once in two thousand runs.

use aho_corasick::{AhoCorasick, MatchKind};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use xxhash_rust::xxh3::xxh3_64;

/// A set of strings by their hashes: sorted once it is whole.
#[derive(Default)]
struct HashedSet {
    hashes: Vec<u64>,
    sorted: bool,
}

impl HashedSet {
    fn add(&mut self, entry: &[u8]) {
        self.hashes.push(xxh3_64(entry));
        self.sorted = false;
    }

    fn settle(&mut self) {
        if self.sorted {
            return;
        }
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.shrink_to_fit();
        self.sorted = true;
    }

    fn has(&self, entry: &[u8]) -> bool {
        !self.hashes.is_empty() && self.hashes.binary_search(&xxh3_64(entry)).is_ok()
    }
}

/// Which list an entry goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum List {
    BlockedDomains,
    BlockedUrls,
    AllowedDomains,
    OnlyDomains,
}

/// What an address met first, in the order in which the lists are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Found {
    Nothing = 0,
    Allowed = 1,
    NotListed = 2,
    Domain = 3,
    Subdomain = 4,
    Url = 5,
    BannedWord = 6,
    SoftWords = 7,
    BannedSubword = 8,
    NoUrl = 9,
}

#[derive(Default)]
pub struct UrlLists {
    blocked: HashedSet,
    urls: HashedSet,
    allowed: HashedSet,
    only: HashedSet,
    words: FxHashSet<Box<[u8]>>,
    soft_words: FxHashSet<Box<[u8]>>,
    subwords: Option<AhoCorasick>,
    soft_threshold: usize,
}

impl UrlLists {
    /// Words are compared as letters and digits in lower case; `soft_threshold` soft words are as bad as a hard one.
    pub fn new(
        words: &[String],
        soft_words: &[String],
        subwords: &[String],
        soft_threshold: usize,
    ) -> Self {
        let set = |words: &[String]| {
            words
                .iter()
                .map(|word| normalised(word.as_bytes()))
                .filter(|word| !word.is_empty())
                .map(Vec::into_boxed_slice)
                .collect()
        };
        let parts: Vec<Vec<u8>> = subwords
            .iter()
            .map(|word| normalised(word.as_bytes()))
            .filter(|word| !word.is_empty())
            .collect();
        let subwords = (!parts.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostFirst)
                    .build(parts)
                    .ok()
            })
            .flatten();
        Self {
            words: set(words),
            soft_words: set(soft_words),
            subwords,
            soft_threshold,
            ..Self::default()
        }
    }

    /// Adds the lines of a list: an entry each, `#` begins a remark; a domain also as `*.domain` or in a hosts file's
    /// form, `0.0.0.0 domain`. Returns how many entries it had.
    pub fn add(&mut self, list: List, lines: &[u8]) -> usize {
        let set = match list {
            List::BlockedDomains => &mut self.blocked,
            List::BlockedUrls => &mut self.urls,
            List::AllowedDomains => &mut self.allowed,
            List::OnlyDomains => &mut self.only,
        };
        let mut count = 0;
        for line in lines.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            if list == List::BlockedUrls {
                set.add(without_scheme(line));
            } else {
                let domain = line
                    .rsplit(|byte| byte.is_ascii_whitespace())
                    .next()
                    .unwrap_or(line);
                let domain = domain
                    .strip_prefix(b"*.")
                    .unwrap_or(domain)
                    .to_ascii_lowercase();
                set.add(domain.strip_suffix(b".").unwrap_or(&domain));
            }
            count += 1;
        }
        count
    }

    /// Call it when the lists are whole, before the first `check`.
    pub fn settle(&mut self) {
        for set in [
            &mut self.blocked,
            &mut self.urls,
            &mut self.allowed,
            &mut self.only,
        ] {
            set.settle();
        }
    }

    pub fn entries(&self) -> usize {
        [&self.blocked, &self.urls, &self.allowed, &self.only]
            .iter()
            .map(|set| set.hashes.len())
            .sum()
    }

    pub fn check(&self, urls: &[String]) -> Vec<Found> {
        urls.par_iter().map(|url| self.check_one(url)).collect()
    }

    fn check_one(&self, url: &str) -> Found {
        let url = url.trim();
        let Some(host) = host_of(url) else {
            return Found::NoUrl;
        };
        let registered = registered_domain(&host);
        if covers(&self.allowed, &host, registered).is_some() {
            return Found::Allowed;
        }
        if !self.only.hashes.is_empty() && covers(&self.only, &host, registered).is_none() {
            return Found::NotListed;
        }
        match covers(&self.blocked, &host, registered) {
            Some(true) => return Found::Domain,
            Some(false) => return Found::Subdomain,
            None => {}
        }
        if self.urls.has(without_scheme(url.as_bytes())) {
            return Found::Url;
        }
        self.check_words(url)
    }

    fn check_words(&self, url: &str) -> Found {
        if self.words.is_empty() && self.soft_words.is_empty() && self.subwords.is_none() {
            return Found::Nothing;
        }
        let lower = url.to_ascii_lowercase();
        let parts: FxHashSet<&[u8]> = lower
            .as_bytes()
            .split(|byte| !byte.is_ascii_alphanumeric())
            .filter(|part| !part.is_empty())
            .collect();
        if parts.iter().any(|part| self.words.contains(*part)) {
            return Found::BannedWord;
        }
        let soft = parts
            .iter()
            .filter(|part| self.soft_words.contains(**part))
            .count();
        if soft > 0 && soft >= self.soft_threshold {
            return Found::SoftWords;
        }
        match &self.subwords {
            Some(subwords) if subwords.is_match(&normalised(lower.as_bytes())) => {
                Found::BannedSubword
            }
            _ => Found::Nothing,
        }
    }
}

/// The host of an address and the domain that somebody registered, by the public suffix list: `example.co.uk` of
/// `a.b.example.co.uk`; empty where there is none.
pub fn domains_of(urls: &[String]) -> Vec<String> {
    urls.par_iter()
        .map(|url| match host_of(url.trim()) {
            Some(host) => {
                String::from_utf8_lossy(registered_domain(&host).unwrap_or(&host)).into_owned()
            }
            None => String::new(),
        })
        .collect()
}

/// Whether a set has the registered domain (true) or a host under it (false); None for neither. A public suffix such
/// as `co.uk` never counts: it would cover strangers.
fn covers(set: &HashedSet, host: &[u8], registered: Option<&[u8]>) -> Option<bool> {
    if set.hashes.is_empty() {
        return None;
    }
    let Some(registered) = registered else {
        // An IP address, or a host of one label.
        return set.has(host).then_some(true);
    };
    if set.has(registered) {
        return Some(true);
    }
    let mut rest = host;
    while rest.len() > registered.len() {
        if set.has(rest) {
            return Some(false);
        }
        let dot = rest.iter().position(|&byte| byte == b'.')?;
        rest = &rest[dot + 1..];
    }
    None
}

fn registered_domain(host: &[u8]) -> Option<&[u8]> {
    if host.last().is_some_and(u8::is_ascii_digit) || host.first() == Some(&b'[') {
        return None;
    }
    psl::domain(host).map(|domain| domain.as_bytes())
}

/// The host in lower case, without user, port and final dot.
fn host_of(url: &str) -> Option<Vec<u8>> {
    let rest = without_scheme(url.as_bytes());
    let end = rest
        .iter()
        .position(|byte| b"/?#\\".contains(byte))
        .unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = match authority.iter().rposition(|&byte| byte == b'@') {
        Some(at) => &authority[at + 1..],
        None => authority,
    };
    let host = match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    };
    let host = host.strip_suffix(b".").unwrap_or(host).to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// `http://a.org/b` and `https://a.org/b` are one entry, `//a.org/b` too.
fn without_scheme(url: &[u8]) -> &[u8] {
    match url.windows(3).take(32).position(|three| three == b"://") {
        Some(at) => &url[at + 3..],
        None => url.strip_prefix(b"//").unwrap_or(url),
    }
}

fn normalised(word: &[u8]) -> Vec<u8> {
    word.iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lists: &UrlLists, url: &str) -> Found {
        lists.check(&[url.to_string()])[0]
    }

    #[test]
    fn a_domain_covers_its_hosts_and_nothing_beside() {
        let mut lists = UrlLists::default();
        let list = b"# remark\nbad.co.uk\n*.worse.org\n0.0.0.0 hosts.net\nblog.good.com\nco.uk\ngithub.io\n10.0.0.1\n";
        assert_eq!(lists.add(List::BlockedDomains, list), 7);
        lists.settle();
        assert_eq!(found(&lists, "https://bad.co.uk/x"), Found::Domain);
        assert_eq!(
            found(&lists, "http://user:pw@a.b.BAD.co.uk.:8080?x"),
            Found::Domain
        );
        assert_eq!(found(&lists, "https://notbad.co.uk/"), Found::Nothing);
        assert_eq!(found(&lists, "https://other.co.uk/"), Found::Nothing);
        assert_eq!(found(&lists, "https://someone.github.io/"), Found::Nothing);
        assert_eq!(found(&lists, "//www.worse.org"), Found::Domain);
        assert_eq!(found(&lists, "https://hosts.net"), Found::Domain);
        assert_eq!(found(&lists, "https://a.blog.good.com/"), Found::Subdomain);
        assert_eq!(found(&lists, "https://good.com/"), Found::Nothing);
        assert_eq!(found(&lists, "http://10.0.0.1/"), Found::Domain);
        assert_eq!(found(&lists, ""), Found::NoUrl);
    }

    #[test]
    fn words_and_parts_of_words_are_told_apart() {
        let words = |list: &[&str]| list.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        let lists = UrlLists::new(
            &words(&["Casino"]),
            &words(&["buy", "cheap"]),
            &words(&["free-pills"]),
            2,
        );
        assert_eq!(
            found(&lists, "https://a.org/casino-night"),
            Found::BannedWord
        );
        assert_eq!(found(&lists, "https://a.org/casinos"), Found::Nothing);
        assert_eq!(found(&lists, "https://a.org/buy/buy"), Found::Nothing);
        assert_eq!(found(&lists, "https://a.org/buy/Cheap"), Found::SoftWords);
        assert_eq!(
            found(&lists, "https://freepills24.org/"),
            Found::BannedSubword
        );
    }

    #[test]
    fn an_allowed_domain_is_not_asked_further_and_others_can_be_left_out() {
        let mut lists = UrlLists::new(&["casino".into()], &[], &[], 2);
        lists.add(List::AllowedDomains, b"wikipedia.org");
        lists.add(List::OnlyDomains, b"nice.org");
        lists.add(List::BlockedUrls, b"https://nice.org/one");
        lists.settle();
        assert_eq!(
            found(&lists, "https://en.wikipedia.org/wiki/casino"),
            Found::Allowed
        );
        assert_eq!(found(&lists, "https://else.org/"), Found::NotListed);
        assert_eq!(found(&lists, "http://nice.org/one"), Found::Url);
        assert_eq!(found(&lists, "http://nice.org/two"), Found::Nothing);
    }

    #[test]
    fn the_registered_domain_knows_public_suffixes() {
        let urls = [
            "https://a.b.example.co.uk/x",
            "http://x.github.io",
            "http://1.2.3.4:80/",
            "none",
        ]
        .map(String::from);
        assert_eq!(
            domains_of(&urls),
            ["example.co.uk", "x.github.io", "1.2.3.4", "none"]
        );
    }
}
