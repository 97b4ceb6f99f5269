use super::*;
use std::io::Cursor;

fn record(number: usize, body: &str) -> Vec<u8> {
    format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: <http://a.example/{number}>\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{body}\r\n\r\n",
        body.len()
    )
    .into_bytes()
}

fn bodies() -> Vec<String> {
    let noise = |seed: u32| {
        let mut x = seed;
        (0..3000)
            .map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + (x >> 27) as u8 % 26)
            })
            .collect::<String>()
    };
    vec![
        noise(1),
        String::new(),
        format!("text with\nWARC/1.0\r\n inside {}", noise(2)),
        noise(3),
        "short".into(),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::new(6))
        .read_to_end(&mut out)
        .unwrap();
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

/// As .warc.zst of archive teams: a dictionary in a skippable frame, then a frame for each record made with it.
fn with_dictionary(records: &[Vec<u8>], packed: bool) -> Vec<u8> {
    let dictionary = records[0][..2000].to_vec();
    let content = if packed {
        zstd(&dictionary)
    } else {
        dictionary.clone()
    };
    let mut out = vec![0x5d, 0x2a, 0x4d, 0x18];
    out.extend((content.len() as u32).to_le_bytes());
    out.extend(content);
    let mut encoder = zstd::bulk::Compressor::with_dictionary(3, &dictionary).unwrap();
    for record in records {
        out.extend(encoder.compress(record).unwrap());
    }
    out
}

fn pack(form: &str) -> Vec<u8> {
    let records: Vec<Vec<u8>> = bodies()
        .iter()
        .enumerate()
        .map(|(i, body)| record(i, body))
        .collect();
    match form {
        "plain" => records.concat(),
        "gzip" => records.iter().flat_map(|r| gzip(r)).collect(),
        "whole gzip" => gzip(&records.concat()),
        "blocks" => records.concat().chunks(997).flat_map(gzip).collect(),
        "dictionary" => with_dictionary(&records, false),
        "packed dictionary" => with_dictionary(&records, true),
        _ => records.iter().flat_map(|r| zstd(r)).collect(),
    }
}

