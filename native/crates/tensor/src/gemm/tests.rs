//! Every form of the product against the plain triple loop.

use super::{Matrix, Output, Plus, gemm};
use crate::context::{Context, Precision};
use crate::element::{Bf16, Floats};
use crate::isa::tested;
use crate::noise::noise;

#[test]
fn every_form_at_odd_shapes_equals_the_plain_triple_loop() {
    // The last ones fill tiles, are longer than a block of K, have rows of whole pages, and columns far apart.
    let shapes = [
        (1, 1, 1),
        (7, 17, 5),
        (13, 33, 400),
        (61, 8, 31),
        (2, 130, 1),
        (97, 50, 70),
        (40, 64, 64),
        (17, 33, 2112),
        (5, 7, 2048),
        (301, 20, 450),
    ];
    let mut contexts = Vec::new();
    for isa in tested() {
        for precision in [Precision::F32, Precision::Bf16] {
            for threads in [1, 2] {
                contexts.push(Context::new(isa, threads, precision));
            }
        }
    }
    for (m, n, k) in shapes {
        for form in 0..4 {
            let case = Case::new(m, n, k, form & 1 > 0, form & 2 > 0);
            contexts.iter().for_each(|context| case.check(context));
        }
    }
}

/// A product in one form.
struct Case {
    m: usize,
    n: usize,
    k: usize,
    turned: [bool; 2],
    a: Stored,
    b: Stored,
    start: Stored,
    /// Of A rounded to bf16 before or not, and B.
    products: [[Vec<f64>; 2]; 2],
}

struct Stored {
    full: Vec<f32>,
    half: Vec<Bf16>,
}

impl Stored {
    fn new(full: Vec<f32>) -> Self {
        let half = full.iter().map(|&x| Bf16::new(x)).collect();
        Self { full, half }
    }

    fn data(&self, half: bool) -> Floats<'_> {
        if half {
            (&self.half[..]).into()
        } else {
            (&self.full[..]).into()
        }
    }

    fn value(&self, at: usize, half: bool) -> f64 {
        if half {
            self.half[at].value() as f64
        } else {
            self.full[at] as f64
        }
    }
}

impl Case {
    fn new(m: usize, n: usize, k: usize, turned_a: bool, turned_b: bool) -> Self {
        let (a, b) = (Stored::new(noise(m * k, 1)), Stored::new(noise(k * n, 2)));
        let product = |half_a: bool, half_b: bool| {
            let mut sums = vec![0.0; m * n];
            for i in 0..m {
                for p in 0..k {
                    let x = a.value(if turned_a { p * m + i } else { i * k + p }, half_a);
                    for j in 0..n {
                        let at = if turned_b { j * k + p } else { p * n + j };
                        sums[i * n + j] += x * b.value(at, half_b);
                    }
                }
            }
            sums
        };
        let products = [false, true].map(|a| [false, true].map(|b| product(a, b)));
        Self {
            m,
            n,
            k,
            turned: [turned_a, turned_b],
            a,
            b,
            start: Stored::new(noise(m * (n + 3), 3)),
            products,
        }
    }

    /// With and without adding, inputs and output stored as f32 or bf16.
    fn check(&self, context: &Context) {
        let &Case { m, n, k, .. } = self;
        let rounded = context.precision == Precision::Bf16;
        for stored in 0..8 {
            let [half_a, half_b, half_c] = [1, 2, 4].map(|bit| stored & bit > 0);
            let (a, b) = (self.a.data(half_a), self.b.data(half_b));
            let a = match self.turned[0] {
                true => Matrix::columns(a, m),
                false => Matrix::rows(a, k),
            };
            let b = match self.turned[1] {
                true => Matrix::columns(b, k),
                false => Matrix::rows(b, n),
            };
            let sums = &self.products[(half_a || rounded) as usize][(half_b || rounded) as usize];
            for add in [false, true] {
                let mut c = Stored {
                    full: self.start.full.clone(),
                    half: self.start.half.clone(),
                };
                let out = if half_c {
                    Output::new(&mut c.half[..], n + 3, add)
                } else {
                    Output::new(&mut c.full[..], n + 3, add)
                };
                gemm(context, m, n, k, a, b, out);
                for i in 0..m {
                    for j in 0..n + 3 {
                        let at = i * (n + 3) + j;
                        let before = self.start.value(at, half_c);
                        let wanted = if j >= n {
                            before
                        } else {
                            sums[i * n + j] + if add { before } else { 0.0 }
                        };
                        let got = c.value(at, half_c);
                        // bf16 keeps 8 bits of what it stores.
                        let lost = if half_c { wanted.abs() / 256.0 } else { 0.0 };
                        let close = (got - wanted).abs() < 4e-5 * (k as f64).sqrt().max(1.0) + lost;
                        assert!(
                            close,
                            "{} {:?} {m} {n} {k} ({i}, {j}): {got} not {wanted}",
                            context.isa.name(),
                            context.precision,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_product_is_added_to_rows_of_another_matrix() {
    for isa in tested() {
        for precision in [Precision::F32, Precision::Bf16] {
            let context = Context::new(isa, 2, precision);
            let (m, n, k) = (45, 70, 1100);
            let (a, b, residual) = (noise(m * k, 1), noise(k * n, 2), noise(m * n, 3));
            let mut plain = vec![0.0; m * n];
            let (am, bm) = (Matrix::rows(&a[..], k), Matrix::columns(&b[..], k));
            gemm(
                &context,
                m,
                n,
                k,
                am,
                bm,
                Output::new(&mut plain[..], n, false),
            );
            let mut sum = vec![f32::NAN; m * n];
            let mut out = Output::new(&mut sum[..], n, false);
            out.plus = Plus::Rows((&residual[..]).into());
            gemm(&context, m, n, k, am, bm, out);
            for i in 0..m * n {
                assert!(
                    (sum[i] - plain[i] - residual[i]).abs() < 1e-4,
                    "{}",
                    isa.name()
                );
            }
        }
    }
}
