//! Secrets in code: private keys, tokens that their makers mark with a prefix, passwords in addresses, and strings of
//! much entropy that are given to a name such as `api_key`.

use super::placeholder::{entropy, is_placeholder};
use super::{Kind, Span};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

pub fn find(text: &str, spans: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let Some(marks) = MARKS.as_ref() else { return };
    let mut done = 0;
    for found in marks.find_overlapping_iter(bytes) {
        let mark = found.pattern().as_usize();
        if found.start() < done {
            continue;
        }
        let span = match mark {
            0 => private_key(bytes, found.start()),
            1 => address_password(bytes, found.start()),
            2 => web_token(bytes, found.start()),
            _ => token(bytes, found.start(), &TOKENS[mark - SPECIAL.len()]),
        };
        if let Some(span) = span {
            done = span.end;
            spans.push(span);
        }
    }
    let Some(names) = NAMES.as_ref() else { return };
    for found in names.find_iter(bytes) {
        if let Some(span) = assigned(bytes, found.end(), found.pattern().as_usize() < PASSWORDS) {
            spans.push(span);
        }
    }
}

const SPECIAL: [&str; 3] = ["-----BEGIN ", "://", "eyJ"];

static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::new(
        SPECIAL
            .into_iter()
            .chain(TOKENS.iter().map(|token| token.prefix)),
    )
    .ok()
});

struct Token {
    prefix: &'static str,
    /// What may follow the prefix, and how much of it.
    body: Body,
    least: usize,
    most: usize,
}

#[derive(Clone, Copy)]
enum Body {
    /// Capitals and digits.
    Capital,
    Alphanumeric,
    Hex,
    /// Letters, digits, `-` and `_`.
    Url,
    /// Those and dots.
    Dotted,
}

const fn token_of(prefix: &'static str, body: Body, least: usize, most: usize) -> Token {
    Token {
        prefix,
        body,
        least,
        most,
    }
}

/// Prefixes as their makers document them.
static TOKENS: [Token; 52] = [
    token_of("AKIA", Body::Capital, 16, 16),
    token_of("ASIA", Body::Capital, 16, 16),
    token_of("ghp_", Body::Alphanumeric, 36, 255),
    token_of("gho_", Body::Alphanumeric, 36, 255),
    token_of("ghu_", Body::Alphanumeric, 36, 255),
    token_of("ghs_", Body::Alphanumeric, 36, 255),
    token_of("ghr_", Body::Alphanumeric, 36, 255),
    token_of("github_pat_", Body::Url, 50, 255),
    token_of("glpat-", Body::Url, 20, 64),
    token_of("xoxb-", Body::Url, 20, 120),
    token_of("xoxp-", Body::Url, 20, 120),
    token_of("xoxa-", Body::Url, 20, 120),
    token_of("xoxr-", Body::Url, 20, 120),
    token_of("xoxs-", Body::Url, 20, 120),
    token_of("xapp-", Body::Url, 20, 160),
    token_of("sk_live_", Body::Alphanumeric, 20, 120),
    token_of("sk_test_", Body::Alphanumeric, 20, 120),
    token_of("rk_live_", Body::Alphanumeric, 20, 120),
    token_of("pk_live_", Body::Alphanumeric, 20, 120),
    token_of("whsec_", Body::Alphanumeric, 24, 80),
    token_of("sk-ant-", Body::Url, 32, 200),
    token_of("sk-proj-", Body::Url, 32, 200),
    token_of("sk-or-v1-", Body::Hex, 64, 64),
    token_of("sk-", Body::Alphanumeric, 40, 64),
    token_of("gsk_", Body::Alphanumeric, 40, 80),
    token_of("AIza", Body::Url, 35, 35),
    token_of("ya29.", Body::Url, 40, 400),
    token_of("GOCSPX-", Body::Url, 28, 28),
    token_of("npm_", Body::Alphanumeric, 36, 36),
    token_of("pypi-AgE", Body::Url, 50, 400),
    token_of("rubygems_", Body::Hex, 48, 48),
    token_of("SG.", Body::Dotted, 60, 80),
    token_of("hf_", Body::Alphanumeric, 34, 40),
    token_of("dop_v1_", Body::Hex, 64, 64),
    token_of("doo_v1_", Body::Hex, 64, 64),
    token_of("shpat_", Body::Hex, 32, 32),
    token_of("shpss_", Body::Hex, 32, 32),
    token_of("shpca_", Body::Hex, 32, 32),
    token_of("sq0atp-", Body::Url, 22, 22),
    token_of("sq0csp-", Body::Url, 43, 43),
    token_of("EAACEdEose0cBA", Body::Alphanumeric, 20, 400),
    token_of("dckr_pat_", Body::Url, 27, 40),
    token_of("hvs.", Body::Url, 24, 200),
    token_of("lin_api_", Body::Alphanumeric, 40, 40),
    token_of("secret_", Body::Alphanumeric, 43, 43),
    token_of("ntn_", Body::Alphanumeric, 43, 50),
    token_of("PMAK-", Body::Url, 50, 70),
    token_of("glsa_", Body::Url, 32, 60),
    token_of("key-", Body::Hex, 32, 32),
    token_of("SK", Body::Hex, 32, 32),
    token_of("NRAK-", Body::Capital, 27, 27),
    token_of("pul-", Body::Hex, 40, 40),
];