/// Reads everything and checks that the ranges follow one another without gap to the end of the file.
fn read(bytes: &[u8], max_record: usize) -> (Vec<Record>, Vec<Damage>) {
    let mut reader = Reader::new(Cursor::new(bytes), max_record).unwrap();
    let (mut records, mut damages, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = reader.next_item().unwrap() {
        let (offset, length) = match &item {
            Item::Record(r) => (r.offset, r.length),
            Item::Damage(d) => (d.offset, d.length),
        };
        assert_eq!(offset, at, "a gap in the account");
        at += length;
        match item {
            Item::Record(r) => records.push(r),
            Item::Damage(d) => damages.push(d),
        }
    }
    assert_eq!(at, bytes.len() as u64, "bytes without an account");
    assert_eq!(reader.accounted(), at);
    (records, damages)
}

#[test]
fn every_packing_gives_the_same_records() {
    for form in [
        "plain",
        "gzip",
        "whole gzip",
        "blocks",
        "zstd",
        "dictionary",
        "packed dictionary",
    ] {
        let (records, damages) = read(&pack(form), 1 << 20);
        assert_eq!(damages, [], "{form}");
        let found: Vec<&[u8]> = records.iter().map(|r| r.payload.as_slice()).collect();
        let expected = bodies();
        assert_eq!(
            found,
            expected.iter().map(|b| b.as_bytes()).collect::<Vec<_>>(),
            "{form}"
        );
        assert_eq!(records[3].url.as_deref(), Some("http://a.example/3"));
    }
}

#[test]
fn a_file_cut_anywhere_loses_only_what_is_cut() {
    for form in ["plain", "gzip", "whole gzip", "blocks", "zstd"] {
        let whole = pack(form);
        let (complete, _) = read(&whole, 1 << 20);
        for cut in (0..whole.len()).step_by(37) {
            let (records, damages) = read(&whole[..cut], 1 << 20);
            if matches!(form, "gzip" | "zstd") {
                let expected = complete
                    .iter()
                    .filter(|r| r.offset + r.length <= cut as u64)
                    .count();
                assert_eq!(records.len(), expected, "{form} cut at {cut}");
                let at_border =
                    complete.iter().any(|r| r.offset + r.length == cut as u64) || cut == 0;
                assert_eq!(damages.is_empty(), at_border, "{form} cut at {cut}");
            }
            for (record, original) in records.iter().zip(&complete) {
                assert_eq!(record.payload, original.payload, "{form} cut at {cut}");
            }
        }
    }
}

#[test]
fn changed_bytes_are_damage_and_the_next_record_is_found() {
    for form in ["gzip", "zstd"] {
        let whole = pack(form);
        let (complete, _) = read(&whole, 1 << 20);
        for at in (0..whole.len()).step_by(101) {
            let mut bytes = whole.clone();
            for byte in bytes.iter_mut().skip(at).take(8) {
                *byte ^= 0xa5;
            }
            let (records, damages) = read(&bytes, 1 << 20);
            // A frame of zstd carries no checksum unless asked to, so that a change in one may pass.
            if form == "gzip" {
                assert!(
                    !damages.is_empty() || records.len() == complete.len(),
                    "changed at {at}"
                );
                assert!(
                    records.len() + 2 >= complete.len(),
                    "changed at {at}: {} left",
                    records.len()
                );
            }
        }
    }
}

#[test]
fn garbage_between_members_is_passed_over() {
    let parts: Vec<Vec<u8>> = bodies()
        .iter()
        .enumerate()
        .map(|(i, b)| gzip(&record(i, b)))
        .collect();
    let garbage = b"\x1f\x8b\x08 this is no member \0\0\0\0";
    let bytes = parts.join(&garbage[..]);
    let (records, damages) = read(&bytes, 1 << 20);
    assert_eq!(records.len(), parts.len());
    assert_eq!(
        damages.iter().map(|d| d.length).sum::<u64>(),
        (garbage.len() * (parts.len() - 1)) as u64
    );
}

#[test]
fn wrong_lengths_cost_one_record() {
    for (from, to) in [
        ("Content-Length: 3000", "Content-Length: 3500"),
        ("Content-Length: 3000", "Content-Length: 2500"),
    ] {
        for form in ["plain", "gzip"] {
            let records: Vec<Vec<u8>> = bodies()
                .iter()
                .enumerate()
                .map(|(i, b)| record(i, b))
                .collect();
            let bad = String::from_utf8(records[0].clone())
                .unwrap()
                .replace(from, to)
                .into_bytes();
            let all: Vec<Vec<u8>> = std::iter::once(bad)
                .chain(records[1..].iter().cloned())
                .collect();
            let bytes = if form == "plain" {
                all.concat()
            } else {
                all.iter().flat_map(|r| gzip(r)).collect()
            };
            let (found, damages) = read(&bytes, 1 << 20);
            assert_eq!(found.len(), 4, "{form} {to}");
            assert_eq!(damages.len(), 1, "{form} {to}");
        }
    }
    let nonsense = [
        b"WARC/1.0\r\nContent-Length: many\r\n\r\nx\r\n\r\n".to_vec(),
        record(1, "good"),
    ]
    .concat();
    assert_eq!(read(&nonsense, 1 << 20).0.len(), 1);
}

#[test]
fn a_bomb_is_refused_and_the_records_around_it_stay() {
    let bomb = record(1, &" ".repeat(50 << 20));
    let honest = [
        gzip(&record(0, "before")),
        gzip(&bomb),
        gzip(&record(2, "after")),
    ]
    .concat();
    let lying = String::from_utf8(bomb).unwrap().replacen(
        &format!("Content-Length: {}", 50 << 20),
        "Content-Length: 9",
        1,
    );
    let lying = [
        gzip(&record(0, "before")),
        gzip(lying.as_bytes()),
        gzip(&record(2, "after")),
    ]
    .concat();
    for bytes in [honest, lying] {
        let (records, damages) = read(&bytes, 1 << 20);
        let texts: Vec<&[u8]> = records.iter().map(|r| r.payload.as_slice()).collect();
        assert_eq!(texts, [b"before" as &[u8], b"after"]);
        assert_eq!(damages.len(), 1);
    }
}

#[test]
fn a_frame_made_with_a_dictionary_is_refused_without_it_and_its_neighbours_are_found() {
    let whole = pack("dictionary");
    let content = u32::from_le_bytes(whole[4..8].try_into().unwrap()) as usize;
    let (records, damages) = read(&whole[8 + content..], 1 << 20);
    assert!(records.len() < 5 && !damages.is_empty());
    let mut garbled = whole.clone();
    let at = whole.len() - 2000;
    for byte in &mut garbled[at..at + 8] {
        *byte ^= 0xa5;
    }
    let (records, _) = read(&garbled, 1 << 20);
    assert!(records.len() >= 3, "{} records", records.len());
}

#[test]
fn nothing_that_is_done_to_a_file_loses_the_account() {
    let mut x = 1_u64;
    let mut random = move |below: usize| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 33) as usize % below
    };
    for form in [
        "plain",
        "gzip",
        "whole gzip",
        "blocks",
        "zstd",
        "dictionary",
    ] {
        let whole = pack(form);
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                let count = random(40).min(bytes.len() - at);
                match random(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 => bytes[at..at + count].fill(0),
                    2 => drop(bytes.splice(at..at, whole[..count.min(whole.len())].to_vec())),
                    _ => drop(bytes.drain(at..at + count)),
                }
                if bytes.is_empty() {
                    bytes.push(0);
                }
            }
            read(&bytes, 1 << 20);
        }
    }
}

#[test]
fn truncation_and_date_are_told() {
    let text = "WARC/1.1\r\nWARC-Type: response\r\nWARC-Date: 2024-05-01T00:00:00Z\r\nWARC-Truncated: Length\r\n\
                Content-Length: 2\r\n\r\nhi\r\n\r\n";
    let (records, damages) = read(text.as_bytes(), 100);
    assert_eq!(damages, []);
    assert_eq!(records[0].date.as_deref(), Some("2024-05-01T00:00:00Z"));
    assert_eq!(records[0].truncated.as_deref(), Some("length"));
}
