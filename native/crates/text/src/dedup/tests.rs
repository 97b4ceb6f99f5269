use super::*;

fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("w{number} ")).collect()
}

fn near(budget: usize, segments: Vec<Segment>, first: u32) -> Deduplicator {
    let likeness = Likeness::Near(Sketch::new(14, 8, 5, 1));
    Deduplicator::new(likeness, std::env::temp_dir(), budget, segments, first)
}

fn documents() -> Vec<String> {
    vec![
        numbered(0..1000),
        numbered(5000..6000),
        numbered(0..1000) + "tail",
        String::new(),
        String::new(),
        // Jaccard to the first: 646 / 1346 = 0.48 + ..., under the threshold below.
        numbered(300..1350),
    ]
}

#[test]
fn joins_near_duplicates_and_keeps_the_first_in_memory_or_on_disk() {
    for budget in [1, 500, usize::MAX] {
        let texts = Texts::from_strings(&documents()[..5]);
        let mut dedup = near(budget, Vec::new(), 0);
        dedup.add(&texts).unwrap();
        dedup.link(false).unwrap();
        assert_eq!(dedup.roots(), [0, 1, 0, 3, 4]);
        assert_eq!(dedup.counts(), (4, 1));
        let mut lines = Vec::new();
        loop {
            let more = dedup.output(1).unwrap();
            if more.is_empty() {
                break;
            }
            lines.extend(more);
        }
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(
            lines.lines().nth(2),
            Some(r#"{"id":2,"keep":false,"cluster":0}"#)
        );
        assert_eq!(lines.lines().count(), 5);
        let kept = dedup.kept_lines(&texts).unwrap();
        let ids: Vec<&[u8]> = kept
            .split(|&b| b == b'\n')
            .map(|line| &line[..line.len().min(7)])
            .collect();
        assert_eq!(
            ids,
            [
                b"{\"id\":0",
                b"{\"id\":1",
                b"{\"id\":3",
                b"{\"id\":4",
                &b""[..]
            ]
        );
        assert!(dedup.kept_lines(&texts).is_err());
    }
}

#[test]
fn verification_compares_whole_sets_of_shingles() {
    for budget in [1, usize::MAX] {
        // Rows of one: everything that shares a word or two is a candidate.
        let likeness = Likeness::Near(Sketch::new(64, 1, 5, 1));
        let mut dedup = Deduplicator::new(likeness, std::env::temp_dir(), budget, Vec::new(), 0);
        let texts = Texts::from_strings(&documents());
        dedup.add(&texts).unwrap();
        dedup.link(true).unwrap();
        dedup.add_shingles(&texts).unwrap();
        dedup.verify(0.8).unwrap();
        assert_eq!(dedup.roots(), [0, 1, 0, 3, 4, 5]);
        let shared = 696.0 / (996.0 + 1046.0 - 696.0);
        let found = dedup.jaccard(&[(0, 2), (0, 5)]).unwrap();
        assert!((found[0] - 996.0 / 997.0).abs() < 1e-6);
        assert!((found[1] - shared).abs() < 1e-6);
        assert_eq!(dedup.similarity()[2], found[0]);
        assert_eq!(dedup.similarity()[5], 0.0);
    }
}

#[test]
fn documents_of_earlier_runs_win_and_clusters_keep_their_number() {
    let path = std::env::temp_dir().join(format!("smolforge-segment-{}", std::process::id()));
    let mut first = near(usize::MAX, Vec::new(), 0);
    first.add(&Texts::from_strings(&documents()[..2])).unwrap();
    first.link(false).unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = first.segment_piece().unwrap() {
        bytes.extend(piece);
    }
    std::fs::write(&path, &bytes).unwrap();

    let texts = vec![
        numbered(9000..9900),
        numbered(0..1000) + "tail",
        numbered(9000..9900),
    ];
    let mut second = near(1, vec![Segment::open(&path).unwrap()], 2);
    second.add(&Texts::from_strings(&texts)).unwrap();
    second.link(false).unwrap();
    assert_eq!(second.counts(), (1, 2));
    let lines = String::from_utf8(second.output(1 << 20).unwrap()).unwrap();
    let expected = [(0, true, 2), (1, false, 0), (2, false, 2)].map(|(id, keep, cluster)| {
        format!("{{\"id\":{id},\"keep\":{keep},\"cluster\":{cluster}}}\n")
    });
    assert_eq!(lines, expected.concat());

    bytes[10] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let mut damaged = near(1, vec![Segment::open(&path).unwrap()], 2);
    damaged.add(&Texts::from_strings(&texts)).unwrap();
    assert!(damaged.link(false).is_err());
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(Segment::open(&path).is_err());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn exact_duplicates_have_the_same_words() {
    let texts = ["One, two", "one TWO!", "two one", "", "", "!"].map(String::from);
    let mut dedup = Deduplicator::new(Likeness::Exact, std::env::temp_dir(), 100, Vec::new(), 0);
    dedup.add(&Texts::from_strings(&texts)).unwrap();
    dedup.link(false).unwrap();
    assert_eq!(dedup.roots(), [0, 0, 2, 3, 3, 5]);
}