fn belongs(body: Body, byte: u8) -> bool {
    match body {
        Body::Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        Body::Alphanumeric => byte.is_ascii_alphanumeric(),
        Body::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        Body::Url => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
        Body::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
    }
}

/// Bits a character: below it a token is a run of one letter or a word.
const TOKEN_ENTROPY: f64 = 3.0;

fn token(bytes: &[u8], start: usize, token: &Token) -> Option<Span> {
    if start > 0
        && (bytes[start - 1].is_ascii_alphanumeric() || matches!(bytes[start - 1], b'_' | b'-'))
    {
        return None;
    }
    let first = start + token.prefix.len();
    let length = bytes[first..]
        .iter()
        .take(token.most + 1)
        .take_while(|&&byte| belongs(token.body, byte))
        .count();
    let end = first + length;
    if length < token.least
        || length > token.most
        || bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    let body = &bytes[first..end];
    let mixed = body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic);
    let real = mixed && entropy(body) >= TOKEN_ENTROPY && !is_placeholder(body);
    real.then_some(Span {
        start,
        end,
        kind: Kind::Secret,
    })
}

/// The largest key in use has about 13,000 bytes.
const LONGEST_KEY: usize = 1 << 14;

fn private_key(bytes: &[u8], start: usize) -> Option<Span> {
    let window = &bytes[start..bytes.len().min(start + LONGEST_KEY)];
    let label = window[..window.len().min(64)]
        .windows(16)
        .position(|part| part == b"PRIVATE KEY-----".as_slice())?;
    let body = label + 16;
    let close = body + memchr::memmem::find(&window[body..], b"-----END ")?;
    let end = close
        + memchr::memmem::find(
            &window[close..window.len().min(close + 64)],
            b"PRIVATE KEY-----",
        )?
        + 16;
    let letters = window[body..close]
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .count();
    let real = letters >= 40 && entropy(&window[body..close]) >= TOKEN_ENTROPY;
    real.then_some(Span {
        start,
        end: start + end,
        kind: Kind::PrivateKey,
    })
}

/// The password of `scheme://user:password@host`, alone.
fn address_password(bytes: &[u8], start: usize) -> Option<Span> {
    let first = start + 3;
    let window = &bytes[first..bytes.len().min(first + 256)];
    let stop = window
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || b"/?#\"'`<>()[]{},;\\".contains(byte))
        .unwrap_or(window.len());
    let part = &window[..stop];
    let at = memchr::memrchr(b'@', part)?;
    let colon = memchr::memchr(b':', &part[..at])?;
    let password = &part[colon + 1..at];
    let host = &part[at + 1..];
    let told = [
        b"pass".as_slice(),
        b"pwd",
        b"secret",
        b"user",
        b"root",
        b"admin",
        b"guest",
        b"test",
        b"postgres",
    ];
    let lower = password.to_ascii_lowercase();
    if password.len() < 6
        || host.is_empty()
        || b"$%{<[*:".contains(&password[0])
        || is_placeholder(password)
        || told.iter().any(|word| lower.starts_with(word))
        || !password.is_ascii()
        || entropy(password) < 2.0
    {
        return None;
    }
    Some(Span {
        start: first + colon + 1,
        end: first + at,
        kind: Kind::Secret,
    })
}

