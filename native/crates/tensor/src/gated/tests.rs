//! Against plain loops, at odd shapes, on every instruction set.

use super::{Gated, gated_gradient};
use crate::context::{Context, Precision};
use crate::element::{Bf16, FloatsMut};
use crate::isa::tested;
use crate::linears::{Weight, WeightGradient};
use crate::noise::noise;

fn halves(x: &[f32]) -> Vec<Bf16> {
    x.iter().map(|&x| Bf16::new(x)).collect()
}

fn widened(x: &[Bf16]) -> Vec<f32> {
    x.iter().map(|x| x.value()).collect()
}

struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    gate_up: Vec<f32>,
    weight: Vec<f32>,
    dy: Vec<f32>,
}

impl Case {
    fn new(rows: usize, inputs: usize, outputs: usize) -> Self {
        // What bf16 holds exactly, so that all stored types are given the same.
        let exact = |n, seed| widened(&halves(&noise(n, seed)));
        let gate_up = exact(2 * rows * inputs, 1);
        Self {
            rows,
            inputs,
            outputs,
            gate_up: gate_up.iter().map(|x| 4.0 * x).collect(),
            weight: exact(outputs * inputs, 2),
            dy: exact(rows * outputs, 3),
        }
    }

    /// The gradients by gate and up, and by the weight.
    fn plain(&self) -> [Vec<f64>; 2] {
        let &Self {
            rows,
            inputs,
            outputs,
            ..
        } = self;
        let mut dx = vec![0.0; 2 * rows * inputs];
        let mut dweight = vec![0.0; outputs * inputs];
        for row in 0..rows {
            for i in 0..inputs {
                let at = 2 * row * inputs + i;
                let (g, u) = (self.gate_up[at] as f64, self.gate_up[at + inputs] as f64);
                let s = 1.0 / (1.0 + (-g).exp());
                let mut d = 0.0;
                for o in 0..outputs {
                    let dy = self.dy[row * outputs + o] as f64;
                    d += dy * self.weight[o * inputs + i] as f64;
                    dweight[o * inputs + i] += dy * g * s * u;
                }
                dx[at] = d * u * s * (1.0 + g * (1.0 - s));
                dx[at + inputs] = d * g * s;
            }
        }
        [dx, dweight]
    }

    /// The same of the engine; every second gradient is wanted on top of what is there.
    fn engine(&self, context: &Context, narrow: bool, add: bool, wanted: bool) -> [Vec<f32>; 2] {
        let &Self {
            rows,
            inputs,
            outputs,
            ..
        } = self;
        let mut dx = vec![if add { 1.0 } else { f32::NAN }; 2 * rows * inputs];
        let mut dweight = vec![if add { 1.0 } else { f32::NAN }; outputs * inputs];
        let (mut narrow_dx, narrow_gates) = (halves(&dx), halves(&self.gate_up));
        let weight = Weight {
            data: (&self.weight[..]).into(),
            outputs,
        };
        let gate_up = if narrow {
            (&narrow_gates[..]).into()
        } else {
            (&self.gate_up[..]).into()
        };
        let gated = Gated {
            gate_up,
            weight,
            rows,
            inputs,
        };
        let to: FloatsMut = if narrow {
            (&mut narrow_dx[..]).into()
        } else {
            (&mut dx[..]).into()
        };
        let gradient = WeightGradient {
            to: wanted.then_some(&mut dweight[..]),
            outputs,
            add,
        };
        gated_gradient(context, gated, &self.dy, to, add, gradient);
        [if narrow { widened(&narrow_dx) } else { dx }, dweight]
    }
}

fn check(case: &Case, context: &Context, narrow: bool, add: bool, plain: &[Vec<f64>; 2]) {
    let start = if add { 1.0 } else { 0.0 };
    let rounded = context.precision == Precision::Bf16;
    let got = case.engine(context, narrow, add, true);
    for (part, (got, wanted)) in got.iter().zip(plain).enumerate() {
        let largest = wanted.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        // What is rounded to bf16 is 2^-9 off, a sum of it about as much of its largest terms.
        let lost = match part {
            0 if narrow => 1.0 / 200.0,
            1 if narrow || rounded => 1.0 / 200.0,
            _ => 1e-5,
        };
        for (i, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
            assert!(
                (got as f64 - wanted - start).abs() < lost * (largest + start),
                "{} {:?} {} {} {} narrow {narrow} add {add}, part {part} at {i}: {got} not {wanted}",
                context.isa.name(),
                context.precision,
                case.rows,
                case.inputs,
                case.outputs,
            );
        }
    }
}

#[test]
fn the_gradients_equal_plain_loops_at_odd_shapes() {
    // One of each, odd everything, more than a strip and a block of columns, and more outputs than a block of K.
    for (rows, inputs, outputs) in [
        (1, 1, 1),
        (7, 17, 5),
        (131, 150, 37),
        (64, 128, 32),
        (59, 40, 1100),
    ] {
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
fn threads_and_an_unwanted_gradient_change_no_bit() {
    let case = Case::new(300, 200, 70);
    for isa in tested() {
        for (precision, narrow) in [(Precision::F32, false), (Precision::Bf16, true)] {
            let run = |threads, wanted| {
                let context = Context::new(isa, threads, precision);
                case.engine(&context, narrow, false, wanted)
            };
            let one = run(1, true);
            assert_eq!(one, run(2, true), "{}", isa.name());
            assert_eq!(one[0], run(2, false)[0], "{}", isa.name());
        }
    }
}
