use super::{CrossEntropy, Gradients, head};
use crate::context::{Context, Precision};
use crate::isa::{Isa, tested};

struct Case {
    rows: usize,
    hidden: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    targets: Vec<i32>,
    scales: Vec<f32>,
}

struct Results {
    nll: Vec<f32>,
    dx: Vec<f32>,
    dweight: Vec<f32>,
}

impl Case {
    /// Inputs that bf16 holds, so that only slopes and sums are rounded.
    fn new(rows: usize, vocab: usize, hidden: usize, size: f32) -> Self {
        let mut state = (rows * vocab + hidden) as u32;
        let mut noise = |n: usize, size: f32| -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let x = ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * size;
                f32::from_bits(x.to_bits() & 0xffff_0000)
            };
            (0..n).map(|_| next()).collect()
        };
        Self {
            rows,
            hidden,
            x: noise(rows * hidden, size),
            weight: noise(vocab * hidden, 1.0),
            targets: (0..rows).map(|row| (row * 31 % vocab) as i32).collect(),
            scales: noise(rows, 1.0),
        }
    }

    /// On top of 0.5 where gradients are added.
    fn run(&self, isa: Isa, threads: usize, precision: Precision, adds: [bool; 2]) -> Results {
        let context = Context::new(isa, threads, precision);
        let mut results = Results {
            nll: vec![0.0; self.rows],
            dx: vec![0.5; self.x.len()],
            dweight: vec![0.5; self.weight.len()],
        };
        let gradients = Gradients {
            scales: &self.scales,
            dx: Some(&mut results.dx),
            dweight: Some(&mut results.dweight),
            add_x: adds[0],
            add_weight: adds[1],
        };
        let of = CrossEntropy {
            x: &self.x,
            weight: &self.weight,
            targets: &self.targets,
            hidden: self.hidden,
        };
        head(&context, of, &mut results.nll, Some(gradients));
        results
    }

    fn reference(&self, adds: [bool; 2]) -> Results {
        let hidden = self.hidden;
        let mut nll = vec![0.0; self.rows];
        let mut dx = vec![if adds[0] { 0.5 } else { 0.0 }; self.x.len()];
        let mut dweight = vec![if adds[1] { 0.5 } else { 0.0 }; self.weight.len()];
        for row in 0..self.rows {
            let Ok(target) = usize::try_from(self.targets[row]) else {
                continue;
            };
            let x = &self.x[row * hidden..][..hidden];
            let logit = |weight: &[f32]| -> f64 {
                x.iter()
                    .zip(weight)
                    .map(|(&x, &w)| x as f64 * w as f64)
                    .sum()
            };
            let logits: Vec<f64> = self.weight.chunks(hidden).map(logit).collect();
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|x| (x - most).exp()).sum();
            nll[row] = most + sum.ln() - logits[target];
            for (j, logit) in logits.iter().enumerate() {
                let own = if j == target { 1.0 } else { 0.0 };
                let slope = ((logit - most).exp() / sum - own) * self.scales[row] as f64;
                for i in 0..hidden {
                    dx[row * hidden + i] += slope * self.weight[j * hidden + i] as f64;
                    dweight[j * hidden + i] += slope * x[i] as f64;
                }
            }
        }
        let [nll, dx, dweight] =
            [nll, dx, dweight].map(|x| x.into_iter().map(|x| x as f32).collect());
        Results { nll, dx, dweight }
    }
}

/// Within this share of the largest, each.
#[track_caller]
fn assert_near(what: &str, got: &[f32], wanted: &[f32], share: f32) {
    let largest = wanted.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    for (i, (x, y)) in got.iter().zip(wanted).enumerate() {
        assert!(
            (x - y).abs() <= share * largest + 1e-6,
            "{what}[{i}] is {x}, not {y}; the largest is {largest}"
        );
    }
}

fn each_set(mut test: impl FnMut(Isa)) {
    tested().for_each(&mut test);
}

#[test]
fn losses_and_gradients_are_those_of_the_reference() {
    // Several groups of columns; vocabularies and rows that fill no panel and no block; several chunks.
    for (rows, vocab, hidden, size) in [
        (1, 40, 8, 1.0),
        (45, 64, 24, 1.0),
        (150, 1_111, 33, 0.5),
        (300, 2_100, 130, 0.3),
        (260, 530, 16, 8.0),
        (2_100, 40, 8, 1.0),
    ] {
        let case = Case::new(rows, vocab, hidden, size);
        for adds in [[false, false], [true, true]] {
            let wanted = case.reference(adds);
            each_set(|isa| {
                for (precision, shares) in
                    [(Precision::Bf16, [5e-3, 1e-2]), (Precision::F32, [5e-6; 2])]
                {
                    let name = |what: &str| {
                        format!("{isa:?} {precision:?} {rows} x {vocab} x {hidden}: {what}")
                    };
                    let got = case.run(isa, 1, precision, adds);
                    assert_near(&name("nll"), &got.nll, &wanted.nll, 2e-5);
                    assert_near(&name("dx"), &got.dx, &wanted.dx, shares[0]);
                    assert_near(&name("dweight"), &got.dweight, &wanted.dweight, shares[1]);
                }
            });
        }
    }
}