/// A signed JSON web token: two parts that begin with `{"` and a signature.
fn web_token(bytes: &[u8], start: usize) -> Option<Span> {
    if start > 0 && belongs(Body::Dotted, bytes[start - 1]) {
        return None;
    }
    let length = bytes[start..]
        .iter()
        .take(8192)
        .take_while(|&&byte| belongs(Body::Dotted, byte))
        .count();
    let mut parts = bytes[start..start + length].split(|&byte| byte == b'.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if header.len() < 16 || !claims.starts_with(b"eyJ") || signature.len() < 20 {
        return None;
    }
    let end = start + header.len() + claims.len() + signature.len() + 2;
    Some(Span {
        start,
        end,
        kind: Kind::Secret,
    })
}

/// The first of the names that are for passwords, which people choose themselves.
const PASSWORDS: usize = 3;

static NAMES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "password",
            "passwd",
            "pwd",
            "secret",
            "token",
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "accesskey",
            "access-key",
            "private_key",
            "privatekey",
            "auth_key",
            "authkey",
            "secret_key",
            "secretkey",
            "client_key",
            "encryption_key",
            "signing_key",
            "account_key",
            "accountkey",
        ])
        .ok()
});

/// The value in `name = "value"`, `name: 'value'`, `"name" => "value"` and `NAME=value`, if it is like a secret.
fn assigned(bytes: &[u8], name_end: usize, password: bool) -> Option<Span> {
    let mut at = name_end;
    let step = |at: &mut usize, wanted: &[u8], most: usize| {
        let first = *at;
        while *at < bytes.len() && *at - first < most && wanted.contains(&bytes[*at]) {
            *at += 1;
        }
        *at > first
    };
    // `secret_access_key_2`, `tokens`: the rest of the name.
    while at < bytes.len()
        && at - name_end < 16
        && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_')
    {
        at += 1;
    }
    step(&mut at, b"\"'`]", 2);
    step(&mut at, b" \t", 4);
    if !step(&mut at, b":=>", 2) {
        return None;
    }
    step(&mut at, b" \t", 4);
    let quote = *bytes.get(at)?;
    let quoted = matches!(quote, b'"' | b'\'' | b'`');
    let start = at + usize::from(quoted);
    let inside = |&&byte: &&u8| match quoted {
        true => byte != quote && byte.is_ascii_graphic(),
        false => byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte),
    };
    let length = bytes[start..]
        .iter()
        .take(LONGEST_VALUE + 1)
        .take_while(inside)
        .count();
    let end = start + length;
    if length > LONGEST_VALUE || (quoted && bytes.get(end) != Some(&quote)) {
        return None;
    }
    let value = &bytes[start..end];
    let real = if password && quoted {
        is_password(value)
    } else {
        is_key(value)
    };
    // Without quotes a name on the right is code: only a value at the end of its line counts.
    let ends = quoted
        || bytes
            .get(end)
            .is_none_or(|&byte| matches!(byte, b'\n' | b'\r'));
    (real && ends && !is_placeholder(value)).then_some(Span {
        start,
        end,
        kind: Kind::Secret,
    })
}

const LONGEST_VALUE: usize = 256;

/// Letters and digits mixed beyond what names and words are.
fn is_key(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let allowed = value
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-.~".contains(byte));
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    // A short string cannot have much entropy: log2 of its length at most.
    let least = if hex { 3.0f64 } else { 3.5 }.min(0.75 * (value.len() as f64).log2());
    value.len() >= 16
        && allowed
        && digits >= 3
        && letters >= 3
        && entropy(value) >= least
        && !is_path(value)
}

fn is_path(value: &[u8]) -> bool {
    let parts = value.split(|byte| b"./_-".contains(byte));
    parts
        .filter(|part| part.len() > 1 && part.iter().all(u8::is_ascii_lowercase))
        .count()
        >= 2
}

/// Three of: small letters, capitals, digits, signs. `{{user.name}}`, `$(cat x)` and `%s` are programs.
fn is_password(value: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| usize::from(value.iter().any(test));
    let kinds = has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_digit)
        + has(u8::is_ascii_punctuation);
    let program =
        value.iter().any(|byte| b"{}()<>\\".contains(byte)) || b"$%#/".contains(&value[0]);
    (8..=64).contains(&value.len())
        && kinds >= 3
        && entropy(value) >= 2.5
        && !program
        && !is_path(value)
}
