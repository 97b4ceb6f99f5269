//! Personal data and secrets in texts: where they are, and the text with something harmless in their place.

mod email;
mod ip;
mod phone;
mod placeholder;
mod secret;

use rayon::prelude::*;

/// What can be found, in the order of the columns of `Masked::counts`.
pub const KINDS: [&str; 6] = ["email", "ipv4", "ipv6", "phone", "secret", "privateKey"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Email,
    Ipv4,
    Ipv6,
    Phone,
    Secret,
    PrivateKey,
}

/// A place in a text, in bytes; both ends are ends of characters.
#[derive(Clone, Copy)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

/// What stands in place of each kind; a kind without replacements is not looked for. Several take turns within a text,
/// so that two addresses of a conversation stay two, and masking a text again changes nothing.
#[derive(Default)]
pub struct Replacements {
    pub email: Vec<String>,
    pub ip: Vec<String>,
    pub phone: Vec<String>,
    pub secret: Vec<String>,
    /// Of the addresses those alone that the whole internet can reach.
    pub only_public_ips: bool,
    /// Any last label ends a mail address, as in datatrove; else only one of the public suffix list.
    pub any_email_suffix: bool,
}

pub struct Masked {
    /// None where nothing was found.
    pub text: Option<String>,
    pub counts: [u32; KINDS.len()],
}

pub fn mask(texts: &[String], replacements: &Replacements) -> Vec<Masked> {
    texts
        .par_iter()
        .map(|text| mask_text(text, replacements))
        .collect()
}

fn mask_text(text: &str, replacements: &Replacements) -> Masked {
    let mut spans = Vec::new();
    // Found first wins where two overlap: an address with a password in it, an IP that could be a telephone number.
    if !replacements.secret.is_empty() {
        secret::find(text, &mut spans);
    }
    if !replacements.email.is_empty() {
        email::find(text, replacements.any_email_suffix, &mut spans);
    }
    if !replacements.ip.is_empty() {
        ip::find(text.as_bytes(), replacements.only_public_ips, &mut spans);
    }
    if !replacements.phone.is_empty() {
        phone::find(text, &mut spans);
    }
    let mut counts = [0; KINDS.len()];
    if spans.is_empty() {
        return Masked { text: None, counts };
    }
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&i| (spans[i].start, i));
    let mut masked = String::with_capacity(text.len() + 32 * spans.len());
    let mut turns = [0; 4];
    let mut done = 0;
    for (position, &index) in order.iter().enumerate() {
        let span = spans[index];
        let beaten = order[position + 1..]
            .iter()
            .take_while(|&&other| spans[other].start < span.end)
            .any(|&other| other < index);
        if span.start < done || beaten {
            continue;
        }
        let (choices, turn) = match span.kind {
            Kind::Email => (&replacements.email, 0),
            Kind::Ipv4 | Kind::Ipv6 => (&replacements.ip, 1),
            Kind::Phone => (&replacements.phone, 2),
            Kind::Secret | Kind::PrivateKey => (&replacements.secret, 3),
        };
        masked.push_str(&text[done..span.start]);
        masked.push_str(&choices[turns[turn] % choices.len()]);
        turns[turn] += 1;
        counts[span.kind as usize] += 1;
        done = span.end;
    }
    masked.push_str(&text[done..]);
    Masked {
        text: Some(masked),
        counts,
    }
}

/// The character that ends at this byte; a space at the beginning.
fn character_before(text: &str, at: usize) -> char {
    text[..at].chars().next_back().unwrap_or(' ')
}

fn is_digit_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
