//! The character set of a page: byte order mark, then HTTP, then the page's own word, then a guess.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

pub struct Decoded {
    pub text: String,
    pub charset: &'static str,
    pub replaced: usize,
}

pub fn decode(body: &[u8], http: Option<&str>, is_html: bool) -> Decoded {
    if let Some((encoding, length)) = Encoding::for_bom(body) {
        return with(encoding, &body[length..]);
    }
    let said = http
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .or_else(|| {
            if is_html {
                declared_in_page(body)
            } else {
                None
            }
        });
    if let Some(encoding) = said {
        let decoded = with(encoding, body);
        if decoded.replaced == 0 {
            return decoded;
        }
        // The word was wrong. A guess that fits without a gap is better than one full of them.
        let guessed = with(guess(body), body);
        return if guessed.replaced < decoded.replaced {
            guessed
        } else {
            decoded
        };
    }
    with(guess(body), body)
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> Decoded {
    let (text, failed) = encoding.decode_without_bom_handling(bytes);
    let replaced = if failed {
        text.matches('\u{fffd}').count()
    } else {
        0
    };
    Decoded {
        text: text.into_owned(),
        charset: encoding.name(),
        replaced,
    }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// `<meta charset=…>`, `<meta http-equiv … content="…charset=…">` or the XML declaration, in the first 4096 bytes.
fn declared_in_page(body: &[u8]) -> Option<&'static Encoding> {
    let start = &body[..body.len().min(4096)];
    let lower: Vec<u8> = start.iter().map(u8::to_ascii_lowercase).collect();
    let text = String::from_utf8_lossy(&lower);
    let label = text
        .split('<')
        .filter(|tag| tag.starts_with("meta") || tag.starts_with("?xml"))
        .find_map(|tag| {
            let tag = tag.split('>').next()?;
            let at = tag.find("charset").map(|at| at + 7).or_else(|| {
                tag.starts_with("?xml")
                    .then(|| tag.find("encoding").map(|at| at + 8))
                    .flatten()
            })?;
            let value = tag[at..].trim_start().strip_prefix('=')?.trim_start();
            let value = value.trim_start_matches(['"', '\'']);
            let end = value
                .find(['"', '\'', ';', ' ', '/', '?'])
                .unwrap_or(value.len());
            Some(value[..end].to_string())
        })?;
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A page whose declaration can be read byte by byte is not UTF-16, and x-user-defined means windows-1252.
    if encoding == UTF_16LE || encoding == UTF_16BE {
        return Some(UTF_8);
    }
    Some(if encoding.name() == "x-user-defined" {
        WINDOWS_1252
    } else {
        encoding
    })
}
