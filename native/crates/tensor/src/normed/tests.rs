//! Against plain loops, at odd shapes, on every instruction set.

use super::{Normed, normed_gradient};
use crate::context::{Context, Precision};
use crate::element::{Bf16, Floats};
use crate::isa::tested;
use crate::linears::{Weight, WeightGradient};

const EPS: f32 = 1e-3;

/// What bf16 holds exactly, so that both stored types are given the same.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    let all = crate::noise::noise(n, seed);
    all.into_iter().map(|x| Bf16::new(x).value()).collect()
}

struct Case {
    rows: usize,
    inputs: usize,
    outputs: Vec<usize>,
    x: Vec<f32>,
    norm: Vec<f32>,
    inverse: Vec<f32>,
    weights: Vec<Vec<f32>>,
    dy: Vec<f32>,
}

/// By x, by norm, and by each weight.
struct Gradients<T> {
    dx: Vec<T>,
    dnorm: Vec<T>,
    dweights: Vec<Vec<T>>,
}

impl Case {
    fn new(rows: usize, inputs: usize, outputs: &[usize]) -> Self {
        let x = noise(rows * inputs, 1);
        let squares = x
            .chunks(inputs)
            .map(|row| row.iter().map(|x| x * x).sum::<f32>());
        let inverse = squares.map(|sum| 1.0 / (sum / inputs as f32 + EPS).sqrt());
        let width: usize = outputs.iter().sum();
        Self {
            rows,
            inputs,
            outputs: outputs.to_vec(),
            inverse: inverse.collect(),
            norm: noise(inputs, 2),
            weights: outputs.iter().map(|n| noise(n * inputs, 3)).collect(),
            dy: noise(rows * width, 4),
            x,
        }
    }

    fn plain(&self) -> Gradients<f64> {
        let (inputs, width) = (self.inputs, self.outputs.iter().sum::<usize>());
        let mut all = Gradients {
            dx: vec![0.0; self.x.len()],
            dnorm: vec![0.0; inputs],
            dweights: self.weights.iter().map(|w| vec![0.0; w.len()]).collect(),
        };
        for row in 0..self.rows {
            let inverse = self.inverse[row] as f64;
            let x: Vec<f64> = self.x[row * inputs..][..inputs]
                .iter()
                .map(|&x| x as f64)
                .collect();
            let mut slopes = vec![0.0; inputs];
            let mut dy = self.dy[row * width..][..width].iter().map(|&d| d as f64);
            for (weight, dweight) in self.weights.iter().zip(&mut all.dweights) {
                for (line, to) in weight.chunks(inputs).zip(dweight.chunks_mut(inputs)) {
                    let d = dy.next().unwrap();
                    for i in 0..inputs {
                        slopes[i] += d * line[i] as f64;
                        to[i] += d * x[i] * inverse * self.norm[i] as f64;
                    }
                }
            }
            let scaled = |i: usize| slopes[i] * self.norm[i] as f64;
            let mean = (0..inputs).map(|i| scaled(i) * x[i] * inverse).sum::<f64>() / inputs as f64;
            for i in 0..inputs {
                all.dnorm[i] += slopes[i] * x[i] * inverse;
                all.dx[row * inputs + i] = inverse * (scaled(i) - x[i] * inverse * mean);
            }
        }
        all
    }

    /// The same of the engine, on top of ones with `add`.
    fn engine(&self, context: &Context, narrow: bool, add: bool, weights: bool) -> Gradients<f32> {
        let start = if add { 1.0 } else { f32::NAN };
        let mut all = Gradients {
            dx: vec![start; self.x.len()],
            dnorm: vec![start; self.inputs],
            dweights: self.weights.iter().map(|w| vec![start; w.len()]).collect(),
        };
        let layers = self.weights.iter().zip(&self.outputs);
        let halves: Vec<Bf16> = self.dy.iter().map(|&d| Bf16::new(d)).collect();
        let dy: Floats = if narrow {
            (&halves[..]).into()
        } else {
            (&self.dy[..]).into()
        };
        let layers: Vec<_> = layers
            .into_iter()
            .map(|(data, &outputs)| Weight {
                data: (&data[..]).into(),
                outputs,
            })
            .collect();
        let normed = Normed {
            x: &self.x,
            norm: &self.norm,
            inverse: &self.inverse,
            weights: &layers,
        };
        let places = all.dweights.iter_mut().zip(&self.outputs);
        let places = places.map(|(to, &outputs)| WeightGradient {
            to: weights.then_some(&mut to[..]),
            outputs,
            add,
        });
        let (dx, dnorm) = (Some(&mut all.dx[..]), Some(&mut all.dnorm[..]));
        normed_gradient(context, normed, dy, dx, dnorm, [add; 2], places.collect());
        all
    }
}

fn check(case: &Case, context: &Context, narrow: bool, add: bool, plain: &Gradients<f64>) {
    let got = case.engine(context, narrow, add, true);
    let start = if add { 1.0 } else { 0.0 };
    // In bf16 weights and normalised rows are rounded, 2^-9 off, sums of them about as much of their largest terms.
    let lost = if context.precision == Precision::Bf16 {
        1.0 / 100.0
    } else {
        2e-5
    };
    let near = |name: &str, got: &[f32], wanted: &[f64]| {
        let largest = wanted.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        for (i, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
            assert!(
                (got as f64 - wanted - start).abs() < lost * (largest + start),
                "{} {:?} {} {} {:?} narrow {narrow} add {add}, {name} at {i}: {got} not {wanted}",
                context.isa.name(),
                context.precision,
                case.rows,
                case.inputs,
                case.outputs,
            );
        }
    };
    near("dx", &got.dx, &plain.dx);
    near("dnorm", &got.dnorm, &plain.dnorm);
    for (got, wanted) in got.dweights.iter().zip(&plain.dweights) {
        near("dweight", got, wanted);
    }
}

#[test]
fn the_gradients_equal_plain_loops_at_odd_shapes() {
    // One of each, layers that do not fit below each other in pairs, more rows than a task takes, more outputs than a
    // block of K, and layers of whole tiles.
    let shapes: [(usize, usize, &[usize]); 5] = [
        (1, 1, &[1]),
        (7, 17, &[5, 4, 3]),
        (203, 70, &[34, 6, 9]),
        (35, 33, &[1100, 70]),
        (64, 128, &[64, 32, 32]),
    ];
    for (rows, inputs, outputs) in shapes {
        let case = Case::new(rows, inputs, outputs);
        let plain = case.plain();
        for isa in tested() {
            for precision in [Precision::F32, Precision::Bf16] {
                let context = Context::new(isa, 2, precision);
                for (narrow, add) in [(false, false), (false, true), (true, false), (true, true)] {
                    check(&case, &context, narrow, add, &plain);
                }
            }
        }
    }
}

#[test]
fn threads_and_unwanted_gradients_change_no_bit() {
    let case = Case::new(700, 100, &[50, 30]);
    for isa in tested() {
        for (precision, narrow) in [(Precision::F32, false), (Precision::Bf16, true)] {
            let run = |threads, weights| {
                let context = Context::new(isa, threads, precision);
                case.engine(&context, narrow, false, weights)
            };
            let (one, two, without) = (run(1, true), run(2, true), run(2, false));
            assert_eq!(one.dx, two.dx, "{}", isa.name());
            assert_eq!(one.dnorm, two.dnorm, "{}", isa.name());
            assert_eq!(one.dweights, two.dweights, "{}", isa.name());
            assert_eq!(one.dx, without.dx, "{}", isa.name());
            assert_eq!(one.dnorm, without.dnorm, "{}", isa.name());
        }
    }
}