#[test]
fn a_target_that_is_nearly_certain_keeps_its_small_gradient() {
    let mut case = Case::new(40, 96, 16, 1.0);
    for row in 0..40 {
        let target = case.targets[row] as usize;
        let weight = &case.weight[target * 16..][..16];
        let square: f32 = weight.iter().map(|w| w * w).sum();
        for i in 0..16 {
            let x = weight[i] * (12.0 / square);
            case.x[row * 16 + i] = f32::from_bits(x.to_bits() & 0xffff_0000);
        }
    }
    let wanted = case.reference([false; 2]);
    assert!(wanted.nll.iter().any(|&nll| nll < 0.01));
    each_set(|isa| {
        for precision in [Precision::Bf16, Precision::F32] {
            let got = case.run(isa, 1, precision, [false; 2]);
            assert_near("nll", &got.nll, &wanted.nll, 2e-5);
            for row in 0..40 {
                let of = |x: &[f32]| x[row * 16..][..16].to_vec();
                let (got, wanted) = (of(&got.dx), of(&wanted.dx));
                assert_near(&format!("{isa:?} dx of row {row}"), &got, &wanted, 1e-2);
            }
        }
    });
}

#[test]
fn a_target_that_is_all_but_impossible_has_its_loss_and_gradient() {
    let mut case = Case::new(70, 200, 16, 1.0);
    // 150 and 1500 nats: exp(logit - logit of the target) has no f32.
    for (row, length) in [(3, 150.0), (64, 1500.0)] {
        let target = case.targets[row] as usize;
        let weight = &case.weight[target * 16..][..16];
        let square: f32 = weight.iter().map(|w| w * w).sum();
        for i in 0..16 {
            let x = -weight[i] * (length / square);
            case.x[row * 16 + i] = f32::from_bits(x.to_bits() & 0xffff_0000);
        }
    }
    for adds in [[false, false], [true, true]] {
        let wanted = case.reference(adds);
        assert!(wanted.nll[3] > 150.0 && wanted.nll[64] > 1500.0);
        each_set(|isa| {
            for precision in [Precision::Bf16, Precision::F32] {
                let name = |what: &str| format!("{isa:?} {precision:?} {what}");
                let got = case.run(isa, 2, precision, adds);
                assert_near(&name("nll"), &got.nll, &wanted.nll, 2e-5);
                assert_near(&name("dx"), &got.dx, &wanted.dx, 5e-3);
                assert_near(&name("dweight"), &got.dweight, &wanted.dweight, 1e-2);
            }
        });
    }
}

#[test]
fn what_is_no_number_stays_in_its_row() {
    let mut case = Case::new(70, 200, 16, 1.0);
    for (row, value) in [(3, f32::NAN), (40, f32::INFINITY), (66, 3e38)] {
        case.x[row * 16..][..16].fill(value);
    }
    let plain = case.reference([false; 2]);
    each_set(|isa| {
        for precision in [Precision::Bf16, Precision::F32] {
            let got = case.run(isa, 1, precision, [false; 2]);
            for row in 0..70 {
                let (x, y) = (got.nll[row], plain.nll[row]);
                let alike = (x - y).abs() < 1e-4 * (1.0 + y.abs());
                assert!(
                    alike || (!x.is_finite() && !y.is_finite()),
                    "{isa:?} nll[{row}] is {x}, not {y}"
                );
                let finite = got.dx[row * 16..][..16].iter().all(|x| x.is_finite());
                assert_eq!(finite, x.is_finite(), "{isa:?} dx of row {row}");
            }
            assert!(got.nll[3].is_nan() && !got.nll[40].is_finite() && !got.nll[66].is_finite());
            assert!(got.dweight.iter().all(|x| !x.is_finite()));
        }
    });
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let case = Case::new(700, 300, 40, 1.0);
    each_set(|isa| {
        for precision in [Precision::Bf16, Precision::F32] {
            let one = case.run(isa, 1, precision, [false, true]);
            for threads in [2, 3] {
                let more = case.run(isa, threads, precision, [false, true]);
                assert_eq!(
                    one.nll, more.nll,
                    "{isa:?}, {precision:?}, {threads} threads"
                );
                assert_eq!(one.dx, more.dx, "{isa:?}, {precision:?}, {threads} threads");
                assert_eq!(
                    one.dweight, more.dweight,
                    "{isa:?}, {precision:?}, {threads} threads"
                );
            }
        }
    });
}

#[test]
fn rows_without_a_target_count_for_nothing() {
    let mut case = Case::new(90, 70, 16, 1.0);
    case.targets
        .iter_mut()
        .step_by(3)
        .for_each(|target| *target = -1);
    let wanted = case.reference([true; 2]);
    each_set(|isa| {
        for precision in [Precision::Bf16, Precision::F32] {
            let got = case.run(isa, 2, precision, [true; 2]);
            assert_near("nll", &got.nll, &wanted.nll, 2e-5);
            assert_near("dx", &got.dx, &wanted.dx, 5e-3);
            assert_near("dweight", &got.dweight, &wanted.dweight, 1e-2);
        }
    });
}
