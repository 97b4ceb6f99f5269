use super::*;

/// A model of three words, two labels and eight buckets, written down byte by byte.
fn small_model(loss: i32) -> Vec<u8> {
    let mut file = Vec::new();
    let number = |file: &mut Vec<u8>, value: i32| file.extend(value.to_le_bytes());
    for value in [MAGIC, 12, 2, 5, 5, 1, 5, 2, loss, SUPERVISED, 8, 2, 3, 100] {
        number(&mut file, value);
    }
    file.extend(1e-4f64.to_le_bytes());
    for value in [5, 3, 2] {
        number(&mut file, value);
    }
    file.extend(20i64.to_le_bytes());
    file.extend((-1i64).to_le_bytes());
    for (word, count, label) in [
        ("good", 4i64, 0u8),
        ("bad", 3, 0),
        ("</s>", 9, 0),
        ("__label__yes", 5, 1),
        ("__label__no", 4, 1),
    ] {
        file.extend(word.as_bytes());
        file.push(0);
        file.extend(count.to_le_bytes());
        file.push(label);
    }
    let matrix = |file: &mut Vec<u8>, rows: i64, values: &dyn Fn(i64) -> f32| {
        file.push(0);
        file.extend(rows.to_le_bytes());
        file.extend(2i64.to_le_bytes());
        for i in 0..2 * rows {
            file.extend(values(i).to_le_bytes());
        }
    };
    matrix(&mut file, 11, &|i| (i as f32 - 9.0) / 5.0);
    matrix(&mut file, 2, &|i| if i % 3 == 0 { 1.5 } else { -0.5 });
    file
}

fn read(file: &[u8]) -> Result<FastText, String> {
    FastText::read(file, file.len())
}

#[test]
fn every_loss_tells_all_labels() {
    for loss in 1..=4 {
        let model = read(&small_model(loss)).unwrap();
        assert_eq!(model.labels(), ["__label__yes", "__label__no"]);
        let texts = [
            "good day".to_string(),
            "bad\nbad </s> good".to_string(),
            String::new(),
        ];
        for found in model.predict(&texts, 5, 0.0) {
            assert_eq!(found.len(), 2, "{}", model.description().loss);
            assert!(found[0].1 >= found[1].1);
        }
    }
}

#[test]
fn a_line_break_is_a_space() {
    let model = read(&small_model(3)).unwrap();
    let found = model.predict(&["good bad".into(), "good\nbad".into()], 2, 0.0);
    assert_eq!(found[0], found[1]);
}

#[test]
fn damage_is_an_error_and_nothing_else() {
    let whole = small_model(1);
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err());
    }
    let mut state = 88172645463325252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..20_000 {
        let mut file = small_model(1 + (next() % 4) as i32);
        for _ in 0..1 + next() % 4 {
            let at = (next() % file.len() as u64) as usize;
            file[at] = match next() % 3 {
                0 => next() as u8,
                1 => 0xff,
                _ => file[at] ^ (1 << (next() % 8)),
            };
        }
        if let Ok(model) = read(&file) {
            model.predict(&["good bad ugly </s> x".into()], 2, 0.1);
        }
    }
}
